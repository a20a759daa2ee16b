"""The bare network as an ONNX graph."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from vernier import __version__
from vernier.deploy.export.batch_dimension import TRACED, open_batch
from vernier.deploy.export.fold import fold_program
from vernier.deploy.export.naming import clean_graph
from vernier.deploy.export.opset import to_opset
from vernier.deploy.export.trace import own_name, quiet, trace
from vernier.deploy.onnx_info import INPUT, LOGITS
from vernier.errors import MissingExtraError, ModelError
from vernier.models.algebra.fold import fold

if TYPE_CHECKING:
    import onnx

BATCH = "N"
"""The name of an open batch size."""
_OWN_OPSET = 18
"""What torch writes; older ones are made of it."""
_TARGET = re.compile(r"target=torch\.ops\.([\w.]+)\]")


def export_network(
    module: nn.Module,
    channels: int,
    input_size: tuple[int, int],
    *,
    opset: int,
    batch_size: int | None,
    further: Mapping[str, nn.Module] | None = None,
) -> "onnx.ModelProto":
    """Trace a network in eval mode; BatchNorm after a convolution becomes part of it.

    The same network gives the same bytes. Nodes have the names of their layers, as `clean_graph` tells.

    Args:
        module: On the CPU; left as it is.
        channels: Of its input.
        input_size: Height and width of its input.
        opset: Version of ONNX's operators.
        batch_size: Images at once; None for any number.
        further: More modules that take the same batch; what each gives is an output of its name.

    Returns:
        One float32 input `input` (N, channels, height, width); float32 outputs, `logits` (N, outputs) and further ones.

    Raises:
        MissingExtraError: The packages of the extra `onnx` are missing.
        ModelError: The network can't be traced, or has an operation that ONNX lacks.
    """
    _require_packages()
    network = fold(_Outputs(module, further or {})).to(memory_format=torch.contiguous_format)
    names = [LOGITS, *(further or {})]
    model = None
    if batch_size is None:
        # A symbolic batch takes torch three times as long, so it is left for graphs that need it.
        model = _translated(network, channels, input_size, names, opset, TRACED)
        model = model if open_batch(model) else None
    if model is None:
        model = _translated(network, channels, input_size, names, opset, batch_size)
    clean_graph(model, (name for name, layer in network.named_modules() if not any(layer.children())))
    _describe(model, BATCH if batch_size is None else batch_size)
    return to_opset(model, opset)


@final
class _Outputs(nn.Module):
    """A network, and further modules on the same batch."""

    def __init__(self, network: nn.Module, further: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.network, self.further = network, nn.ModuleList(further.values())

    def forward(self, batch: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) to what each module gives."""
        return self.network(batch), *(module(batch) for module in self.further)


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise MissingExtraError("export to ONNX", "onnx") from None


def _translated(
    network: nn.Module,
    channels: int,
    size: tuple[int, int],
    outputs: Sequence[str],
    opset: int,
    batch_size: int | None,
) -> "onnx.ModelProto":
    program = trace(network, channels, size, batch_size)
    # Batches of one would be found in every size.
    fold_program(program, batch_size if batch_size not in (None, 1) else TRACED)
    with quiet():
        try:
            written = torch.onnx.export(
                program,
                input_names=[INPUT],
                output_names=outputs,
                opset_version=max(opset, _OWN_OPSET),
                dynamo=True,
                optimize=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise _not_translated(error, program) from None
    assert written is not None, "torch returns a program where no file is named"
    return written.model_proto


def _not_translated(error: BaseException, program: ExportedProgram) -> ModelError:
    """What torch could not write, in one sentence."""
    text = ""
    cause: BaseException | None = error
    while cause is not None and not (found := _TARGET.search(text)):
        text, cause = str(cause), cause.__cause__
    found = _TARGET.search(text)
    if found is None:
        return ModelError(f"the network can't be written as ONNX: {text.strip().splitlines()[0]}")
    # Torch takes operations apart first; the part keeps the name: aten.special_bessel_j0, prims.bessel_j0.
    name = found[1].split(".")[1]
    whole = [node for node in program.graph.nodes if node.op == "call_function" and name in str(node.target)]
    layer = _layer(whole[0]) if whole else ""
    operation = f"{whole[0].target if whole else found[1]}{f' of layer {layer}' if layer else ''}"
    return ModelError(
        f"the network can't be written as ONNX: operation {operation} has no counterpart there. Use another "
        "layer, or write the network with --format pt2, which takes every operation of torch"
    )


def _layer(node: torch.fx.Node) -> str:
    stack = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
    return own_name(stack[-1]) if stack else ""


def _describe(model: "onnx.ModelProto", batch: int | str) -> None:
    """Sizes of the input and the outputs, and who wrote it."""
    from onnx import TensorProto, helper

    for value in (*model.graph.input, *model.graph.output):
        sizes = [item.dim_value for item in value.type.tensor_type.shape.dim][1:]
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [batch, *sizes]))
    model.producer_name, model.producer_version, model.graph.name = "vernier", __version__, "network"
