"""The weight of the real layer that does the work of a layer over the numbers of an algebra."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from vernier.models.algebra.initialisers import he_
from vernier.models.algebra.layout import HyperLayer
from vernier.models.algebra.structure import Algebra

BlockTable = Sequence[Sequence[tuple[int, int]]]
"""For each row and column of blocks (j, sign): the block is sign W_j."""

RealLayer = TypeVar("RealLayer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class AssembledLayer(HyperLayer):
    """A layer whose real weight is made of N x N signed blocks, each the weight of a blade.

    Block (k, i) is s W_j with b_i b_j = s b_k: what blade i of the input gives to blade k of the output.

    Args:
        algebra: The numbers.
        table: The blocks.
        shape: (R, C, ...) of a real layer's weight.
        out: Output channels or features in numbers.
        bias: Whether there is one.
        groups: G; the blocks of a group of rows are together.
    """

    signs: Tensor
    indices: Tensor

    def __init__(
        self, algebra: Algebra, table: BlockTable, shape: tuple[int, ...], out: int, bias: bool, groups: int = 1
    ) -> None:
        super().__init__()
        blocks = [block for row in table for block in row]
        self.algebra, self.groups = algebra, groups
        self.register_buffer("indices", torch.tensor([j for j, _ in blocks]), persistent=False)
        self.register_buffer("signs", torch.tensor([[float(sign)] for _, sign in blocks]), persistent=False)
        self.weight: Tensor = nn.Parameter(he_(torch.empty(algebra.size * shape[0], *shape[1:]), algebra))
        self.bias = nn.Parameter(torch.zeros(algebra.size * out)) if bias else None
        self._kept = _Kept()

    def train(self, mode: bool = True) -> "AssembledLayer":
        """Change the mode, and forget the weight of before: some ways to train leave no trace on a parameter."""
        self._kept.forget()
        return super().train(mode)

    def real_weight(self) -> Tensor:
        """(N*R, N*C, ...), over channels in the order of `layout.to_blocks`.

        Made once for as long as the layer is in eval mode, no gradients are wanted, and the parameter is the same.
        """
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling() or self.weight.is_inference():
            return self._assembled(self.weight)
        return self._kept.get(self.weight, self._assembled)

    def real_bias(self) -> Tensor | None:
        """(N*out), over channels in the order of `layout.to_blocks`."""
        if self.bias is None or self.groups == 1:
            return self.bias
        return self.bias.view(self.algebra.size, self.groups, -1).transpose(0, 1).flatten()

    def _assembled(self, weight: Tensor) -> Tensor:
        blades, groups = self.algebra.size, self.groups
        rows, columns = len(weight) // blades, weight.shape[1]
        blocks = self._signed(weight.reshape(blades, -1)).view(blades, blades, groups, rows // groups, columns, -1)
        return blocks.permute(2, 0, 3, 1, 4, 5).reshape(blades * rows, blades * columns, *weight.shape[2:])

    def _signed(self, weights: Tensor) -> Tensor:
        """(N, P) weights to (N*N, P) blocks."""
        if torch.is_grad_enabled():
            blades = torch.arange(self.algebra.size, device=self.indices.device)
            return (self.signs * (self.indices[:, None] == blades)) @ weights
        # Exact whatever the precision of matrix products, but slower backwards.
        return weights[self.indices] * self.signs


def fill(layer: RealLayer, source: AssembledLayer) -> RealLayer:
    """Give a real layer, built on the meta device, the assembled weight and bias."""
    with torch.no_grad():
        bias = source.real_bias()
        layer.weight = nn.Parameter(source.real_weight().clone())
        layer.register_parameter("bias", None if bias is None else nn.Parameter(bias.detach().clone()))
    return layer.train(source.training)


@final
@dataclass(frozen=True)
class _Entry:
    """An assembled weight, and what it was made of."""

    source: Tensor
    memory: Tensor
    version: int
    assembled: Tensor

    def is_of(self, weight: Tensor) -> bool:
        """Whether `weight` is the tensor of then, in the same memory, and unchanged."""
        same = weight is self.source and weight.data_ptr() == self.memory.data_ptr()
        return same and weight._version == self.version and weight.dtype == self.memory.dtype


@final
class _Kept:
    """The last assembled weight. A copy of a layer, or one that was saved as a whole, starts with none."""

    def __init__(self) -> None:
        self._entry: _Entry | None = None

    def __reduce__(self) -> tuple[type["_Kept"], tuple[()]]:
        return (_Kept, ())

    def get(self, weight: Tensor, assemble: Callable[[Tensor], Tensor]) -> Tensor:
        """The assembled weight, made anew if `weight` is another or has changed."""
        entry = self._entry
        if entry is None or not entry.is_of(weight):
            # The detached tensor keeps the memory, so that no other weight can come to lie there.
            entry = _Entry(weight, weight.detach(), weight._version, assemble(weight))
            self._entry = entry
        return entry.assembled

    def forget(self) -> None:
        """Start with none again."""
        self._entry = None
