"""The last layer of a network whose output still has places: what Grad-CAM looks at."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Literal, final

import torch
from torch import Tensor, nn

from vernier.errors import ModelError
from vernier.models.algebra.assembly import AssembledLayer

Kind = Literal["nchw", "nhwc", "tokens"]

_MOST_PREFIXES = 8
"""Tokens that stand for no place, tried where the network does not say how many there are."""
_PASSED_OVER = (nn.Linear, nn.Dropout, nn.Softmax, nn.Identity, nn.AdaptiveAvgPool2d)
"""Inside of attention their outputs are keys, values and weights; else they add nothing to the layer before."""
_LISTED = 5
_SEED = 0


@final
@dataclass(frozen=True)
class TargetLayer:
    """A layer, and how its output is a map.

    Attributes:
        name: dotted name of the module.
        kind: nchw is (N, K, h, w), nhwc is (N, h, w, K), tokens is (N, prefix + h * w, K).
        height: h.
        width: w.
        prefix: tokens before those of the places, such as the class token.
    """

    name: str
    kind: Kind
    height: int
    width: int
    prefix: int = 0

    def as_map(self, values: Tensor, images: int) -> Tensor:
        """An output, or its gradient, as (images, K, h, w); the parts of hypercomplex numbers are channels each."""
        if self.kind == "nhwc":
            values = values.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            values = values[:, self.prefix :].transpose(1, 2)
        return values.reshape(images, -1, self.height, self.width)


def find_target_layer(network: nn.Module, channels: int, input_size: tuple[int, int]) -> TargetLayer:
    """The last module whose output is a map that the logits depend on, place by place.

    Found by sending one image of noise through. A class token that is taken from the last layer leaves that layer's
    other tokens without a gradient: then it is the layer before the last exchange between tokens, as in
    Chefer et al. 2021 and common practice.

    Args:
        network: in eval mode.
        channels: of its input.
        input_size: height and width of its input.

    Raises:
        ModelError: no module has such an output.
    """
    candidates = _maps(network, channels, input_size)
    for target, has_gradient in reversed(candidates):
        if has_gradient:
            return target
    raise ModelError(
        f"{type(network).__name__}: no layer gives a map of more than one place that the logits depend on, so there is "
        "nothing to lay over an image; if you know of one, name it with --explain-layer"
    )


def named_target_layer(network: nn.Module, channels: int, input_size: tuple[int, int], name: str) -> TargetLayer:
    """The layer of a name, where its output is a map; arguments and errors as `find_target_layer`."""
    maps = {target.name: target for target, _ in _maps(network, channels, input_size)}
    if name in maps:
        return maps[name]
    known = name in dict(network.named_modules())
    problem = "its output is no map of the image's places" if known else "there is no such layer"
    close = get_close_matches(name, maps, n=_LISTED, cutoff=0.0) if maps else []
    raise ModelError(f"explain-layer={name}: {problem}; layers with one are {', '.join(close) or 'not there at all'}")


@contextmanager
def recorded(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Outputs of some modules that are tensors, by name in the order in which they come."""
    outputs: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name in names:
            handle = network.get_submodule(name).register_forward_hook(partial(_keep, outputs, name))
            stack.callback(handle.remove)
        yield outputs


def _keep(outputs: dict[str, Tensor], name: str, module: nn.Module, inputs: object, output: object) -> None:
    if isinstance(output, Tensor):
        # A module that is called again comes last.
        outputs.pop(name, None)
        outputs[name] = output


def _maps(network: nn.Module, channels: int, input_size: tuple[int, int]) -> list[tuple[TargetLayer, bool]]:
    """Modules whose outputs are maps, in the order of their outputs, and whether the logits depend on their places."""
    generator = torch.Generator().manual_seed(_SEED)
    image = torch.randn(1, channels, *input_size, generator=generator).requires_grad_()
    names = [name for name, module in network.named_modules() if name and not isinstance(module, _PASSED_OVER)]
    with torch.enable_grad(), recorded(network, names) as outputs:
        logits = network(image)
        # Logits that always sum to 0 would leave their plain sum without a gradient.
        score = (logits * torch.randn(logits.shape, generator=generator)).sum()
    reader = _Reader(input_size, _parts(network), _prefixes(network))
    found = [(reader.read(name, output.shape), output) for name, output in outputs.items()]
    maps = [(target, output) for target, output in found if target is not None]
    if not maps:
        return []
    gradients = torch.autograd.grad(score, [output for _, output in maps], allow_unused=True)
    return [
        (target, gradient is not None and bool(target.as_map(gradient, 1).any()))
        for (target, _), gradient in zip(maps, gradients, strict=True)
    ]


def _parts(network: nn.Module) -> int:
    """Parts of the network's numbers, which lie in the batch."""
    sizes = (module.algebra.size for module in network.modules() if isinstance(module, AssembledLayer))
    return next(sizes, 1)


def _prefixes(network: nn.Module) -> tuple[int, ...]:
    """How many tokens may stand for no place, the likeliest first; timm's networks say how many there are."""
    declared = (getattr(module, "num_prefix_tokens", None) for module in network.modules())
    return (*(number for number in declared if isinstance(number, int)), *range(_MOST_PREFIXES + 1))


@final
@dataclass(frozen=True)
class _Reader:
    """Finds out how the output for one image is a map: its sides are to each other as the image's."""

    input_size: tuple[int, int]
    parts: int
    prefixes: tuple[int, ...]

    def read(self, name: str, shape: Sequence[int]) -> TargetLayer | None:
        """The layer, or None where the output is no map."""
        if shape[0] not in (1, self.parts):
            return None
        if len(shape) == 4:
            return self._of_map(name, shape)
        return self._of_tokens(name, shape[1]) if len(shape) == 3 else None

    def _of_map(self, name: str, shape: Sequence[int]) -> TargetLayer | None:
        if self._fits(shape[2], shape[3]):
            return TargetLayer(name, "nchw", shape[2], shape[3])
        return TargetLayer(name, "nhwc", shape[1], shape[2]) if self._fits(shape[1], shape[2]) else None

    def _of_tokens(self, name: str, count: int) -> TargetLayer | None:
        for prefix in self.prefixes:
            places = max(0, count - prefix)
            height = round(math.sqrt(places * self.input_size[0] / self.input_size[1]))
            width = places // max(1, height)
            if height * width == places and self._fits(height, width):
                return TargetLayer(name, "tokens", height, width, prefix)
        return None

    def _fits(self, height: int, width: int) -> bool:
        """Whether it is a map of more than one place, up to rounding in the aspect ratio."""
        ratio = self.input_size[0] / self.input_size[1]
        return height * width > 1 and abs(height - width * ratio) < max(1, ratio)
