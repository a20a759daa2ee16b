"""The bare network as an ONNX graph."""

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from vernier.deploy.onnx_info import INPUT, LOGITS
from vernier.errors import MissingExtraError

if TYPE_CHECKING:
    import onnx

_TRACED_BATCH = 2
"""A batch of one would be taken for a constant."""


def export_network(
    module: nn.Module, channels: int, input_size: tuple[int, int], *, opset: int, batch_size: int | None
) -> "onnx.ModelProto":
    """Trace a network in eval mode; BatchNorm after a convolution becomes part of it.

    Args:
        module: On the CPU; left as it is.
        channels: Of its input.
        input_size: Height and width of its input.
        opset: Version of ONNX's operators.
        batch_size: Images at once; None for any number.

    Returns:
        One float32 input `input` (N, channels, height, width), one float32 output `logits` (N, outputs).

    Raises:
        MissingExtraError: The packages of the extra `onnx` are missing.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise MissingExtraError("export to ONNX", "onnx") from None
    network = copy.deepcopy(module).eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros(_TRACED_BATCH if batch_size is None else batch_size, channels, *input_size)
    program = torch.onnx.export(
        network,
        (example,),
        input_names=[INPUT],
        output_names=[LOGITS],
        opset_version=opset,
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) if batch_size is None else None,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    assert program is not None, "torch returns a program where no file is named"
    return program.model_proto
