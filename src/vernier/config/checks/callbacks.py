"""What has to hold for `callbacks`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.checks.validation_set import needs_validation
from vernier.config.root import Config


def early_stopping_has_validation(config: Config) -> Iterator[Finding]:
    """What stops a training early is measured on a validation set."""
    if config.callbacks.early_stopping is not None:
        yield from needs_validation(config, "callbacks.early_stopping", "leave early_stopping out")


def early_stopping_can_stop(config: Config) -> Iterator[Finding]:
    """Without patience only the threshold of a good enough value ends a training."""
    stopping = config.callbacks.early_stopping
    if stopping is None or stopping.patience is not None:
        return
    ends = {"max": "upper_threshold", "min": "lower_threshold"}
    given = [name for name in ends.values() if getattr(stopping, name) is not None]
    if not given:
        message = "never stops: set its patience, or upper_threshold (mode max) or lower_threshold (mode min)"
        yield Finding("callbacks.early_stopping", message)
    elif stopping.mode != "auto" and ends[stopping.mode] not in given:
        message = (
            f"never stops: in mode {stopping.mode} {given[0]} says from where on patience counts; set patience, or "
            f"{ends[stopping.mode]}"
        )
        yield Finding("callbacks.early_stopping.patience", message, ("callbacks.early_stopping.mode",))


CHECKS: tuple[Check, ...] = (early_stopping_has_validation, early_stopping_can_stop)
