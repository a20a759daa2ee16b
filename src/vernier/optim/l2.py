"""The gradient of an L2 penalty on the weights."""

from collections.abc import Iterable

import torch
from torch import Tensor

from vernier.optim.clipping import gradients_of


def add_l2_gradients_(parameters: Iterable[Tensor], l2: float) -> None:
    """Add the gradient of l2 times the sum of the squared weights, 2 l2 w, as Keras's L2 regularizer has it.

    What has one dimension (biases, normalisation) is left out, and so is what has no gradient.
    """
    weights = [weight for weight in parameters if weight.ndim > 1 and weight.grad is not None]
    if weights:
        torch._foreach_add_(gradients_of(weights), [weight.detach() for weight in weights], alpha=2 * l2)
