"""Training samples from a device: a small set lies there as a whole, and augmentation runs there too.

On a GPU nothing here waits for the device: sizes and draws are known on the host, and what a batch needs of them goes
up in one or two small copies from pinned memory.
"""

from typing import Final, final

import numpy as np
import torch

from vernier.augment.device_pixels import Pixels
from vernier.augment.device_sampling import Sampler, sample
from vernier.augment.device_windows import DeviceWindows, WindowPlan, window_plan
from vernier.augment.plan import Plan
from vernier.augment.torch_backend import TorchBackend
from vernier.data.feed import Feed, StoreFeed
from vernier.data.store import Store

SHARE: Final = 0.25
"""Of a GPU's free memory, what a set of images may take."""
HOST_LIMIT: Final = 2**29
"""Bytes that a set may take where the device is the CPU: it is in memory already."""


@final
class DeviceWindowFeed(Feed):
    """Whole-pixel windows of images that lie on the device: one gather and one multiply-add a batch."""

    def __init__(
        self, array: np.ndarray, plan: WindowPlan, device: torch.device, *, dtype: torch.dtype = torch.float32
    ) -> None:
        """Copies `array`, uint8 (N, H, W, C), to the device; batches have the type `dtype`."""
        self._windows = DeviceWindows(plan, array, device, dtype)

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`; the result is on the device."""
        return self._windows.batch(positions, epoch)


@final
class DeviceFeed(Feed):
    """Any plan on images that lie on the device."""

    def __init__(self, array: np.ndarray, plan: Plan, device: torch.device, *, sampler: Sampler = sample) -> None:
        """Copies `array`, uint8 (N, H, W, C), to the device. `sampler`: see `TorchBackend`."""
        self._backend = TorchBackend(plan, device, sampler=sampler)
        self._size = np.array(array.shape[1:3], np.int64)
        self._planes = torch.tensor(array).view(-1, array.shape[3]).to(device).t().contiguous()

    def batch(self, positions: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Feed.batch`; the result is on the device. At least one position."""
        starts = positions * int(self._size.prod())
        sizes = np.tile(self._size, (len(positions), 1))
        return self._backend.run(Pixels(self._planes, starts, sizes[:, 1], sizes), positions, epoch)


def make_device_feed(store: Store, plan: Plan, device: torch.device, *, limit: int | None = None) -> Feed:
    """Augmentation on the device: of images that lie there if they fit, else of those that a store hands over.

    Args:
        store: of the source's images.
        plan: what happens to them.
        device: where it happens and batches are put.
        limit: bytes that images may take on the device; by default a quarter of a GPU's free memory.
    """
    array, windows = store.array, window_plan(plan)
    room = device_room(device) if limit is None else limit
    if array is None or resident_bytes(array.shape, windows) > room:
        return StoreFeed(store, TorchBackend(plan, device))
    return DeviceFeed(array, plan, device) if windows is None else DeviceWindowFeed(array, windows, device)


def device_room(device: torch.device) -> int:
    """Bytes that a set of images may take on a device."""
    return int(torch.cuda.mem_get_info(device)[0] * SHARE) if device.type == "cuda" else HOST_LIMIT


def resident_bytes(shape: tuple[int, ...], windows: WindowPlan | None) -> int:
    """Bytes of images uint8 (N, H, W, C) on the device, padded as windows need it."""
    count, height, width, channels = shape
    padding = 0 if windows is None else 2 * windows.overhang((height, width))
    return count * (height + padding) * (width + padding) * channels
