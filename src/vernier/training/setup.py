"""Everything a training works with, built from a resolved config."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import nn

from vernier.augment.backend import Backend
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.augment.randomness import step_seed
from vernier.augment.torch_backend import TorchBackend
from vernier.config.root import Config
from vernier.data.loader import TrainLoader
from vernier.data.order import BatchOrder
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.splits import Split, split_source
from vernier.data.store import Store, open_store
from vernier.errors import ConfigError, ConfigProblem, DataError
from vernier.models.architecture import Architecture
from vernier.models.freeze import freeze
from vernier.models.providers import build_model
from vernier.models.task import Task, make_task
from vernier.models.weights import load_weights
from vernier.optim.optimizers import make_optimizer
from vernier.optim.schedules import make_schedule
from vernier.training.runtime import Group

INITIAL_WEIGHTS_STEP = 2**40
"""The step number whose seed draws the initial weights; no training gets there."""


@dataclass(frozen=True)
class Dataset:
    """An opened source, its decoded images, and who is in which split."""

    source: Source
    store: Store
    split: Split


def open_dataset(config: Config, progress: Callable[[int, int], None] | None = None) -> Dataset:
    """Open the source, split it and decode it.

    Raises:
        DataError: all that is wrong with the images, before anything else happens.
    """
    source = open_source(config.data)
    split = split_source(source, config.data)
    threads = torch.get_num_threads() if config.data.threads == "auto" else config.data.threads
    store = open_store(source.images, config.data, threads, progress)
    bad = np.array([image.position for image in store.bad], dtype=np.int64)
    split = Split(*(np.setdiff1d(part, bad) for part in (split.train, split.val, split.test)))
    if len(split.train) == 0:
        raise DataError(f"{source.name}: no readable training image is left")
    return Dataset(source, store, split)


@dataclass(frozen=True)
class Setup:
    """The parts of one training in one process."""

    config: Config
    dataset: Dataset
    task: Task
    architecture: Architecture
    model: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    learning_rate_factor: Callable[[int], float]
    base_learning_rates: tuple[float, ...]
    loader: TrainLoader
    preprocessing: Preprocessing
    fabric: Fabric
    group: Group

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.config.train.epochs * self.loader.order.steps_per_epoch

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory order of images and convolution weights."""
        return memory_format(self.config)


def memory_format(config: Config) -> torch.memory_format:
    """`train.memory_format` in torch's words."""
    return torch.channels_last if config.train.memory_format == "channels_last" else torch.contiguous_format


def build_setup(config: Config, dataset: Dataset, fabric: Fabric, say: Callable[[str], None]) -> Setup:
    """Build model, optimizer, schedule and loader.

    Args:
        config: Resolved.
        dataset: From `open_dataset`.
        fabric: Launched.
        say: Told what a person should know, such as weights that were left out.
    """
    source, split = dataset.source, dataset.split
    task = make_task(
        config.data.task,
        source.class_names,
        label_smoothing=config.train.label_smoothing,
        threshold=config.evaluate.threshold,
    )
    architecture = make_architecture(config, task)
    model = make_model(config, architecture, say).to(memory_format=memory_format(config))
    optimizer = make_optimizer(model, config.optimizer)
    wrapped, wrapped_optimizer = fabric.setup(model, optimizer, move_to_device=True)
    group = Group(fabric.global_rank, fabric.world_size, fabric.device)
    limit = 1 if config.train.fast_dev_run else 0
    order = BatchOrder(len(split.train), config.data.batch_size, config.seed, limit)
    _check_batchnorm(config, model, group)
    steps = order.steps_per_epoch
    return Setup(
        config=config,
        dataset=dataset,
        task=task,
        architecture=architecture,
        model=model,
        module=wrapped,
        optimizer=wrapped_optimizer,
        learning_rate_factor=make_schedule(
            config.schedule, total_steps=config.train.epochs * steps, steps_per_epoch=steps
        ),
        base_learning_rates=tuple(group["lr"] for group in optimizer.param_groups),
        loader=TrainLoader(
            store=dataset.store,
            positions=split.train,
            targets=task.targets(source.targets),
            order=order,
            backend=make_backend(config, fabric.device),
            threads=config.data.threads,
            rank=group.rank,
            world_size=group.world_size,
        ),
        preprocessing=compile_preprocessing(
            config.augment.eval,
            channels=config.data.channels,
            fill=config.augment.fill,
            interpolation=config.augment.interpolation,
        ),
        fabric=fabric,
        group=group,
    )


def make_architecture(config: Config, task: Task) -> Architecture:
    """The architecture with the data's channels and number of outputs."""
    model = config.model
    return Architecture(
        provider=model.provider,
        name=model.name,
        kwargs=dict(model.kwargs),
        num_outputs=task.num_outputs,
        channels=config.data.channels,
        input_size=model.input_size,
        dropout=model.dropout,
    )


def make_model(config: Config, architecture: Architecture, say: Callable[[str], None]) -> nn.Module:
    """The model with its first weights, a function of `seed` or of a file, and its frozen parts."""
    torch.manual_seed(step_seed(config.seed, INITIAL_WEIGHTS_STEP, 0))
    model = build_model(architecture, pretrained=config.model.pretrained)
    if config.model.weights is not None:
        say(str(load_weights(model, config.model.weights, architecture)))
    freeze(model, config.model.frozen)
    return model


def make_backend(config: Config, device: torch.device) -> Backend:
    """The augmentation of the training images."""
    plan = compile_plan(
        config.augment.train,
        channels=config.data.channels,
        border=config.augment.border,
        fill=config.augment.fill,
        interpolation=config.augment.interpolation,
        seed=config.seed,
    )
    if plan.output_size != config.model.input_size:
        raise ConfigError(
            [
                ConfigProblem(
                    "augment.train",
                    f"ends at {plan.output_size[0]}x{plan.output_size[1]} pixels, but model.input_size is "
                    f"{config.model.input_size[0]}x{config.model.input_size[1]}; "
                    "leave the sizes of the operations out, or set them to the same",
                )
            ]
        )
    if config.augment.backend == "torch":
        return TorchBackend(plan, device)
    return OpenCVBackend(plan, config.data.threads)


def _check_batchnorm(config: Config, model: nn.Module, group: Group) -> None:
    learns_statistics = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    frozen = config.train.freeze_batchnorm or config.model.frozen == "backbone"
    if learns_statistics and not frozen and config.data.batch_size < 2 * group.world_size:
        raise ConfigError(
            [
                ConfigProblem(
                    "data.batch_size",
                    f"{config.data.batch_size} over {group.world_size} process(es) leaves BatchNorm single images, "
                    f"which have no variance; use at least {2 * group.world_size}, or train.freeze_batchnorm=true",
                )
            ]
        )
