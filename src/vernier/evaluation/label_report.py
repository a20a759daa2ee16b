"""What is said of the labels of a data set: a list of all images, a list without suspects, JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from vernier.data.check.clean_list import refuse_existing
from vernier.data.images import FileImages
from vernier.data.source import LABEL_SEPARATOR, Source
from vernier.data.splits import Split
from vernier.errors import DataError
from vernier.evaluation.confident_learning import LabelErrors
from vernier.evaluation.plain_tables import write_csv

_COLUMNS: Final = ("path", "label", "suggested", "score", "p_given", "p_suggested", "fold", "rank", "suspect")


@final
@dataclass(frozen=True)
class Verdict:
    """What is said of one label.

    Attributes:
        position: Of the image in the source.
        score: From 0 (suspicious) to 1; see `LabelErrors`.
        rank: From 1, the most suspicious.
    """

    position: int
    path: str
    label: str
    suggested: str
    score: float
    p_given: float
    p_suggested: float
    fold: int
    rank: int
    suspect: bool

    def to_json(self) -> dict[str, Any]:
        """The columns of the list."""
        return {name: getattr(self, name) for name in _COLUMNS}


@final
@dataclass(frozen=True)
class LabelReport:
    """The labels of a source compared with out-of-sample probabilities.

    Attributes:
        source: All images.
        split: As the run has it; the test images are not checked.
        positions: int64 (n,), the images that were checked.
        folds: int64 (n,), which fold each was held out with.
        errors: Of these n images.
        directory: Where it is written.
    """

    source: Source
    split: Split
    positions: np.ndarray
    folds: np.ndarray
    errors: LabelErrors
    directory: Path

    @property
    def csv_file(self) -> Path:
        """All images, the most suspicious first."""
        return self.directory / "suspects.csv"

    @property
    def gallery_file(self) -> Path:
        """Pictures of the most suspicious ones."""
        return self.directory / "gallery.html"

    @property
    def num_suspects(self) -> int:
        """How many labels are suspects."""
        return int(self.errors.suspects.sum())

    @property
    def agreement(self) -> float:
        """Share of the images whose label is what is suggested."""
        suggested, targets = self.errors.suggested, self.source.targets[self.positions]
        same = suggested == targets
        return float((same if same.ndim == 1 else same.all(axis=1)).mean())

    def verdicts(self) -> Iterator[Verdict]:
        """Of each image, the most suspicious first."""
        errors, labels = self.errors, self.source.labels()
        suggested = _label_texts(self.source, errors.suggested)
        for number, place in enumerate(errors.order().tolist()):
            position = int(self.positions[place])
            yield Verdict(
                position,
                self.source.images.key(position),
                labels[position],
                suggested[place],
                float(errors.scores[place]),
                float(errors.p_given[place]),
                float(errors.p_suggested[place]),
                int(self.folds[place]),
                number + 1,
                bool(errors.suspects[place]),
            )

    def suspects(self) -> Iterator[Verdict]:
        """Of each suspect, the most suspicious first."""
        return islice(self.verdicts(), self.num_suspects)

    def to_json(self) -> dict[str, Any]:
        """All but the images that are not suspects."""
        classes = zip(self.source.class_names, self.errors.classes, strict=True)
        joint = self.errors.joint
        return {
            "source": self.source.name,
            "n": len(self.positions),
            "not_checked": len(self.source.targets) - len(self.positions),
            "folds": int(self.folds.max(initial=-1)) + 1,
            "agreement": self.agreement,
            "noise_rate": self.errors.noise_rate,
            "num_suspects": self.num_suspects,
            "classes": [
                {"name": name, "n": noise.n, "noise_rate": noise.rate, "suspects": noise.suspects}
                for name, noise in classes
            ],
            "joint": None if joint is None else joint.tolist(),
            "suspects": [verdict.to_json() for verdict in self.suspects()],
            "csv": str(self.csv_file),
            "gallery": str(self.gallery_file),
        }


def _label_texts(source: Source, targets: np.ndarray) -> list[str]:
    if targets.ndim == 1:
        return [source.class_names[target] for target in targets.tolist()]
    return [LABEL_SEPARATOR.join(source.class_names[place] for place in np.flatnonzero(row)) for row in targets]


def write_suspects(report: LabelReport) -> None:
    """Write every image that was checked, with the columns path,label,suggested,score,p_given,...

    Raises:
        RunError: the file can't be written.
    """
    rows = (verdict.to_json() | {"suspect": int(verdict.suspect)} for verdict in report.verdicts())
    write_csv(report.csv_file, _COLUMNS, (list(row.values()) for row in rows))


def check_list(file: Path, source: Source) -> None:
    """Whether a list of this source can be written.

    Raises:
        DataError: the file is there already, or the images are no files of their own.
    """
    refuse_existing(file)
    if source.root is None or not isinstance(source.images, FileImages):
        raise DataError(f"--fix {file}: a list is of image files, and {source.name} has none")


def write_list_without(file: Path, report: LabelReport, drop: int | None) -> Mapping[str, Any]:
    """Write path,label,split of all images but the suspects, for `data=FILE`; test images stay.

    Args:
        drop: Leave out so many of the most suspicious images instead of all suspects.

    Returns:
        What is said of it: the file, its root, and how many images are in it and not.

    Raises:
        DataError: as `check_list`.
        RunError: the file can't be written.
    """
    source = report.source
    check_list(file, source)
    dropped = report.num_suspects if drop is None else drop
    left_out = set(report.positions[report.errors.order()[:dropped]].tolist())
    parts = {name: getattr(report.split, name) for name in ("train", "val", "test")}
    place_of = {int(position): name for name, part in parts.items() for position in part}
    labels = source.labels()
    kept = [position for position in sorted(place_of) if position not in left_out]
    write_csv(file, ("path", "label", "split"), ((source.images.key(at), labels[at], place_of[at]) for at in kept))
    return {"file": str(file), "root": str(source.root), "kept": len(kept), "left_out": len(left_out)}
