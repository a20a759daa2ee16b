"""A real network turned into one of hypercomplex numbers."""

from torch import Tensor, nn

from vernier.config.algebra import AlgebraConfig
from vernier.errors import ModelError


def convert(module: nn.Module, algebra: AlgebraConfig, image: Tensor) -> nn.Module:
    """The network over the numbers of `algebra`, with new initial weights of the same variance.

    Args:
        module: A real network with its head fitted; taken apart.
        image: float32 (1, C, H, W).

    Raises:
        ModelError: an unknown algebra, or layers that can't be converted; they are named.
    """
    raise ModelError(f"model.algebra={algebra.name}: {type(module).__name__} can't be converted")
