"""Layers that are slower in bf16 than in fp32 on this machine, and how to leave them in fp32.

Half the bytes should mean half the time, but not every kernel has been written: on a CPU with AVX-512 the gradient of
a strided depthwise convolution takes 15 times as long in bf16 as in fp32, enough to undo the gain of all other layers.
"""

import timeit
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor, nn

from vernier.data.wording import did_you_mean
from vernier.errors import ConfigError, ConfigProblem

_GAIN: Final = 1.5
"""A layer stays in fp32 when bf16 takes at least this many times as long: the casts around it are not free."""

_REPEATS: Final = 3


@final
@dataclass(frozen=True)
class LayerCall:
    """One call of a convolution in a network: what its time depends on."""

    name: str
    layer: nn.Conv2d
    input_shape: torch.Size
    input_format: torch.memory_format

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for calls that run the same kernels."""
        layer = self.layer
        return (
            self.input_shape,
            layer.weight.shape,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            layer.weight.requires_grad,
        )


def find_slow_layers(model: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Names of the grouped convolutions that take far longer in bf16 than in fp32, forwards and backwards together.

    Only grouped (depthwise) convolutions are timed: no other kind has been seen to be slow.

    Args:
        model: In training mode, on the device; it is run forwards once, which moves BatchNorm's statistics.
        images: A batch in the model's memory format.
    """
    slow: dict[tuple[object, ...], bool] = {}
    calls = _calls(model, images)
    for call in calls:
        if call.kind not in slow:
            slow[call.kind] = _seconds(call, torch.bfloat16) > _GAIN * _seconds(call, torch.float32)
    return tuple(dict.fromkeys(call.name for call in calls if slow[call.kind]))


def check_fp32_layers(model: nn.Module, names: Collection[str]) -> None:
    """Look for the layers of `train.fp32_layers`.

    Raises:
        ConfigError: the network has no layer of a name.
    """
    known = [name for name, _ in model.named_modules() if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"names no layer: {unknown[0]!r}.{did_you_mean(unknown[0], known)} `vernier models show` lists them"
        raise ConfigError([ConfigProblem("train.fp32_layers", message)])


def keep_in_fp32(model: nn.Module, names: Collection[str]) -> None:
    """Let some layers compute in fp32 under autocast; they take and give tensors of the type they are given."""
    for name in names:
        layer = model.get_submodule(name)
        layer.register_forward_pre_hook(_to_fp32)
        layer.register_forward_hook(_back, always_call=True)


def _to_fp32(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    device = inputs[0].device.type
    if torch.is_autocast_enabled(device):
        torch.set_autocast_enabled(device, False)
        layer.__dict__["_vernier_autocast"] = True
        return tuple(tensor.float() for tensor in inputs)
    return inputs


def _back(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | None) -> Tensor | None:
    """Also after an error in the layer, when there is no output."""
    if not layer.__dict__.pop("_vernier_autocast", False):
        return output
    device = inputs[0].device.type
    torch.set_autocast_enabled(device, True)
    return None if output is None else output.to(torch.get_autocast_dtype(device))


def _calls(model: nn.Module, images: Tensor) -> list[LayerCall]:
    calls: list[LayerCall] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, nn.Conv2d)
            last = inputs[0].is_contiguous(memory_format=torch.channels_last)
            memory_format = torch.channels_last if last else torch.contiguous_format
            calls.append(LayerCall(name, layer, inputs[0].shape, memory_format))

        return hook

    with ExitStack() as stack, torch.no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d) and layer.groups > 1:
                handle = layer.register_forward_pre_hook(note(name))
                stack.callback(handle.remove)
        model(images)
    return calls


def _seconds(call: LayerCall, dtype: torch.dtype) -> float:
    """The shortest time of a forward and a backward pass, after one to warm up."""
    layer = call.layer
    shape = call.input_shape
    inputs = torch.zeros(shape, dtype=dtype).contiguous(memory_format=call.input_format).requires_grad_()
    weight = layer.weight.detach().to(dtype).requires_grad_(layer.weight.requires_grad)

    def work() -> None:
        output = layer._conv_forward(inputs, weight, None)
        torch.autograd.grad(output, [t for t in (inputs, weight) if t.requires_grad], torch.zeros_like(output))

    work()
    return min(timeit.repeat(work, number=1, repeat=_REPEATS))
