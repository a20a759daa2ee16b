"""Narrower networks: the channels of every layer divided."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from vernier.errors import ModelError
from vernier.models.head import classifier_modules
from vernier.models.width_layers import Layer, narrow_channel_values, narrow_layer
from vernier.models.width_ties import Part
from vernier.models.width_trace import Channels, Sections, Trace, Visits, trace_widths

_HEAD_COUNTS = ("num_heads", "n_heads", "heads", "nhead")
_WIDTH_NAME = re.compile(r"(?:chs?|channels|planes|features|width|dim|filters|hidden_size|num_parameters)$")
_FORWARD_ERRORS = (RuntimeError, ValueError, AssertionError, IndexError)


def divide_width(module: nn.Module, divisor: float, image: Tensor) -> None:
    """Rebuild the layers of a convolutional network with max(1, floor(channels / divisor)) channels, in place.

    The number of logits and the image's channels stay. What is added, or multiplied channel by channel, stays
    equally wide: where one side is a concatenation, the other gets the sum of its parts. A grouped convolution
    keeps its number of groups and its widths are rounded down to a multiple of it; with fewer channels than
    groups, every channel is a group. Where channels are cut into equal pieces or shuffled, their number is a
    multiple of the pieces' and at least that.

    A layer's new weights are a corner of the old ones, times sqrt(old fan-in / new fan-in): of independent draws
    any part is such draws again, whatever their distribution, and the variance of what the layer makes stays.
    Weights that are all equal (zero-initialised ones) stay as they are. torch's generator is only asked where
    groups become so few that filters get deeper than they were: values are picked among the old ones. Two passes
    of `image` in eval mode show which layers belong together and what each of them receives.

    Args:
        module: As built, with its initial weights.
        divisor: At least 1; 1 changes nothing.
        image: float32 (1, C, H, W), of the size that the network was built for.

    Raises:
        ModelError: the network has layers whose width can't be divided; the first one is named. It is of no
            further use then.
    """
    if divisor == 1:
        return
    _require_convolutional(module, divisor)
    visits = Visits()
    with _evaluating(module):
        with _explained(module, divisor, visits, "can't take the image"):
            trace = trace_widths(module, image, classifier_modules(module), visits)
        _require_run(module, trace, divisor)
        _narrow_blocks(module, divisor, trace)
        with _explained(module, divisor, visits, "does not fit what comes before it any more"):
            shape = _rebuild(module, divisor, trace, image, visits)
    if shape != trace.shape:
        raise _misfit(divisor, module, "", f"makes {list(shape)} instead of {list(trace.shape)}")
    _update_feature_info(module, divisor, trace)


def _not_divisible(divisor: float, module: nn.Module, path: str, problem: str) -> ModelError:
    return ModelError(f"{_problem(divisor, module, path, problem)}; choose a convolutional network")


def _misfit(divisor: float, module: nn.Module, path: str, problem: str) -> ModelError:
    message = _problem(divisor, module, path, problem)
    return ModelError(f"{message}; choose another divisor or another convolutional network")


def _problem(divisor: float, module: nn.Module, path: str, problem: str) -> str:
    layer = type(module.get_submodule(path)).__name__
    return f"model.width_divisor={divisor:g}: {f'{path} ({layer})' if path else layer} {problem}"


def _require_convolutional(module: nn.Module, divisor: float) -> None:
    for path, child in module.named_modules():
        if any(isinstance(getattr(child, name, None), int) for name in _HEAD_COUNTS):
            raise _not_divisible(divisor, module, path, "is attention, whose width its heads share")
    for path, child in module.named_modules():
        if isinstance(child, Layer):
            if "weight" not in child._parameters:
                raise _not_divisible(divisor, module, path, "has a weight that is computed from others")
        elif not isinstance(child, nn.LayerNorm):
            for name, parameter in child.named_parameters(recurse=False):
                if max(parameter.shape, default=1) != parameter.numel():
                    problem = f"has a parameter {name} {list(parameter.shape)} whose channels can't be followed"
                    raise _not_divisible(divisor, module, path, problem)


def _require_run(module: nn.Module, trace: Trace, divisor: float) -> None:
    for path, child in module.named_modules():
        if isinstance(child, Layer) and path not in trace.ran:
            raise _not_divisible(divisor, module, path, "is not called in evaluation, so what it receives is not known")


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = {child: child.training for child in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for child, mode in training.items():
            child.training = mode


@contextmanager
def _explained(module: nn.Module, divisor: float, visits: Visits, problem: str) -> Iterator[None]:
    try:
        yield
    except _FORWARD_ERRORS as error:
        path = visits.running[-1] if visits.running else ""
        raise _misfit(divisor, module, path, f"{problem} ({error or 'a check of its own fails'})") from error


def _narrow_blocks(module: nn.Module, divisor: float, trace: Trace) -> None:
    """What blocks of several layers hold themselves: scales of their branches, and widths that they compute with."""
    for name, vector in trace.vectors.items():
        if trace.ties.is_tied(name):
            width = trace.ties.divided((Part(name),), divisor)
            vector.data = vector.detach().narrow(vector.shape.index(vector.numel()), 0, width).clone()
    for path, child in module.named_modules():
        if not isinstance(child, Layer) and path not in trace.axes:
            _update_counts(child, _width_changes(path, child, divisor, trace))
    for (path, name), origin in trace.counts.items():
        setattr(module.get_submodule(path), name, trace.ties.divided(origin, divisor))
    for (path, name), value in trace.bounds.items():
        setattr(module.get_submodule(path), name, max(1, int(value / divisor)))
    for sections in trace.sections:
        _narrow_sections(module, sections, divisor, trace)


def _narrow_sections(module: nn.Module, sections: Sections, divisor: float, trace: Trace) -> None:
    """The largest section takes what rounding leaves."""
    width = trace.ties.divided(sections.origin, divisor)
    sizes = [max(1, int(size / divisor)) for size in sections.sizes]
    sizes[sections.sizes.index(max(sections.sizes))] += width - sum(sizes)
    if min(sizes) < 1:
        raise _misfit(divisor, module, sections.path, f"cuts {width} channels into {len(sizes)} sections")
    block = module.get_submodule(sections.path)
    if len(sections.attributes) == 1:
        setattr(block, sections.attributes[0], sizes)
    else:
        for name, size in zip(sections.attributes, sizes, strict=True):
            setattr(block, name, size)


def _width_changes(path: str, block: nn.Module, divisor: float, trace: Trace) -> dict[int, int]:
    """Old to new widths: of the block's own input and output, and where they agree of the layers in it."""
    changes: dict[int, set[int]] = {}
    for name, child in block.named_modules(prefix=path):
        if isinstance(child, Layer):
            for old, new in _ends(name, divisor, trace):
                changes.setdefault(old, set()).add(new)
    return {old: new.pop() for old, new in changes.items() if len(new) == 1} | dict(_ends(path, divisor, trace))


def _ends(path: str, divisor: float, trace: Trace) -> list[tuple[int, int]]:
    """Old and new width of a module's output and of its input, as far as they are known."""
    origins = [trace.outputs.get(path), trace.inputs.get(path)]
    return [(trace.ties.width(origin), trace.ties.divided(origin, divisor)) for origin in origins if origin]


def _update_counts(block: nn.Module, changes: Mapping[int, int]) -> None:
    for name, value in vars(block).items():
        if type(value) is int and _WIDTH_NAME.search(name) and value in changes:
            setattr(block, name, changes[value])


def _rebuild(module: nn.Module, divisor: float, trace: Trace, image: Tensor, visits: Visits) -> tuple[int, ...]:
    """Narrow every layer as soon as it receives something; the output's shape."""
    handles: list[RemovableHandle] = []
    for name, child in module.named_modules():
        if isinstance(child, Layer):
            outputs = trace.ties.divided((Part(name),), divisor)
            handles.append(child.register_forward_pre_hook(partial(_narrow_to_input, outputs)))
        elif name in trace.axes:
            handles.append(child.register_forward_pre_hook(partial(_narrow_values_to_input, trace.axes[name])))
    try:
        with visits.watch(module):
            result = module(image)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(result.shape) if isinstance(result, Tensor) else ()


def _narrow_to_input(outputs: int, layer: Layer, args: tuple[Any, ...]) -> None:
    narrow_layer(layer, args[0].shape[-1 if isinstance(layer, nn.Linear) else 1], outputs)


def _narrow_values_to_input(channels: Channels, module: nn.Module, args: tuple[Any, ...]) -> None:
    """Pixels stay as many: the dimension that has become smaller is the channels."""
    new = min(args[0].shape[axis] for axis in channels.axes)
    narrow_channel_values(module, channels.count, new)


def _update_feature_info(module: nn.Module, divisor: float, trace: Trace) -> None:
    """timm's description of the stages."""
    for stage in getattr(module, "feature_info", None) or ():
        if isinstance(stage, dict) and stage.get("module") in trace.outputs:
            stage["num_chs"] = trace.ties.divided(trace.outputs[stage["module"]], divisor)
