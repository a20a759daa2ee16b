"""What has to hold for `model`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


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


CHECKS: tuple[Check, ...] = (
    weights_come_from_one_place,
    published_weights_fit,
    dropout_is_given_once,
    input_strategy_fits,
)
