"""What has to hold for `schedule`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.duration import Duration
from vernier.config.root import Config


def warmup_fits(config: Config) -> Iterator[Finding]:
    """A warm-up is counted in steps of this training and ends with it at the latest."""
    warmup = getattr(config.schedule, "warmup", Duration(0, "st"))
    epochs = config.train.epochs
    if warmup.unit == "s":
        message = f"can't be a time; got {warmup}; write it in ep (epochs), st (steps) or %, such as 1ep"
        yield Finding("schedule.warmup", message)
    elif (warmup.unit == "ep" and warmup.value > epochs) or (warmup.unit == "%" and warmup.value > 100):
        message = f"is longer than the training (train.epochs={epochs}); got {warmup}; shorten it"
        yield Finding("schedule.warmup", message, ("train.epochs",))


CHECKS: tuple[Check, ...] = (warmup_fits,)
