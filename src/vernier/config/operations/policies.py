"""Whole augmentation policies: each draws operations of its own for every image."""

from typing import Literal

from vernier.config.operations.base import Operation


class TrivialAugment(Operation):
    """One operation an image, at a random strength (Müller & Hutter 2021)."""

    name: Literal["TrivialAugment"] = "TrivialAugment"


AnyPolicy = TrivialAugment
