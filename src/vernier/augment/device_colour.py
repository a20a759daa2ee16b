"""Colour on stacks of images (C, N, H, W), on any torch device, without waiting for it."""

import numpy as np
import torch
from torch import Tensor

from vernier.augment.colour import ColourDraw, HueDraw
from vernier.augment.device_pixels import columns, counting, send
from vernier.augment.geometry import Floats, Sizes


def change_colour(draw: ColourDraw, images: Tensor, sizes: Sizes) -> Tensor:
    """Each image through its matrix.

    Args:
        draw: for N images.
        images: uint8 or float32 (C, N, H, W).
        sizes: which part of each is the image, int64 (N, 2).
    """
    matrices, slopes = draw.by_mean(len(images))
    linear, offset = matrices[:, :, :-1], send(matrices[:, :, -1].astype(np.float32), images.device)
    if draw.needs_means:
        # A matrix product could run at reduced precision.
        follows = send(slopes.astype(np.float32), images.device)
        offset = offset + (follows * means(images, sizes)[:, None]).sum(dim=2)
    return _transform(images, linear, offset.t().contiguous()[:, :, None, None])


def means(images: Tensor, sizes: Sizes) -> Tensor:
    """The mean of each channel of each image, float32 (N, C); see `change_colour`."""
    area = send(sizes.prod(axis=1).astype(np.float32), images.device)
    if (sizes != images.shape[2:]).any():
        height, width = columns(send(sizes, images.device))
        rows, across = (counting(side, height) for side in images.shape[2:])
        images = images * ((rows[:, None] < height) & (across < width))
    return (images.sum(dim=(2, 3), dtype=torch.float32) / area).t()


def _transform(images: Tensor, linear: Floats, offset: Tensor) -> Tensor:
    """Images times matrices (N, C, C), plus offsets (C, N, 1, 1)."""
    by_input = send(linear.transpose(2, 1, 0).astype(np.float32), images.device)[..., None, None]
    if not (linear * (1 - np.eye(len(images)))).any():
        return torch.addcmul(offset, images.float(), torch.stack([by_input[c, c] for c in range(len(images))]))
    total = offset
    for image, weights in zip(images.float(), by_input, strict=True):
        total = torch.addcmul(total, image, weights)
    return total


def turn_hue(draw: HueDraw, images: Tensor) -> Tensor:
    """The hue of the colours turned in the HSV hexcone, where a turn is not 0.

    With chroma c, value v and the hue h in sixths, a channel is v - c * clip(min(k, 4 - k), 0, 1), where
    k = (n + h) mod 6 and n is 5, 3, 1 for red, green, blue.
    """
    images, places = images.float(), list(draw.colours)
    turns = send(draw.turns.astype(np.float32), images.device)[:, None, None]
    colours = images if places == list(range(len(images))) else torch.stack([images[place] for place in places])
    clipped = colours.clamp(0, 255)
    value, lowest = clipped.amax(0), clipped.amin(0)
    chroma = value - lowest
    sixths = _hue_sixths(clipped, value, chroma) + 6 * turns
    turned = torch.stack([_channel(start + sixths, value, chroma) for start in (5, 3, 1)])
    changed = torch.where(turns == 0, colours, turned)
    if colours is images:
        return changed
    planes = list(images)
    for place, plane in zip(places, changed, strict=True):
        planes[place] = plane
    return torch.stack(planes)


def _channel(sixths: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    k = torch.remainder(sixths, 6)
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _hue_sixths(images: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    red, green, blue = images
    divisor = torch.where(chroma == 0, 1.0, chroma)
    by_blue = torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4)
    return torch.where(value == red, (green - blue) / divisor, by_blue)
