"""Memory that is used again.

The first touch of fresh memory costs a page fault every 4 KiB, which for an image of 224 x 224 floats takes longer
than warping it.
"""

import math
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, final

import numpy as np
import torch

_KEPT_BYTES: Final = 64 * 2**20
_KEPT_BATCHES: Final = 4

Allocate = Callable[[tuple[int, ...]], torch.Tensor]
"""Gives an uninitialised float32 tensor of a shape."""


@final
class Scratch(threading.local):
    """Named arrays of the calling thread, each good until the same name is taken again."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, Any], np.ndarray] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """An uninitialised array. One above 64 MiB is not kept."""
        count = math.prod(shape)
        array = self._arrays.get((name, dtype))
        if array is None or array.size < count:
            array = np.empty(count, dtype)
            if array.nbytes <= _KEPT_BYTES:
                self._arrays[name, dtype] = array
        return array[:count].reshape(shape)


@final
class Recycler:
    """Tensors in memory that earlier ones have left.

    Memory comes back when nothing refers to the tensor's storage any more, so a tensor may be kept for as long as
    one likes. Several threads may take at once.
    """

    def __init__(self) -> None:
        self._free: deque[np.ndarray] = deque(maxlen=_KEPT_BATCHES)

    def take(self, shape: tuple[int, ...]) -> torch.Tensor:
        """An uninitialised float32 tensor."""
        count = math.prod(shape)
        memory = self._left_behind(count)
        # The tensor's storage holds this view, and nothing else does.
        view = memory[:count].reshape(shape)
        weakref.finalize(view, self._free.append, memory).atexit = False
        return torch.from_numpy(view)

    def _left_behind(self, count: int) -> np.ndarray:
        try:
            memory = self._free.pop()
        except IndexError:
            return np.empty(count, np.float32)
        return memory if memory.size >= count else np.empty(count, np.float32)


def pinned(shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor that a GPU can fetch by itself; PyTorch recycles such memory once the copy is done."""
    return torch.empty(shape, pin_memory=True)
