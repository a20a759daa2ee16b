"""A traced program made smaller: computed weights become constants, BatchNorm becomes part of the layer before it."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument

_ATEN = torch.ops.aten
_CONVOLUTIONS = (_ATEN.conv2d.default, _ATEN.conv2d.padding)


def fold_program(program: ExportedProgram, batch_size: int) -> None:
    """Compute what depends on weights alone, then put BatchNorm into convolutions and linear layers; in place.

    Args:
        program: Traced in eval mode.
        batch_size: That it was traced with; tensors with a multiple of it among their sizes stay computed.
    """
    folding = _Folding(program)
    _fold_constants(folding, batch_size)
    _fold_batchnorm(folding)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


@final
@dataclass(frozen=True)
class _Folding:
    """A program, its constants by node."""

    program: ExportedProgram

    def constants(self) -> dict[fx.Node, Tensor]:
        """Parameters, buffers and constants by their placeholder."""
        program, signature = self.program, self.program.graph_signature
        named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        values = {**program.constants, **program.state_dict}
        names = {**named, **signature.inputs_to_lifted_tensor_constants}
        inputs = (node for node in program.graph.nodes if node.op == "placeholder" and node.name in names)
        return {node: values[names[node.name]] for node in inputs}

    def add(self, node: fx.Node, value: Tensor) -> fx.Node:
        """A new constant, an input of the program, in the place of what `node` computes from weights."""
        program, name = self.program, f"folded_{len(self.program.graph_signature.input_specs)}"
        first = next(iter(program.graph.nodes))
        with program.graph.inserting_before(first):
            constant: fx.Node = program.graph.placeholder(name)
        fake = next(item.meta["val"] for item in program.graph.nodes if isinstance(item.meta.get("val"), Tensor))
        value = value.detach().contiguous()
        constant.meta = {"val": fake.fake_mode.from_tensor(value), "nn_module_stack": node.meta.get("nn_module_stack")}
        spec = InputSpec(InputKind.BUFFER, TensorArgument(constant.name), name, persistent=True)
        program.graph_signature.input_specs.insert(0, spec)
        program.state_dict[name] = value
        return constant


def _fold_constants(folding: _Folding, batch_size: int) -> None:
    known = folding.constants()
    given = set(known)
    for node in folding.program.graph.nodes:
        if _is_foldable(node, known, batch_size):
            known[node] = _compute(node, known)
    computed = [node for node in known if node not in given]
    for node in computed:
        users = [user for user in node.users if user not in known]
        if users:
            constant = folding.add(node, known[node])
            for user in users:
                user.replace_input_with(node, constant)


def _is_foldable(node: fx.Node, known: dict[fx.Node, Tensor], batch_size: int) -> bool:
    """Whether a node computes one tensor from known ones, and changes none."""
    inputs, value = node.all_input_nodes, node.meta.get("val")
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if not inputs or not isinstance(value, Tensor) or node.target._schema.is_mutable:
        return False
    return all(item in known for item in inputs) and all(size == 0 or size % batch_size for size in value.shape)


def _compute(node: fx.Node, known: dict[fx.Node, Tensor]) -> Tensor:
    arguments, keywords = fx.map_arg((node.args, node.kwargs), lambda item: known[item])
    with torch.no_grad():
        result: Tensor = node.target(*arguments, **keywords)  # type: ignore[operator]
    return result


def _fold_batchnorm(folding: _Folding) -> None:
    known = folding.constants()
    done: dict[tuple[object, ...], list[fx.Node]] = {}
    for node in list(folding.program.graph.nodes):
        layer = _layer_before(node, known)
        if layer is not None:
            # A layer that is computed twice, for a further output too, keeps one weight.
            key = (*layer.args[1:3], *node.args[1:5], node.args[7])
            if key not in done:
                done[key] = [folding.add(layer, value) for value in _merged(layer, node, known)]
            layer.args = (layer.args[0], *done[key], *layer.args[3:])
            node.replace_all_uses_with(layer)
            folding.program.graph.erase_node(node)


def _layer_before(node: fx.Node, known: dict[fx.Node, Tensor]) -> fx.Node | None:
    """The convolution or linear layer whose only reader is `node`, a BatchNorm with fixed statistics."""
    if node.target is not _ATEN.batch_norm.default or node.args[5]:
        return None
    layer = node.args[0]
    assert isinstance(layer, fx.Node), "batch_norm takes a tensor"
    is_matrix = layer.target is _ATEN.linear.default and layer.meta["val"].dim() == 2
    if len(layer.users) > 1 or not (is_matrix or layer.target in _CONVOLUTIONS):
        return None
    constants = [item for item in (*layer.args[1:3], *node.args[1:5]) if item is not None]
    return layer if all(item in known for item in constants) else None


def _merged(layer: fx.Node, norm: fx.Node, known: dict[fx.Node, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of the layer with the BatchNorm in it, computed in float64."""

    def value(item: object, default: float) -> Tensor:
        return torch.tensor(default, dtype=torch.float64) if item is None else known[item].double()  # type: ignore[index]

    weight, bias = value(layer.args[1], 0), value(_argument(layer, 2), 0)
    gamma, beta = value(norm.args[1], 1), value(norm.args[2], 0)
    mean, variance = value(norm.args[3], 0), value(norm.args[4], 1)
    factor = gamma * (variance + norm.args[7]).rsqrt()  # type: ignore[operator]
    merged = weight * factor.reshape(-1, *(1 for _ in weight.shape[1:]))
    return merged.float(), ((bias - mean) * factor + beta).float()


def _argument(node: fx.Node, place: int) -> object:
    return node.args[place] if len(node.args) > place else None
