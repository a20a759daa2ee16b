"""`vernier export`."""

from vernier.errors import RunError


def export(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
