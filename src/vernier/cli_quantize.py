"""`vernier quantize`."""

from vernier.errors import RunError


def quantize(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
