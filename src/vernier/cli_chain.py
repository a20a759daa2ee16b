"""`vernier chain`."""

from vernier.errors import RunError


def chain(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
