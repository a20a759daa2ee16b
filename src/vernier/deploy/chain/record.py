"""What a chain has done so far: chain.json, from which the same command goes on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, final

from vernier.atomic import write_text_atomically
from vernier.errors import RunError

SCHEMA = 1
MODELS = ("float", "onnx", "int8")
"""The bundle in torch, its export, and the model of 8 bits."""


@final
@dataclass(frozen=True)
class Figures:
    """What is known of one model; None for what no step measured.

    Attributes:
        accuracy: Share of right answers, 0 to 1.
        n: Images that it was measured on.
        bytes: Of the file or of the bundle's weights.
        latency_ms_p50: Median of a call with one image on one thread.
        flash_bytes: Weights and biases as stored.
        ram_bytes: Peak of live activations.
    """

    accuracy: float | None = None
    n: int | None = None
    bytes: int | None = None
    latency_ms_p50: float | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None

    def updated(self, newer: "Figures") -> "Figures":
        """These, and the newer ones where there are any."""
        known = {key: value for key, value in asdict(newer).items() if value is not None}
        return replace(self, **known)


@final
@dataclass(frozen=True)
class StepRecord:
    """A step that was done.

    Attributes:
        name: In words.
        fingerprint: Of all that its outcome depends on.
        seconds: That it took.
        status: Its exit status: 0, or 1 where a gate failed.
        figures: By model, what it measured.
        details: What else it found, as JSON values.
    """

    name: str
    fingerprint: str
    seconds: float
    status: int
    figures: Mapping[str, Figures] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class ChainRecord:
    """The steps that are done, in their order."""

    letters: str
    steps: tuple[StepRecord, ...] = ()

    def figures(self) -> dict[str, Figures]:
        """By model, what the steps measured; later ones count."""
        found: dict[str, Figures] = {}
        for step in self.steps:
            for model, figures in step.figures.items():
                found[model] = found.get(model, Figures()).updated(figures)
        return {model: found[model] for model in MODELS if model in found}

    def done(self, number: int, fingerprint: str) -> bool:
        """Whether the step at this place was done with the same inputs, and its gate did not fail."""
        if number >= len(self.steps):
            return False
        step = self.steps[number]
        return step.fingerprint == fingerprint and step.status == 0

    def cut(self, count: int) -> "ChainRecord":
        """The first steps alone."""
        return replace(self, steps=self.steps[:count])

    def with_step(self, number: int, step: StepRecord) -> "ChainRecord":
        """The step at its place; those after it rest on what it made and are gone."""
        return replace(self, steps=(*self.steps[:number], step))

    def to_json(self) -> dict[str, Any]:
        """The objects `float`, `onnx` and `int8`, and the steps."""
        figures = {model: asdict(values) for model, values in self.figures().items()}
        return {"schema": SCHEMA, "chain": self.letters, **figures, "steps": [asdict(step) for step in self.steps]}


def read_record(file: Path, letters: str) -> ChainRecord:
    """What was done before, of this chain or of another one: the steps that they begin with alike are done.

    Raises:
        RunError: The file is damaged.
    """
    if not file.is_file():
        return ChainRecord(letters)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            return ChainRecord(letters)
        return ChainRecord(letters, tuple(map(_step, values["steps"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: can't be read ({error}); remove it to do all steps again") from None


def write_record(file: Path, record: ChainRecord) -> None:
    """Write chain.json.

    Raises:
        RunError: It can't be written.
    """
    text = json.dumps(record.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    write_text_atomically(file, text + "\n")


def fingerprint(values: Mapping[str, Any]) -> str:
    """A hash of JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _step(values: Mapping[str, Any]) -> StepRecord:
    known = {item.name for item in fields(StepRecord)}
    if set(values) != known:
        raise ValueError(f"a step has the fields {', '.join(values)}")
    figures = {model: Figures(**items) for model, items in values["figures"].items()}
    return StepRecord(**{**values, "figures": figures})
