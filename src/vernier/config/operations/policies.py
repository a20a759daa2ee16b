"""Whole augmentation policies: each draws operations of its own for every image."""

from typing import Annotated, Literal

from pydantic import Field

from vernier.config.operations.base import Interpolation, Operation, Positive
from vernier.config.operations.erasing import Byte
from vernier.config.types import Count, Flag

Bins = Annotated[int, Field(ge=2, strict=True)]


class RandAugment(Operation):
    """Some random operations an image, all at one strength (Cubuk et al. 2019), those of torchvision."""

    name: Literal["RandAugment"] = "RandAugment"
    num_ops: Count = 2
    """Operations one after the other."""
    magnitude: Annotated[int, Field(ge=0, strict=True)] = 9
    """Strength, below `num_magnitude_bins`."""
    num_magnitude_bins: Bins = 31
    """Steps from nothing to an operation's largest strength."""
    fill: Byte = 0
    """What lies outside the image."""
    interpolation: Interpolation = "bilinear"


class TrivialAugment(Operation):
    """One random operation an image, at a random strength (Müller & Hutter 2021, the wide space)."""

    name: Literal["TrivialAugment"] = "TrivialAugment"
    num_magnitude_bins: Bins = 31
    """Steps from nothing to an operation's largest strength."""
    fill: Byte = 0
    """What lies outside the image."""
    interpolation: Interpolation = "bilinear"


class AugMix(Operation):
    """The image mixed with what chains of random operations make of it (Hendrycks et al. 2019)."""

    name: Literal["AugMix"] = "AugMix"
    severity: Annotated[int, Field(ge=1, le=10, strict=True)] = 3
    """Strengths are drawn from the lowest this many of 10."""
    mixture_width: Count = 3
    """Chains."""
    chain_depth: Literal[-1] | Count = -1
    """Operations of a chain; -1: 1 to 3, drawn for each chain."""
    alpha: Positive = 1.0
    """Of the Dirichlet distribution of the chains' shares, and of the Beta distribution of the image's own."""
    all_ops: Flag = True
    """Brightness, colour, contrast and sharpness as well. The paper leaves them out, since it tests on them."""
    fill: Byte = 0
    """What lies outside the image."""
    interpolation: Interpolation = "bilinear"


AnyPolicy = RandAugment | TrivialAugment | AugMix
