"""The plan on a CPU: OpenCV on one image at a time, threads over the images.

OpenCV puts pixel centres on whole numbers; `_pixel_matrices` is the one place that knows. A grey image is 2-D here,
since OpenCV drops a last axis of length 1.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, final

import cv2
import numpy as np
import torch

from vernier.augment.backend import Backend, image_sizes
from vernier.augment.colour import ColourDraw, HueDraw
from vernier.augment.geometry import Floats, Warp
from vernier.augment.plan import Draw, Plan
from vernier.augment.sampling import box_taps, inside_rows, plan_sampling

T = TypeVar("T")

_INTERPOLATION: Final = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}
_BORDER: Final = {
    "constant": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
}
"""A constant border starts where the image ends, so up to there the edge pixels count; the fill comes after."""


@final
class OpenCVBackend(Backend):
    """Runs a plan with OpenCV. `threads` does not change any result; 0 works in the caller's thread.

    OpenCV's own threads are turned off for the process: they would compete with these.
    """

    def __init__(self, plan: Plan, threads: int) -> None:
        cv2.setNumThreads(1)
        self._plan = plan
        self._pool = ThreadPoolExecutor(threads, "augment") if threads else None

    def batch(self, images: Sequence[np.ndarray], indices: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Backend.batch`."""
        plan = self._plan
        out = np.empty((len(images), *plan.output_size, plan.channels), np.float32)
        results = [_without_grey_axis(result) for result in out]
        pixels = [_without_grey_axis(image) for image in images]
        draws = plan.draw(indices, epoch, image_sizes(images))
        for number, draw in enumerate(draws, start=1):
            pixels = self._run(draw, pixels, results if number == len(draws) else [None] * len(pixels))
        for result, image in zip(results, pixels, strict=True):
            if image is not result:
                result[...] = image
        return torch.from_numpy(out).permute(0, 3, 1, 2)

    def _run(self, draw: Draw, images: list[np.ndarray], results: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        """One stage; colour is written to the arrays in `results` where there are any."""
        match draw:
            case Warp():
                return self._map(self._warper(draw), range(len(images)), images)
            case ColourDraw():
                means = self._means(images) if draw.needs_means else np.zeros((len(images), self._plan.channels))
                return self._map(_transform, images, draw.matrices(means).astype(np.float32), results)
            case HueDraw():
                return self._map(_turn_hue, images, draw.turns)

    def _means(self, images: list[np.ndarray]) -> Floats:
        """The mean of each channel of each image; OpenCV always gives four."""
        return np.array(self._map(cv2.mean, images)).reshape(-1, 4)[:, : self._plan.channels]

    def _map(self, function: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
        return list((self._pool.map if self._pool else map)(function, *arguments))

    def _warper(self, warp: Warp) -> Callable[[int, np.ndarray], np.ndarray]:
        """A function of an image's place in the batch and its pixels."""
        plan = self._plan
        sampling = plan_sampling(warp, border=plan.border, smooth=plan.interpolation != "nearest")
        matrices = _pixel_matrices(sampling.matrices)
        rows = inside_rows(warp).astype(np.int16) if plan.border == "constant" else None

        def warp_one(number: int, image: np.ndarray) -> np.ndarray:
            top, left, bottom, right = sampling.windows[number]
            window = _halve(image[top:bottom, left:right], sampling.halvings[number])
            source = _smooth(window, sampling.variances[number])
            warped = _interpolate(source, matrices[number], warp.sizes[number], plan)
            return warped if rows is None else _fill_outside(warped, rows[number], plan.fill)

        return warp_one


def _without_grey_axis(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image


def _pixel_matrices(matrices: Floats) -> Floats:
    """The same maps between coordinates in which the first pixel's centre is at 0 instead of 0.5."""
    half = np.eye(3)
    half[:2, 2] = 0.5
    return np.linalg.inv(half) @ matrices @ half


def _halve(image: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 (2 x 1, 1 x 2) pixels, `times` (y, x) in a row; an odd side repeats its last pixel."""
    for done in range(max(times)):
        y, x = np.where(times > done, 2, 1)
        height, width = image.shape[:2]
        below, beside = -height % y, -width % x
        if below or beside:
            image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        size = ((width + beside) // x, (height + below) // y)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image


def _smooth(image: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The float32 image, smoothed by boxes of these variances (y, x)."""
    if not variances.any():
        return image.astype(np.float32, copy=False)
    y, x = (box_taps(variance) for variance in variances)
    return cv2.sepFilter2D(image, cv2.CV_32F, x, y, borderType=cv2.BORDER_REPLICATE)


def _interpolate(image: np.ndarray, matrix: np.ndarray, size: np.ndarray, plan: Plan) -> np.ndarray:
    """The float32 image warped to a size (height, width). Four channels are warped in half the time of three."""
    colour = image.ndim == 3
    source = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if colour else image
    flags = _INTERPOLATION[plan.interpolation] | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(source, matrix, size[::-1].tolist(), flags=flags, borderMode=_BORDER[plan.border])
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB) if colour else warped


def _fill_outside(image: np.ndarray, rows: np.ndarray, fill: int) -> np.ndarray:
    """The image with `fill` wherever a column is not from rows[:, 0] to before rows[:, 1]."""
    height, width = image.shape[:2]
    first, stop = rows[:height, :1], rows[:height, 1:]
    if first.max() == 0 and stop.min() == width:
        return image
    columns = np.arange(width, dtype=np.int16)
    inside = ((columns >= first) & (columns < stop)).view(np.uint8)
    return cv2.copyTo(image, inside, np.full_like(image, fill))


def _transform(image: np.ndarray, matrix: np.ndarray, result: np.ndarray | None) -> np.ndarray:
    changed: np.ndarray = cv2.transform(image.astype(np.float32, copy=False), matrix, dst=result)
    return changed


def _turn_hue(image: np.ndarray, turn: float) -> np.ndarray:
    if turn == 0:
        return image
    hsv = cv2.cvtColor(np.clip(image, 0, 255).astype(np.float32, copy=False), cv2.COLOR_RGB2HSV)
    shift = np.eye(3, 4)
    shift[0, 3] = 360 * (turn % 1)  # OpenCV takes degrees up to 720, but none below 0
    turned: np.ndarray = cv2.cvtColor(cv2.transform(hsv, shift), cv2.COLOR_HSV2RGB)
    return turned
