"""The plan on any torch device, for a whole batch at once."""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from vernier.augment.axis_resize import ResizeDraw
from vernier.augment.backend import Backend
from vernier.augment.borders import WarpDraw
from vernier.augment.colour import ColourDraw, HueDraw
from vernier.augment.device_colour import change_colour, turn_hue
from vernier.augment.device_effects import change_pixels, resize_pixels
from vernier.augment.device_kernels import KERNELS
from vernier.augment.device_pixels import Pixels, as_stack, counting, from_stack, pack, send
from vernier.augment.device_sampling import Sampler, resample, sample
from vernier.augment.geometry import Floats, Warp
from vernier.augment.pixel.operation import PixelDraw
from vernier.augment.plan import Draw, Plan
from vernier.augment.sampling import inside_rows, plan_sampling


@final
class TorchBackend(Backend):
    """Runs a plan on a device, such as "cuda". Sizes and draws stay on the host, which never waits for the device.

    `sampler` may be `torch.compile(sample, dynamic=True)`, which makes one kernel of a warp.
    """

    def __init__(self, plan: Plan, device: torch.device | str, *, sampler: Sampler = sample) -> None:
        self._plan = plan
        self._device = torch.device(device)
        self._sampler = sampler

    def batch(self, images: Sequence[np.ndarray], indices: np.ndarray, epoch: int) -> Tensor:
        """See `Backend.batch`; the result is on the device."""
        if not len(images):
            empty = torch.empty((0, self._plan.channels, *self._plan.output_size), device=self._device)
            return empty.contiguous(memory_format=torch.channels_last)
        return self.run(pack(images, self._device), indices, epoch)

    def run(self, pixels: Pixels, indices: np.ndarray, epoch: int) -> Tensor:
        """The same for images that are on the device already, at least one."""
        for draw in self._plan.draw(indices, epoch, pixels.sizes):
            pixels = self._stage(draw, pixels)
        return as_stack(pixels).float().permute(1, 0, 2, 3).contiguous(memory_format=torch.channels_last)

    def _stage(self, draw: Draw, pixels: Pixels) -> Pixels:
        match draw:
            case WarpDraw():
                return from_stack(self._warp(draw, pixels), draw.sizes)
            case ColourDraw():
                return from_stack(change_colour(draw, as_stack(pixels), pixels.sizes), pixels.sizes)
            case HueDraw():
                return from_stack(turn_hue(draw, as_stack(pixels)), pixels.sizes)
            case ResizeDraw():
                return resize_pixels(draw, pixels)
            case PixelDraw():
                return change_pixels(draw, pixels, self._plan.colours)

    def _warp(self, draw: WarpDraw, pixels: Pixels) -> Tensor:
        interpolation, warp = self._plan.interpolation, draw.warp
        sampling = plan_sampling(warp, border=draw.border, smooth=interpolation != "nearest")
        height, width = warp.sizes.max(axis=0).tolist()
        source, kernel = pixels.cut(sampling.windows), KERNELS[interpolation]
        warped = resample(source, sampling, (height, width), kernel, draw.border, self._sampler)
        return _fill_outside(warped, warp, draw.fills) if draw.border == "constant" else warped


def _fill_outside(images: Tensor, warp: Warp, fills: Floats) -> Tensor:
    rows = send(inside_rows(warp).astype(np.int32), images.device)
    columns = counting(images.shape[3], rows)
    inside = (columns >= rows[..., :1]) & (columns < rows[..., 1:])
    if (fills == fills[0]).all():
        return torch.where(inside, images, float(fills[0]))
    return torch.where(inside, images, send(fills.astype(np.float32), images.device)[:, None, None])
