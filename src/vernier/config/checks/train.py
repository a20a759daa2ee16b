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
    if train.strategy == "fsdp":
        message = "fsdp needs GPUs, but train.accelerator is cpu; use train.strategy=ddp"
        yield Finding("train.strategy", message, ("train.accelerator",))
    if train.precision == "16-mixed":
        message = "16-mixed needs a GPU, but train.accelerator is cpu; use train.precision=bf16-mixed"
        yield Finding("train.precision", message, ("train.accelerator",))


def processes_fit(config: Config) -> Iterator[Finding]:
    """One process is one device on one machine."""
    train = config.train
    several = train.device_count > 1 or train.num_nodes > 1
    relies_on = ("train.devices", "train.num_nodes")
    if several and train.strategy == "single":
        message = f"single is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.strategy", f"{message}; use train.strategy=ddp", relies_on)
    if several and train.debug:
        message = f"is one process, but train.devices={train.devices} and train.num_nodes={train.num_nodes}"
        yield Finding("train.debug", f"{message}; set both to 1", relies_on)


CHECKS: tuple[Check, ...] = (
    unfreezing_follows_freezing,
    intervals_are_positive,
    cpu_can_do_it,
    processes_fit,
)
