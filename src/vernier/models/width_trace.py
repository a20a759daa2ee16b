"""Where the channels of every tensor of a network come from, found by one forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain
from math import prod
from typing import Any, final

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakTensorKeyDictionary

from vernier.models.width_layers import (
    Layer,
    holds_channel_values,
    input_count,
    is_depthwise,
    output_count,
    own_tensors,
)
from vernier.models.width_ties import Origin, Part, WidthTies

_CONCATENATIONS = ("cat", "concat", "concatenate")
_SPLITS = ("split", "chunk", "tensor_split", "split_with_sizes")
_RESHAPES = ("view", "reshape", "flatten", "unflatten")
_FOLDS = ("glu", "pixel_shuffle")


@final
@dataclass(frozen=True)
class Sections:
    """Widths by which the module at `path` cuts a tensor, kept in a list or each in an attribute of its own."""

    path: str
    attributes: tuple[str, ...]
    sizes: tuple[int, ...]
    origin: Origin


@final
@dataclass(frozen=True)
class Channels:
    """How many channels a module's input has, and the dimensions of that size: one of them is the channels."""

    count: int
    axes: tuple[int, ...]


@final
@dataclass
class Trace:
    """What a forward pass has shown.

    Attributes:
        ties: which layers are equally wide.
        inputs: of each module that ran, where they come from as far as it is known.
        outputs: of each module that ran, where they come from as far as it is known.
        axes: of each module with nothing but values for each channel, where its channels are.
        vectors: tensors that belong to a block of several layers.
        ran: the layers that ran.
        sections: widths by which tensors are cut.
        counts: (module, attribute) of numbers of channels that tensors are cut by, and which channels they count.
        bounds: (module, attribute) of numbers of channels at which slices of tensors begin or end.
        shape: of the network's output; empty if it is not a tensor.
    """

    ties: WidthTies
    inputs: dict[str, Origin] = field(default_factory=dict)
    outputs: dict[str, Origin] = field(default_factory=dict)
    axes: dict[str, Channels] = field(default_factory=dict)
    vectors: dict[str, Tensor] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    sections: list[Sections] = field(default_factory=list)
    counts: dict[tuple[str, str], Origin] = field(default_factory=dict)
    bounds: dict[tuple[str, str], int] = field(default_factory=dict)
    shape: tuple[int, ...] = ()


@final
class Visits:
    """The modules that are running, outermost first."""

    def __init__(self) -> None:
        self.running: list[str] = []

    @contextmanager
    def watch(self, module: nn.Module) -> Iterator[None]:
        """Follow the forward passes inside; after an exception, `running` still ends in the module that failed."""
        handles: list[RemovableHandle] = []
        for name, child in module.named_modules():
            handles += [
                child.register_forward_pre_hook(partial(self._enter, name), prepend=True),
                child.register_forward_hook(lambda *_: self._leave()),
            ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.running.append(name)

    def _leave(self) -> None:
        self.running.pop()


def trace_widths(module: nn.Module, image: Tensor, heads: Sequence[str], visits: Visits) -> Trace:
    """Send `image` through `module` and note what it does with channels; the heads' outputs are not to be divided."""
    outputs = {name: output_count(child) for name, child in module.named_modules() if isinstance(child, Layer)}
    vectors = dict(_block_vectors(module))
    outputs |= {name: max(vector.shape) for name, vector in vectors.items()}
    tracer = _Tracer(module, Trace(WidthTies(outputs, heads), vectors=vectors), visits)
    for name, vector in vectors.items():
        tracer.origins[vector] = (Part(name),)
    with tracer.hooks(), tracer, visits.watch(module):
        result = module(image)
    tracer.trace.shape = tuple(result.shape) if isinstance(result, Tensor) else ()
    return tracer.trace


def _block_vectors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Vectors that belong to a block of several layers, such as the scales of its branches."""
    for path, child in module.named_modules():
        if isinstance(child, Layer) or holds_channel_values(child):
            continue
        for name, tensor in own_tensors(child).items():
            if max(tensor.shape) == tensor.numel():
                yield f"{path}.{name}".removeprefix("."), tensor


@final
class _Tracer(TorchFunctionMode):
    """Sees every function of torch that runs outside the layers."""

    def __init__(self, module: nn.Module, trace: Trace, visits: Visits) -> None:
        super().__init__()
        self.module, self.trace, self.visits = module, trace, visits
        self.origins: Any = WeakTensorKeyDictionary()
        self._inside_layer = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._inside_layer:
            self._follow(getattr(func, "__name__", ""), args, kwargs or {}, result)
        return result

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """The hooks of layers, which tell inputs and outputs."""
        handles: list[RemovableHandle] = []
        for name, child in self.module.named_modules():
            handles.append(child.register_forward_pre_hook(partial(self._note_input, name)))
            handles.append(child.register_forward_hook(partial(self._note_output, name)))
            if isinstance(child, Layer):
                handles.append(child.register_forward_pre_hook(partial(self._enter_layer, name)))
                handles.append(child.register_forward_hook(partial(self._leave_layer, name), prepend=True))
            elif holds_channel_values(child):
                handles.append(child.register_forward_pre_hook(partial(self._note_axis, name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note_input(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        origin = self._origin(args[0]) if args else None
        if origin:
            self.trace.inputs[name] = origin

    def _note_output(self, name: str, module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if isinstance(result, Tensor) and result in self.origins:
            self.trace.outputs[name] = self.origins[result]

    def _enter_layer(self, name: str, layer: Layer, args: tuple[Any, ...]) -> None:
        self._inside_layer = True
        self.trace.ran.add(name)

    def _leave_layer(self, name: str, layer: Layer, args: tuple[Any, ...], result: Tensor) -> None:
        self._inside_layer = False
        origin = self._origin(args[0])
        if is_depthwise(layer):
            if origin:
                self.origins[result] = origin * (output_count(layer) // input_count(layer))
            return
        self.origins[result] = (Part(name),)
        groups = int(getattr(layer, "groups", 1))
        if groups > 1:
            self.trace.ties.group((Part(name),), groups)
            self.trace.ties.group(origin or (), groups)

    def _note_axis(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        tensor = args[0]
        sizes = {size for own in own_tensors(module).values() for size in own.shape if size > 1}
        matching = [size for size in tensor.shape[1:] if size in sizes]
        if matching:
            axes = tuple(axis for axis in range(1, tensor.ndim) if tensor.shape[axis] == matching[0])
            self.trace.axes[name] = Channels(matching[0], axes)
        groups = getattr(module, "num_groups", getattr(module, "groups", 1))
        if isinstance(groups, int) and groups > 1:
            self.trace.ties.group(self._origin(tensor) or (), groups)

    def _origin(self, value: Any) -> Origin | None:
        return self.origins.get(value) if isinstance(value, Tensor) else None

    def _follow(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name in _CONCATENATIONS:
            self._concatenate(args[0] if args else kwargs["tensors"], result)
        elif name in _SPLITS and isinstance(result, tuple | list):
            self._split(args, result)
        elif isinstance(result, Tensor) and result.ndim > 1:
            values = (value if isinstance(value, list | tuple) else (value,) for value in (*args, *kwargs.values()))
            self._combine(name, list(chain.from_iterable(values)), result)

    def _concatenate(self, tensors: Sequence[Tensor], result: Tensor) -> None:
        origins = [self._origin(tensor) for tensor in tensors]
        if any(origin is None for origin in origins):
            return
        joined = tuple(part for origin in origins for part in origin or ())
        if self.trace.ties.width(joined) in result.shape[1:]:
            self.origins[result] = joined

    def _split(self, args: tuple[Any, ...], pieces: Sequence[Tensor]) -> None:
        origin = self._origin(args[0])
        if origin is None or not self._cuts_channels(args[0], pieces[0], self.trace.ties.width(origin)):
            return
        if len(args) > 1 and isinstance(args[1], list | tuple):
            self._note_sections(args[1], origin)
        elif len({piece.shape for piece in pieces}) == 1:
            for piece, part in zip(pieces, self._shares(origin, len(pieces)), strict=True):
                self.origins[piece] = part
            if self.trace.ties.width(origin) // len(pieces) in args[1:2]:
                self._note_counts(origin, len(pieces))

    def _running_attributes(self) -> tuple[str, list[tuple[str, Any]]]:
        path = self.visits.running[-1]
        return path, list(vars(self.module.get_submodule(path)).items())

    def _note_counts(self, origin: Origin, pieces: int) -> None:
        path, attributes = self._running_attributes()
        width = self.trace.ties.width(origin)
        for name, value in attributes:
            if type(value) is int and value in (width, width // pieces):
                self.trace.counts[path, name] = _scaled(origin, Fraction(value, width))

    def _note_sections(self, sizes: Sequence[int], origin: Origin) -> None:
        path, attributes = self._running_attributes()
        names = tuple(name for name, value in attributes if value is sizes)[:1]
        if not names:
            numbers = {value: name for name, value in attributes if type(value) is int}
            names = tuple(numbers.get(size, "") for size in sizes)
        if all(names) and len(set(names)) == len(names):
            self.trace.sections.append(Sections(path, names, tuple(sizes), origin))
        else:
            self._note_bounds(sizes)

    def _note_bounds(self, bounds: Sequence[int | None]) -> None:
        path, attributes = self._running_attributes()
        for name, value in attributes:
            if type(value) is int and value > 0 and value in bounds:
                self.trace.bounds[path, name] = value

    @staticmethod
    def _cuts_channels(whole: Tensor, piece: Tensor, width: int) -> bool:
        return (width, False) in [(old, old == new) for old, new in zip(whole.shape, piece.shape, strict=True)]

    def _shares(self, origin: Origin, count: int) -> list[Origin]:
        """Where each of `count` equal pieces comes from."""
        step, rest = divmod(len(origin), count)
        slices = [origin[start : start + step] for start in range(0, len(origin), step)] if step and not rest else []
        if len({self.trace.ties.width(part) for part in slices}) == 1:
            return slices
        self.trace.ties.divide_into(origin, count)
        return [_scaled(origin, Fraction(1, count))] * count

    def _combine(self, name: str, values: list[Any], result: Tensor) -> None:
        found = [(value, origin) for value in values if (origin := self._origin(value))]
        if found and name in _RESHAPES and self._reshape(*found[0], result):
            return
        same = [origin for _, origin in found if self.trace.ties.width(origin) in result.shape]
        for origin in same[1:]:
            if self.trace.ties.width(origin) == self.trace.ties.width(same[0]):
                self.trace.ties.tie(same[0], origin)
        if same:
            self.origins[result] = same[0]
        elif found and name == "__getitem__":
            self._note_bounds(
                [end for index in values if isinstance(index, slice) for end in (index.start, index.stop)]
            )
        elif found and name in _FOLDS:
            self._fold(found[0][1], self.trace.ties.width(found[0][1]) // result.shape[1], result)

    def _reshape(self, tensor: Tensor, origin: Origin, result: Tensor) -> bool:
        """Whether channels and pixels are flattened, pieces put together again, or channels cut into pieces."""
        width = self.trace.ties.width(origin)
        if tensor.ndim < 2 or tensor.shape[1] != width or result.shape[1] == width:
            return False
        if result.shape[1] % width == 0:
            self.origins[result] = _scaled(origin, Fraction(result.shape[1] // width))
            return True
        for end in range(2, result.ndim):
            if prod(result.shape[1 : end + 1]) == width:
                self._fold(origin, prod(result.shape[1:end]), result)
                return True
        return False

    def _fold(self, origin: Origin, pieces: int, result: Tensor) -> None:
        if pieces > 1:
            self.trace.ties.divide_into(origin, pieces)
            self.origins[result] = _scaled(origin, Fraction(1, pieces))


def _scaled(origin: Origin, factor: Fraction) -> Origin:
    return tuple(Part(part.layer, part.share * factor) for part in origin)
