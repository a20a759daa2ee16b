"""What has to hold for `callbacks`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def early_stopping_has_validation(config: Config) -> Iterator[Finding]:
    """What stops a training early is measured on a validation set."""
    data = config.data
    if config.callbacks.early_stopping is None:
        return
    relies_on = ("data.split", "data.val", "data.val_split")
    if data.val_split == "none":
        message = "needs a validation set, but data.val_split is none; name a split, or leave early_stopping out"
        yield Finding("callbacks.early_stopping", message, relies_on)
    elif data.split.val == 0 and data.split.file is None and data.val is None and data.val_split is None:
        message = (
            "needs a validation set, but data.split.val is 0; set data.split.val=0.2 or data.val=DIR, or leave "
            "early_stopping out"
        )
        yield Finding("callbacks.early_stopping", message, relies_on)


CHECKS: tuple[Check, ...] = (early_stopping_has_validation,)
