"""A network cut in two: a frozen first part, whose outputs never change, and the rest, which trains.

The network is traced by torch.fx twice, in training and in evaluation mode. A value belongs to the first part if it
follows from the image alone, through the same operations in both modes, none of which trains, draws at random or
looks at the other images of the batch. The cut is the last such value that all paths to the logits go through.
Only modules with both frozen and trained parameters are traced inside, so what a frozen one does need not be
traceable. Where tracing fails, what runs into the head serves as the cut, if the head alone trains.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.flop_counter import FlopCounterMode

from vernier.models.algebra.layout import HyperLayer
from vernier.models.freeze import set_training_mode
from vernier.models.head import head_modules

UNTRACEABLE = (fx.proxy.TraceError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError, LookupError)
"""What a network's own code makes of fx's stand-ins for tensors."""

_RANDOM_FUNCTIONS = ("dropout", "rand", "bernoulli", "multinomial", "rrelu", "batch_norm")
_TOLERANCE = 1e-4

_Parts = tuple[nn.Module, nn.Module]
"""Prefix and suffix."""


@final
@dataclass(frozen=True)
class SplitModel:
    """Both parts, made of the network's own modules: `suffix(prefix(images))` are the network's logits.

    Modes are the network's own: `set_training_mode(network)` and `network.eval()` hold for the parts too.

    Attributes:
        prefix: Images (N, C, H, W) to features (N, ...); only ever run in eval mode, its outputs are final.
        suffix: Features to logits; holds every parameter that trains.
        example: Features of one image; their shape and size.
        frozen_operations: Additions and multiplications of the prefix for one image, as torch's FLOP counter counts.
        trained_operations: Those of the suffix.
    """

    prefix: nn.Module
    suffix: nn.Module
    example: Tensor
    frozen_operations: int
    trained_operations: int

    @property
    def frozen_share(self) -> float:
        """The prefix's share of all operations, 0 to 1."""
        return self.frozen_operations / max(1, self.frozen_operations + self.trained_operations)


@final
@dataclass(frozen=True)
class NoPrefix:
    """The network can't be cut: why, as a clause that ends in a remedy where there is one."""

    reason: str


def split_model(model: nn.Module, images: Tensor, freeze_batchnorm: bool) -> SplitModel | NoPrefix:
    """Cut a network after its frozen first part.

    Args:
        model: Frozen as it will be trained; on its device. It is left in training mode (`set_training_mode`).
        images: float32 (N, C, H, W), N at least 2, to try the parts on.
        freeze_batchnorm: As in `set_training_mode`.
    """
    if all(parameter.requires_grad for parameter in model.parameters()):
        return NoPrefix("nothing is frozen (model.frozen)")
    try:
        parts = _split(model, images, freeze_batchnorm)
        return parts if isinstance(parts, NoPrefix) else _tried(model, parts, images)
    finally:
        set_training_mode(model, freeze_batchnorm)


def _split(model: nn.Module, images: Tensor, freeze_batchnorm: bool) -> _Parts | NoPrefix:
    """By tracing as deep as it goes, else before the head."""
    problem = ""
    for inside_trained in (True, False):
        try:
            return _split_traced(model, freeze_batchnorm, inside_trained)
        except UNTRACEABLE as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
    return _split_at_head(model, images, freeze_batchnorm, problem)


@torch.no_grad()
def _tried(model: nn.Module, parts: _Parts, images: Tensor) -> SplitModel | NoPrefix:
    """Run the parts on images: they must give the network's own logits."""
    prefix, suffix = parts
    model.eval()
    features = prefix(images)
    if not isinstance(features, Tensor) or not features.is_floating_point() or len(features) != len(images):
        return NoPrefix("what leaves the frozen part is no tensor of numbers for each image")
    wanted, got = model(images).float(), suffix(features).float()
    if not torch.allclose(got, wanted, rtol=_TOLERANCE, atol=_TOLERANCE * float(wanted.abs().max())):
        return NoPrefix("the two parts together do not give the logits of the whole network")
    operations = (_operations(part, inputs) // len(images) for part, inputs in ((prefix, images), (suffix, features)))
    return SplitModel(prefix, suffix, features[:1].float().clone(), *operations)


def _operations(module: nn.Module, inputs: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        module(inputs)
    total: int = counter.get_total_flops()
    return total


@final
class _Tracer(fx.Tracer):
    """Looks inside modules unless they are frozen as a whole, and inside trained ones only on request."""

    def __init__(self, inside_trained: bool) -> None:
        super().__init__()
        self._inside_trained = inside_trained

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if super().is_leaf_module(m, module_qualified_name) or _drop_probability(m) > 0 or isinstance(m, HyperLayer):
            return True
        trains = {parameter.requires_grad for parameter in m.parameters()}
        # A trained BatchNorm counts its batches where it runs, and must not do so while it is traced.
        inside = self._inside_trained and not any(isinstance(child, _BatchNorm) for child in m.modules())
        return trains == {False} or (trains == {True} and not inside)


@final
class _Suffix(nn.Module):
    """The rest of a network as it runs in training and in evaluation: some ask for their mode while they run."""

    def __init__(self, model: nn.Module, in_training: nn.Module, in_evaluation: nn.Module) -> None:
        super().__init__()
        self.in_training, self.in_evaluation = in_training, in_evaluation
        # In a tuple, so that the network does not become a part of its part.
        self._model = (model,)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, ...) to logits (N, outputs)."""
        training = self.training and self._model[0].training
        return (self.in_training if training else self.in_evaluation)(features)  # type: ignore[no-any-return]


def _split_traced(model: nn.Module, freeze_batchnorm: bool, inside_trained: bool) -> _Parts | NoPrefix:
    model.eval()
    evaluation = _Tracer(inside_trained).trace(model)
    set_training_mode(model, freeze_batchnorm)
    training = _Tracer(inside_trained).trace(model)
    place = _last_cut(model, list(training.nodes), list(evaluation.nodes))
    if isinstance(place, NoPrefix):
        return place
    prefix = _piece(model, list(evaluation.nodes), None, place)
    if not any(True for _ in prefix.parameters()):
        return _obstacle(model, list(training.nodes))
    rests = (_piece(model, list(graph.nodes), place, -1) for graph in (training, evaluation))
    return prefix, _Suffix(model, *rests)


def _last_cut(model: nn.Module, training: Sequence[fx.Node], evaluation: Sequence[fx.Node]) -> int | NoPrefix:
    """Place of the last frozen value, in both traces, that everything after it can be computed from."""
    fixed: set[fx.Node] = set()
    found = None
    for place, (node, twin) in enumerate(zip(training, evaluation, strict=False)):
        if _signature(node) != _signature(twin):
            break
        if _is_fixed(model, node) and all(source in fixed for source in node.all_input_nodes):
            fixed.add(node)
            if (
                node.op not in ("placeholder", "get_attr")
                and _separates(training, place)
                and _separates(evaluation, place)
            ):
                found = place
    return _obstacle(model, training) if found is None else found


def _signature(node: fx.Node) -> tuple[Any, ...]:
    """What a node does, with its inputs by name: equal for nodes of two traces that do the same."""
    return node.op, node.target, fx.node.map_arg((node.args, tuple(node.kwargs.items())), lambda source: source.name)


def _separates(nodes: Sequence[fx.Node], place: int) -> bool:
    return not any(node.op == "placeholder" for node in _needed(nodes, place, -1))


def _needed(nodes: Sequence[fx.Node], start: int | None, goal: int) -> set[fx.Node]:
    """Nodes that the value at `goal` is computed from, without those before the value at `start`."""
    found: set[fx.Node] = set()
    waiting = [nodes[goal]]
    known = None if start is None else nodes[start]
    while waiting:
        node = waiting.pop()
        if node not in found and node is not known:
            found.add(node)
            waiting.extend(node.all_input_nodes)
    return found


def _piece(model: nn.Module, nodes: Sequence[fx.Node], start: int | None, goal: int) -> fx.GraphModule:
    """The computation of the value at `goal` from the one at `start`, or from the images."""
    graph = fx.Graph()
    copies = {} if start is None else {nodes[start]: graph.placeholder("features")}
    needed = _needed(nodes, start, goal)
    for node in nodes:
        if node in needed and node.op != "output":
            copies[node] = graph.node_copy(node, copies.__getitem__)
    last = nodes[goal]
    value = last.args[0] if last.op == "output" else last
    graph.output(fx.node.map_arg(value, copies.__getitem__))
    return fx.GraphModule(model, graph)


def _is_fixed(model: nn.Module, node: fx.Node) -> bool:
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        return not (_trains(module) or _draws(module) or _learns_statistics(module))
    if node.op == "get_attr":
        return not _attribute(model, str(node.target)).requires_grad
    if node.op in ("call_function", "call_method"):
        return not _is_random(node)
    return node.op == "placeholder"


def _attribute(model: nn.Module, target: str) -> Tensor:
    parent, _, name = target.rpartition(".")
    value: Tensor = getattr(model.get_submodule(parent), name)
    return value


def _is_random(node: fx.Node) -> bool:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    off = node.kwargs.get("training") is False or False in node.args
    return any(word in name for word in _RANDOM_FUNCTIONS) and not off


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _draws(module: nn.Module) -> bool:
    """Whether dropout, or what calls itself so (timm, torchvision: drop path, stochastic depth), is active in it."""
    return any(child.training and _drop_probability(child) > 0 for child in module.modules())


def _drop_probability(module: nn.Module) -> float:
    if isinstance(module, _DropoutNd):
        return module.p
    name = type(module).__name__.lower()
    if isinstance(module, nn.RReLU):
        return 1.0
    if "drop" not in name and "stochastic" not in name:
        return 0.0
    probabilities = [getattr(module, key, None) for key in ("p", "drop_prob", "prob")]
    return max((float(p) for p in probabilities if isinstance(p, int | float)), default=0.0)


def _learns_statistics(module: nn.Module) -> bool:
    return any(isinstance(child, _BatchNorm) and child.training for child in module.modules())


def _obstacle(model: nn.Module, nodes: Sequence[fx.Node]) -> NoPrefix:
    """The first thing that is in the way of a frozen first part."""
    place = next((place for place, node in enumerate(nodes) if not _is_fixed(model, node)), len(nodes) - 1)
    modules = [model.get_submodule(str(node.target)) for node in nodes[:place] if node.op == "call_module"]
    if any(True for module in modules for _ in module.parameters()):
        return NoPrefix("more than one tensor leaves the frozen first part, or it does something else in training")
    return NoPrefix(_described(model, nodes[place]))


def _described(model: nn.Module, node: fx.Node) -> str:
    name = str(node.target)
    if node.op == "get_attr":
        return f"the frozen layers are no first part of the network: {name} trains and comes before them"
    if node.op != "call_module":
        return "something is drawn at random before any frozen layer"
    module = model.get_submodule(name)
    if _trains(module):
        return f"the frozen layers are no first part of the network: {name} trains and comes before them"
    if _learns_statistics(module):
        return f"BatchNorm in {name} is in train mode, so its outputs depend on the batch; set train.freeze_batchnorm"
    return f"{name} draws at random before any frozen layer"


def _split_at_head(model: nn.Module, images: Tensor, freeze_batchnorm: bool, why: str) -> _Parts | NoPrefix:
    """Cut before the head, for a network that can't be traced."""
    heads = head_modules(model)
    outside = [n for n, p in model.named_parameters() if p.requires_grad and not n.startswith(f"{heads[0]}.")]
    if len(heads) != 1 or outside:
        trained = f"{outside[0]} trains" if outside else "it has several heads"
        return NoPrefix(f"torch.fx can't trace the network ({why}), and {trained} besides the head")
    head = model.get_submodule(heads[0])
    prefix = _HeadInput(model, head)
    problem = _changes_in_training(prefix, images, freeze_batchnorm)
    return (prefix, head) if problem is None else NoPrefix(f"{problem} (and torch.fx can't trace the network: {why})")


@final
class _HeadInput(nn.Module):
    """What a network feeds to its head."""

    def __init__(self, model: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._head = (head,)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to the head's input (N, ...)."""
        seen: list[Tensor] = []
        handle = self._head[0].register_forward_pre_hook(_keep_input(seen))
        try:
            self.model(images)
        finally:
            handle.remove()
        if len(seen) != 1:
            raise ValueError(f"the head runs {len(seen)} times for one batch")
        return seen[0]


def _keep_input(seen: list[Tensor]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0])

    return keep


@torch.no_grad()
def _changes_in_training(prefix: _HeadInput, images: Tensor, freeze_batchnorm: bool) -> str | None:
    """Why a network's head gets something else in training than in evaluation; None when it does not."""
    model, (head,) = prefix.model, prefix._head
    set_training_mode(model, freeze_batchnorm)
    inside = set(head.modules())
    for name, child in model.named_modules():
        alone = not any(True for _ in child.children())
        if alone and child not in inside and (_draws(child) or _learns_statistics(child)):
            return f"{name} is in train mode before the head; freeze it (model.frozen), or set its probability to 0"
    try:
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            in_training = prefix(images)
            model.eval()
            in_evaluation = prefix(images)
    except ValueError as error:
        return str(error)
    same = torch.allclose(in_training, in_evaluation, rtol=_TOLERANCE, atol=_TOLERANCE)
    return None if same else "what reaches the head is not the same in training and in evaluation"
