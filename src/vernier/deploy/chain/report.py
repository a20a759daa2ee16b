"""What a chain found, as text and as a page."""

from pathlib import Path
from typing import Final

from vernier.atomic import write_text_atomically
from vernier.deploy.chain.record import ChainRecord, Figures
from vernier.evaluation.plain_tables import aligned
from vernier.evaluation.report.templates import render, verbatim
from vernier.evaluation.words import percent, whole

_NAMES: Final = {"float": "float (torch)", "onnx": "float (ONNX)", "int8": "int8 (ONNX)"}
_HEAD: Final = ("model", "accuracy", "images", "bytes", "p50 ms", "flash bytes", "RAM bytes")
_UNKNOWN: Final = "–"
_NOTE: Final = (
    "Accuracy on the images named in the steps. p50: median of a call with one image on one thread, the network alone. "
    "Flash: weights and biases as stored. RAM: the peak of live activations."
)


def chain_text(record: ChainRecord) -> str:
    """The table of models, then the steps."""
    steps = [("step", "seconds", "status"), *((s.name, f"{s.seconds:.1f}", str(s.status)) for s in record.steps)]
    table = aligned(_table(record)) if record.figures() else []
    return "\n".join([*table, "", *aligned(steps)] if table else aligned(steps))


def write_chain_page(file: Path, record: ChainRecord, model: str) -> None:
    """Write the page.

    Args:
        file: Where.
        record: What was done.
        model: What it was done to, for the title.

    Raises:
        RunError: It can't be written.
    """
    html = render(
        "chain.html.j2",
        model=model,
        letters=record.letters,
        table=_table(record),
        note=_NOTE,
        steps=[(step, step.details.get("text", "")) for step in record.steps],
        style=verbatim("report.css"),
    )
    write_text_atomically(file, html)


def _table(record: ChainRecord) -> list[tuple[str, ...]]:
    return [_HEAD, *((_NAMES[model], *_cells(figures)) for model, figures in record.figures().items())]


def _cells(figures: Figures) -> tuple[str, ...]:
    counts = (figures.flash_bytes, figures.ram_bytes)
    return (
        _UNKNOWN if figures.accuracy is None else percent(figures.accuracy, figures.n or 0),
        _whole(figures.n),
        _whole(figures.bytes),
        _UNKNOWN if figures.latency_ms_p50 is None else f"{figures.latency_ms_p50:.2f}",
        *map(_whole, counts),
    )


def _whole(value: int | None) -> str:
    return _UNKNOWN if value is None else whole(value)
