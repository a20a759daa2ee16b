"""What has to hold for `augment`. One function a rule."""

from collections.abc import Iterator
from typing import Any

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config

_LAST = ("Normalize", "Rescale")


def normalisation_is_last(config: Config) -> Iterator[Finding]:
    """Geometry and colour work on pixel values, so Normalize or Rescale stands once, at the end."""
    for name in ("train", "eval"):
        names = [operation.name for operation in _operations(config, name)]
        first = next((index for index, item in enumerate(names) if item in _LAST), len(names))
        for index, item in list(enumerate(names))[first + 1 :]:
            key, blamed = f"augment.{name}[{index}]", f"augment.{name}[{first}]"
            if item in _LAST:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); keep one of them")
            else:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); put {names[first]} last")


def central_crop_has_one_size(config: Config) -> Iterator[Finding]:
    """A crop is given in pixels or as a share."""
    for name in ("train", "eval"):
        for index, operation in enumerate(_operations(config, name)):
            if operation.name == "CentralCrop" and operation.fraction is not None and operation.size != "auto":
                key = f"augment.{name}[{index}]"
                yield Finding(f"{key}.fraction", f"excludes {key}.size; set one of them")


def _operations(config: Config, name: str) -> tuple[Any, ...]:
    operations = getattr(config.augment, name)
    return () if operations == "auto" else operations


CHECKS: tuple[Check, ...] = (
    normalisation_is_last,
    central_crop_has_one_size,
)
