"""What has to hold between fields, also of different sections. One function a rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

from vernier.config.duration import Duration
from vernier.config.root import Config

_LAST = ("Normalize", "Rescale")


@final
@dataclass(frozen=True)
class Finding:
    """A rule that does not hold: the key to blame, a sentence with the remedy, other keys it relies on."""

    key: str
    message: str
    relies_on: tuple[str, ...] = ()


Check = Callable[[Config], Iterator[Finding]]


def data_is_given(config: Config) -> Iterator[Finding]:
    """Images come from somewhere."""
    if config.data.source is None and config.data.train is None:
        yield Finding(
            "data.source",
            "is missing; write data=DIR for your class folders, data=digits for the bundled digits, or run "
            "`vernier quickstart`",
            ("data.train",),
        )


def data_is_given_once(config: Config) -> Iterator[Finding]:
    """A source holds all images itself."""
    source = config.data.source
    for name in ("train", "val", "test"):
        if source is not None and getattr(config.data, name) is not None:
            message = f"excludes data.source ({source!r}); give data.train, data.val and data.test, or data.source"
            yield Finding(f"data.{name}", message, ("data.source",))


def early_stopping_has_validation(config: Config) -> Iterator[Finding]:
    """What stops a training early is measured on a validation set."""
    data = config.data
    if config.callbacks.early_stopping is None:
        return
    relies_on = ("data.split", "data.val", "data.val_split")
    if data.val_split == "none":
        message = "needs a validation set, but data.val_split is none; name a split, or leave early_stopping out"
        yield Finding("callbacks.early_stopping", message, relies_on)
    elif data.split.val == 0 and data.split.file is None and data.val is None and data.val_split is None:
        message = (
            "needs a validation set, but data.split.val is 0; set data.split.val=0.2 or data.val=DIR, or leave "
            "early_stopping out"
        )
        yield Finding("callbacks.early_stopping", message, relies_on)


def binary_has_two_classes(config: Config) -> Iterator[Finding]:
    """A binary task tells two classes apart; every other task at least as many."""
    names, task = config.data.class_names, config.data.task
    if names is None:
        return
    if task == "binary" and len(names) != 2:
        message = f"must be two names for data.task=binary; got {len(names)}; use data.task=multiclass for more"
        yield Finding("data.class_names", message, ("data.task",))
    elif task in ("multiclass", "auto") and len(names) < 2:
        yield Finding("data.class_names", f"must be at least two names; got {len(names)}", ("data.task",))


def class_names_differ(config: Config) -> Iterator[Finding]:
    """Each class is one output."""
    names = config.data.class_names or ()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding("data.class_names", f"holds {', '.join(map(repr, twice))} twice; name each class once")


def weights_come_from_one_place(config: Config) -> Iterator[Finding]:
    """Weights are published ones or a file's."""
    if config.model.pretrained and config.model.weights is not None:
        message = f"excludes model.weights ({config.model.weights!r}), which replace published weights; set one of them"
        yield Finding("model.pretrained", message, ("model.weights",))


def published_weights_fit(config: Config) -> Iterator[Finding]:
    """Published weights are those of the published network."""
    model = config.model
    changed = {
        "algebra": model.algebra is not None,
        "width_divisor": model.width_divisor != 1,
        "depth": model.depth is not None,
    }
    for name in (name for name, set_by_user in changed.items() if model.pretrained and set_by_user):
        message = f"excludes model.{name}: the published weights are those of the network without it; drop one of them"
        yield Finding("model.pretrained", message, (f"model.{name}",))


def dropout_is_given_once(config: Config) -> Iterator[Finding]:
    """A head of one's own brings its own dropout."""
    if config.model.dropout is not None and any(layer.name == "dropout" for layer in config.model.head):
        yield Finding("model.dropout", "excludes a dropout in model.head; keep one of them", ("model.head",))


def input_strategy_fits(config: Config) -> Iterator[Finding]:
    """Three colours fill the three imaginary parts of quaternions only."""
    algebra = config.model.algebra
    if algebra is not None and algebra.input in ("joint", "grayscale") and algebra.name != "quaternion":
        message = f"{algebra.input} needs model.algebra=quaternion; got {algebra.name}; use basic or learned"
        yield Finding("model.algebra.input", message, ("model.algebra.name",))


def unfreezing_follows_freezing(config: Config) -> Iterator[Finding]:
    """Only what is frozen can be unfrozen, in an epoch that comes."""
    for index, stage in enumerate(config.train.unfreeze):
        key = f"train.unfreeze[{index}]"
        if config.model.frozen is None:
            yield Finding(key, "needs model.frozen: nothing is frozen", ("model.frozen",))
        earlier = config.train.unfreeze[index - 1].epoch if index else 0
        if stage.epoch <= earlier:
            yield Finding(f"{key}.epoch", f"must come after the one before ({earlier}); got {stage.epoch}")
        if stage.epoch > config.train.epochs:
            message = f"never comes: train.epochs is {config.train.epochs}; got {stage.epoch}"
            yield Finding(f"{key}.epoch", message, ("train.epochs",))


def warmup_fits(config: Config) -> Iterator[Finding]:
    """A warm-up is counted in steps of this training and ends with it at the latest."""
    warmup = getattr(config.schedule, "warmup", Duration(0, "st"))
    epochs = config.train.epochs
    if warmup.unit == "s":
        message = f"can't be a time; got {warmup}; write it in ep (epochs), st (steps) or %, such as 1ep"
        yield Finding("schedule.warmup", message)
    elif (warmup.unit == "ep" and warmup.value > epochs) or (warmup.unit == "%" and warmup.value > 100):
        message = f"is longer than the training (train.epochs={epochs}); got {warmup}; shorten it"
        yield Finding("schedule.warmup", message, ("train.epochs",))


def intervals_are_positive(config: Config) -> Iterator[Finding]:
    """Something done every so often needs some time between; 0s is as often as it goes."""
    for name in ("checkpoint_every", "log_every"):
        every: Duration = getattr(config.train, name)
        if every.value == 0 and every.unit != "s":
            yield Finding(f"train.{name}", f"must be more than nothing; got {every}; write 1st for every step")


def cpu_can_do_it(config: Config) -> Iterator[Finding]:
    """What only GPUs do is refused on the CPU rather than changed."""
    train = config.train
    if train.accelerator != "cpu":
        return
    if train.strategy == "fsdp":
        message = "fsdp needs GPUs, but train.accelerator is cpu; use train.strategy=ddp"
        yield Finding("train.strategy", message, ("train.accelerator",))
    if train.precision == "16-mixed":
        message = "16-mixed needs a GPU, but train.accelerator is cpu; use train.precision=bf16-mixed"
        yield Finding("train.precision", message, ("train.accelerator",))


def processes_fit(config: Config) -> Iterator[Finding]:
    """One process is one device on one machine."""
    train = config.train
    several = (train.devices != "auto" and train.devices > 1) or train.num_nodes > 1
    relies_on = ("train.devices", "train.num_nodes")
    if several and train.strategy == "single":
        message = f"single is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.strategy", f"{message}; use train.strategy=ddp", relies_on)
    if several and train.debug:
        message = f"is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.debug", f"{message}; set both to 1", relies_on)


def normalisation_is_last(config: Config) -> Iterator[Finding]:
    """Geometry and colour work on pixel values, so Normalize or Rescale stands once, at the end."""
    for name in ("train", "eval"):
        names = [operation.name for operation in _operations(config, name)]
        first = next((index for index, item in enumerate(names) if item in _LAST), len(names))
        for index, item in list(enumerate(names))[first + 1 :]:
            key, blamed = f"augment.{name}[{index}]", f"augment.{name}[{first}]"
            if item in _LAST:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); keep one of them")
            else:
                yield Finding(key, f"{item} comes after {names[first]} ({blamed}); put {names[first]} last")


def central_crop_has_one_size(config: Config) -> Iterator[Finding]:
    """A crop is given in pixels or as a share."""
    for name in ("train", "eval"):
        for index, operation in enumerate(_operations(config, name)):
            if operation.name == "CentralCrop" and operation.fraction is not None and operation.size != "auto":
                key = f"augment.{name}[{index}]"
                yield Finding(f"{key}.fraction", f"excludes {key}.size; set one of them")


def _operations(config: Config, name: str) -> tuple[Any, ...]:
    operations = getattr(config.augment, name)
    return () if operations == "auto" else operations


CHECKS: tuple[Check, ...] = (
    data_is_given,
    data_is_given_once,
    early_stopping_has_validation,
    binary_has_two_classes,
    class_names_differ,
    weights_come_from_one_place,
    published_weights_fit,
    dropout_is_given_once,
    input_strategy_fits,
    unfreezing_follows_freezing,
    warmup_fits,
    intervals_are_positive,
    cpu_can_do_it,
    processes_fit,
    normalisation_is_last,
    central_crop_has_one_size,
)
