"""What has to hold for `train`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.duration import Duration
from vernier.config.root import Config


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
    if isinstance(train.devices, tuple):
        message = (
            f"lists GPUs ({', '.join(map(str, train.devices))}), but train.accelerator is cpu; write how many "
            f"processes, such as {max(2, len(train.devices))}"
        )
        yield Finding("train.devices", message, ("train.accelerator",))
    if train.precision == "16-mixed":
        message = "16-mixed needs a GPU, but train.accelerator is cpu; use train.precision=bf16-mixed"
        yield Finding("train.precision", message, ("train.accelerator",))


def memory_limit_has_a_gpu(config: Config) -> Iterator[Finding]:
    """torch caps the memory of CUDA devices only."""
    train = config.train
    if train.memory_limit is not None and train.accelerator in ("cpu", "mps"):
        message = f"caps a CUDA GPU's memory, but train.accelerator is {train.accelerator}; leave it out"
        yield Finding("train.memory_limit", message, ("train.accelerator",))


def gpus_differ(config: Config) -> Iterator[Finding]:
    """Two processes on one GPU wait for each other."""
    devices = config.train.devices
    twice = sorted({index for index in devices if devices.count(index) > 1}) if isinstance(devices, tuple) else []
    if twice:
        yield Finding("train.devices", f"lists {', '.join(map(str, twice))} twice; name each GPU once")


def limits_are_shares(config: Config) -> Iterator[Finding]:
    """A limit of an epoch or of a set is some batches or a share of it."""
    for name in ("limit_train", "limit_val"):
        limit: Duration | None = getattr(config.train, name)
        if limit is None:
            continue
        if limit.unit not in ("st", "%"):
            yield Finding(f"train.{name}", f"must be in st (batches) or %; got {limit}; write 100st or 10%")
        elif limit.value == 0 or (limit.unit == "st" and not limit.value.is_integer()):
            yield Finding(f"train.{name}", f"must be whole batches, at least 1st, or more than 0%; got {limit}")
        elif limit.unit == "%" and limit.value > 100:
            yield Finding(f"train.{name}", f"must be at most 100%; got {limit}")


def limited_validation_exists(config: Config) -> Iterator[Finding]:
    """Without a validation set there is nothing to limit."""
    data = config.data
    relies_on = ("data.split", "data.val", "data.val_split")
    none_drawn = data.split.val == 0 and data.split.file is None and data.val is None and data.val_split is None
    if config.train.limit_val is not None and (data.val_split == "none" or none_drawn):
        cause = "data.val_split is none" if data.val_split == "none" else "data.split.val is 0"
        yield Finding("train.limit_val", f"needs a validation set, but {cause}; leave train.limit_val out", relies_on)


def overfitting_is_alone(config: Config) -> Iterator[Finding]:
    """Learning a few batches by heart goes without everything else that chooses or changes images."""
    train = config.train
    if train.overfit_batches is None:
        return
    for name in ("limit_train", "limit_val"):
        if getattr(train, name) is not None:
            batches = train.overfit_batches
            message = f"excludes train.overfit_batches ({batches}), which limits both sets; set one of them"
            yield Finding(f"train.{name}", message, ("train.overfit_batches",))
    for name in ("mix", "progressive"):
        if getattr(config.augment, name) is not None:
            message = "excludes train.overfit_batches, which shows images as evaluation does; leave one of them out"
            yield Finding(f"augment.{name}", message, ("train.overfit_batches",))


def strategy_takes_arguments(config: Config) -> Iterator[Finding]:
    """One process has no strategy to hand arguments to, and no statistics to share."""
    train = config.train
    if train.strategy != "single":
        return
    if train.strategy_kwargs:
        names = ", ".join(train.strategy_kwargs)
        message = f"sets {names}, but one process has no use for it; leave it out, or raise train.devices"
        yield Finding("train.strategy_kwargs", message, ("train.strategy", "train.devices"))
    if train.sync_batchnorm is True:
        message = "needs several processes, and there is one; use auto, or raise train.devices"
        yield Finding("train.sync_batchnorm", message, ("train.strategy", "train.devices"))


def synchronised_statistics_are_collected(config: Config) -> Iterator[Finding]:
    """Statistics that stay as they are can't be computed over more images."""
    train = config.train
    if train.sync_batchnorm is True and train.freeze_batchnorm:
        message = "excludes train.freeze_batchnorm, which keeps the statistics as they are; set one of them"
        yield Finding("train.sync_batchnorm", message, ("train.freeze_batchnorm",))


def shards_are_enough(config: Config) -> Iterator[Finding]:
    """With `fsdp` no process has the whole model; what needs it, or is not known to do without, is refused."""
    if config.train.strategy != "fsdp":
        return
    for key, is_wanted in _wants_whole_weights(config).items():
        if is_wanted:
            message = "does not go with train.strategy=fsdp; change it, or use train.strategy=ddp"
            yield Finding(key, message, ("train.strategy",))
    yield from _fit_for_shards(config)


def _wants_whole_weights(config: Config) -> dict[str, bool]:
    """Keys that are not for shards, and whether they are set so."""
    train, shown = config.train, config.track.tensorboard
    return {
        "train.precision": train.precision == "16-mixed",
        "train.compile": train.compile is True,
        "train.cache_features": train.cache_features is True,
        "train.unfreeze": bool(train.unfreeze),
        "train.ema": train.ema is not None,
        "train.gradient_clip_parameter_norm": train.gradient_clip_parameter_norm is not None,
        "optimizer.name": config.optimizer.name in ("lamb", "lion", "muon", "custom"),
        "optimizer.lookahead": config.optimizer.lookahead is not None,
        "evaluate.extended": config.evaluate.extended is not None,
        "track.tensorboard.histograms": shown.histograms,
        "track.tensorboard.graph": shown.graph,
    }


def _fit_for_shards(config: Config) -> Iterator[Finding]:
    """What has to be set, or set otherwise."""
    train, relies_on = config.train, ("train.strategy",)
    if train.devices != "auto" and train.device_count * train.num_nodes == 1:
        message = "fsdp shares the weights out over processes, and there is one; raise train.devices, or leave it out"
        yield Finding("train.strategy", message, ("train.devices", "train.num_nodes"))
    measured = (
        ("train.speed", train.speed, "set train.speed=off"),
        ("data.batch_size", config.data.batch_size, "give a number"),
        ("optimizer.lr", config.optimizer.lr, "give a number"),
    )
    for key, value, remedy in measured:
        if value == "auto":
            message = f"auto is measured in one process with the whole model; {remedy} with train.strategy=fsdp"
            yield Finding(key, message, relies_on)
    if train.cache_features == "auto" and config.model.frozen is not None:
        message = "auto may want the whole model in each process; set it to false with train.strategy=fsdp"
        yield Finding("train.cache_features", message, ("train.strategy", "model.frozen"))
    if train.sync_batchnorm is False and not train.freeze_batchnorm:
        message = "false lets the statistics of the processes drift apart with train.strategy=fsdp; leave it out"
        yield Finding("train.sync_batchnorm", f"{message}, or use train.strategy=ddp", relies_on)


def processes_fit(config: Config) -> Iterator[Finding]:
    """One process is one device on one machine."""
    train = config.train
    several = train.device_count > 1 or train.num_nodes > 1
    relies_on = ("train.devices", "train.num_nodes")
    if several and train.strategy == "single":
        message = f"single is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.strategy", f"{message}; use train.strategy=ddp", relies_on)
    if train.device_count > 1 and train.accelerator == "mps":
        message = f"is {train.device_count}, but a Mac has one GPU; use 1, or train.accelerator=cpu"
        yield Finding("train.devices", message, ("train.accelerator",))
    if several and train.debug:
        message = f"is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.debug", f"{message}; set both to 1", relies_on)


def a_time_limit_is_a_time(config: Config) -> Iterator[Finding]:
    """Time is counted in time."""
    limit = config.train.max_time
    if limit is not None and limit.unit != "s":
        message = f"must be a time, such as 90m or 2h; got {limit}; for steps there is train.max_steps"
        yield Finding("train.max_time", message)


CHECKS: tuple[Check, ...] = (
    unfreezing_follows_freezing,
    intervals_are_positive,
    a_time_limit_is_a_time,
    cpu_can_do_it,
    memory_limit_has_a_gpu,
    gpus_differ,
    limits_are_shares,
    limited_validation_exists,
    overfitting_is_alone,
    strategy_takes_arguments,
    shards_are_enough,
    synchronised_statistics_are_collected,
    processes_fit,
)
