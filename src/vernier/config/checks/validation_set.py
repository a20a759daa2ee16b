"""Whether there is a validation set, for what needs one."""

from collections.abc import Iterator

from vernier.config.checks.finding import Finding
from vernier.config.root import Config

RELIES_ON = ("data.split", "data.val", "data.val_split")


def needs_validation(config: Config, key: str, instead: str) -> Iterator[Finding]:
    """What is measured on a validation set needs one.

    Args:
        key: What needs it.
        instead: What to do without, as in `leave early_stopping out`.
    """
    data = config.data
    if data.val_split == "none":
        message = f"needs a validation set, but data.val_split is none; name a split, or {instead}"
        yield Finding(key, message, RELIES_ON)
    elif data.split.val == 0 and data.split.file is None and data.val is None and data.val_split is None:
        message = (
            f"needs a validation set, but data.split.val is 0; set data.split.val=0.2 or data.val=DIR, or {instead}"
        )
        yield Finding(key, message, RELIES_ON)
