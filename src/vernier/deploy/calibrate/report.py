"""What calibrating found, as JSON and as text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from vernier.deploy.calibrate.classes import ClassThreshold
from vernier.deploy.calibrate.figures import Figures
from vernier.deploy.calibrate.rejection import Accepted, Rejection
from vernier.evaluation.plain_tables import aligned
from vernier.evaluation.words import decimal, percent, several

_CHOSEN_HERE = "Both were chosen on these {part} images, so figures on them are somewhat optimistic"


@final
@dataclass(frozen=True)
class Shown:
    """A part before and after.

    Attributes:
        n: images.
        before: with the temperature that the bundle had.
        after: with the new one.
        accepted: what the reject threshold lets through.
    """

    n: int
    before: Figures
    after: Figures
    accepted: Accepted


@final
@dataclass(frozen=True)
class CalibrationReport:
    """What calibrating found.

    Attributes:
        bundle: the bundle.
        source: name of the data.
        part: what was fitted on: val, train or all.
        previous: the temperature that the bundle had; 1 for none.
        temperature: the new one.
        target: precision that accepted answers should reach.
        confident: whether the lower end of its 95 % interval had to.
        rejection: the threshold.
        shown: figures by part: the fitted one and, where there is one, the test set.
        classes: each class against all others, on the fitted part.
        notes: what should be known.
        written: whether the bundle has it now.
    """

    bundle: Path
    source: str
    part: str
    previous: float
    temperature: float
    target: float
    confident: bool
    rejection: Rejection
    shown: Mapping[str, Shown]
    classes: tuple[ClassThreshold, ...]
    notes: tuple[str, ...]
    written: bool

    def summary(self) -> dict[str, Any]:
        """What the bundle keeps of it: JSON values."""
        return {
            "source": self.source,
            "part": self.part,
            "target_precision": self.target,
            "confident": self.confident,
            "reached": self.rejection.reached,
            **{part: _shown_json(shown) for part, shown in self.shown.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; None for what is not a number."""
        classes = [{key: _finite(value) for key, value in asdict(row).items()} for row in self.classes]
        return {
            "bundle": str(self.bundle),
            "previous_temperature": self.previous,
            "temperature": self.temperature,
            "reject_threshold": self.rejection.threshold,
            **self.summary(),
            "classes": classes,
            "notes": list(self.notes),
            "written": self.written,
        }

    def to_text(self, *, classes: bool = False) -> str:
        """A few lines and a table; another table with `classes`."""
        lines = [self._temperature_line(), *self._figures(), *self._rejection_lines()]
        lines += [*self.notes, self._honesty(), f"{self.bundle}: {'written' if self.written else 'left as it was'}"]
        return "\n".join([*lines, "", *_class_table(self.classes)] if classes else lines)

    def _temperature_line(self) -> str:
        n = several(self.shown[self.part].n, f"{self.part} image")
        return f"temperature {self.temperature:.4g} (was {self.previous:.4g}), fitted on {n} of {self.source}"

    def _figures(self) -> list[str]:
        head = [f"{part} {when}" for part in self.shown for when in ("before", "after")]
        pairs = [figures for shown in self.shown.values() for figures in (shown.before, shown.after)]
        counts = [shown.n for shown in self.shown.values() for _ in range(2)]
        rows = [
            ("", *head),
            ("negative log-likelihood", *(decimal(figures.nll) for figures in pairs)),
            ("expected calibration error", *(decimal(figures.ece) for figures in pairs)),
            ("accuracy", *(percent(f.accuracy, n) for f, n in zip(pairs, counts, strict=True))),
        ]
        return aligned(rows)

    def _rejection_lines(self) -> list[str]:
        wanted = f"{percent(self.target)} right{' at the lower end of the 95 % interval' if self.confident else ''}"
        if not self.rejection.reached:
            return [f"reject threshold: none reaches {wanted}; ask for less with --precision, or take more images"]
        threshold = self.rejection.threshold
        first = "none needed" if threshold is None else f"{threshold:.4f}"
        accepted = [_accepted_line(part, shown.accepted) for part, shown in self.shown.items()]
        return [f"reject threshold: {first} for {wanted}", *accepted]

    def _honesty(self) -> str:
        chosen = _CHOSEN_HERE.format(part=self.part)
        test = "those on the test set are not" if "test" in self.shown else "there is no test set for others"
        return f"{chosen}; {test}."


def _accepted_line(part: str, accepted: Accepted) -> str:
    low, high = accepted.interval
    share = f"{accepted.accepted} of {several(accepted.n, f'{part} image')} ({percent(accepted.coverage)})"
    right = f"{percent(accepted.precision, accepted.accepted)} of them right"
    return f"  accepts {share}, {right} (95 % interval {percent(low)} to {percent(high)})"


def _class_table(classes: Sequence[ClassThreshold]) -> list[str]:
    rows = [[row.name, str(row.n), *map(decimal, _class_figures(row))] for row in classes]
    return aligned([["class", "images", "AUC", "threshold", "G-mean", "TPR", "FPR"], *rows])


def _class_figures(row: ClassThreshold) -> tuple[float, ...]:
    return row.auc, row.threshold, row.g_mean, row.true_positive_rate, row.false_positive_rate


def _shown_json(shown: Shown) -> dict[str, Any]:
    return {"before": shown.before.to_json(), "after": shown.after.to_json(), **shown.accepted.to_json()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
