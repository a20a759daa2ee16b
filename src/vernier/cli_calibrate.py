"""`vernier calibrate`."""

from vernier.errors import RunError


def calibrate(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
