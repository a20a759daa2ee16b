"""Crops and flips of small images by index arithmetic on a store that lies on the device.

A plan of whole-pixel windows (crops with padding, flips) and one normalisation for every image needs no
interpolation: each batch is one gather and one multiply-add. The store is padded once, so that windows have no border.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from vernier.augment.borders import NOTHING_OUTSIDE, padded
from vernier.augment.crops import paddings
from vernier.augment.device_pixels import Ints, counting, send
from vernier.augment.geometry import Warp, identity, resolved, size_after
from vernier.augment.plan import ColourStage, GeometryStage, Plan
from vernier.augment.randomness import Chance
from vernier.config.augment import (
    CentralCrop,
    Normalize,
    Operation,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Rescale,
)


@final
@dataclass(frozen=True)
class WindowPlan:
    """A plan that moves whole pixels and changes colour alike in every image.

    Attributes:
        plan: the plan.
        geometry: its warp, or none.
        scale: of each channel, float64 (C,).
        offset: added to each channel after that, float64 (C,).
    """

    plan: Plan
    geometry: GeometryStage | None
    scale: np.ndarray
    offset: np.ndarray

    def overhang(self, size: tuple[int, int]) -> int:
        """How many pixels a window may reach beyond images of this height and width, at most."""
        total, current = 0, size
        for step in () if self.geometry is None else self.geometry.steps:
            total += max(_overhang(step.operation, side, axis) for axis, side in enumerate(current))
            current = size_after(step.operation, current) or current
        return total

    def warps(self, indices: np.ndarray, epoch: int, size: tuple[int, int]) -> Warp:
        """The windows of some samples, whose images have this height and width."""
        sizes = np.tile(np.array(size, np.int64), (len(indices), 1))
        if self.geometry is None:
            return identity(sizes)
        return self.geometry.warp(Chance(self.plan.seed, epoch, indices), sizes)


def window_plan(plan: Plan) -> WindowPlan | None:
    """The plan as windows; None when it is more than that."""
    match plan.stages:
        case ():
            geometry, colour = None, None
        case (GeometryStage() as geometry,):
            colour = None
        case (ColourStage() as colour,):
            geometry = None
        case (GeometryStage() as geometry, ColourStage() as colour):
            pass
        case _:
            return None
    if not (_moves_whole_pixels(geometry) and _is_same_for_all(colour)):
        return None
    scale, offset = _affine(colour, plan.channels)
    return WindowPlan(plan, geometry, scale, offset)


def _moves_whole_pixels(stage: GeometryStage | None) -> bool:
    if stage is None:
        return True
    windows = (CentralCrop, Pad, RandomCrop, RandomFlip, RandomHorizontalFlip, RandomVerticalFlip)
    has_one_fill = stage.border is None or len(stage.border.fills) == 1
    return has_one_fill and all(isinstance(step.operation, windows) for step in stage.steps)


def _is_same_for_all(stage: ColourStage | None) -> bool:
    alike = (Normalize, Rescale)
    return stage is None or all(isinstance(step.operation, alike) and step.operation.is_certain for step in stage.steps)


def _affine(stage: ColourStage | None, channels: int) -> tuple[np.ndarray, np.ndarray]:
    if stage is None:
        return np.ones(channels), np.zeros(channels)
    draw = stage.draw(Chance(0, 0, np.zeros(1, np.int64)), np.ones((1, 2), np.int64))
    matrix = draw.matrices(np.zeros((1, channels)))[0]
    return np.diag(matrix[:, :-1]), matrix[:, -1]


def _overhang(operation: Operation, side: int, axis: int) -> int:
    match operation:
        case RandomCrop():
            return max(operation.padding, resolved(operation.size)[axis] - side - operation.padding)
        case Pad():
            return max(paddings(operation)[2 * axis : 2 * axis + 2])
        case CentralCrop(fraction=None):
            return max(0, resolved(operation.size)[axis] - side)
        case _:
            return 0


@final
class DeviceWindows:
    """All images of a set, padded, on a device; batches are cut out of them."""

    def __init__(self, plan: WindowPlan, array: np.ndarray, device: torch.device, dtype: torch.dtype) -> None:
        """Copies `array`, uint8 (N, H, W, C), to the device."""
        self._plan = plan
        self._size = array.shape[1], array.shape[2]
        self._overhang = plan.overhang(self._size)
        border = NOTHING_OUTSIDE if plan.geometry is None else plan.geometry.border or NOTHING_OUTSIDE
        around = (self._overhang, self._overhang)
        larger = padded(array, ((0, 0), around, around, (0, 0)), border)
        self._padded_size = larger.shape[1], larger.shape[2]
        self._pixels = torch.from_numpy(larger.reshape(-1, larger.shape[3])).to(device)
        width = plan.plan.output_size[1]
        self._scale, self._offset = (
            torch.from_numpy(np.tile(values, width)).to(device, dtype) for values in (plan.scale, plan.offset)
        )

    def batch(self, positions: np.ndarray, epoch: int) -> Tensor:
        """The samples at some places, (n, C, h, w) in channels_last memory, on the device."""
        table = self._table(positions, epoch)
        return cut_windows(self._pixels, table, self._scale, self._offset, self._plan.plan.output_size)

    def _table(self, positions: np.ndarray, epoch: int) -> Tensor:
        """The place of each window's first pixel, and the steps down and across from there: (3, n)."""
        matrices = self._plan.warps(positions, epoch, self._size).matrices
        across, down = matrices[:, 0, 0], matrices[:, 1, 1]
        left, top = (
            np.floor(step / 2 + shift) for step, shift in ((across, matrices[:, 0, 2]), (down, matrices[:, 1, 2]))
        )
        table = _places(positions, (top, left, down, across), self._overhang, self._padded_size)
        return send(table.astype(np.int32 if len(self._pixels) < 2**31 else np.int64), self._pixels.device)


def _places(positions: np.ndarray, window: tuple[np.ndarray, ...], overhang: int, size: tuple[int, int]) -> Ints:
    height, width = size
    top, left, down, across = window
    start = (positions * height + top + overhang) * width + left + overhang
    return np.stack([start, down * width, across]).astype(np.int64)


def cut_windows(pixels: Tensor, table: Tensor, scale: Tensor, offset: Tensor, size: tuple[int, int]) -> Tensor:
    """Windows of pixels, times a scale, plus an offset.

    Args:
        pixels: uint8 (P, C).
        table: for each window the place of its first pixel and the steps down and across, whole numbers (3, n).
        scale: (w * C,), repeated for every pixel of a row.
        offset: likewise.
        size: height h and width w of the windows.

    Returns:
        In the type of `scale`, (n, C, h, w) in channels_last memory.
    """
    start, down, across = table[:, :, None, None].unbind()
    height, width = size
    lines = torch.addcmul(start, down, counting(height, table)[:, None])
    index = torch.addcmul(lines, across, counting(width, table))
    picked = pixels.index_select(0, index.view(-1)).view(len(index), height, -1)
    return torch.addcmul(offset, picked, scale).view(len(index), height, width, -1).permute(0, 3, 1, 2)
