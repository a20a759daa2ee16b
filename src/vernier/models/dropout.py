"""The dropout of a network before its head."""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.head import head_modules
from vernier.models.submodules import replace_module


def fit_dropout(module: nn.Module, p: float) -> None:
    """Set the dropout right before the head to `p`, putting one in where the network has none.

    Raises:
        ModelError: the head is no linear layer and has no dropout before it.
    """
    (head,) = head_modules(module)
    parent, _, child = head.rpartition(".")
    before = _dropout_before(module.get_submodule(parent), child)
    if before is not None:
        before.p = p
        return
    layer = module.get_submodule(head)
    if not isinstance(layer, nn.Linear):
        raise ModelError(
            f"model.dropout={p}: the head {head} of {type(module).__name__} is not a linear layer; "
            "leave model.dropout out, or set the network's own in model.kwargs"
        )
    replace_module(module, head, DropoutLinear(layer, p))


@final
class DropoutLinear(nn.Linear):
    """Dropout, then a linear layer, with the parameter names of the linear layer alone.

    Files of published weights keep fitting, which a Sequential of the two would not allow.
    """

    def __init__(self, layer: nn.Linear, p: float) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.p = p

    def forward(self, features: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return F.linear(F.dropout(features, self.p, self.training), self.weight, self.bias)

    def extra_repr(self) -> str:
        """The linear layer's, and the probability."""
        return f"{super().extra_repr()}, dropout={self.p}"


def _dropout_before(parent: nn.Module, head: str) -> nn.Dropout | None:
    """The dropout that runs into `head`: before it in a Sequential, or the parent's, named `dropout`."""
    if isinstance(parent, nn.Sequential):
        names = [name for name, _ in parent.named_children()]
        position = names.index(head)
        before = parent.get_submodule(names[position - 1]) if position else None
    else:
        before = getattr(parent, "dropout", None)
    return before if isinstance(before, nn.Dropout) else None
