"""The outputs of a network's frozen first part, computed once."""

import hashlib
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from vernier.config.settled import settled
from vernier.data.feed_base import Feed
from vernier.errors import TrainingError
from vernier.evaluation.inference import evaluating, predict_logits
from vernier.models.prefix import NoPrefix, SplitModel, split_model
from vernier.training.fabric import Fabric
from vernier.training.features import example_images, is_random, repetition
from vernier.training.log import Display, logger
from vernier.training.parts import Parts, memory_format
from vernier.training.runtime import Group

_BATCH = 32
"""Images at once, whatever data.batch_size is: the same kernels on the same shapes in every process."""
_BATCHES_AHEAD = 2
_SMALL_STEP = 50_000_000
"""Operations of a forward pass below which threads cost more than they bring (a head of 1280 x 5 at 32 images, on two
busy cores: 0.4 ms of processor time a step with one thread, 7 to 30 with two)."""


@final
@dataclass(frozen=True)
class FeatureFeed(Feed):
    """Features of training images.

    Attributes:
        features: float32 (views, images, ...).
        rows: int64, for each sample of the source its place among the images.
    """

    features: Tensor
    rows: Tensor
    samples_at_once: int = 512

    def batch(self, positions: np.ndarray, epoch: int) -> Tensor:
        """Features (n, ...) of some samples, those of view `epoch` mod views."""
        view = self.features[epoch % len(self.features)]
        batch = view.index_select(0, self.rows[torch.from_numpy(positions)])
        return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch


@final
class CachedFeatures:
    """A training on features: what feeds it, what it trains, and how it is evaluated.

    Attributes:
        suffix: The part that trains, from features to logits.
        feed: Of training features.
    """

    def __init__(self, parts: Parts, fabric: Fabric, split: SplitModel, feed: FeatureFeed) -> None:
        self.suffix = split.suffix
        self.feed = feed
        self._parts, self._fabric, self._prefix = parts, fabric, split.prefix
        self._threads = torch.get_num_threads()
        self._evaluated: dict[bytes, Tensor] = {}

    def hash(self) -> str:
        """SHA-256 of the training features."""
        return hashlib.sha256(self.feed.features.numpy().data).hexdigest()

    def logits(self, positions: np.ndarray) -> np.ndarray:
        """The whole network's logits of samples as evaluation sees them, float32 (n, outputs)."""
        features = self._of_evaluation(positions)
        size = settled(self._parts.config.data.eval_batch_size)
        dtype, device = _dtype(self.suffix), self._fabric.device
        with evaluating(self._parts.model), torch.inference_mode(), self._fabric.autocast():
            # An index that copies: a layer that works in place must not change what is kept.
            batches = (features[torch.arange(start, stop)] for start, stop in _ranges(len(features), size))
            rows = [self.suffix(batch.to(device, dtype)).float().cpu() for batch in batches]
        return torch.cat(rows).numpy()[: len(positions)]

    def _of_evaluation(self, positions: np.ndarray) -> Tensor:
        key = positions.tobytes()
        if key not in self._evaluated:
            with _threads(self._threads):
                self._evaluated[key] = torch.from_numpy(self._frozen_outputs(positions))
        return self._evaluated[key]

    def _frozen_outputs(self, positions: np.ndarray) -> np.ndarray:
        config = self._parts.config
        return predict_logits(
            self._prefix,
            self._parts.dataset.store,
            positions,
            self._parts.preprocessing,
            batch_size=settled(config.data.eval_batch_size),
            threads=settled(config.data.threads),
            device=self._fabric.device,
            precision=settled(config.train.precision),
            memory_format=memory_format(config),
        )


def build_features(parts: Parts, fabric: Fabric, feed: Feed, display: Display) -> CachedFeatures:
    """Cut the model, which is on its device in its precision, and compute the features of the training images.

    Where the part that trains is small, this process computes with one thread from then on.

    Args:
        feed: Of augmented images.
        display: Shows how far it is.

    Raises:
        TrainingError: the model has no frozen first part.
    """
    config, positions = parts.config, parts.dataset.split.train
    device, dtype = fabric.device, _dtype(parts.model)
    images = example_images(config, parts.dataset).to(device, dtype)
    split = split_model(parts.model, images, config.train.freeze_batchnorm)
    if isinstance(split, NoPrefix):
        raise TrainingError(f"train.cache_features=true is not possible here: {split.reason}")
    # No epoch will ask for more.
    views = min(max(1, settled(config.train.feature_views)), config.train.epochs)
    begin = time.perf_counter()
    with evaluating(parts.model):
        features = _Builder(split, fabric, feed, memory_format(config), dtype).build(positions, views, display)
    rows = torch.zeros(len(parts.dataset.source.targets), dtype=torch.int64)
    rows[torch.from_numpy(positions)] = torch.arange(len(positions))
    cached = CachedFeatures(parts, fabric, split, FeatureFeed(features, rows))
    if fabric.global_rank == 0:
        _report(parts, cached, time.perf_counter() - begin)
    if split.trained_operations * settled(config.data.batch_size) < _SMALL_STEP:
        torch.set_num_threads(1)
    return cached


@final
@dataclass(frozen=True)
class _Builder:
    """Computes features of training images."""

    split: SplitModel
    fabric: Fabric
    feed: Feed
    memory_format: torch.memory_format
    dtype: torch.dtype

    def build(self, positions: np.ndarray, views: int, display: Display) -> Tensor:
        """float32 (views, images, ...), in every process; processes share the work."""
        ranges = _ranges(len(positions), _BATCH)
        group = Group(self.fabric.global_rank, self.fabric.world_size, self.fabric.device)
        mine = ranges[group.rank :: group.world_size]
        jobs = [(positions[start:stop], view) for view in range(views) for start, stop in mine]
        batches = _ahead(self.feed, jobs)
        features = torch.empty((views, len(positions), *self.split.example.shape[1:]))
        display.begin("features of the frozen part", len(jobs))
        for view in range(views):
            rows = torch.zeros((len(mine), _BATCH, *self.split.example.shape[1:]))
            for number in range(len(mine)):
                self._compute(next(batches), rows[number])
                display.advance(view * len(mine) + number + 1)
            whole = rows if group.world_size == 1 else group.gather_rows(rows.to(group.device), len(ranges)).cpu()
            features[view] = whole.flatten(0, 1)[: len(positions)]
        display.end()
        return features

    @torch.inference_mode()
    def _compute(self, images: Tensor, rows: Tensor) -> None:
        """Write the features of a batch to the first of some rows."""
        images = images.to(self.fabric.device, self.dtype, memory_format=self.memory_format)
        with self.fabric.autocast():
            rows[: len(images)] = self.split.prefix(images).float().cpu()


def _ahead(feed: Feed, jobs: Sequence[tuple[np.ndarray, int]]) -> Iterator[Tensor]:
    """Batches of images in order, prepared while the ones before them are used."""
    with ThreadPoolExecutor(1, thread_name_prefix="vernier-features") as pool:
        pending: deque[Future[Tensor]] = deque()
        try:
            for positions, epoch in jobs:
                pending.append(pool.submit(feed.batch, positions, epoch))
                if len(pending) > _BATCHES_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _ranges(count: int, size: int) -> list[tuple[int, int]]:
    """Consecutive ranges that cover `count`; an empty one when that is 0."""
    return [(start, min(start + size, count)) for start in range(0, max(1, count), size)]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _dtype(module: nn.Module) -> torch.dtype:
    return next(parameter.dtype for parameter in module.parameters())


def _report(parts: Parts, cached: CachedFeatures, seconds: float) -> None:
    views, images = cached.feed.features.shape[:2]
    numbers = math.prod(cached.feed.features.shape[2:])
    megabytes = cached.feed.features.nbytes / 2**20
    logger.info(
        "features of the frozen part (%d numbers an image, %.3g MiB) are computed once for %d view(s) of %d images: "
        "%.1f s, SHA-256 %s; train.feature_views=K for more views, train.cache_features=false for none",
        numbers,
        megabytes,
        views,
        images,
        seconds,
        cached.hash()[:16],
    )
    if is_random(settled(parts.config.augment.train)):
        logger.info("%s (train.feature_views=%d)", repetition(views), settled(parts.config.train.feature_views))
