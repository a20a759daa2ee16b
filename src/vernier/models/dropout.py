"""The dropout of a network before its head."""

from torch import nn

from vernier.errors import ModelError
from vernier.models.head import classifier_modules


def fit_dropout(module: nn.Module, p: float) -> None:
    """Set the dropout that the network has before its classifier to `p`, in place.

    That is every dropout before it in the same Sequential (VGG has two), or the one that the classifier's parent
    holds as `dropout`.

    Raises:
        ModelError: there is none.
    """
    dropouts = [dropout for name in classifier_modules(module) for dropout in _dropouts_before(module, name)]
    if not dropouts:
        raise no_dropout(p, type(module).__name__)
    for dropout in dropouts:
        dropout.p = p


def no_dropout(p: float, network: str) -> ModelError:
    """The error for a network without a dropout to set."""
    return ModelError(
        f"model.dropout={p}: {network} has no dropout before its classifier; put one there with "
        f"model.head=[dropout: {p}]"
    )


def _dropouts_before(module: nn.Module, classifier: str) -> list[nn.Dropout]:
    path, _, child = classifier.rpartition(".")
    parent = module.get_submodule(path)
    children = dict(parent.named_children())
    if isinstance(parent, nn.Sequential):
        candidates = list(children.values())[: list(children).index(child)]
    else:
        candidates = [layer for name, layer in children.items() if name == "dropout"]
    return [candidate for candidate in candidates if isinstance(candidate, nn.Dropout)]
