"""A picture of memory over the operators of a network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernier.atomic import write_atomically
from vernier.deploy.footprint.measure import Footprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _PEAK, _LINE = "#8fb3d1", "#0b62b8", "#40474f"
_MOST_NAMED = 40
_KIB = 1024


def draw_footprint(footprint: Footprint, title: str, out: Path) -> None:
    """Draw the bytes that are live during each operator as bars, the peak named, and the plan with line buffers.

    Args:
        footprint: What to draw.
        title: Above the picture.
        out: The PNG to write.

    Raises:
        RunError: `out` can't be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, min(14.0, 0.22 * len(footprint.layers))), 4.2), layout="constrained")
    axes = figure.add_subplot()
    _draw_bars(axes, footprint)
    _name_operators(axes, footprint)
    axes.set(title=title, ylabel="KiB of activations")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper right")

    def write(file: Any) -> None:
        figure.savefig(file, format="png", dpi=150)

    write_atomically(out, write)


def _draw_bars(axes: "Axes", footprint: Footprint) -> None:
    plan = footprint.separate
    numbers = range(len(footprint.layers))
    colours = [_PEAK if number == plan.peak else _BAR for number in numbers]
    axes.bar(numbers, [live / _KIB for live in plan.live_bytes], color=colours, label="every output in its own place")
    axes.step(
        numbers,
        [live / _KIB for live in footprint.line_buffers.live_bytes],
        where="mid",
        color=_LINE,
        linewidth=1,
        linestyle="--",
        label="with line buffers",
    )
    axes.set_ylim(0, plan.peak_bytes / _KIB * 1.25)
    axes.margins(x=0.01)
    axes.annotate(
        f"{plan.peak_bytes / _KIB:,.1f} KiB\n{footprint.layers[plan.peak].name}",
        (plan.peak, plan.peak_bytes / _KIB),
        textcoords="offset points",
        xytext=(0, 4),
        fontsize=8,
        ha="left",
        parse_math=False,
    )


def _name_operators(axes: "Axes", footprint: Footprint) -> None:
    """Every operator by name while there is room, else every so many."""
    step = -(-len(footprint.layers) // _MOST_NAMED)
    places = range(0, len(footprint.layers), step)
    names = [footprint.layers[place].name[-28:] for place in places]
    axes.set_xticks(places, labels=names, rotation=90, fontsize=6, parse_math=False)
