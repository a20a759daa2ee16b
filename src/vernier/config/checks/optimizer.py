"""What has to hold for `optimizer`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.optimizer import MuonConfig, RMSpropConfig
from vernier.config.root import Config


def groups_change_something(config: Config) -> Iterator[Finding]:
    """A group sets a learning rate in one way, or weight decay."""
    for index, group in enumerate(config.optimizer.groups):
        key = f"optimizer.groups[{index}]"
        if group.lr is not None and group.lr_factor is not None:
            yield Finding(f"{key}.lr_factor", f"excludes {key}.lr; set one of them", (f"{key}.lr",))
        if group.lr is None and group.lr_factor is None and group.weight_decay is None:
            yield Finding(key, "changes nothing; set lr, lr_factor or weight_decay beside its pattern")


def blocks_train(config: Config) -> Iterator[Finding]:
    """What is there for the blocks below the head does something only if one of them trains."""
    optimizer, relies_on = config.optimizer, ("model.frozen", "train.unfreeze")
    if config.model.frozen != "backbone" or config.train.unfreeze:
        return
    remedy = "model.frozen=backbone leaves only the head to train"
    if optimizer.layer_decay is not None:
        yield Finding("optimizer.layer_decay", f"does nothing: {remedy}; leave it out", relies_on)
    if isinstance(optimizer, MuonConfig):
        message = f"muon has nothing to do: {remedy}, which is AdamW's; use optimizer=adamw"
        yield Finding("optimizer.name", message, relies_on)


def centred_rmsprop_has_an_average(config: Config) -> Iterator[Finding]:
    """With averages of one step the estimate of the variance is 0, and the step divides by it."""
    optimizer = config.optimizer
    if isinstance(optimizer, RMSpropConfig) and optimizer.centered and optimizer.rho == 0:
        yield Finding("optimizer.rho", "must be above 0 with optimizer.centered; got 0", ("optimizer.centered",))


CHECKS: tuple[Check, ...] = (
    centred_rmsprop_has_an_average,
    groups_change_something,
    blocks_train,
)
