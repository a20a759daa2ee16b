"""Where a loader gets augmented images from: `make_feed` chooses."""

from typing import Final

from vernier.augment.buffers import Recycler, pinned
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import Plan
from vernier.data.feed_base import Feed, StoreFeed
from vernier.data.store_base import Store
from vernier.data.tiny_feed import TinyFeed, is_tiny
from vernier.data.window_feed import WindowFeed, takes_windows

__all__ = ["Feed", "StoreFeed", "make_feed"]

_SAMPLES_AT_ONCE: Final = 128
_BYTES_AT_ONCE: Final = 80 * 2**20


def make_feed(store: Store, plan: Plan, threads: int, *, niceness: int = 0, pin_memory: bool = False) -> Feed:
    """The fastest feed of a plan on the CPU; all of them give the same batches.

    Args:
        store: of decoded images.
        plan: what is done to them.
        threads: that share the images of a batch; 0 and 1 work in the caller's thread.
        niceness: by how much these threads give way to others.
        pin_memory: whether batches lie where a GPU can fetch them.
    """
    allocate = pinned if pin_memory else Recycler().take
    if takes_windows(store.array, plan):
        return WindowFeed(store.array, plan, allocate)
    if is_tiny(store.array, plan):
        return TinyFeed(store.array, plan, allocate)
    backend = OpenCVBackend(plan, threads, niceness=niceness, allocate=allocate)
    height, width = plan.output_size
    fitting = _BYTES_AT_ONCE // (4 * height * width * plan.channels)
    return StoreFeed(store, backend, backend.workers, max(1, min(_SAMPLES_AT_ONCE, fitting)))
