"""Passes that have one implementation, on the host: images that are on a device go there and back.

So results do not depend on the device. A list with many of them is better off with `augment.backend=opencv`.
"""

import numpy as np
import torch

from vernier.augment.axis_resize import ResizeDraw
from vernier.augment.buffers import Scratch
from vernier.augment.device_pixels import Pixels, as_stack, from_stack
from vernier.augment.pixel.operation import PixelDraw


def change_pixels(draw: PixelDraw, pixels: Pixels, colours: tuple[int, ...]) -> Pixels:
    """The images after the operation, float32, on the same device."""
    if not draw.chosen.any():
        return pixels
    stack, scratch = as_stack(pixels).float(), Scratch()
    for number in np.flatnonzero(draw.chosen).tolist():
        _put(stack, number, draw.apply(number, _image(stack, pixels, number), colours, scratch))
    return from_stack(stack.contiguous(), pixels.sizes)


def resize_pixels(draw: ResizeDraw, pixels: Pixels) -> Pixels:
    """The images resized, float32, on the same device."""
    before = as_stack(pixels).float()
    height, width = draw.sizes.max(axis=0).tolist()
    stack = torch.zeros((pixels.channels, len(pixels), height, width), device=pixels.device)
    for number in range(len(pixels)):
        _put(stack, number, draw.apply(number, _image(before, pixels, number)))
    return from_stack(stack, draw.sizes)


def _image(stack: torch.Tensor, pixels: Pixels, number: int) -> np.ndarray:
    """float32 (H, W, C) on the host."""
    height, width = pixels.sizes[number].tolist()
    return np.ascontiguousarray(stack[:, number, :height, :width].permute(1, 2, 0).cpu().numpy())


def _put(stack: torch.Tensor, number: int, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    values = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)
    stack[:, number, :height, :width].copy_(values)
