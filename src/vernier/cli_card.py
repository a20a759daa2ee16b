"""`vernier card`."""

from vernier.errors import RunError


def card(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
