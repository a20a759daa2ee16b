"""What the letters e, q and b do to a model, through the verbs of the same names."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from vernier.deploy.chain.order import Step
from vernier.deploy.chain.record import Figures, fingerprint
from vernier.deploy.chain.run import Action, Outcome
from vernier.deploy.places import default_file
from vernier.evaluation.evaluate import EvaluationReport
from vernier.evaluation.tables import measures_table
from vernier.models.bundle import INFO_FILE, WEIGHTS_FILE, bundle_directory
from vernier.versions import versions

if TYPE_CHECKING:
    from vernier.deploy.footprint.report import FootprintReport
    from vernier.deploy.latency.benchmark import HostBenchmark
    from vernier.deploy.quantize.report import QuantizeReport

_TIMED_AS = {"torch": "float", "onnxruntime": "onnx", "onnxruntime int8": "int8"}
_ONE_ANSWER = ("accuracy", "exact_match")
"""What counts as accuracy: with several labels an image all of them have to be right."""


@final
@dataclass(frozen=True)
class Verbs:
    """The verbs that a chain calls.

    Attributes:
        evaluate: A model, and a directory for tables.
        quantize: A model.
        benchmark: A run or bundle, in 8 bits too where it has been quantized, or files: one image on one thread.
        footprint: A model, a float one in float32.
    """

    evaluate: Callable[[Path, Path], EvaluationReport]
    quantize: Callable[[Path], "QuantizeReport"]
    benchmark: Callable[[Sequence[Path]], "HostBenchmark"]
    footprint: Callable[[Path], "FootprintReport"]


@final
@dataclass(frozen=True)
class Subject:
    """What a chain works on.

    Attributes:
        path: A run, a bundle or a float ONNX file.
        directory: For what the chain writes.
        settings: All settings that steps depend on, as JSON values.
    """

    path: Path
    directory: Path
    settings: Mapping[str, Any]

    @property
    def int8_file(self) -> Path:
        """The model of 8 bits."""
        return default_file(self.path, "_int8.onnx")

    @property
    def float_name(self) -> str:
        """Which of the chain's objects the float model is."""
        return "onnx" if self.path.is_file() else "float"

    def model(self, step: Step) -> Path:
        """The model that a step is done to."""
        return self.int8_file if step.precision == "int8" else self.path

    def timed(self, step: Step) -> list[Path]:
        """What `benchmark` is called with: a run or bundle shows its quantized file itself."""
        return [self.path, self.int8_file] if self.path.is_file() and step.precision == "int8" else [self.path]

    def weights(self) -> str:
        """A hash of the float model: of its weights, and of what it makes of their answers."""
        return _file_hash(self.path if self.path.is_file() else bundle_directory(self.path) / INFO_FILE)


def chain_action(subject: Subject, verbs: Verbs) -> Action:
    """How the steps e, q and b are done to a subject."""
    acts = {"e": _evaluate, "q": _quantize, "b": _benchmark}

    def act(step: Step) -> Outcome:
        return acts[step.letter](subject, verbs, step)

    def inputs(step: Step) -> str:
        made = step.letter != "q" and step.precision == "int8" and subject.int8_file.is_file()
        int8 = _file_hash(subject.int8_file) if made else None
        depends = {"step": step.name, "weights": subject.weights(), "int8": int8, "settings": subject.settings}
        return fingerprint({**depends, "versions": versions()})

    return Action(inputs, act)


def _evaluate(subject: Subject, verbs: Verbs, step: Step) -> Outcome:
    output = subject.directory / f"evaluation_{step.precision}"
    report = verbs.evaluate(subject.model(step), output)
    values = report.measures.values
    accuracy = next((values[name] for name in _ONE_ANSWER if name in values), None)
    figures = {_name(subject, step): Figures(accuracy=accuracy, n=report.measures.n, bytes=_bytes(subject.model(step)))}
    text = f"{report.which}\n{measures_table(report.measures)}"
    return Outcome(0, figures, {"text": text, "measures": report.measures.to_json()}, (output,))


def _quantize(subject: Subject, verbs: Verbs, step: Step) -> Outcome:
    report = verbs.quantize(subject.path)
    figures = {name: _quantized(report, name) for name in report.costs}
    details = {"text": report.to_text(), "report": report.to_json()}
    files = (report.file,) if report.passed else ()
    return Outcome(0 if report.passed else 1, _with_sizes(figures), details, files)


def _quantized(report: "QuantizeReport", name: str) -> Figures:
    """What quantizing found of one of the models."""
    cost, measured = report.costs[name].to_json(), report.measured
    known = {key: cost[key] for key in ("bytes", "latency_ms_p50", "flash_bytes", "ram_bytes")}
    if measured is None:
        return Figures(**known)
    return Figures(measured.measures[name].values[measured.drop.measure], measured.n, **known)


def _with_sizes(figures: Mapping[str, Figures]) -> dict[str, Figures]:
    """The bundle takes what its export takes: it is the same network."""
    if not {"float", "onnx"} <= set(figures):
        return dict(figures)
    exported = figures["onnx"]
    sizes = Figures(flash_bytes=exported.flash_bytes, ram_bytes=exported.ram_bytes)
    return {**figures, "float": figures["float"].updated(sizes)}


def _benchmark(subject: Subject, verbs: Verbs, step: Step) -> Outcome:
    found = verbs.benchmark(subject.timed(step))
    names = {**_TIMED_AS, subject.path.name: "onnx", subject.int8_file.name: "int8"}
    timed = {names[row.name]: Figures(latency_ms_p50=row.latency.p50) for row in found.rows if row.name in names}
    name, model = _name(subject, step), subject.model(step)
    cost = verbs.footprint(model).footprint
    sizes = Figures(bytes=_bytes(model), flash_bytes=cost.flash_bytes, ram_bytes=cost.ram_bytes)
    figures = {**timed, name: timed.get(name, Figures()).updated(sizes)}
    return Outcome(0, figures, {"text": found.to_text(), "benchmark": found.to_json()})


def _name(subject: Subject, step: Step) -> str:
    """Which of the chain's objects a step sees."""
    return "int8" if step.precision == "int8" else subject.float_name


def _bytes(model: Path) -> int:
    file = model if model.is_file() else bundle_directory(model) / WEIGHTS_FILE
    return file.stat().st_size


def _file_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
