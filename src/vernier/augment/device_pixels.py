"""A batch of images of any sizes as one tensor on a device, and what describes it on the host.

Sizes and places stay on the host, so that no stage has to wait for the device to know its shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vernier.augment.backend import image_sizes
from vernier.augment.geometry import Sizes

Ints = npt.NDArray[np.int64]


def send(array: np.ndarray, device: torch.device) -> Tensor:
    """An array on the device; the host goes on while it is copied."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@final
@dataclass(frozen=True)
class Pixels:
    """Images that lie somewhere in planes of pixels.

    Attributes:
        planes: uint8 or float32 (C, P) on the device.
        starts: place of each image's first pixel, int64 (N,).
        strides: pixels from one row to the next, int64 (N,).
        sizes: heights and widths, int64 (N, 2).
    """

    planes: Tensor
    starts: Ints
    strides: Ints
    sizes: Sizes

    @property
    def channels(self) -> int:
        """How many."""
        return self.planes.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the pixels are."""
        return self.planes.device

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, windows: Ints) -> "Pixels":
        """Windows (top, left, bottom, right), int64 (N, 4), of the images; nothing is copied."""
        starts = self.starts + windows[:, 0] * self.strides + windows[:, 1]
        return Pixels(self.planes, starts, self.strides, windows[:, 2:] - windows[:, :2])

    def take(self, members: Ints) -> "Pixels":
        """Some of the images, by place in the batch."""
        return Pixels(self.planes, self.starts[members], self.strides[members], self.sizes[members])

    def places(self) -> Tensor:
        """Start, stride, height and width of each image on the device, (N, 4), in the type that indices are."""
        table = np.column_stack([self.starts, self.strides, self.sizes])
        return send(table.astype(np.int32 if self.planes.shape[1] < 2**31 else np.int64), self.device)


def pack(images: Sequence[np.ndarray], device: torch.device) -> Pixels:
    """Images, uint8 (H, W, C) each, in one buffer on the device, by one copy."""
    sizes = image_sizes(images)
    counts = sizes.prod(axis=1)
    starts = np.cumsum(counts) - counts
    planes = torch.empty((images[0].shape[2], int(counts.sum())), dtype=torch.uint8, pin_memory=device.type == "cuda")
    for image, start, count in zip(images, starts.tolist(), counts.tolist(), strict=True):
        for plane, channel in zip(planes.numpy(), cv2.split(image), strict=True):
            plane[start : start + count] = channel.reshape(-1)
    return Pixels(planes.to(device, non_blocking=True), starts, sizes[:, 1], sizes)


def from_stack(stack: Tensor, sizes: Sizes) -> Pixels:
    """The upper left parts of these sizes, int64 (N, 2), of a contiguous stack (C, N, H, W)."""
    channels, count, height, width = stack.shape
    starts = np.arange(count) * (height * width)
    return Pixels(stack.view(channels, -1), starts, np.full(count, width), sizes)


def as_stack(pixels: Pixels) -> Tensor:
    """The images as (C, N, max H, max W), in the type that they have; smaller ones repeat their last row and column."""
    height, width = pixels.sizes.max(axis=0).tolist()
    count = len(pixels)
    regular = np.array_equal(pixels.starts, np.arange(count) * (height * width)) and (pixels.strides == width).all()
    if regular and pixels.planes.shape[1] == count * height * width:
        return pixels.planes.view(pixels.channels, count, height, width)
    start, stride, heights, widths = columns(pixels.places())
    rows = start + torch.minimum(counting(height, start)[:, None], heights - 1) * stride
    return gather(pixels.planes, rows + torch.minimum(counting(width, start), widths - 1))


def columns(table: Tensor) -> tuple[Tensor, ...]:
    """The columns of a table (N, K), each (N, 1, 1)."""
    return table[:, :, None, None].unbind(dim=1)


def counting(stop: int, like: Tensor) -> Tensor:
    """Whole numbers from 0 to before `stop`, in the type and on the device of another tensor."""
    return torch.arange(stop, dtype=like.dtype, device=like.device)


def gather(planes: Tensor, index: Tensor) -> Tensor:
    """The pixels of planes (C, P) at the places of an index of any shape: (C, *shape)."""
    flat = index.reshape(-1)
    if planes.device.type == "cpu":
        # Plane by plane takes a fifth of the time of one selection along the second axis.
        return torch.stack([plane.index_select(0, flat) for plane in planes]).view(-1, *index.shape)
    return planes.index_select(1, flat).view(-1, *index.shape)
