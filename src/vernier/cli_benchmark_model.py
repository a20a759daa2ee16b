"""`vernier benchmark MODEL`: how long a trained or exported network takes on this machine."""

from vernier.errors import RunError


def benchmark_model(words: list[str], *, as_json: bool) -> int:
    """Run the verb; returns the exit status."""
    raise RunError("not there yet")
