"""Threads that share out the images of a batch."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, final

T = TypeVar("T")

_CHUNKS: Final = 2
"""Pieces of a batch a thread: few, as each is handed over at a cost, but images differ in work."""


@final
class Workers:
    """A pool of `threads`; with 0 or 1 the caller's own thread does the work.

    `niceness` is added to the threads' own, so that they give way to others (Linux).
    """

    def __init__(self, threads: int, niceness: int = 0) -> None:
        self._threads = threads
        self._pool = None
        if threads > 1:
            self._pool = ThreadPoolExecutor(threads, "augment", initializer=give_way, initargs=(niceness,))

    def map(self, function: Callable[[int], T], count: int) -> list[T]:
        """What the function makes of 0 to count - 1, in order. Each thread takes neighbours."""

        def chunk(start: int) -> list[T]:
            return [function(number) for number in range(start, min(start + size, count))]

        if self._pool is None:
            size = count
            return chunk(0)
        size = max(1, -(-count // (_CHUNKS * self._threads)))
        return [result for part in self._pool.map(chunk, range(0, count, size)) for result in part]


def give_way(niceness: int) -> None:
    """Lower the priority of the calling thread, 0 to 19 steps. Only Linux has one for each thread."""
    if niceness and sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
