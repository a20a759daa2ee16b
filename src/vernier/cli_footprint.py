"""`vernier footprint`."""

from vernier.errors import RunError


def footprint(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
