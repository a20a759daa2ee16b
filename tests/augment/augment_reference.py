"""What a plan is measured against: the list one by one, and a supersampled truth, both in float64 NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vernier.augment.colour import COLOUR
from vernier.augment.geometry import GEOMETRY, Warp, identity, warp
from vernier.augment.randomness import uniform
from vernier.config.augment import Operation


def interpolate(image: np.ndarray, matrix: np.ndarray, size: Sequence[int], border: str, fill: float) -> np.ndarray:
    """An image (H, W, C) warped bilinearly, each output pixel on its own."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    x, y, w = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    height, width = image.shape[:2]
    x, y = x / w, y / w
    outside = (w <= 0) | (x < 0) | (y < 0) | (x >= width) | (y >= height)
    result = _bilinear(image, y - 0.5, x - 0.5, border)
    if border == "constant":
        result[outside] = fill
    return result.reshape(*size, -1)


def _bilinear(image: np.ndarray, y: np.ndarray, x: np.ndarray, border: str) -> np.ndarray:
    top, left = np.floor(y), np.floor(x)
    down, right = (y - top)[:, None], (x - left)[:, None]
    at = [
        [image[_inside(top + a, image.shape[0], border), _inside(left + b, image.shape[1], border)] for b in (0, 1)]
        for a in (0, 1)
    ]
    upper, lower = (row[0] * (1 - right) + row[1] * right for row in at)
    return upper * (1 - down) + lower * down


def _inside(position: np.ndarray, length: int, border: str) -> np.ndarray:
    if border == "wrap":
        return position.astype(int) % length
    if border != "reflect":
        return position.clip(0, length - 1).astype(int)
    wrapped = position.astype(int) % (2 * length)
    return np.minimum(wrapped, 2 * length - 1 - wrapped)


def one_by_one(
    image: np.ndarray, operations: Sequence[Operation], index: int, epoch: int, seed: int, **border: Any
) -> np.ndarray:
    """The list applied to one image, each geometric operation resampled on its own, nothing clipped."""
    image, counts = image.astype(np.float64), {}
    for operation in operations:
        u = _draws(operation, counts, index, epoch, seed)
        image = _apply(operation, u, image, **border)
    return image


def _draws(operation: Operation, counts: dict[str, int], index: int, epoch: int, seed: int) -> np.ndarray:
    kind = type(operation)
    counts[kind.__name__] = counts.get(kind.__name__, -1) + 1
    draws = (GEOMETRY[kind] if kind in GEOMETRY else COLOUR[kind]).draws
    return uniform(seed, epoch, np.array([index]), f"{kind.__name__}#{counts[kind.__name__]}", 1 + draws)


def _apply(operation: Operation, u: np.ndarray, image: np.ndarray, border: str, fill: float) -> np.ndarray:
    if type(operation) in GEOMETRY:
        step = warp(operation, u, np.array([image.shape[:2]]))
        border = getattr(operation, "border", None) or border
        fill = fill if getattr(operation, "fill", None) is None else operation.fill
        return interpolate(image, step.matrices[0], step.sizes[0], border, fill)
    if u[0, 0] >= operation.p:
        return image
    matrix = COLOUR[type(operation)].matrices(operation, u[:, 1:], image.mean(axis=(0, 1))[None])[0]
    return image @ matrix[:, :-1].T + matrix[:, -1]


def composed(operations: Sequence[Operation], sizes: np.ndarray, indices: np.ndarray, epoch: int, seed: int) -> Warp:
    """The warps of a list of geometric operations."""
    total, counts = identity(sizes), {}
    for operation in operations:
        name = type(operation).__name__
        counts[name] = counts.get(name, -1) + 1
        u = uniform(seed, epoch, indices, f"{name}#{counts[name]}", 1 + GEOMETRY[type(operation)].draws)
        total = total.then(warp(operation, u, total.sizes))
    return total


def supersampled(image: np.ndarray, matrix: np.ndarray, size: Sequence[int], times: int = 4) -> np.ndarray:
    """Means of times x times bilinear samples in each output pixel; edge pixels repeat outside."""
    height, width = (int(side) * times for side in size)
    fine = interpolate(
        image.astype(np.float64), matrix @ np.diag([1 / times, 1 / times, 1]), (height, width), "replicate", 0
    )
    return fine.reshape(height // times, times, width // times, times, -1).mean(axis=(1, 3))


def psnr(error: np.ndarray) -> float:
    """Peak signal-to-noise ratio of errors on a scale of 255, in dB."""
    return float(10 * np.log10(255**2 / np.mean(error**2)))
