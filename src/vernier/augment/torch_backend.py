"""The plan on any torch device: `grid_sample` over the whole batch.

Images of different sizes are stacked by repeating their last row and column, which the warp then never mistakes for
more image: positions are taken from the plan, not from the stack.
"""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vernier.augment.backend import Backend, image_sizes
from vernier.augment.colour import ColourDraw, HueDraw
from vernier.augment.geometry import Warp
from vernier.augment.plan import Draw, Plan
from vernier.augment.sampling import Sampling, box_taps, inside_rows, plan_sampling


@final
class TorchBackend(Backend):
    """Runs a plan on a device, such as "cuda"."""

    def __init__(self, plan: Plan, device: torch.device | str) -> None:
        self._plan = plan
        self._device = torch.device(device)

    def batch(self, images: Sequence[np.ndarray], indices: np.ndarray, epoch: int) -> Tensor:
        """See `Backend.batch`; the result is on the device."""
        pixels = [torch.tensor(image).to(self._device).permute(2, 0, 1).float() for image in images]
        for draw in self._plan.draw(indices, epoch, image_sizes(images)):
            pixels = self._run(draw, pixels) if pixels else []
        shape = (len(images), self._plan.channels, *self._plan.output_size)
        result = torch.stack(pixels) if pixels else torch.empty(shape, device=self._device)
        return result.contiguous(memory_format=torch.channels_last)

    def _run(self, draw: Draw, images: list[Tensor]) -> list[Tensor]:
        """One stage on float32 images (C, H, W)."""
        match draw:
            case Warp():
                return self._warp(draw, images)
            case ColourDraw():
                means = torch.stack([image.mean(dim=(1, 2)) for image in images])
                matrices = draw.matrices(means.double().cpu().numpy())
                return _cut(_transform(_stack(images), self._send(matrices)), images)
            case HueDraw():
                return _cut(_turn_hue(_stack(images), self._send(draw.turns)), images)

    def _warp(self, warp: Warp, images: list[Tensor]) -> list[Tensor]:
        plan = self._plan
        sampling = plan_sampling(warp, border=plan.border, smooth=plan.interpolation != "nearest")
        sources = [_reduce(image, sampling, number) for number, image in enumerate(images)]
        height, width = warp.sizes.max(axis=0).tolist()
        positions = _positions(self._send(sampling.matrices), height, width)
        if plan.border == "reflect":
            extents = np.array([source.shape[:0:-1] for source in sources])
            positions = _reflected(positions, self._send(extents))
        warped = _interpolate(_stack(sources), positions, plan.interpolation)
        if plan.border == "constant":
            rows = torch.from_numpy(inside_rows(warp)).to(self._device)
            columns = torch.arange(width, device=self._device)
            inside = (columns >= rows[..., :1]) & (columns < rows[..., 1:])
            warped = torch.where(inside[:, None], warped, float(plan.fill))
        return [image[:, :h, :w] for image, (h, w) in zip(warped, warp.sizes.tolist(), strict=True)]

    def _send(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self._device)


def _stack(images: list[Tensor]) -> Tensor:
    """Images (C, H, W) as one tensor (N, C, max H, max W); the smaller ones repeat their last row and column."""
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    padded = (
        functional.pad(image, (0, width - image.shape[2], 0, height - image.shape[1]), mode="replicate")
        for image in images
    )
    return torch.stack(list(padded))


def _cut(stack: Tensor, images: list[Tensor]) -> list[Tensor]:
    """The images of a stack, at the sizes that they had before."""
    return [result[:, : image.shape[1], : image.shape[2]] for result, image in zip(stack, images, strict=True)]


def _reduce(image: Tensor, sampling: Sampling, number: int) -> Tensor:
    """The window that a warp reads, halved and smoothed."""
    top, left, bottom, right = sampling.windows[number].tolist()
    window = _halve(image[:, top:bottom, left:right], sampling.halvings[number])
    for axis, variance in enumerate(sampling.variances[number]):
        if variance > 0:
            window = _smooth(window, torch.from_numpy(box_taps(variance)).to(window), axis)
    return window


def _halve(image: Tensor, times: np.ndarray) -> Tensor:
    for done in range(max(times)):
        y, x = np.where(times > done, 2, 1).tolist()
        image = functional.pad(image, (0, -image.shape[2] % x, 0, -image.shape[1] % y), mode="replicate")
        image = functional.avg_pool2d(image, (y, x))
    return image


def _smooth(image: Tensor, taps: Tensor, axis: int) -> Tensor:
    radius = len(taps) // 2
    padding = (0, 0, radius, radius) if axis == 0 else (radius, radius, 0, 0)
    padded = functional.pad(image, padding, mode="replicate")
    return (padded.unfold(1 + axis, len(taps), 1) * taps).sum(dim=-1)


def _positions(matrices: Tensor, height: int, width: int) -> Tensor:
    """Source positions (x, y) of the middles of output pixels, (N, height, width, 2)."""
    y, x = (torch.arange(size, device=matrices.device) + 0.5 for size in (height, width))
    matrices = matrices[:, None, None]
    projected = matrices[..., 0] * x[None, None, :, None] + matrices[..., 1] * y[None, :, None, None]
    projected = projected + matrices[..., 2]
    return projected[..., :2] / projected[..., 2:]


def _reflected(positions: Tensor, extents: Tensor) -> Tensor:
    """Positions mirrored at 0 and at the extents (N, 2) until they are inside."""
    extents = extents[:, None, None]
    wrapped = torch.remainder(positions, 2 * extents)
    return torch.minimum(wrapped, 2 * extents - wrapped)


def _interpolate(images: Tensor, positions: Tensor, interpolation: str) -> Tensor:
    extents = torch.tensor(images.shape[:1:-1], device=images.device)
    grid = positions * (2 / extents) - 1
    return functional.grid_sample(images, grid, mode=interpolation, padding_mode="border", align_corners=False)


def _transform(images: Tensor, matrices: Tensor) -> Tensor:
    """Channel by channel: a matrix product could run at reduced precision."""
    *columns, offset = matrices[..., None, None].unbind(dim=2)
    for channel, column in enumerate(columns):
        offset = offset + column * images[:, channel, None]
    return offset


def _turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Hue turned in the HSV hexcone, where `turns` (N,) is not 0.

    With chroma c, value v and the hue h in sixths, a channel is v - c * clip(min(k, 4 - k), 0, 1), where
    k = (n + h) mod 6 and n is 5, 3, 1 for red, green, blue.
    """
    clipped = images.clamp(0, 255)
    value, lowest = clipped.amax(1, keepdim=True), clipped.amin(1, keepdim=True)
    chroma = value - lowest
    sixths = _hue_sixths(clipped, value, chroma) + 6 * turns[:, None, None, None]
    starts = torch.tensor([5.0, 3.0, 1.0], device=images.device)[:, None, None]
    k = torch.remainder(starts + sixths, 6)
    turned = value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)
    return torch.where(turns[:, None, None, None] == 0, images, turned)


def _hue_sixths(images: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    red, green, blue = (images[:, channel, None] for channel in range(3))
    divisor = torch.where(chroma == 0, 1.0, chroma)
    by_blue = torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4)
    return torch.where(value == red, (green - blue) / divisor, by_blue)
