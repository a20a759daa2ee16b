"""Operations on pixels, run alone by the plan that a training would run them by."""

from collections.abc import Sequence

import numpy as np

from vernier.augment.buffers import Scratch
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.pixel.operation import Sample
from vernier.augment.pixel.table import PIXEL
from vernier.augment.plan import compile_plan
from vernier.config.operations.base import Operation


def run(
    operations: Operation | Sequence[Operation],
    images: Sequence[np.ndarray],
    *,
    indices: np.ndarray | None = None,
    epoch: int = 0,
    seed: int = 0,
    threads: int = 0,
) -> np.ndarray:
    """What a list makes of images of one size, float32 (N, H, W, C)."""
    plan = compile_plan(
        [operations] if isinstance(operations, Operation) else list(operations),
        channels=images[0].shape[2],
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=seed,
        native_size=images[0].shape[:2],
    )
    indices = np.arange(len(images)) if indices is None else indices
    return OpenCVBackend(plan, threads).batch(images, indices, epoch).permute(0, 2, 3, 1).numpy()


def effect(operation: Operation, image: np.ndarray, key: int = 0, epoch: int = 0) -> np.ndarray:
    """What an operation makes of one image, in the type that it gives."""
    how = PIXEL[type(operation)]
    u = np.random.Generator(np.random.Philox(key=key)).random(how.draws_of(operation))
    return how.effect(operation, image, Sample(u, key, epoch, Scratch())).copy()


def assert_chance_is_pure(operation: Operation, channels: int = 3) -> None:
    """A result depends on the seed, the epoch and the sample's number, not on its batch or on threads."""
    images = list(np.random.default_rng(5).integers(0, 256, (8, 21, 26, channels), np.uint8))
    whole, order = run(operation, images), np.array([5, 2, 7, 5])
    some = [images[number] for number in order]
    for threads in (0, 3):
        assert np.array_equal(run(operation, some, indices=order, threads=threads), whole[order])
    assert not np.array_equal(run(operation, images, epoch=1), whole)
    assert not np.array_equal(run(operation, images, seed=1), whole)
    same = run(operation, [images[0]] * 8)
    assert len(np.unique(same.reshape(8, -1), axis=0)) > 1
