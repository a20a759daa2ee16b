"""Batches of small images, cut as windows of a padded copy of the whole set."""

import math
from typing import Final, TypeGuard, final

import cv2
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from vernier.augment.borders import padded
from vernier.augment.buffers import Allocate, Scratch
from vernier.augment.plan import Plan
from vernier.augment.windows import colour_matrix, draw_windows, flipped_axes, is_windows, reach, shown_border
from vernier.data.feed_base import Feed

_LARGEST_SIDE: Final = 64
_LARGEST_COPY: Final = 1536 * 2**20
_AT_ONCE: Final = 1024


def takes_windows(array: np.ndarray | None, plan: Plan) -> TypeGuard[np.ndarray]:
    """Whether a `WindowFeed` of these images, uint8 (N, H, W, C), gives what the plan says, in memory that will do."""
    if array is None or max(array.shape[1:3]) > _LARGEST_SIDE or not is_windows(plan):
        return False
    return math.prod(_copy_shape(array, plan)) <= _LARGEST_COPY


def _copy_shape(array: np.ndarray, plan: Plan) -> tuple[int, ...]:
    """Images, mirrored up and down, mirrored left and right, height, width, channels."""
    count, height, width, channels = array.shape
    beyond = reach(plan, (height, width))
    mirrors = 1 + flipped_axes(plan)
    return count, *mirrors.tolist(), height + 2 * beyond[0], width + 2 * beyond[1], channels


@final
class WindowFeed(Feed):
    """Copies windows out of a padded set that holds every image mirrored as well.

    A batch is one gather of uint8 pixels, a conversion and a matrix, with nothing done for each image in Python.

    Args:
        array: uint8 (N, H, W, C), for which `takes_windows` holds.
        plan: what is done to the images.
        allocate: gives the memory of a batch.
    """

    callers = 2
    samples_at_once = 512

    def __init__(self, array: np.ndarray, plan: Plan, allocate: Allocate) -> None:
        cv2.setNumThreads(1)
        self._plan, self._allocate = plan, allocate
        self._size = (array.shape[1], array.shape[2])
        self._reach = np.array(reach(plan, self._size))
        height, width = plan.output_size
        copy = _padded_and_mirrored(array, plan)
        channels = copy.shape[-1]
        rows = copy.reshape(*copy.shape[:-2], -1)
        self._windows = sliding_window_view(rows, (height, width * channels), axis=(3, 4))[..., ::channels, :, :]
        self._matrix = colour_matrix(plan)
        self._scratch = Scratch()

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`."""
        plan = self._plan
        drawn = draw_windows(plan, positions, epoch, self._size)
        (top, left), (down, right) = (drawn.starts + self._reach).T, drawn.mirrored.T.astype(np.int64)
        pixels = self._windows[positions, down, right, top, left]
        batch = self._allocate((len(positions), *plan.output_size, plan.channels))
        values = self._scratch.take("values", pixels.shape)
        np.copyto(values, pixels)
        # The shape is that of one large image; OpenCV drops a last axis of length 1.
        shape = (len(positions), -1, plan.channels) if plan.channels > 1 else (len(positions), -1)
        cv2.transform(values.reshape(shape), self._matrix, dst=batch.numpy().reshape(shape))
        return batch.permute(0, 3, 1, 2)


def _padded_and_mirrored(array: np.ndarray, plan: Plan) -> np.ndarray:
    """uint8 (N, 1 or 2, 1 or 2, H, W, C): images with their border, as they are and mirrored."""
    copy = np.empty(_copy_shape(array, plan), np.uint8)
    y, x = reach(plan, (array.shape[1], array.shape[2]))
    border = shown_border(plan)
    for start in range(0, len(array), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        larger = padded(array[part], ((0, 0), (y, y), (x, x), (0, 0)), border)
        for down in range(copy.shape[1]):
            for right in range(copy.shape[2]):
                copy[part, down, right] = larger[:, :: 1 - 2 * down, :: 1 - 2 * right]
    return copy
