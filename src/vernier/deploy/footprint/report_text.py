"""A footprint as text, JSON and CSV."""

import csv
import io
from typing import Any

from vernier.deploy.footprint.layers import Layer
from vernier.deploy.footprint.measure import Footprint
from vernier.deploy.footprint.ram import MemoryPlan

_COLUMNS = ("operator", "type", "output", "weights", "biases", "flash_bytes", "macs", "live_bytes")


def footprint_text(footprint: Footprint, title: str) -> str:
    """A few lines: what was counted, flash, RAM under both plans, operations."""
    weights, biases = (sum(getattr(layer, kind) for layer in footprint.layers) for kind in ("weights", "biases"))
    lines = [
        title,
        f"counted {counted_as(footprint)}, for an input of {'x'.join(map(str, footprint.input_shape))}"
        f"{'; preprocessing and probabilities are left to the host' if footprint.wrapped else ''}",
        f"flash   {_kib(footprint.flash_bytes)}: {weights:,} weights, {biases:,} biases{_scales(footprint)}",
        f"RAM     {_kib(footprint.separate.bytes)} of activations, most at {_peak(footprint, footprint.separate)}",
        f"        {_kib(footprint.line_buffers.bytes)} with line buffers (convolutions write over their input), "
        f"most at {_peak(footprint, footprint.line_buffers)}",
        f"MACs    {footprint.macs:,}",
    ]
    return "\n".join(lines)


def counted_as(footprint: Footprint) -> str:
    """What widths were counted, in words."""
    if footprint.precision == "int8":
        return "as if all of it were 8-bit integers (biases 32)"
    if footprint.precision == "float32":
        return "as if all of it were float32"
    return "as the graph stores it"


def layers_table(footprint: Footprint) -> str:
    """Operator by operator, the operator with the most live memory marked."""
    rows = [_COLUMNS, *(tuple(map(_shown, row)) for row in _rows(footprint))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines[footprint.separate.peak + 1] += "  <- the most"
    return "\n".join(lines)


def layers_csv(footprint: Footprint) -> str:
    """Operator by operator, in the columns of the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_COLUMNS, *_rows(footprint)])
    return text.getvalue()


def footprint_json(footprint: Footprint) -> dict[str, Any]:
    """Everything as JSON values."""
    return {
        "precision": footprint.precision,
        "input_shape": list(footprint.input_shape),
        "preprocessing_counted": False,
        "flash_bytes": footprint.flash_bytes,
        "scale_bytes": footprint.scale_bytes,
        "parameters": footprint.parameters,
        "macs": footprint.macs,
        "ram_bytes": footprint.ram_bytes,
        "plans": {
            "separate": _plan_json(footprint, footprint.separate),
            "line_buffers": _plan_json(footprint, footprint.line_buffers),
        },
        "layers": [dict(zip(_COLUMNS, row, strict=True)) for row in _rows(footprint)],
    }


def _plan_json(footprint: Footprint, plan: MemoryPlan) -> dict[str, Any]:
    return {
        "bytes": plan.bytes,
        "least_possible_bytes": plan.peak_bytes,
        "fragmentation": round(plan.bytes / plan.peak_bytes - 1, 6),
        "peak_operator": footprint.layers[plan.peak].name,
        "buffers": [
            {"name": at.name, "offset": at.offset, "bytes": at.bytes, "first": at.first, "last": at.last}
            for at in plan.placements
        ],
    }


def _rows(footprint: Footprint) -> list[tuple[str | int, ...]]:
    live = footprint.separate.live_bytes
    return [(*_row(layer), bytes) for layer, bytes in zip(footprint.layers, live, strict=True)]


def _row(layer: Layer) -> tuple[str | int, ...]:
    shape = "x".join(map(str, layer.output_shape))
    return (layer.name, layer.kind, shape, layer.weights, layer.biases, layer.flash_bytes, layer.macs)


def _peak(footprint: Footprint, plan: MemoryPlan) -> str:
    layer = footprint.layers[plan.peak]
    spare = plan.bytes / plan.peak_bytes - 1
    return f"{layer.name} ({layer.kind}){f'; {spare:.1%} above the least possible' if spare else ''}"


def _scales(footprint: Footprint) -> str:
    return f"; scales and zero points {_kib(footprint.scale_bytes)} besides" if footprint.scale_bytes else ""


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _kib(size: float) -> str:
    return f"{size / 1024:,.2f} KiB"
