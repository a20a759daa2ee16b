"""How often the images of each class come in an epoch: a pure function of (seed, epoch)."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, final

import numpy as np

from vernier.augment.randomness import permutation, uniform

SamplerName = Literal["balanced", "square_root", "list_ratios"]


@final
@dataclass(frozen=True)
class Drawn:
    """The images of an epoch in their order.

    Attributes:
        places: int64 (count,), places from 0 to count - 1; some may come several times, some not at all.
        repeats: int64 (count,), how many times each of them has come before in this epoch's draw.
    """

    places: np.ndarray
    repeats: np.ndarray


@final
@dataclass(frozen=True, eq=False)
class ClassSampler:
    """As many images an epoch as there are, drawn by class, or by list.

    Class c gets a share of the epoch in proportion to n_c^0 (balanced) or n_c^0.5 (square_root), n_c being its
    images, in whole images by largest remainder; list c in proportion to its ratio (list_ratios). Within a class
    images come in random order, and none comes again before all others have come. Which ones come is drawn anew every
    epoch.

    Attributes:
        name: `data.sampler`, or list_ratios.
        labels: int64 (count,), the class, or the list, of each image; those without images are left out.
        seed: Of every draw.
        ratios: `data.list_ratios`, one a list.
    """

    name: SamplerName
    labels: np.ndarray
    seed: int
    ratios: tuple[float, ...] = ()

    @cached_property
    def sizes(self) -> np.ndarray:
        """Images of each class, int64 (C,)."""
        return np.bincount(self.labels, minlength=len(self.ratios))

    @cached_property
    def quotas(self) -> np.ndarray:
        """Images that an epoch draws of each class, int64 (C,); their sum is the number of images."""
        return largest_remainder(np.where(self.sizes > 0, self._shares, 0.0), len(self.labels))

    @property
    def _shares(self) -> np.ndarray:
        if self.name == "list_ratios":
            return np.array(self.ratios)
        shares: np.ndarray = self.sizes ** (0.0 if self.name == "balanced" else 0.5)
        return shares

    @property
    def most_repeated(self) -> int:
        """How often an epoch shows the images that come most often."""
        present = self.sizes > 0
        return int(np.max(-(-self.quotas[present] // self.sizes[present])))

    @property
    def description(self) -> str:
        """What it does, for a person."""
        times = f"an image comes up to {self.most_repeated} times"
        if self.name == "list_ratios":
            drawn = ", ".join(map(str, self.quotas))
            return f"data.list_ratios: an epoch draws {drawn} images of the {len(self.ratios)} lists; {times}"
        least, most = self.quotas[self.sizes > 0].min(), self.quotas.max()
        shares = f"{most}" if least == most else f"{least} to {most}"
        return f"data.sampler={self.name}: an epoch draws {shares} images of each class; {times}"

    def epoch(self, epoch: int) -> Drawn:
        """The images of an epoch, from 0."""
        return _draw(self, epoch)


@lru_cache(maxsize=2)
def _draw(sampler: ClassSampler, epoch: int) -> Drawn:
    count = len(sampler.labels)
    chance = uniform(sampler.seed, epoch, np.arange(count), "sampler", 1)[:, 0]
    by_class = np.lexsort((chance, sampler.labels))
    sizes, quotas = sampler.sizes, sampler.quotas
    of_class = np.repeat(np.arange(len(sizes)), quotas)
    number = np.arange(count) - np.repeat(np.cumsum(quotas) - quotas, quotas)
    first = np.cumsum(sizes) - sizes
    places = by_class[first[of_class] + number % sizes[of_class]]
    order = permutation(sampler.seed, epoch, count)
    return Drawn(places[order], (number // sizes[of_class])[order])


def largest_remainder(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers in proportion to shares that add up to `total`, int64 (C,) (Hamilton's method).

    Each is its exact share rounded down or up; of equal remainders the first is rounded up.
    """
    exact = shares / shares.sum() * total
    rounded: np.ndarray = np.floor(exact).astype(np.int64)
    rest = total - int(rounded.sum())
    rounded[np.argsort(rounded - exact, kind="stable")[:rest]] += 1
    return rounded


def sampling_labels(targets: np.ndarray) -> np.ndarray:
    """The class that an image is drawn by: its own; with several labels the rarest one, int64 (N,).

    Images without any label make a class of their own, the last one.

    Args:
        targets: int64 (N,), or uint8 (N, L) of 0 and 1.
    """
    if targets.ndim == 1:
        return targets
    frequency = np.where(targets == 1, targets.sum(axis=0, dtype=np.int64), len(targets) + 1)
    labels: np.ndarray = np.where(targets.any(axis=1), frequency.argmin(axis=1), targets.shape[1])
    return labels


def class_counts(targets: np.ndarray, classes: int) -> np.ndarray:
    """Images of each class or label, int64 (C,).

    Args:
        targets: int64 (N,), or uint8 (N, C) of 0 and 1.
    """
    if targets.ndim == 2:
        return np.asarray(targets.sum(axis=0, dtype=np.int64))
    return np.bincount(targets, minlength=classes)
