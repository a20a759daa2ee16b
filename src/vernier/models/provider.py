"""What a provider of networks can do, and the problems that all of them share."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, final

from torch import nn

from vernier.config.model import StemSource
from vernier.errors import ModelError
from vernier.models.architecture import Architecture, Provider

_SUGGESTIONS = 5

StemInit = tuple[StemSource, ...] | Literal["auto"]
"""`model.stem_init`."""


@final
@dataclass(frozen=True)
class ModelDefaults:
    """What a network expects of its input.

    Attributes:
        provider: who builds it.
        input_size: height and width in pixels.
        mean: of the channels of an image in [0, 1], one number each.
        std: of the channels of an image in [0, 1], one number each.
        interpolation: bilinear or bicubic, as in the provider's own evaluation.
        crop_fraction: side of the central crop over the side that the image is resized to.
    """

    provider: Provider
    input_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop_fraction: float


class ModelProvider(ABC):
    """Networks by name."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """All names, for listings and suggestions."""

    @abstractmethod
    def knows(self, name: str) -> bool:
        """Whether there is a network of this name."""

    @abstractmethod
    def defaults(self, name: str) -> ModelDefaults:
        """What the network expects of its input; builds nothing."""

    @abstractmethod
    def build(self, architecture: Architecture, *, pretrained: bool, stem_init: StemInit = "auto") -> nn.Module:
        """The network at its depth, with outputs, stem and dropout fitted; weights from torch's global generator.

        Args:
            architecture: what to build; `width_divisor` only where `divides_width` says so.
            pretrained: with the published weights.
            stem_init: where the published weights of each channel go, for another number of channels than theirs.

        Raises:
            ModelError: an argument it does not take, a size it can't work with, weights that can't be had.
        """

    def divides_width(self, name: str) -> bool:
        """Whether `build` divides widths by `width_divisor` itself; the layers are rebuilt otherwise."""
        return False


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """` Did you mean a, b?`, or nothing when no choice is close; a space before, no case."""
    spellings = {choice.lower(): choice for choice in choices}
    close = [spellings[match] for match in get_close_matches(word.lower(), spellings, n=_SUGGESTIONS)]
    return f" Did you mean {', '.join(close)}?" if close else ""


def refuse_reserved(kwargs: Mapping[str, Any], reserved: Mapping[str, str]) -> None:
    """Refuse arguments that the config sets elsewhere or that would read files.

    Args:
        kwargs: `model.kwargs`.
        reserved: argument to remedy.

    Raises:
        ModelError: the first one found, with its remedy.
    """
    for key in kwargs:
        if key in reserved:
            raise ModelError(f"model.kwargs.{key}={kwargs[key]!r} can't be set here; {reserved[key]}")


def unknown_argument(architecture: Architecture, key: str, accepted: Iterable[str]) -> ModelError:
    """The error for an argument that the network does not take."""
    choices = sorted(accepted)
    known = f" {architecture.name} takes {', '.join(choices)}." if choices else ""
    return ModelError(
        f"model.kwargs.{key}={architecture.kwargs[key]!r}: {architecture.name} ({architecture.provider}) does not "
        f"take it.{did_you_mean(key, choices)}{known}"
    )


_UNEXPECTED = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


def rejected_argument(error: TypeError) -> tuple[str, str] | None:
    """(class or function, argument) of an "unexpected keyword argument", None for any other error."""
    match = _UNEXPECTED.search(str(error))
    return (match[1], match[2]) if match else None
