"""Mixing pairs of training images: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019).

One draw for each batch over all processes, a function of (seed, epoch, batch number). Both mix an image with a partner
of the same batch, and the loss is share * loss(own label) + (1 - share) * loss(partner's label).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import copysign, cos, exp, expm1, log1p, pi, sqrt
from typing import Final, final

import numpy as np
import torch

from vernier.augment.buffers import Allocate
from vernier.augment.device_pixels import send
from vernier.augment.randomness import uniform
from vernier.config.augment import MixConfig

_VALUES_AT_ONCE: Final = 2**18
"""What fits the processor's cache: images are mixed in pieces of about so many values."""


class Mixing(ABC):
    """What is done to the images of one batch.

    Attributes:
        partners: int64 (n,): for each image of the batch, over all processes, the place of the one it is mixed with.
            A permutation; an image may be its own partner.
    """

    partners: np.ndarray

    @abstractmethod
    def apply(self, images: torch.Tensor, partners: np.ndarray, allocate: Allocate) -> tuple[torch.Tensor, float]:
        """Mix the first images with their partners.

        Args:
            images: (m, C, H, W), on any device, m at least n; may be written over.
            partners: int64 (n,), places in `images` of the partners of the first n.
            allocate: Gives the memory of a result on the CPU.

        Returns:
            (n, C, H, W), and how much of each result is the image's own.
        """


@final
@dataclass(frozen=True)
class Mixup(Mixing):
    """share * own + (1 - share) * partner, over the whole image."""

    partners: np.ndarray
    share: float

    def apply(self, images: torch.Tensor, partners: np.ndarray, allocate: Allocate) -> tuple[torch.Tensor, float]:
        """See `Mixing.apply`."""
        if _is_for_numpy(images):
            return self._apply_on_cpu(images, partners, allocate), self.share
        rows = images.permute(0, 2, 3, 1)
        others = rows.index_select(0, send(partners, images.device)) * (1 - self.share)
        return (rows[: len(partners)] * self.share + others).permute(0, 3, 1, 2), self.share

    def _apply_on_cpu(self, images: torch.Tensor, partners: np.ndarray, allocate: Allocate) -> torch.Tensor:
        rows = images.permute(0, 2, 3, 1).numpy()
        result = allocate((len(partners), *rows.shape[1:]))
        own, other = np.float32(self.share), np.float32(1 - self.share)
        step = max(1, _VALUES_AT_ONCE // max(1, rows[0].size))
        for start in range(0, len(partners), step):
            part = slice(start, min(start + step, len(partners)))
            mixed = result.numpy()[part]
            np.multiply(rows[part], own, out=mixed)
            others = rows[partners[part]]
            others *= other
            mixed += others
        return result.permute(0, 3, 1, 2)


@final
@dataclass(frozen=True)
class CutMix(Mixing):
    """A box of the partner's pixels in the image, at the same place.

    Attributes:
        share: Of the image's area that is left, before the border cuts the box off.
        centre: Of the box, down and across, from 0 to 1.
    """

    partners: np.ndarray
    share: float
    centre: tuple[float, float]

    def apply(self, images: torch.Tensor, partners: np.ndarray, allocate: Allocate) -> tuple[torch.Tensor, float]:
        """See `Mixing.apply`; in place."""
        height, width = images.shape[2:]
        down, across = self._side(height, self.centre[0]), self._side(width, self.centre[1])
        rows = images.permute(0, 2, 3, 1)
        if _is_for_numpy(images):
            pixels = rows.numpy()
            pixels[: len(partners), down, across] = pixels[partners, down, across]
        else:
            box = rows[:, down, across]
            box[: len(partners)] = box.index_select(0, send(partners, images.device))
        area = (down.stop - down.start) * (across.stop - across.start)
        return images[: len(partners)], 1 - area / (height * width)

    def _side(self, length: int, centre: float) -> slice:
        """The pixels that the box covers along an axis; what lies outside is cut off."""
        side = round(length * sqrt(1 - self.share))
        start = int(length * centre) - side // 2
        return slice(max(start, 0), min(start + side, length))


def _is_for_numpy(images: torch.Tensor) -> bool:
    """What a CPU's loader makes; torch's operators would start compute threads of their own beside the step's."""
    return images.device.type == "cpu" and images.dtype == torch.float32


@final
@dataclass(frozen=True)
class Mixer:
    """Draws how batches are mixed.

    Attributes:
        mixed_batches: How many batches from the start of the training on may be mixed.
        batches_per_epoch: Of all processes together.
        allocate: Gives the memory of mixed batches on the CPU.
    """

    config: MixConfig
    seed: int
    mixed_batches: int
    batches_per_epoch: int
    allocate: Allocate

    def draw(self, epoch: int, number: int, count: int) -> Mixing | None:
        """How a batch is mixed; None leaves it as it is, as it does with a single image.

        Args:
            epoch: From 0.
            number: Of the batch within the epoch, from 0.
            count: Images of the batch, over all processes.
        """
        if count < 2 or epoch * self.batches_per_epoch + number >= self.mixed_batches:
            return None
        place = np.array([number])
        mixed, which, first, second, down, across = uniform(self.seed, epoch, place, "mix", 6)[0].tolist()
        if mixed >= self.config.p:
            return None
        partners = np.argsort(uniform(self.seed, epoch, place, "mix partners", count)[0], kind="stable")
        if which < self._cutmix_share():
            return CutMix(partners, symmetric_beta(self.config.cutmix, first, second), (down, across))
        share = symmetric_beta(self.config.mixup, first, second)
        # Half of the batches have the pairs the other way round: the same mixed images are as probable, and the own
        # label is that of the image that shows more.
        return Mixup(partners, max(share, 1 - share))

    def _cutmix_share(self) -> float:
        if self.config.mixup == 0:
            return 1.0
        return 0.0 if self.config.cutmix == 0 else self.config.cutmix_share


def mixed_batches(config: MixConfig, total_batches: int, batches_per_epoch: int) -> int:
    """How many batches of a training may be mixed, before `off_for_last` begins."""
    return total_batches - config.off_for_last.steps(batches_per_epoch, total_batches)


def symmetric_beta(alpha: float, first: float, second: float) -> float:
    """A draw from Beta(alpha, alpha), made of two uniform numbers in [0, 1).

    For Student's t with 2 alpha degrees of freedom, (1 + t / sqrt(2 alpha + t^2)) / 2 is Beta(alpha, alpha), and
    t^2 = 2 alpha (u^(-1/alpha) - 1) cos(2 pi v)^2 (Bailey 1994, "Polar generation of random variates with the
    t-distribution"; Devroye 1996, "Random variate generation in one line of code").
    """
    power = log1p(-first) / alpha
    cosine = cos(2 * pi * second)
    above = -expm1(power) * cosine**2
    below = exp(power)
    return 0.5 + 0.5 * copysign(sqrt(above / (below + above)), cosine)
