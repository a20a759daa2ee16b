"""The parts of a training joined to the devices of this process."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.feed import Feed
from vernier.data.loader import TrainLoader
from vernier.data.order import rank_share
from vernier.data.stream_store import StreamStore
from vernier.models.task import Task
from vernier.optim.optimizers import make_optimizer
from vernier.training.compilation import CompiledForFullBatches
from vernier.training.fabric import Fabric
from vernier.training.features_cache import CachedFeatures, build_features
from vernier.training.feeds import drawing_repeats, make_mixer, make_training_feed
from vernier.training.log import Display, LineDisplay
from vernier.training.parts import Dataset, Parts, memory_format
from vernier.training.runtime import Group, limit_memory
from vernier.training.sharding import shard, skeleton_of
from vernier.training.slow_layers import keep_in_fp32
from vernier.training.step import TrainStep, make_train_step
from vernier.training.steps import Steps
from vernier.training.sync_batchnorm import synchronise_batchnorm


@dataclass(frozen=True)
class Setup:
    """One training in one process.

    Attributes:
        parts: What it is made of; `parts.model` is the bare model, whose weights are saved.
        trained: What a step trains: the model, compiled or not, or with cached features its second part.
        module: The same as Fabric wraps it.
        base_learning_rates: Of each parameter group, before the schedule's factor.
        features: What stands in for images when features are cached.
        unfrozen: How many entries of `train.unfreeze` have begun.
        skeleton: The model without weights, where `parts.model` has only shards of them.
    """

    parts: Parts
    trained: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    base_learning_rates: tuple[float, ...]
    loader: TrainLoader
    fabric: Fabric
    group: Group
    features: CachedFeatures | None = None
    unfrozen: int = 0
    skeleton: nn.Module | None = None

    @property
    def config(self) -> Config:
        """The resolved config."""
        return self.parts.config

    @property
    def dataset(self) -> Dataset:
        """Images and splits."""
        return self.parts.dataset

    @property
    def task(self) -> Task:
        """What the outputs mean."""
        return self.parts.task

    @property
    def model(self) -> nn.Module:
        """The bare model."""
        return self.parts.model

    @property
    def steps(self) -> Steps:
        """How many steps there are."""
        return self.parts.steps

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory order of what a step takes; features come in theirs."""
        return memory_format(self.config) if self.features is None else torch.preserve_format


def make_step(setup: Setup) -> TrainStep:
    """The step of a training."""
    return make_train_step(setup.fabric, setup.module, setup.optimizer, setup.parts, setup.memory_format)


def build_setup(parts: Parts, fabric: Fabric, display: Display | None = None) -> Setup:
    """Join the parts to a launched Fabric, and compute the features to train on if they are cached.

    Args:
        display: Shows how far that is.
    """
    config, dataset = parts.config, parts.dataset
    limit_memory(config.train.memory_limit, fabric.device)
    if fabric.world_size > 1 and settled(config.train.sync_batchnorm):
        synchronise_batchnorm(parts.model)
    skeleton = _sharded(parts, fabric) if config.train.strategy == "fsdp" else None
    optimizer = make_optimizer(parts.model, config.optimizer)
    base_learning_rates = tuple(group["lr"] for group in optimizer.param_groups)
    feed = make_training_feed(parts, fabric.device)
    keep_in_fp32(parts.model, settled(config.train.fp32_layers))
    features = _cached_features(parts, fabric, feed, display or LineDisplay())
    trained = _compiled(parts, fabric) if features is None else features.suffix
    module, wrapped_optimizer = fabric.setup(trained, optimizer, move_to_device=True)
    loader = TrainLoader(
        feed=feed if features is None else drawing_repeats(parts, features.feed),
        positions=dataset.split.train,
        targets=parts.task.targets(dataset.source.targets),
        order=parts.order,
        # Looking features up takes less time than handing them from thread to thread.
        threads=settled(config.data.threads) if features is None else 0,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        mixer=make_mixer(parts, fabric.device),
        sample_weights=dataset.source.weights,
        expect=_told_ahead(dataset) if features is None else None,
    )
    group = Group(fabric.global_rank, fabric.world_size, fabric.device)
    return Setup(
        parts,
        trained,
        module,
        wrapped_optimizer,
        base_learning_rates,
        loader,
        fabric,
        group,
        features,
        skeleton=skeleton,
    )


def _told_ahead(dataset: Dataset) -> Callable[[np.ndarray], None] | None:
    """What fetches streamed images before they are asked for."""
    return dataset.train_store.expect if isinstance(dataset.train_store, StreamStore) else None


def _sharded(parts: Parts, fabric: Fabric) -> nn.Module:
    """Cut the model into shards; returns what is left of it without weights."""
    if parts.config.train.precision == "bf16-true":
        parts.model.to(torch.bfloat16)
    skeleton = skeleton_of(parts.model)
    shard(parts.model, fabric.device, fabric.world_size, **parts.config.train.strategy_kwargs)
    return skeleton


def _compiled(parts: Parts, fabric: Fabric) -> nn.Module:
    """The model, compiled for the full batches of this process if `train.compile` says so."""
    if not settled(parts.config.train.compile):
        return parts.model
    whole_batch = np.arange(parts.order.batch_size)
    return CompiledForFullBatches(
        parts.model, len(rank_share(whole_batch, fabric.global_rank, fabric.world_size)), fabric.device
    )


def _cached_features(parts: Parts, fabric: Fabric, feed: Feed, display: Display) -> CachedFeatures | None:
    if not settled(parts.config.train.cache_features):
        return None
    dtype = torch.bfloat16 if parts.config.train.precision == "bf16-true" else torch.float32
    parts.model.to(fabric.device, dtype)
    return build_features(parts, fabric, feed, display)
