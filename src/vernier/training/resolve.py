"""Every `auto` replaced by a value and its reason, once, before the first step."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vernier.augment.pixel.table import PIXEL
from vernier.config.augment import AnyOperation, AugmentConfig
from vernier.config.checks import CHECKS
from vernier.config.fields import item_type, kinds
from vernier.config.model import ModelConfig
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.source import Source
from vernier.data.store import Store
from vernier.data.store_directory import store_directory
from vernier.errors import ConfigError, ConfigProblem
from vernier.models.defaults import ModelDefaults, model_defaults
from vernier.models.from_bundle import bundle_normalisation
from vernier.models.settle import settle_model
from vernier.training.choices import Choices, Resolved
from vernier.training.devices import choose_devices, chosen_processes, processors
from vernier.training.resolve_callbacks import choose_callbacks
from vernier.training.resolve_loss import choose_loss

_SMALL = 64
_KINDS = kinds(item_type(AugmentConfig.model_fields["train"].annotation))
"""Operations by name."""


def _check(config: Config) -> None:
    """Check again what hung on a choice, such as the device."""
    problems = [ConfigProblem(finding.key, finding.message) for check in CHECKS for finding in check(config)]
    if problems:
        raise ConfigError(problems)


def resolve(config: Config, source: Source, store: Store, name: str) -> Resolved:
    """Replace every `auto` of a config.

    Args:
        config: As the user wrote it.
        source: The opened source.
        store: The opened store of training images.
        name: `run.name` when it is left to Vernier.

    Raises:
        ConfigError: a metric that this task does not have, or a setting that the chosen device does not.
    """
    choices = _with_settled_model(config)
    choices.choose("run.name", name, "from the config file or the data")
    _choose_machine(choices)
    _choose_data(choices, source, store)
    choose_loss(choices, source)
    defaults = _model_defaults(choices.config.model)
    choices.choose("model.provider", defaults.provider, "the first that knows this name")
    size = _choose_input_size(choices, source, defaults)
    _choose_augmentation(choices, source, defaults, size)
    task = choices.values.get("data.task", config.data.task)
    choose_callbacks(choices, task, source)
    resolved = choices.finish()
    _check(resolved.config)
    return resolved


def training_operations(config: Config, source: Source) -> tuple[AnyOperation, ...]:
    """`augment.train` as `resolve` will have it, of a config that may hold `auto`."""
    choices = _with_settled_model(config)
    defaults = _model_defaults(choices.config.model)
    _choose_augmentation(choices, source, defaults, _choose_input_size(choices, source, defaults))
    return settled(choices.finish().config.augment.train)


def _with_settled_model(config: Config) -> Choices:
    """Choices over the config with its model in our words, and the reasons for what changed."""
    model, reason = settle_model(config.model)
    before, after = config.model.model_dump(), model.model_dump()
    changed = [f"model.{key}" for key in after if after[key] != before[key]]
    return Choices(config.model_copy(update={"model": model}), dict.fromkeys(changed, reason or ""))


def _model_defaults(model: ModelConfig) -> ModelDefaults:
    """What the model expects; with weights of a bundle, images normalised as those that it was trained on."""
    defaults = model_defaults(model)
    normalisation = None if model.weights is None else bundle_normalisation(Path(model.weights))
    return defaults if normalisation is None else replace(defaults, mean=normalisation[0], std=normalisation[1])


def _choose_machine(choices: Choices) -> None:
    train = choices.config.train
    if train.debug:
        for key, value in (("train.devices", 1), ("train.threads", 1), ("data.threads", 0)):
            choices.override(key, value, "train.debug")
    if train.fast_dev_run:
        choices.override("train.epochs", 1, "train.fast_dev_run")
    choose_devices(choices)
    processes = chosen_processes(choices)
    share = max(1, processors() // processes)
    choices.choose("train.threads", share, f"{processors()} processors for {processes} process(es)")
    choices.choose("data.threads", share, "as many as compute threads")
    choices.choose("train.precision", "32-true", "exact")
    choices.choose("train.fp32_layers", (), "nothing is measured")
    algebra = choices.config.model.algebra is not None
    choices.choose(
        "train.memory_format",
        "contiguous" if algebra else "channels_last",
        "the parts of a number lie side by side" if algebra else "faster on CPUs and GPUs",
    )
    several_sizes = choices.config.augment.progressive is not None
    reason = "augment.progressive has images of several sizes" if several_sizes else "nothing is measured"
    choices.choose("train.compile", False, reason)
    choices.choose("train.allocator", "keep" if sys.platform == "linux" else "system", "spares page faults")
    choices.choose("train.matmul_precision", "highest", "exact")
    choices.choose("train.cache_features", False, "nothing is frozen")
    choices.choose("train.feature_views", 0, "new draws every epoch")
    choices.choose("optimizer.lr", type(choices.config.optimizer).model_fields["lr"].default, "until it is measured")
    if train.speed == "auto":
        choices.override("train.speed", "off", "nothing was measured")


def _choose_data(choices: Choices, source: Source, store: Store) -> None:
    multilabel = source.targets.ndim == 2
    choices.choose(
        "data.task",
        "multilabel" if multilabel else "multiclass",
        "samples have several labels" if multilabel else "one label a sample",
    )
    choices.choose("data.channels", source.images.channels, "what the source has")
    choices.choose("data.batch_size", 32, "until it is measured")
    scaled = "the most that leaves crops of augment.train their pixels" if store.scale > 1 else "no pixels to spare"
    choices.choose("data.store_scale", store.scale, scaled)
    choices.choose("data.eval_batch_size", choices.current("data.batch_size"), "data.batch_size")
    choices.choose("data.store_dir", str(store_directory("auto")), "the cache directory")
    kind, _, reason = store.reason.partition(": ")
    choices.choose("data.store", kind, reason)


def _choose_input_size(choices: Choices, source: Source, defaults: ModelDefaults) -> tuple[int, int]:
    model = choices.config.model
    if model.input_size != "auto":
        return model.input_size
    if source.native_size is not None and not model.pretrained:
        choices.choose("model.input_size", source.native_size, "the size of the source's images")
        return source.native_size
    choices.choose("model.input_size", defaults.input_size, f"the default of {model.name}")
    return defaults.input_size


def _choose_augmentation(choices: Choices, source: Source, defaults: ModelDefaults, size: tuple[int, int]) -> None:
    augment, channels = choices.config.augment, source.images.channels
    mean, std = _statistics(defaults.mean, channels), _statistics(defaults.std, channels)
    small = max(size) <= _SMALL
    train_kind, train = (
        ("photos", ["RandomResizedCrop", "RandomHorizontalFlip", "Normalize"])
        if not small
        else ("small images", ["Resize", "RandomCrop", "RandomHorizontalFlip", "Normalize"])
        if channels != 1
        else ("small grey images, which may be writing", ["Resize", "Translate", "RandomRotate", "Normalize"])
    )
    fields: dict[str, dict[str, Any]] = {
        "RandomResizedCrop": {"scale": (0.35, 1.0)},
        "RandomCrop": {"padding": max(1, max(size) // 8)},
    }
    if augment.train == "auto":
        choices.choose(
            "augment.train",
            [{"name": n, **fields.get(n, {})} for n in train],
            f"the default for {train_kind}",
        )
    if augment.eval == "auto":
        choices.choose(
            "augment.eval",
            _eval_operations(size, small, defaults.crop_fraction),
            f"the default for {train_kind}",
        )
    for phase in ("train", "eval"):
        operations = choices.current(f"augment.{phase}")
        filled = [_fill_operation(operation, size, mean, std) for operation in operations]
        choices.values[f"augment.{phase}"] = filled
    if choices.config.train.overfit_batches is not None:
        choices.override("augment.train", choices.current("augment.eval"), "train.overfit_batches")
    if augment.progressive is not None:
        portions = (1.0,) * len(augment.progressive.sizes)
        choices.choose("augment.progressive.portions", portions, "equal ones")
    choices.choose(
        "augment.eval_interpolation",
        defaults.interpolation if choices.config.model.pretrained else augment.interpolation,
        "the published weights' own" if choices.config.model.pretrained else "augment.interpolation",
    )
    _choose_backend(choices)


def _choose_backend(choices: Choices) -> None:
    operations = [_KINDS[operation["name"]] for operation in choices.current("augment.train")]
    if choices.current("train.accelerator") == "cpu":
        choices.choose("augment.backend", "opencv", "threads on the CPU")
    elif on_host := sorted({kind.__name__ for kind in operations if kind in PIXEL}):
        choices.choose("augment.backend", "opencv", f"{', '.join(on_host)} run on the CPU")
    else:
        choices.choose("augment.backend", "torch", "warps on the device")


def _eval_operations(size: tuple[int, int], small: bool, crop_fraction: float) -> list[dict[str, Any]]:
    if small:
        return [{"name": "Resize", "mode": "fit"}, {"name": "Normalize"}]
    before_crop = tuple(round(side / crop_fraction) for side in size)
    mode = "shortest" if size[0] == size[1] else "fit"
    return [
        {"name": "Resize", "mode": mode, "size": before_crop},
        {"name": "CentralCrop"},
        {"name": "Normalize"},
    ]


def _fill_operation(
    operation: AnyOperation | dict[str, Any],
    size: tuple[int, int],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> dict[str, Any]:
    """The operation with the model's size and statistics in place of `auto`."""
    fields = dict(operation) if isinstance(operation, dict) else operation.model_dump()
    defaults: dict[str, Any] = {
        "size": size,
        "resize": tuple(round(side * 8 / 7) for side in size),
        "mean": mean,
        "std": std,
    }
    if fields.get("fraction") is not None and fields["name"] == "CentralCrop":
        defaults.pop("size")
    # A field that a default (a dict) leaves out is `auto` too.
    known = _KINDS[fields["name"]].model_fields
    return {**fields, **{key: value for key, value in defaults.items() if _is_auto(fields, known, key)}}


def _is_auto(fields: Mapping[str, Any], known: Mapping[str, Any], key: str) -> bool:
    return key in known and fields.get(key, known[key].default) == "auto"


def _statistics(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """Statistics of another number of channels: their mean for each."""
    return values if len(values) == channels else (round(sum(values) / len(values), 6),) * channels
