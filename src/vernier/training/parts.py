"""What a training is made of, built from a resolved config before any directory is made or process started."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vernier.augment.pixel.checking import slow_operations
from vernier.augment.plan import Plan, compile_plan
from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.augment.randomness import step_seed
from vernier.augment.reach import pixels_per_pixel
from vernier.config.channels import colour_places
from vernier.config.root import Config
from vernier.config.schedule import ConstantConfig
from vernier.config.settled import settled
from vernier.data.header_table import read_header_table
from vernier.data.images import EncodedImages, Images
from vernier.data.order import BatchOrder
from vernier.data.reduced_images import DENOMINATORS, reduce_images
from vernier.data.sampling import ClassSampler, class_counts, sampling_labels
from vernier.data.source import Source
from vernier.data.splits import Split, split_source
from vernier.data.store import Store, full_store, open_store
from vernier.data.store_base import bad_images_text
from vernier.data.store_directory import store_directory
from vernier.data.stream_store import streamed
from vernier.errors import ConfigError, ConfigProblem, DataError
from vernier.evaluation.evaluators import Evaluator
from vernier.evaluation.torchmetrics_metrics import Metrics, make_metrics
from vernier.losses.distillation import make_teacher
from vernier.losses.loss import Loss, Teacher, make_loss
from vernier.models.architecture import Architecture
from vernier.models.freeze import freeze, unfreeze
from vernier.models.head import reset_heads
from vernier.models.provider import StemInit
from vernier.models.providers import build_model, make_architecture
from vernier.models.stem import describe_stem, stem_modules
from vernier.models.task import Task, make_task
from vernier.models.weights import WeightsReport, load_weights
from vernier.optim.optimizers import check_optimizer
from vernier.optim.schedules import Schedule, make_momentum, make_schedule
from vernier.scenario.overriding import all_evaluators, model_with_parameters, open_data, own_loss
from vernier.training.limits import limited_order
from vernier.training.log import logger
from vernier.training.progressive import check_sizes, resized_to
from vernier.training.resolve import training_operations
from vernier.training.slow_layers import check_fp32_layers
from vernier.training.steps import Steps
from vernier.training.streaming import check_streaming, make_stream_order

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
        momentum: Of each step; None where the optimizer's own stays.
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
    momentum: Callable[[int], float] | None = None
    teacher: Teacher | None = None
    weights: WeightsReport | None = None
    metrics: Metrics = field(default_factory=lambda: Metrics(()))
    evaluators: tuple[Evaluator, ...] = ()

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The augmentation for each size of `augment.progressive`; without, `plan` alone."""
        progressive = self.config.augment.progressive
        if progressive is None:
            return (self.plan,)
        smaller = (self._plan_for(size) for size in progressive.sizes[:-1])
        return (*smaller, self.plan)

    def _plan_for(self, size: tuple[int, int]) -> Plan:
        operations = resized_to(size, settled(self.config.augment.train))
        augment = self.config.augment.model_copy(update={"train": operations})
        return make_plan(self.config.model_copy(update={"augment": augment}), self.dataset.source.native_size)


def open_dataset(
    config: Config, split_file: Path | None, progress: Callable[[int, int], None] | None = None
) -> Dataset:
    """Open the source, split it and decode it.

    Where training leaves pixels unseen, all images are decoded at a reduced scale, and those that evaluation sees
    once more in full when it asks for them. Streamed images are always decoded in full: their headers are not known.

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
    source = open_data(config, data)
    split = split_source(source, data)
    threads = torch.get_num_threads() if data.threads == "auto" else data.threads
    images, sizes = _images_to_train_on(config, source, threads)
    train_store = open_store(images, data, threads, progress, sizes)
    if train_store.bad:
        logger.warning("%s", bad_images_text(train_store.bad, len(train_store)))
    store = train_store if images is source.images else full_store(source.images, train_store)
    dataset = Dataset(source, store, split, train_store)
    if len(dataset.split.train) == 0:
        raise DataError(f"{source.name} gives no training images; name them with data.train=DIR or data.source=DIR")
    return dataset


def _images_to_train_on(config: Config, source: Source, threads: int) -> tuple[Images, np.ndarray | None]:
    """The source's images, at a reduced scale where `augment.train` has pixels to spare, and their sizes if known."""
    most = max(DENOMINATORS) if config.data.store_scale == "auto" else config.data.store_scale
    if most == 1 or not isinstance(source.images, EncodedImages) or streamed(source.images) is not None:
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
    task = make_task(settled(config.data.task), dataset.source.class_names, threshold=config.evaluate.threshold)
    plan = make_plan(config, dataset.source.native_size)
    if built is None:
        for line in slow_operations(settled(config.augment.train), "augment.train"):
            say(line)
    preprocessing = _make_preprocessing(config)
    _check_size("augment.train", plan.output_size, config)
    _check_size("augment.eval", preprocessing.input_size, config)
    order = _make_order(config, dataset)
    if order.sampler is not None and built is None:
        say(order.sampler.description)
    steps = Steps(order.batches_per_epoch, config.train.accumulate, config.train.epochs, config.train.max_steps)
    _check_accumulation(steps)
    schedule = _make_schedule(config, steps)
    architecture = make_architecture(
        model_with_parameters(config),
        num_outputs=task.num_outputs,
        channels=settled(config.data.channels),
        input_size=settled(config.model.input_size),
    )
    model, weights = make_model(config, architecture, say) if built is None else (built.model, built.weights)
    model.to(memory_format=memory_format(config))
    _check_batchnorm(config, model)
    check_fp32_layers(model, settled(config.train.fp32_layers))
    if built is None:
        check_sizes(model, config, steps.epochs_begun)
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
        momentum=_make_momentum(config, steps),
        steps=steps,
        loss=_make_loss(config, task, dataset, order.sampler),
        teacher=make_teacher(config, task),
        weights=weights,
        metrics=make_metrics(config.metrics, task, config.evaluate),
        evaluators=all_evaluators(config),
    )


def _make_preprocessing(config: Config) -> Preprocessing:
    preprocessing = compile_preprocessing(
        settled(config.augment.eval),
        channels=settled(config.data.channels),
        fill=config.augment.fill,
        interpolation=settled(config.augment.eval_interpolation),
    )
    return replace(preprocessing, value_range=config.data.value_range)


def _make_order(config: Config, dataset: Dataset) -> BatchOrder:
    check_streaming(config, dataset.train_store)
    sampler = _make_sampler(config, dataset)
    stream = make_stream_order(config, dataset.source.images, dataset.split.train) if sampler is None else None
    batch_size = settled(config.data.batch_size)
    whole = BatchOrder(len(dataset.split.train), batch_size, config.seed, sampler=sampler, stream=stream)
    return limited_order(whole, config.train)


def _check_accumulation(steps: Steps) -> None:
    if steps.accumulate > steps.batches_per_epoch:
        message = (
            f"is more than the {steps.batches_per_epoch} batches of an epoch; got {steps.accumulate}; lower it, or "
            "data.batch_size"
        )
        raise ConfigError([ConfigProblem("train.accumulate", message)])


def _make_sampler(config: Config, dataset: Dataset) -> ClassSampler | None:
    ratios, lists = config.data.list_ratios, dataset.source.list_numbers
    if ratios is not None and lists is not None:
        return ClassSampler("list_ratios", lists[dataset.split.train], config.seed, ratios)
    if config.data.sampler == "shuffle":
        return None
    labels = sampling_labels(dataset.source.targets[dataset.split.train])
    return ClassSampler(config.data.sampler, labels, config.seed)


def _make_loss(config: Config, task: Task, dataset: Dataset, sampler: ClassSampler | None) -> Loss:
    targets = dataset.source.targets[dataset.split.train]
    drawn = targets if sampler is None else targets[sampler.epoch(0).places]
    counts = class_counts(drawn, len(task.class_names))
    return own_loss(config, task, counts) or make_loss(config.loss, task, counts, images=len(targets))


def _make_schedule(config: Config, steps: Steps) -> Schedule:
    if config.train.fast_dev_run:
        # One step has no room for a warm-up.
        return make_schedule(ConstantConfig(), total_steps=1, steps_per_epoch=1)
    return make_schedule(config.schedule, total_steps=steps.total, steps_per_epoch=steps.per_epoch)


def _make_momentum(config: Config, steps: Steps) -> Callable[[int], float] | None:
    if config.train.fast_dev_run:
        return None
    return make_momentum(config.schedule, total_steps=steps.total, steps_per_epoch=steps.per_epoch)


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
        colours=colour_places(settled(config.data.channels), config.data.channel_names),
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
    _check_what_trains(model, config)
    return model, report


def _stem_init(config: Config) -> StemInit:
    if config.model.stem_init is None:
        return "auto"
    if not config.model.pretrained and config.model.weights is None:
        message = "says where loaded weights go, and none are loaded; set model.pretrained or model.weights too"
        raise ConfigError([ConfigProblem("model.stem_init", message)])
    return config.model.stem_init


def _check_what_trains(model: nn.Module, config: Config) -> None:
    """Try the optimizer on all that ever trains, with all stages of `train.unfreeze`, and freeze again."""
    for stage in config.train.unfreeze:
        unfreeze(model, stage.layers)
    check_optimizer(model, config.optimizer)
    if config.train.unfreeze:
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
    needed = 2 if config.train.sync_batchnorm is True else 2 * processes
    if learns_statistics and not fixed and batch_size < needed:
        message = (
            f"{batch_size} over {processes} process(es) leaves BatchNorm single images, which have "
            f"no variance; use at least {needed}, or train.freeze_batchnorm=true"
        )
        raise ConfigError([ConfigProblem("data.batch_size", message)])
