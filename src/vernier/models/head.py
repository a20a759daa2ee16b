"""The head of a network: the layers that make its logits."""

from collections.abc import Sequence

from torch import Tensor, nn

from vernier.config.head import HeadLayer
from vernier.errors import ModelError
from vernier.models.submodules import declared_modules


def head_modules(module: nn.Module) -> tuple[str, ...]:
    """Names of the layers that make the logits, as `named_modules` gives them.

    timm says which they are; elsewhere it is the last linear layer or convolution.

    Raises:
        ModelError: the network has neither.
    """
    declared = declared_modules(module, "classifier")
    if declared:
        return declared
    names = [name for name, child in module.named_modules() if isinstance(child, nn.Linear | nn.Conv2d)]
    if not names:
        raise ModelError(f"{type(module).__name__} has no linear layer or convolution to take as its head")
    return (names[-1],)


def reset_head(module: nn.Module) -> None:
    """Draw new weights for the head, as `nn.Linear` does by default.

    Architectures draw a head for training from scratch, some so large (timm's EfficientNet family: uniform up to
    1 / sqrt(classes)) that on features which are good already its noise never goes away.
    """
    for name in head_modules(module):
        head = module.get_submodule(name)
        if isinstance(head, nn.Linear | nn.Conv2d):
            head.reset_parameters()


def fit_head(module: nn.Module, num_outputs: int, head_name: str | None, image: Tensor) -> None:
    """Make the classifier give `num_outputs` logits, in place; nothing changes where it does already.

    Args:
        module: A network with a head, or with an identity where its head should be.
        head_name: Dotted name of the classifier; None: as `head_modules` finds it.
        image: float32 (1, C, H, W), to find out how many features a missing head gets.

    Raises:
        ModelError: there is no layer `head_name`, or none that can be a head.
    """


def insert_head_layers(module: nn.Module, layers: Sequence[HeadLayer]) -> None:
    """Put `layers` in front of the classifier, in place; its input follows theirs."""
