"""Random configs over the whole toolbox, drawn from the schema, so that what is new is drawn too.

Every choice is a function of the config's number and the field's key: a new field changes no other one. What has no
value of its own to draw, such as text, is drawn from `CHOICES` or left alone.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import numpy as np
from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.fields import bare, kinds, members, section_classes
from vernier.config.root import Config
from vernier.config.types import in_order

TASKS = ("multiclass", "binary", "multilabel")
CLASSES = ("a", "b", "c", "d")

Drawn = dict[str, Any]

OWN = "training.random_parts"
ALWAYS: dict[str, Any] = {"train.threads": 1, "train.allocator": "system", "data.store": "memory"}
"""One compute thread, and nothing that outlives a training."""

NEVER = {
    "data.source", "data.root", "data.train", "data.val", "data.test", "data.train_split", "data.val_split",
    "data.class_names", "data.task", "data.store", "data.store_dir", "data.store_scale", "data.kwargs",
    "data.max_pixels", "data.split.file", "data.split.group", "data.lists", "data.list_ratios", "data.columns",
    "data.records", "data.stream", "data.channels", "data.channel_names", "data.value_range",
    "model.version", "model.alpha", "model.provider", "model.depth", "model.kwargs", "model.pretrained",
    "model.weights", "model.warm_start", "model.stem_init", "model.head_name", "model.algebra",
    "train.threads", "train.devices", "train.accelerator", "train.num_nodes", "train.strategy",
    "train.strategy_kwargs", "train.compile", "train.allocator", "train.profile", "train.seeds", "train.memory_limit",
    "track.mlflow", "scenario", "run", "export.after_training", "quantize.calibration", "quantize.exclude",
}  # fmt: skip
"""Other files and machines, what takes long or comes after a training, and networks, which have a test of their own."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "data.batch_size": (6, 8, 11),
    "data.eval_batch_size": (5, 16, "auto"),
    "data.threads": (0, 1, 2),
    "data.split.val": (0.25, 0.4, 0),
    "data.split.test": (0.2, 0),
    "data.split.folds": (2, 3),
    "data.split.fold": (0, 1),
    "data.split.method": ("stratified", "stratified", "device_zoo"),
    "augment.eval": (["Resize", "Normalize"], ["Resize", "Rescale"], [{"CentralCrop": {"size": 8}}]),
    "augment.mix.off_for_last": ("0ep", "0.5ep", "25%"),
    "augment.progressive.sizes": ([6, 8], [4, 8], [[7, 8], 8]),
    "augment.progressive.portions": ([1, 2], [0.5, 0.5]),
    "model.name": ("digits_cnn", "digits_cnn", "digits_cnn", "training.plain_net:plain_net", "resnet20_cifar"),
    "model.width_divisor": (1, 2, 4),
    "model.head": (["relu", {"dropout": 0.3}], ["batchnorm"], [{"linear": 12}, "gelu", "layernorm"]),
    "model.input_size": (8,),
    "model.frozen": ("backbone", ["0"], ["0:-1"]),
    "optimizer.lr": (1e-3, 1e-2),
    "optimizer.groups": ([{"pattern": ".*weight", "lr_factor": 0.5}], [{"pattern": "-1", "weight_decay": 0.1}]),
    "optimizer.rho": (0.5, 0.95),
    "optimizer.callable": ("torch.optim.ASGD", "torch.optim.Adagrad"),
    "schedule.callable": (f"{OWN}:falling",),
    "schedule.milestones": (["1st", "50%"], ["0.5ep"]),
    "schedule.boundaries": (["1st", "60%"], ["1ep"]),
    "schedule.factors": ([1, 0.5], [1, 0.5, 0.1]),
    "schedule.monitor": ("loss", "accuracy"),
    "train.epochs": (2, 3),
    "train.max_steps": (2, 3, 5),
    "train.precision": ("32-true", "bf16-mixed", "bf16-true"),
    "train.fp32_layers": ([],),
    "train.unfreeze": ([{"epoch": 2}], [{"epoch": 2, "layers": ["0"], "lr": 1e-3}]),
    "train.accumulate": (2, 3),
    "train.max_time": ("1h",),
    "train.limit_train": ("3st", "1st", "50%"),
    "train.limit_val": ("1st", "60%"),
    "train.overfit_batches": (1, 2),
    "train.monitor": ("loss", "accuracy"),
    "callbacks.early_stopping.monitor": ("loss", "accuracy", "macro_f1"),
    "loss.distillation.teacher": ("teacher_{task}",),
    "loss.callable": (f"{OWN}:squared",),
    "loss.class_weights": ("balanced", "effective_number", dict.fromkeys(CLASSES, 2), {"a": 2, "b": 1}),
    "loss.positive_weights": ("balanced", [1, 2, 1, 2], {"b": 3}),
    "metrics": ({"first": {"name": "{task}_auroc"}}, {"second": {"name": "{task}_specificity"}}),
    "evaluate.evaluators": ([f"{OWN}:half_right"],),
    "evaluate.extended.data": ({"more": "{task}.csv"},),
}  # fmt: skip
"""Values of fields whose type says too little."""

SAFE: dict[str, Drawn] = {
    "train": {"epochs": 2, "limit_train": "2st"},
    "model": {"name": "digits_cnn", "input_size": 8},
    "data": {"batch_size": 8},
    "optimizer": {"lr": 1e-3},
    "schedule:noam": {"warmup": "1st"},
    "schedule:step": {"every": "1st"},
    "schedule:multi_step": {"milestones": ["1st", "50%"]},
    "schedule:piecewise_constant": {"boundaries": ["1st"], "factors": [1, 0.5]},
    "schedule:explicit": {"factors": [1, 0.5]},
    "schedule:exponential_cosine": {"cosine": "1st"},
}
"""What a section, or a kind of it, has unless something else is drawn: short trainings, in which all of it fits."""

DURATIONS = ("1st", "1st", "2st", "0.2ep", "0.4ep", "25%", "50%", "1ep", "10s")

_SELDOM, _OFTEN = 0.12, 0.5
"""How probable a field is in a section that is always there, and in one that was chosen."""

_NOTHING = object()
_LAST = ("Normalize", "Rescale")
_OF_OTHERS = ("custom", "torchvision")
"""Functions of other people, which have tests of their own."""


def draw(number: int) -> Drawn:
    """The settings of a config by key, sections nested; they need not go together."""
    drawn = _section(Config, "", number, _SELDOM)
    for key, value in ALWAYS.items():
        section, _, name = key.partition(".")
        drawn[section][name] = value
    return drawn


def task_of(number: int) -> str:
    """The task that a config is for."""
    return TASKS[number % len(TASKS)]


def completed(drawn: Drawn) -> Drawn:
    """With what is safe where nothing was drawn, or nothing that could stay."""
    result = dict(drawn)
    for key, safe in SAFE.items():
        section, _, kind = key.partition(":")
        chosen = result.get(section, {})
        if kind in ("", chosen.get("name")):
            result[section] = safe | chosen
    if "unfreeze" in result["train"]:
        result["model"] = {"frozen": "backbone"} | result["model"]
    if "overfit_batches" in result["train"] and "limit_train" not in drawn.get("train", {}):
        result["train"] = _without(result["train"], ["limit_train"])
    return result


def _generator(number: int, key: str) -> random.Random:
    return random.Random(f"{number} {key}")


def _section(section: type[Section], key: str, number: int, share: float) -> Drawn:
    """Fields of a section, each with a probability; what it can't do without always."""
    drawn: Drawn = {}
    for name, field in section.model_fields.items():
        place = f"{key}.{name}".lstrip(".")
        generator = _generator(number, place)
        value: Any = _NOTHING
        if name == "name" and get_origin(field.annotation) is Literal:
            value = field.default
        elif place in NEVER:
            continue
        elif place == "augment.train":
            value = _operations(number) if generator.random() < 0.5 else _NOTHING
        elif place in CHOICES:
            value = generator.choice(CHOICES[place])
        elif kinds(field.annotation):
            choices = list(kinds(field.annotation).values())
            value = _section(choices[number % len(choices)], place, number, _OFTEN)
        elif section_classes(field.annotation):
            part = section_classes(field.annotation)[0]
            value = _section(part, place, number, _OFTEN if field.default is None else _SELDOM)
        else:
            value = _value(field.annotation, field.metadata, field.default, generator)
        always = field.is_required() or name == "name" or isinstance(field.default, Section) or kinds(field.annotation)
        if value is not _NOTHING and (always or generator.random() < share):
            drawn[name] = value
    return drawn


def _operations(number: int) -> list[Any]:
    """An augmentation list that ends at one size."""
    annotation = Config.model_fields["augment"].annotation
    (listed,) = [m for m in members(annotation.model_fields["train"].annotation) if get_origin(bare(m)) is tuple]
    every = kinds(get_args(bare(listed))[0])
    sized = [name for name, kind in every.items() if "size" in kind.model_fields]
    others = [name for name in every if name not in (*sized, *_LAST, *_OF_OTHERS)]
    names = ["Resize" if number % 2 else sized[number // 2 % len(sized)]]
    names += [others[(number + step) % len(others)] for step in range(number % 3)]
    names += ["Normalize" if number % 5 else "Rescale"]
    return [_operation(every[name], place, number) for place, name in enumerate(names)]


def _operation(kind: type[Section], place: int, number: int) -> Drawn:
    fields = {name: field for name, field in kind.model_fields.items() if name not in ("name", "size", "resize")}
    drawn: Drawn = {"name": kind.model_fields["name"].default}
    for name, field in fields.items():
        generator = _generator(number, f"operation {place} {name}")
        value = _value(field.annotation, field.metadata, field.default, generator)
        if name == "p_from":
            value = [[1, generator.random()]]
        sized = "size" in kind.model_fields and name in ("p", "p_from")
        if value is not _NOTHING and not sized and generator.random() < 0.5:
            drawn[name] = value
    return drawn


def _value(annotation: Any, metadata: Any, default: Any, generator: random.Random) -> Any:
    """A value of a type near its default, if the type says enough."""
    found = [value for member in members(annotation) for value in _values(member, metadata, default, generator)]
    return generator.choice(found) if found else _NOTHING


def _values(annotation: Any, metadata: Any, default: Any, generator: random.Random) -> Iterator[Any]:
    kind = bare(annotation)
    limits = [*_limits(metadata), *_limits(getattr(annotation, "__metadata__", ()))]
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    elif kind is bool:
        yield from (False, True)
    elif kind is Duration:
        yield from DURATIONS
    elif kind in (int, float):
        yield _number(kind, limits, default, generator)
    elif get_origin(kind) is tuple and ... not in get_args(kind):
        defaults = default if isinstance(default, tuple) else (None,) * len(get_args(kind))
        drawn = [_value(*each, generator) for each in zip(get_args(kind), [()] * len(defaults), defaults, strict=True)]
        if _NOTHING not in drawn:
            yield sorted(drawn) if any(getattr(limit, "func", None) is in_order for limit in limits) else drawn


def _limits(metadata: Any) -> list[Any]:
    return [limit for extra in metadata for limit in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]


def _number(kind: type[int | float], limits: list[Any], default: Any, generator: random.Random) -> Any:
    """Up to twice the default; where there is none, something small."""
    low, high = 0.0, 2.0 * default if isinstance(default, int | float) and default else 1.0
    for limit in limits:
        match limit:
            case annotated_types.Ge(ge=value):
                low = max(low, value)
            case annotated_types.Gt(gt=value):
                low = max(low, value + 1e-4)
            case annotated_types.Le(le=value):
                high = min(high, value)
            case annotated_types.Lt(lt=value):
                high = min(high, value - 1e-4)
    if kind is int:
        return generator.randint(round(low), max(round(low), round(high)))
    return generator.choice([low, high, generator.uniform(low, high)]) if high > low else low


def without(drawn: Drawn, key: str) -> Drawn:
    """The settings without what a dotted key names; where that was not drawn, without the part of them it is in."""
    path = key.split("[")[0].split(".")
    while (rest := _without(drawn, path)) == drawn and len(path) > 1:
        path = path[:-1]
    return rest


def _without(drawn: Drawn, path: list[str]) -> Drawn:
    first, *others = path
    if others and isinstance(drawn.get(first), dict):
        return {**drawn, first: _without(drawn[first], others)}
    return {name: value for name, value in drawn.items() if name != first}


def write_data(directory: Path) -> dict[str, Path]:
    """48 of the digits, in four classes of different sizes, as files and a list for each task."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows: dict[str, list[str]] = {task: ["path,label"] for task in TASKS}
    for number, (pixels, digit) in enumerate(zip(digits.images[:48], digits.target[:48], strict=True)):
        name = f"{number}.png"
        Image.fromarray(np.rint(pixels * (255 / 16)).astype(np.uint8)).save(directory / name)
        own = CLASSES[min(digit // 2, 3)]
        rows["multiclass"].append(f"{name},{own}")
        rows["binary"].append(f"{name},{'ab'[int(digit > 6)]}")
        rows["multilabel"].append(f"{name},{'|'.join(sorted({own, CLASSES[digit % 4]}))}")
    for task, lines in rows.items():
        (directory / f"{task}.csv").write_text("\n".join(lines) + "\n")
    return {task: directory / f"{task}.csv" for task in TASKS}
