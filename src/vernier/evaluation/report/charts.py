"""Charts as geometry in an SVG's own units; the template only draws them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vernier.evaluation.calibration import Reliability
from vernier.evaluation.run_tables import Curves, Panel, Series
from vernier.evaluation.words import decimal, metric_label, metric_value, percent, several, whole

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 320, 14, 188
_LABEL_GAP = 14
_HIGHEST_LABEL, _LOWEST_LABEL = TOP + 6, BOTTOM - 2


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Line:
    """A curve: its name, which is also its CSS class, its points, and where the name stands."""

    name: str
    points: tuple[tuple[float, float], ...]
    label_y: float

    @property
    def path(self) -> str:
        """The points as SVG writes them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class LineChart:
    """Curves over epochs. `best_x` is where the best epoch's mark stands."""

    title: str
    summary: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    best_x: float | None


@dataclass(frozen=True)
class Bar:
    """A bar of the reliability chart, standing on the horizontal axis."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class ReliabilityChart:
    """Accuracy a bin of confidence; the diagonal is perfect calibration."""

    summary: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class _Axis:
    """Maps values from `low` to `high` to positions from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, values: Sequence[float]) -> tuple[Tick, ...]:
        return tuple(Tick(round(self(value), 1), _tick_label(value)) for value in values)


def curve_charts(curves: Curves, best_epoch: int | None) -> tuple[LineChart, ...]:
    """A chart for each panel of the curves; none before the first epoch has ended."""
    panels = curves.panels() if curves.epochs else ()
    return tuple(chart for panel in panels if (chart := _line_chart(panel, curves.epochs, best_epoch)))


def reliability_chart(result: Reliability) -> ReliabilityChart:
    """The chart of confidence against accuracy; empty bins have no bar."""
    x, y = _Axis(0, 1, LEFT, RIGHT), _Axis(0, 1, BOTTOM, TOP)
    quarters = (0.0, 0.25, 0.5, 0.75, 1.0)
    width = (RIGHT - LEFT) / len(result.counts)
    bars = tuple(
        Bar(
            x=round(LEFT + width * place + 0.75, 1),
            y=round(y(result.accuracy[place]), 1),
            width=round(width - 1.5, 1),
            height=round(BOTTOM - y(result.accuracy[place]), 1),
            title=_bin_title(result, int(place)),
        )
        for place in np.flatnonzero(result.counts)
    )
    return ReliabilityChart(_reliability_summary(result), x.ticks(quarters), y.ticks(quarters), bars)


def _bin_title(result: Reliability, place: int) -> str:
    images = several(int(result.counts[place]), "image")
    return f"{images}, {percent(result.confidence[place])} sure, {percent(result.accuracy[place])} right"


def _reliability_summary(result: Reliability) -> str:
    error = result.expected_calibration_error
    return f"Share of right answers for each level of confidence; calibration error {decimal(error)}."


def ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Round values from `low` to `high`, at most `most` + 1 of them: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def _line_chart(panel: Panel, epochs: tuple[float, ...], best_epoch: int | None) -> LineChart | None:
    values = [value for series in panel.series for value in series.values if math.isfinite(value)]
    if not values:
        return None
    x, y = _epoch_axis(epochs), _value_axis(panel.metric, values)
    lines = [_line(series, epochs, x, y) for series in panel.series if any(map(math.isfinite, series.values))]
    return LineChart(
        title=metric_label(panel.metric),
        summary=_summary(panel, epochs),
        x_ticks=x.ticks(_epoch_ticks(epochs)),
        y_ticks=y.ticks(ticks(y.low, y.high)),
        lines=_spread_labels(lines),
        best_x=None if best_epoch is None else round(x(best_epoch), 1),
    )


def _epoch_axis(epochs: tuple[float, ...]) -> _Axis:
    if len(epochs) == 1:
        return _Axis(epochs[0] - 1, epochs[0] + 1, LEFT, RIGHT)
    return _Axis(epochs[0], epochs[-1], LEFT, RIGHT)


def _epoch_ticks(epochs: tuple[float, ...]) -> tuple[float, ...]:
    """The first and the last epoch, and round ones that keep clear of them."""
    if len(epochs) <= 6:
        return epochs
    first, last = epochs[0], epochs[-1]
    clear = (last - first) / 10
    between = (tick for tick in ticks(first, last) if first + clear < tick < last - clear)
    return (first, *(tick for tick in between if tick == round(tick)), last)


def _value_axis(metric: str, values: Sequence[float]) -> _Axis:
    """From 0 where that costs little room; a metric other than loss and learning rate ends at 1."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if 0 <= low < 0.3 * high or low == high == 0 else low - margin
    top = high + margin if metric in ("loss", "lr") or high > 1 else min(1.0, high + margin)
    return _Axis(bottom, top, BOTTOM, TOP)


def _line(series: Series, epochs: tuple[float, ...], x: _Axis, y: _Axis) -> Line:
    pairs = zip(epochs, series.values, strict=True)
    points = tuple((round(x(epoch), 1), round(y(value), 1)) for epoch, value in pairs if math.isfinite(value))
    return Line(series.name, points, min(max(points[-1][1], _HIGHEST_LABEL), _LOWEST_LABEL))


def _spread_labels(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Move two names apart that would stand on each other."""
    if len(lines) < 2 or abs(lines[0].label_y - lines[1].label_y) >= _LABEL_GAP:
        return tuple(lines)
    upper, lower = sorted(lines, key=lambda line: line.label_y)
    half = _LABEL_GAP / 2
    middle = min(max((upper.label_y + lower.label_y) / 2, _HIGHEST_LABEL + half), _LOWEST_LABEL - half)
    return (
        Line(upper.name, upper.points, round(middle - half, 1)),
        Line(lower.name, lower.points, round(middle + half, 1)),
    )


def _summary(panel: Panel, epochs: tuple[float, ...]) -> str:
    ends = ", ".join(f"{series.name} {metric_value(panel.metric, series.values[-1], 0)}" for series in panel.series)
    return f"{metric_label(panel.metric)} after epoch {whole(round(epochs[-1]))}: {ends}."


def _tick_label(value: float) -> str:
    if 0 < abs(value) < 1e-3:
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")
    return f"{value:.6g}"
