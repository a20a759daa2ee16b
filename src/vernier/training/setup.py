"""The parts of a training joined to the devices of this process."""

from dataclasses import dataclass

import torch
from torch import nn

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.torch_backend import TorchBackend
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.feed import Feed, StoreFeed
from vernier.data.loader import TrainLoader
from vernier.models.task import Task
from vernier.optim.optimizers import make_optimizer
from vernier.training.fabric import Fabric
from vernier.training.parts import Dataset, Parts, memory_format
from vernier.training.runtime import Group


@dataclass(frozen=True)
class Setup:
    """One training in one process.

    Attributes:
        parts: What it is made of; `parts.model` is the bare model, whose weights are saved.
        module: The model as Fabric wraps it, for training steps.
        base_learning_rates: Of each parameter group, before the schedule's factor.
    """

    parts: Parts
    module: nn.Module
    optimizer: torch.optim.Optimizer
    base_learning_rates: tuple[float, ...]
    loader: TrainLoader
    fabric: Fabric
    group: Group

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
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.config.train.epochs * self.loader.order.steps_per_epoch

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory order of images and convolution weights."""
        return memory_format(self.config)


def build_setup(parts: Parts, fabric: Fabric) -> Setup:
    """Join the parts to a launched Fabric."""
    config, dataset = parts.config, parts.dataset
    optimizer = make_optimizer(parts.model, config.optimizer)
    base_learning_rates = tuple(group["lr"] for group in optimizer.param_groups)
    module, wrapped_optimizer = fabric.setup(parts.model, optimizer, move_to_device=True)
    loader = TrainLoader(
        feed=_make_feed(parts, fabric.device),
        positions=dataset.split.train,
        targets=parts.task.targets(dataset.source.targets),
        order=parts.order,
        threads=settled(config.data.threads),
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    group = Group(fabric.global_rank, fabric.world_size, fabric.device)
    return Setup(parts, module, wrapped_optimizer, base_learning_rates, loader, fabric, group)


def _make_feed(parts: Parts, device: torch.device) -> Feed:
    store = parts.dataset.train_store
    if parts.config.augment.backend == "torch":
        return StoreFeed(store, TorchBackend(parts.plan, device))
    return StoreFeed(store, OpenCVBackend(parts.plan, settled(parts.config.data.threads)))
