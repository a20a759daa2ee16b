"""A network that computes with hypercomplex numbers, real at both ends."""

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from vernier.models.head import declare_head


@final
class HyperNetwork(nn.Module):
    """Images (B, C, H, W) to numbers (B*N, C', H, W), through a network, and back to logits (B, outputs).

    Where numbers begin or end inside of the network, `input` or `output` is an identity.
    """

    def __init__(self, input: nn.Module, network: nn.Module, output: nn.Module, heads: Sequence[str]) -> None:
        """`heads`: dotted names of the heads in `network`."""
        super().__init__()
        self.input, self.network, self.output = input, network, output
        declare_head(self, [f"network.{head}".rstrip(".") for head in heads])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, outputs) of images (B, C, H, W)."""
        logits: Tensor = self.output(self.network(self.input(images)))
        return logits
