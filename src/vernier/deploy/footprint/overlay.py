"""Writing an operator's output over the input that it is reading, row by row.

Activations lie in memory row after row (height, width, channels). An operator that makes its output one row at a time
needs no row of the input above the window of the next row, so the output may begin below the input and run behind it:
a row is made in a small buffer and copied when it is complete.
"""

from dataclasses import dataclass
from typing import final

from vernier.deploy.footprint.graph import Network, Operator

_ROW_BY_ROW = frozenset({"Conv", "MaxPool", "AveragePool"})


@final
@dataclass(frozen=True)
class Overlay:
    """How an output lies over an input.

    Attributes:
        lead: bytes from the start of the output to the start of the input.
        line: bytes of the buffer for one row.
    """

    lead: int
    line: int


def find_overlay(operator: Operator, network: Network) -> Overlay | None:
    """How the output may lie over the operator's input; None for operators that are not made row by row."""
    shapes = [network.tensors[name].shape for name in (*operator.inputs, operator.outputs[0])]
    if operator.base not in _ROW_BY_ROW or len(shapes) != 2 or any(len(s) != 4 or s[0] != 1 for s in shapes):
        return None
    rows_in, rows_out = shapes[0][2], shapes[1][2]
    row_in = network.tensors[operator.inputs[0]].bytes // rows_in
    row_out = network.tensors[operator.outputs[0]].bytes // rows_out
    stride, padding = _vertical(operator, rows_in, rows_out)
    return Overlay(least_lead(rows_out, row_in, row_out, stride, padding, rows_in), row_out)


def least_lead(rows_out: int, row_in: int, row_out: int, stride: int, padding: int, rows_in: int) -> int:
    """How many bytes before the input the output has to begin, so that no row is overwritten that is still needed.

    Args:
        rows_out: Rows of the output.
        row_in: Bytes of an input row.
        row_out: Bytes of an output row.
        stride: Input rows from one output row to the next.
        padding: Rows of zeros above the input.
        rows_in: Rows of the input.
    """
    free = [max(0, row * stride - padding) for row in range(1, rows_out)]
    return max((0, *(row * row_out - rows * row_in for row, rows in enumerate(free, 1) if rows < rows_in)))


def _vertical(operator: Operator, rows_in: int, rows_out: int) -> tuple[int, int]:
    """Stride and padding at the top."""
    stride = operator.attributes.get("strides", (1,))[0]
    if operator.attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID"):
        return stride, operator.attributes.get("pads", (0,))[0]
    kernel = operator.constants[1].shape[2] if 1 in operator.constants else operator.attributes["kernel_shape"][0]
    reach = (kernel - 1) * operator.attributes.get("dilations", (1,))[0] + 1
    missing = max(0, (rows_out - 1) * stride + reach - rows_in)
    return stride, missing // 2 if operator.attributes["auto_pad"] == b"SAME_UPPER" else missing - missing // 2
