"""What a training is made of, built from a resolved config before any directory is made or process started."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vernier.augment.plan import Plan, compile_plan
from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.augment.randomness import step_seed
from vernier.augment.reach import pixels_per_pixel
from vernier.config.root import Config
from vernier.config.schedule import ConstantConfig
from vernier.config.settled import settled
from vernier.data.header_table import read_header_table
from vernier.data.images import FileImages, Images
from vernier.data.order import BatchOrder
from vernier.data.reduced_images import DENOMINATORS, reduce_images
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.data.splits import Split, split_source
from vernier.data.store import Store, full_store, open_store
from vernier.data.store_directory import store_directory
from vernier.errors import ConfigError, ConfigProblem, DataError
from vernier.losses.loss import Loss, Teacher, make_loss
from vernier.models.architecture import Architecture
from vernier.models.freeze import freeze, unfreeze
from vernier.models.head import reset_heads
from vernier.models.provider import StemInit
from vernier.models.providers import build_model, make_architecture
from vernier.models.stem import describe_stem, stem_modules
from vernier.models.task import Task, make_task
from vernier.models.weights import WeightsReport, load_weights
from vernier.optim.schedules import Schedule, make_schedule
from vernier.training.resolve import training_operations
from vernier.training.steps import Steps

_INITIAL_WEIGHTS = 2**40
"""The step number whose seed draws the initial weights; no training gets there."""

_PUBLISHED_CHANNELS = 3


@dataclass(frozen=True)
class Dataset:
    """An opened source, its decoded images, and who is in which split.

    Attributes:
        store: Images decoded in full, for evaluation.
        drawn: The split over all images, those that can't be read included.
        train_store: Images as training sees them, perhaps decoded at a reduced scale; else `store`.
    """

    source: Source
    store: Store
    drawn: Split
    train_store: Store

    @cached_property
    def split(self) -> Split:
        """The split over the images that can be read."""
        bad = np.array([image.position for image in self.store.bad], dtype=np.int64)
        return Split(*(np.setdiff1d(part, bad) for part in (self.drawn.train, self.drawn.val, self.drawn.test)))


@dataclass(frozen=True)
class Parts:
    """The parts of a training that know nothing of devices.

    Attributes:
        weights: What became of `model.weights`; None without.
    """

    config: Config
    dataset: Dataset
    task: Task
    architecture: Architecture
    model: nn.Module
    plan: Plan
    preprocessing: Preprocessing
    order: BatchOrder
    learning_rate_factor: Schedule
    steps: Steps
    loss: Loss
    teacher: Teacher | None = None
    weights: WeightsReport | None = None

    @property
    def memory_format(self) -> torch.memory_format:
        """`train.memory_format` in torch's words."""
        return memory_format(self.config)


def open_dataset(
    config: Config, split_file: Path | None, progress: Callable[[int, int], None] | None = None
) -> Dataset:
    """Open the source, split it and decode it.

    Where training leaves pixels unseen, all images are decoded at a reduced scale, and those that evaluation sees
    once more in full when it asks for them.

    Args:
        config: Resolved or not.
        split_file: The split.csv of a run that goes on, so that no image changes sides.
        progress: Told how many images of how many are decoded.

    Raises:
        DataError: all that is wrong with the images, before anything else happens.
    """
    data = config.data
    if split_file is not None:
        data = data.model_copy(update={"split": data.split.model_copy(update={"file": str(split_file)})})
    source = open_source(data)
    split = split_source(source, data)
    threads = torch.get_num_threads() if data.threads == "auto" else data.threads
    images, sizes = _images_to_train_on(config, source, threads)
    train_store = open_store(images, data, threads, progress, sizes)
    store = train_store if images is source.images else full_store(source.images, train_store)
    dataset = Dataset(source, store, split, train_store)
    if len(dataset.split.train) == 0:
        raise DataError(f"{source.name} gives no training images; name them with data.train=DIR or data.source=DIR")
    return dataset


def _images_to_train_on(config: Config, source: Source, threads: int) -> tuple[Images, np.ndarray | None]:
    """The source's images, at a reduced scale where `augment.train` has pixels to spare, and their sizes if known."""
    most = max(DENOMINATORS) if config.data.store_scale == "auto" else config.data.store_scale
    if most == 1 or not isinstance(source.images, FileImages):
        return source.images, None
    headers = read_header_table(source.images, store_directory(config.data.store_dir), threads)
    spare = partial(pixels_per_pixel, training_operations(config, source))
    return reduce_images(source.images, headers, spare, most)


def build_parts(config: Config, dataset: Dataset, say: Callable[[str], None], built: Parts | None = None) -> Parts:
    """Build the model and everything that prepares its input.

    Args:
        config: Resolved.
        dataset: From `open_dataset`.
        say: Told what a person should know, such as weights that were left out.
        built: Parts whose model is taken, of a config that differs in how it is trained only.

    Raises:
        ConfigError, ModelError: whatever can't be built.
    """
    task = make_task(
        settled(config.data.task),
        dataset.source.class_names,
        label_smoothing=getattr(config.loss, "label_smoothing", 0.0),
        threshold=config.evaluate.threshold,
    )
    plan = make_plan(config, dataset.source.native_size)
    preprocessing = compile_preprocessing(
        settled(config.augment.eval),
        channels=settled(config.data.channels),
        fill=config.augment.fill,
        interpolation=settled(config.augment.eval_interpolation),
    )
    _check_size("augment.train", plan.output_size, config)
    _check_size("augment.eval", preprocessing.input_size, config)
    limit = 1 if config.train.fast_dev_run else 0
    order = BatchOrder(len(dataset.split.train), settled(config.data.batch_size), config.seed, limit)
    steps = Steps(order.batches_per_epoch, config.train.accumulate, config.train.epochs, config.train.max_steps)
    schedule = _make_schedule(config, steps)
    architecture = make_architecture(
        config.model,
        num_outputs=task.num_outputs,
        channels=settled(config.data.channels),
        input_size=settled(config.model.input_size),
    )
    model, weights = make_model(config, architecture, say) if built is None else (built.model, built.weights)
    model.to(memory_format=memory_format(config))
    _check_batchnorm(config, model)
    return Parts(
        config=config,
        dataset=dataset,
        task=task,
        architecture=architecture,
        model=model,
        plan=plan,
        preprocessing=preprocessing,
        order=order,
        learning_rate_factor=schedule,
        steps=steps,
        loss=make_loss(config.loss, task, _class_counts(dataset)),
        weights=weights,
    )


def _check_accumulation(steps: Steps) -> None:
    if steps.accumulate > steps.batches_per_epoch:
        message = (
            f"is more than the {steps.batches_per_epoch} batches of an epoch; got {steps.accumulate}; lower it, or "
            "data.batch_size"
        )
        raise ConfigError([ConfigProblem("train.accumulate", message)])


def _class_counts(dataset: Dataset) -> np.ndarray:
    """Training images of each class, int64 (C,)."""
    targets = dataset.source.targets[dataset.split.train]
    if targets.ndim == 2:
        return np.asarray(targets.sum(axis=0, dtype=np.int64))
    return np.bincount(targets, minlength=len(dataset.source.class_names))


def _make_schedule(config: Config, steps: Steps) -> Schedule:
    if config.train.fast_dev_run:
        # One step has no room for a warm-up.
        return make_schedule(ConstantConfig(), total_steps=1, steps_per_epoch=1)
    return make_schedule(config.schedule, total_steps=steps.total, steps_per_epoch=steps.per_epoch)


def make_plan(config: Config, native_size: tuple[int, int] | None) -> Plan:
    """The augmentation of the training images, which may all be of one size."""
    return compile_plan(
        settled(config.augment.train),
        channels=settled(config.data.channels),
        border=config.augment.border,
        fill=config.augment.fill,
        interpolation=config.augment.interpolation,
        seed=config.seed,
        native_size=native_size,
    )


def make_model(
    config: Config, architecture: Architecture, say: Callable[[str], None]
) -> tuple[nn.Module, WeightsReport | None]:
    """The model with its first weights, a function of `seed` or of a file, and its frozen parts.

    With the file's report, if there is a file.
    """
    torch.manual_seed(step_seed(config.seed, _INITIAL_WEIGHTS, 0))
    stem_init = _stem_init(config)
    model = build_model(architecture, pretrained=config.model.pretrained, stem_init=stem_init)
    if config.model.pretrained and architecture.channels != _PUBLISHED_CHANNELS:
        for name in stem_modules(model):
            say(describe_stem(name, _PUBLISHED_CHANNELS, architecture.channels, stem_init))
    report = None
    if config.model.weights is not None:
        report = load_weights(model, config.model.weights, architecture, config.model.warm_start, stem_init)
        say(str(report))
        reset_heads(model, report.head_mismatch)
    freeze(model, config.model.frozen)
    _check_unfreezing(model, config)
    return model, report


def _stem_init(config: Config) -> StemInit:
    if config.model.stem_init is None:
        return "auto"
    if not config.model.pretrained and config.model.weights is None:
        message = "says where loaded weights go, and none are loaded; set model.pretrained or model.weights too"
        raise ConfigError([ConfigProblem("model.stem_init", message)])
    return config.model.stem_init


def _check_unfreezing(model: nn.Module, config: Config) -> None:
    """Try all entries of `train.unfreeze` before anything is trained, and freeze again."""
    if config.train.unfreeze:
        for stage in config.train.unfreeze:
            unfreeze(model, stage.layers)
        freeze(model, config.model.frozen)


def memory_format(config: Config) -> torch.memory_format:
    """`train.memory_format` in torch's words."""
    return torch.channels_last if config.train.memory_format == "channels_last" else torch.contiguous_format


def _check_size(key: str, size: tuple[int, int], config: Config) -> None:
    wanted = settled(config.model.input_size)
    if size != wanted:
        message = (
            f"ends at {size[0]}x{size[1]} pixels, but model.input_size is {wanted[0]}x{wanted[1]}; "
            "leave the sizes of the operations out, or set them to the same"
        )
        raise ConfigError([ConfigProblem(key, message)])


def _check_batchnorm(config: Config, model: nn.Module) -> None:
    processes = config.train.device_count * config.train.num_nodes
    learns_statistics = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())
    fixed = config.train.freeze_batchnorm or config.model.frozen == "backbone"
    batch_size = settled(config.data.batch_size)
    if learns_statistics and not fixed and batch_size < 2 * processes:
        message = (
            f"{batch_size} over {processes} process(es) leaves BatchNorm single images, which have "
            f"no variance; use at least {2 * processes}, or train.freeze_batchnorm=true"
        )
        raise ConfigError([ConfigProblem("data.batch_size", message)])
