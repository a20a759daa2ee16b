"""`vernier preview`: a picture of what an augmentation list does."""

from vernier.cli_words import UsageError


def preview(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise UsageError("preview", "is not there yet")
