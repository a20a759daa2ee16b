"""What a quantization says of itself, as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.cost import Cost
from vernier.deploy.quantize.gate import Drop, Measured
from vernier.deploy.quantize.noise import LayerNoise
from vernier.deploy.quantize.search import SearchResult
from vernier.evaluation.plain_tables import aligned
from vernier.evaluation.words import metric_label

_LABELS = {"float": "float bundle", "onnx": "float ONNX", "int8": "int8 ONNX"}
_TIMED = "Latency is of the network alone, one preprocessed image on 1 thread of this machine, calls interleaved."
_DEVICE = "RAM and flash are what the network's activations and weights take on a device (docs/footprint.md)."
_WORST = 5
_UNKNOWN = "–"


@final
@dataclass(frozen=True)
class QuantizeReport:
    """What came of quantizing a model.

    Attributes:
        model: What was quantized.
        file: The int8 file; named `.failed.onnx` where it lost too much.
        float_file: The float ONNX file beside it.
        settings: All of them; none is null.
        float_layers: Layers that stayed in float.
        measured: On the images that decide; None without data.
        costs: By model: float, onnx, int8.
        max_drop: Points of % that may be lost; None for any.
        notes: What was chosen and what to know, a sentence each.
        layers: Noise by layer, the worst first; empty where nobody asked.
        search: What `mode=auto` tried; None for static.
    """

    model: Path
    file: Path
    float_file: Path
    settings: QuantizeConfig
    float_layers: tuple[str, ...]
    measured: Measured | None
    costs: Mapping[str, Cost]
    max_drop: float | None
    notes: tuple[str, ...]
    layers: tuple[LayerNoise, ...] = ()
    search: SearchResult | None = None

    @property
    def passed(self) -> bool:
        """Whether int8 loses no more than it may; without a limit, or without data, True."""
        return self.measured is None or self.measured.drop.within(self.max_drop)

    def gate(self) -> dict[str, Any] | None:
        """What the file's metadata says of the measurement; None without one."""
        if self.measured is None:
            return None
        found = {"part": self.measured.part, "n": self.measured.n, "drop_points": self.measured.drop.points}
        return {**found, "max_drop": self.max_drop, "passed": self.passed}

    def to_json(self) -> dict[str, Any]:
        """As JSON types; `float`, `onnx` and `int8` hold the figures of each model."""
        return {
            "model": str(self.model),
            "file": str(self.file),
            "float_file": str(self.float_file),
            "passed": self.passed,
            "max_drop": self.max_drop,
            "measured_on": None if self.measured is None else self.measured.which,
            "part": None if self.measured is None else self.measured.part,
            "drop": None if self.measured is None else vars(self.measured.drop),
            **{name: self._figures(name) for name in self.costs},
            "settings": self.settings.model_dump(mode="json"),
            "float_layers": list(self.float_layers),
            "notes": list(self.notes),
            "layers": [layer.to_json() for layer in self.layers],
            "trials": [] if self.search is None else [trial.to_json() for trial in self.search.trials],
        }

    def to_text(self) -> str:
        """The table, what was lost, and where."""
        return "\n".join([*self.notes, *self._table(), *self._verdict(), *self._layer_lines(), *self._files()])

    def _figures(self, name: str) -> dict[str, Any]:
        cost = self.costs[name].to_json()
        if self.measured is None:
            return cost
        return {**self.measured.measures[name].to_json(), "agreement": self.measured.agreement[name], **cost}

    def _table(self) -> list[str]:
        columns = ["size", "p50", "p95", "RAM", "flash"]
        if self.measured is not None:
            columns = [metric_label(self.measured.drop.measure), "agreement", "loss", "ECE", *columns]
        rows = [(_LABELS[name], *self._quality(name), *_cost_cells(cost)) for name, cost in self.costs.items()]
        head = [] if self.measured is None else [f"Measured on {self.measured.which}:"]
        return [*head, *aligned([("", *columns), *rows]), f"{_TIMED} {_DEVICE}"]

    def _quality(self, name: str) -> tuple[str, ...]:
        if self.measured is None:
            return ()
        values = self.measured.measures[name].values
        ece = f"{values['ece']:.4f}" if "ece" in values else _UNKNOWN
        agreement = _percent(self.measured.agreement[name])
        return _percent(values[self.measured.drop.measure]), agreement, f"{values['loss']:.4f}", ece

    def _verdict(self) -> list[str]:
        if self.measured is None:
            return ["Without data nothing was measured: what int8 loses is not known; data=DIR measures it."]
        return [f"{_lost(self.measured.drop)}; {self._limit(self.measured.drop)}."]

    def _limit(self, drop: Drop) -> str:
        if self.max_drop is None:
            return "no limit was given (--max-drop)"
        return f"{'within' if drop.within(self.max_drop) else 'more than'} the {self.max_drop:g} that it may lose"

    def _layer_lines(self) -> list[str]:
        if not self.layers:
            return []
        if self.passed:
            return ["Noise by layer:", *noise_table(self.layers)]
        names = ", ".join(f"{layer.name} ({layer.output:.1f} dB)" for layer in self.layers[:_WORST])
        remedy = "Try quantize.mode=auto, or leave such layers in float (quantize.exclude); docs/quantization.md."
        return ["Layers that lose most:", *noise_table(self.layers[:_WORST]), f"FAILED: {names} lose most. {remedy}"]

    def _files(self) -> list[str]:
        return [f"float: {self.float_file}", f"int8{'' if self.passed else ' (failed)'}: {self.file}"]


def noise_table(layers: Sequence[LayerNoise]) -> list[str]:
    """A line a layer: signal to noise of its output, its input and its weights, in dB."""
    rows = [
        (layer.name, layer.kind, *(f"{value:.1f}" for value in (layer.output, layer.input, layer.weights)))
        for layer in layers
    ]
    return aligned([("layer", "", "output dB", "input dB", "weights dB"), *rows])


def _lost(drop: Drop) -> str:
    verb = "loses" if drop.points >= 0 else "gains"
    interval = f"95 % interval of the loss {drop.low:+.2f} to {drop.high:+.2f}"
    return f"int8 {verb} {abs(drop.points):.2f} points to float ({interval}, McNemar mid-p {drop.p:.2g})"


def _cost_cells(cost: Cost) -> tuple[str, ...]:
    times = (_UNKNOWN, _UNKNOWN) if cost.latency is None else (f"{cost.latency.p50:.2f}", f"{cost.latency.p95:.2f}")
    return f"{cost.bytes / 1e6:.3f} MB", *(f"{time} ms" for time in times), _kib(cost.ram_bytes), _kib(cost.flash_bytes)


def _kib(count: int | None) -> str:
    return _UNKNOWN if count is None else f"{count / 1024:.1f} KiB"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
