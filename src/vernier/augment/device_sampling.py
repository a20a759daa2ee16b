"""Warps of a whole batch by index arithmetic, on any torch device.

Every output pixel reads the taps that it needs from where the images lie: they are neither padded to one size nor
smoothed as a whole. A program for the whole batch has no loop over images and never waits for the device.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vernier.augment.device_kernels import Kernel, box_radius, smoothed
from vernier.augment.device_pixels import Ints, Pixels, columns, counting, from_stack, gather, send
from vernier.augment.sampling import Sampling

Sampler = Callable[..., Tensor]
"""`sample`, or what `torch.compile` makes of it."""

_CACHED: Final = 2**17
"""Output pixels at a time on a CPU, so that what is between the steps stays in its cache."""
_AT_ONCE: Final = 2**24
"""Output pixels at a time elsewhere, at about 100 bytes each between the steps."""


def resample(
    source: Pixels, sampling: Sampling, size: tuple[int, int], kernel: Kernel, border: str, sampler: Sampler
) -> Tensor:
    """Interpolate the windows of a sampling, smoothed as it says.

    Args:
        source: the windows of the sampling.
        sampling: see there.
        size: the largest height and width of the results.
        kernel: of the interpolation.
        border: "reflect" or "wrap", else edge pixels repeat.
        sampler: what reads the pixels.

    Returns:
        float32 (C, N, height, width); what lies beyond an image's own size is meaningless.
    """
    radii = box_radius(sampling.variances).max(axis=1)
    halved = sampling.halvings.any(axis=1)
    order = np.lexsort((halved, radii))
    at_once = _CACHED if source.device.type == "cpu" else _AT_ONCE
    parts = []
    for members in _groups(order, 2 * radii + halved, max(1, at_once // (size[0] * size[1]))):
        part = halve(source.take(members), sampling.halvings[members])
        parts.append(_resample_alike(part, sampling, members, size, kernel, border, sampler))
    if len(parts) == 1 and np.array_equal(order, np.arange(len(order))):
        return parts[0]
    return torch.cat(parts, dim=1).index_select(1, send(np.argsort(order), source.device))


def _groups(order: Ints, keys: Ints, at_most: int) -> Iterator[Ints]:
    """Runs of equal keys in an order, in pieces of at most so many."""
    for run in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        yield from (run[start : start + at_most] for start in range(0, len(run), at_most))


def _resample_alike(
    source: Pixels,
    sampling: Sampling,
    members: Ints,
    size: tuple[int, int],
    kernel: Kernel,
    border: str,
    sampler: Sampler,
) -> Tensor:
    variances = sampling.variances[members]
    radius = int(box_radius(variances).max())
    y, x = (send(smoothed(kernel, variances[:, axis], radius).astype(np.float32), source.device) for axis in (0, 1))
    matrices = send(sampling.matrices[members].reshape(-1, 9).astype(np.float32), source.device)
    return sampler(
        source.planes,
        source.places(),
        matrices,
        (y, x),
        size,
        first=kernel.first - radius,
        centre=kernel.centre,
        overhang=kernel.overhang,
        border=border,
    )


def sample(
    planes: Tensor,
    places: Tensor,
    matrices: Tensor,
    taps: tuple[Tensor, Tensor],
    size: tuple[int, int],
    *,
    first: int,
    centre: float,
    overhang: float,
    border: str,
) -> Tensor:
    """Weighted means of pixels around the positions that matrices give.

    Only arithmetic and gathers of static shapes, so that `torch.compile` makes one kernel of it.

    Args:
        planes: uint8 or float32 (C, P).
        places: start, stride, height, width of each image, whole numbers (N, 4).
        matrices: from output to image coordinates, float32 (N, 9).
        taps: coefficients of the weights along y and x, float32 (N, T, D) each.
        size: height and width of the results.
        first: the first tap, in pixels from the pixel at or before a position.
        centre: where a pixel's position is within it.
        overhang: how far a position may lie beyond the outermost pixels' positions.
        border: "reflect", "wrap", else edge pixels repeat.

    Returns:
        float32 (C, N, height, width).
    """
    start, stride, heights, widths = columns(places)
    x, y = _positions(columns(matrices), size)
    row, y_weights = _axis(y, heights, taps[0], centre, overhang, border)
    column, x_weights = _axis(x, widths, taps[1], centre, overhang, border)
    lefts = [_tap(column, first + number, widths, border) for number in range(len(x_weights))]
    total = torch.zeros((len(planes), *x.shape), device=planes.device)
    for number, y_weight in enumerate(y_weights):
        line = start + _tap(row, first + number, heights, border) * stride
        along = torch.zeros_like(total)
        for left, x_weight in zip(lefts, x_weights, strict=True):
            along.addcmul_(gather(planes, line + left).float(), x_weight)
        total.addcmul_(along, y_weight)
    return total


def _positions(matrix: tuple[Tensor, ...], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Positions (x, y) of the middles of output pixels, (N, height, width) each."""
    y = (counting(size[0], matrix[0]) + 0.5)[:, None]
    x = counting(size[1], matrix[0]) + 0.5
    across, down, depth = (matrix[row] * x + (matrix[row + 1] * y + matrix[row + 2]) for row in (0, 3, 6))
    return across / depth, down / depth


def _axis(
    position: Tensor, extent: Tensor, taps: Tensor, centre: float, overhang: float, border: str
) -> tuple[Tensor, list[Tensor]]:
    """The pixel at or before each position, and the weights of the taps around it."""
    if border == "reflect":
        wrapped = torch.remainder(position, 2 * extent)
        position = torch.minimum(wrapped, 2 * extent - wrapped)
    if border == "wrap":
        position, overhang = torch.remainder(position, extent), 1.0
    # fmax and fmin leave no NaN, which a division by 0 on the horizon gives.
    low = torch.full((), -overhang, device=position.device)
    inside = torch.fmin(torch.fmax(position - centre, low), extent - 1 + overhang)
    before = inside.floor()
    return before.to(extent.dtype), [_polynomial(columns(tap), inside - before) for tap in taps.unbind(dim=1)]


def _polynomial(coefficients: tuple[Tensor, ...], x: Tensor) -> Tensor:
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = torch.addcmul(coefficient, total, x)
    return total


def _tap(pixel: Tensor, offset: int, extent: Tensor, border: str) -> Tensor:
    if border == "wrap":
        return torch.remainder(pixel + offset, extent)
    return torch.minimum((pixel + offset).clamp(min=0), extent - 1)


def halve(pixels: Pixels, times: Ints) -> Pixels:
    """Means of 2 x 2 (2 x 1, 1 x 2) pixels, `times` (N, 2) for y and x; an odd side repeats its last pixel."""
    for done in range(times.max(initial=0)):
        factors = np.where(times > done, 2, 1)
        sizes = -(-pixels.sizes // factors)
        pixels = from_stack(_halved(pixels, factors, sizes.max(axis=0).tolist()), sizes)
    return pixels


def _halved(pixels: Pixels, factors: Ints, size: list[int]) -> Tensor:
    start, stride, heights, widths = columns(pixels.places())
    down, across = columns(send(factors.astype(np.int32), pixels.device))
    top, left = counting(size[0], start)[:, None] * down, counting(size[1], start) * across
    total = torch.zeros((pixels.channels, len(pixels), *size), device=pixels.device)
    for y in (top, top + down - 1):
        line = start + torch.minimum(y, heights - 1) * stride
        for x in (left, left + across - 1):
            total += gather(pixels.planes, line + torch.minimum(x, widths - 1))
    return total / 4
