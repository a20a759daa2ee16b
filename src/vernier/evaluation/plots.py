"""Pictures of a run: its curves and its confusion matrix as PNG."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vernier.atomic import write_atomically
from vernier.evaluation.run_tables import Confusion, Panel, read_confusion, read_curves
from vernier.evaluation.words import metric_label, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"train": "#6b7680", "val": "#0b62b8", "lr": "#6b7680"}
_LONGEST_LABEL = 24
_MOST_COUNTED = 30
_MOST_NAMED = 100
_POINTS_PER_INCH = 72
_MISSING_GLYPH = "\N{WHITE SQUARE}"


def plot_curves(metrics_csv: Path, out: Path) -> None:
    """Draw loss, accuracy and learning rate over the epochs.

    Args:
        metrics_csv: A run's metrics.csv; one epoch is enough, and the val_* columns may be missing.
        out: The PNG to write.

    Raises:
        RunError: `metrics_csv` is missing or damaged, or `out` can't be written.
    """
    from matplotlib.figure import Figure

    curves = read_curves(metrics_csv)
    panels = curves.panels()
    figure = Figure(figsize=(4 * max(1, len(panels)), 3.2), layout="constrained")
    for column, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(1, len(panels), column + 1), panel, curves.epochs)
    _save(figure, out, dpi=120)


def plot_confusion(confusion_csv: Path, out: Path) -> None:
    """Draw a confusion matrix, each row coloured by its shares; with counts up to 30 classes.

    Args:
        confusion_csv: A run's confusion_matrix.csv.
        out: The PNG to write.

    Raises:
        RunError: `confusion_csv` is missing or damaged, or `out` can't be written.
    """
    _save(confusion_figure(read_confusion(confusion_csv)), out, dpi=100)


def confusion_figure(confusion: Confusion) -> "Figure":
    """The picture of `plot_confusion`."""
    from matplotlib.figure import Figure

    side = max(2.2, min(0.42 * len(confusion.classes), 12.6))
    figure = Figure(figsize=(side + 3.0, side + 2.4), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(confusion.shares(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, label="share of the target's images", shrink=0.5, aspect=25)
    _name_classes(axes, confusion.classes, side)
    axes.set(xlabel="prediction", ylabel="target", title=f"{whole(int(confusion.counts.sum()))} images")
    if len(confusion.classes) <= _MOST_COUNTED:
        _write_counts(axes, confusion)
    return figure


def _draw_panel(axes: "Axes", panel: Panel, epochs: tuple[float, ...]) -> None:
    from matplotlib.ticker import MaxNLocator

    marker = "o" if len(epochs) <= 20 else ""
    for series in panel.series:
        axes.plot(epochs, series.values, color=_COLOURS[series.name], label=series.name, marker=marker, markersize=3)
    axes.set(title=metric_label(panel.metric), xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(panel.series) > 1:
        axes.legend(frameon=False)


def _name_classes(axes: "Axes", classes: tuple[str, ...], side: float) -> None:
    """Write the classes' names on both axes of `side` inches; from 100 classes on only every so many."""
    drawable = _drawable_characters()
    positions = range(0, len(classes), math.ceil(len(classes) / _MOST_NAMED))
    labels = [_label(classes[position], drawable) for position in positions]
    size = min(9.0, 0.8 * _POINTS_PER_INCH * side / len(positions))
    axes.set_xticks(positions, labels=labels, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(positions, labels=labels, fontsize=size, parse_math=False)


def _label(name: str, drawable: frozenset[str]) -> str:
    text = "".join(character if character in drawable else _MISSING_GLYPH for character in name)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _drawable_characters() -> frozenset[str]:
    """What the plot's font has a glyph for; anything else makes matplotlib warn."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(map(chr, font.get_charmap()))


def _write_counts(axes: "Axes", confusion: Confusion) -> None:
    shares = confusion.shares()
    for (row, column), count in np.ndenumerate(confusion.counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, whole(int(count)), ha="center", va="center", fontsize=7, color=colour)


def _save(figure: "Figure", out: Path, dpi: int) -> None:
    write_atomically(out, lambda file: figure.savefig(file, format="png", dpi=dpi))
