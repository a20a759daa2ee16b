"""`vernier check`: look for what is wrong in a data set."""

from vernier.cli_words import UsageError


def check(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise UsageError("check", "is not there yet")
