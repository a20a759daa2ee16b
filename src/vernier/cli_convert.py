"""`vernier convert`: write a data set as TFRecord files, tar shards or a decoded store."""

from vernier.cli_words import UsageError


def convert(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    raise UsageError("convert", "is not there yet")
