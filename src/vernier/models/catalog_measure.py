"""What a network costs, found without its weights: it is built and run on torch's meta device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from vernier.errors import ModelError
from vernier.models.architecture import Architecture, Provider
from vernier.models.providers import construct

_RUNNING_STATISTICS = ("running_mean", "running_var")
_FILLED = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


@final
@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: weights and the running means and variances of BatchNorm, as Keras counts them.
        trainable: weights alone, torch's parameters.
        macs: multiplications of the convolutions, linear layers and attention products for one image.
    """

    parameters: int
    trainable: int
    macs: int


def cost_or_none(provider: Provider, name: str, classes: int, input_size: tuple[int, int, int]) -> Cost | None:
    """The cost for images of (height, width, channels); None where the network can't be built or run for them."""
    height, width, channels = input_size
    try:
        return measure(Architecture(provider, name, {}, classes, channels, (height, width)))
    except ModelError:
        return None


def measure(architecture: Architecture) -> Cost:
    """Build a network without memory for its weights and count.

    Raises:
        ModelError: its provider can't build it, or it can't take an image of its architecture's size.
    """
    module = construct_meta(architecture)
    parameters, trainable = count_parameters(module)
    return Cost(parameters, trainable, run_meta(module, architecture))


def construct_meta(architecture: Architecture) -> nn.Module:
    """The network in eval mode, its tensors without contents.

    Raises:
        ModelError: its provider can't build it.
    """
    if architecture.provider == "python" or architecture.width_divisor != 1 or architecture.algebra is not None:
        # The user's code may look at values, and narrowing and converting do.
        return construct(architecture).eval().to("meta")
    try:
        return _construct_in(architecture, torch.device("meta"))
    except (ModelError, RuntimeError):
        # A few networks count with tensors while they are built: sequences need contents then.
        return _construct_in(architecture, _MetaWeights())


def _construct_in(architecture: Architecture, device: torch.device | TorchFunctionMode) -> nn.Module:
    with device, _without_attention_kernels():
        return construct(architecture).eval().to("meta")


def run_meta(module: nn.Module, architecture: Architecture) -> int:
    """Send one image without contents through a network without contents; returns how many multiplications it takes.

    Nothing of the network trains afterwards: the counter's hooks follow the backward pass of whatever may have one.

    Raises:
        ModelError: it can't take an image of this size.
    """
    height, width = architecture.input_size
    module.requires_grad_(False)
    try:
        with torch.device("meta"), _without_attention_kernels(), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, architecture.channels, height, width))
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        raise ModelError(
            f"model.name={architecture.name}: it can't take an image of model.input_size=[{height},{width}] with "
            f"{architecture.channels} channel(s): {error}"
        ) from error
    flops: int = counter.get_total_flops()
    return flops // 2


def count_parameters(module: nn.Module, *, recurse: bool = True) -> tuple[int, int]:
    """(as Keras counts, torch's parameters) of a module, with those of its submodules or without."""
    weights = sum(parameter.numel() for parameter in module.parameters(recurse))
    statistics = sum(
        buffer.numel()
        for name, buffer in module.named_buffers(recurse=recurse)
        if name.rpartition(".")[2] in _RUNNING_STATISTICS
    )
    return weights + statistics, weights


@contextmanager
def _without_attention_kernels() -> Iterator[None]:
    """Attention as plain matrix products: one fused kernel has no meta form, and the counter knows none of them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@final
class _MetaWeights(TorchFunctionMode):
    """Tensors of one value or of noise are made without contents, sequences and lists with."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `function`, which makes its tensor on the meta device if it is one of those."""
        arguments = {"device": "meta"} if function in _FILLED else {}
        return function(*args, **{**(kwargs or {}), **arguments})
