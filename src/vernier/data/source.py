"""A source: images, their labels, and what is known of their split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from vernier.data.images import Images

LABEL_SEPARATOR = "|"
"""Joins the labels of one multilabel sample wherever they are written as text."""


@final
@dataclass(frozen=True)
class Source:
    """Undecoded images with labels, addressed by position.

    Attributes:
        name: `digits`, or the directory's or file's stem; runs are named after it.
        images: N images.
        targets: int64 (N,), an index into `class_names`; multilabel: uint8 (N, classes) of 0 and 1.
        class_names: The classes in the order of the model's outputs.
        split: For each sample `train`, `val`, `test`, or an empty string where the source does not say.
        skipped: Why files were left out, and how many.
        native_size: Height and width when all images are of one small size by design, else None.
        root: The directory that the images' keys are relative to, if they are files.
        weights: What the loss of each sample is multiplied by, float32 (N,); None for 1.
        groups: What each sample belongs to, N names; None where the source does not say.
        list_numbers: Which of `data.lists` each sample comes from, int64 (N,), -1 for none; None without lists.
    """

    name: str
    images: Images
    targets: np.ndarray
    class_names: tuple[str, ...]
    split: tuple[str, ...]
    skipped: Mapping[str, int]
    native_size: tuple[int, int] | None
    root: Path | None
    weights: np.ndarray | None = None
    groups: tuple[str, ...] | None = None
    list_numbers: np.ndarray | None = None

    @property
    def multilabel(self) -> bool:
        """Whether a sample may have several labels, or none."""
        return self.targets.ndim == 2

    def keys(self) -> list[str]:
        """The stable names of all samples, in order."""
        return [self.images.key(index) for index in range(len(self.images))]

    def labels(self) -> list[str]:
        """The labels of all samples as text; several are joined by `|`."""
        if not self.multilabel:
            return [self.class_names[target] for target in self.targets]
        rows = (np.flatnonzero(row) for row in self.targets)
        return [LABEL_SEPARATOR.join(self.class_names[index] for index in row) for row in rows]
