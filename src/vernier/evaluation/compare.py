"""Two models on the same images: is one better, or is it chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.data.wording import listed
from vernier.errors import DataError
from vernier.evaluation.mcnemar import McNemar, mcnemar
from vernier.evaluation.plain_tables import aligned
from vernier.evaluation.predictions_file import PredictionsFile, find_predictions, read_predictions
from vernier.evaluation.words import metric_label, several

SPLITS = ("test", "val", "all", "train")
"""In the order in which they are looked for."""

_RESAMPLES = 5000
_CHUNK = 2**22
"""Numbers that resampling holds at once."""


@final
@dataclass(frozen=True)
class Difference:
    """A measure of both models.

    Attributes:
        difference: Of the second less the first.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        first: Where the first model's predictions are from.
        second: The second's.
        n: Images.
        measures: By name: accuracy (several labels: exact_match) and macro_f1.
        both: Images that both get right.
        only_first: Images that only the first gets right.
        only_second: Images that only the second gets right.
        neither: Images that none gets right.
        test: Of `only_first` against `only_second`.
        seed: Of the resampling.
    """

    first: Path
    second: Path
    n: int
    measures: dict[str, Difference]
    both: int
    only_first: int
    only_second: int
    neither: int
    test: McNemar
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        values = {name: {**vars(measure)} for name, measure in self.measures.items()}
        right = {name: getattr(self, name) for name in ("both", "only_first", "only_second", "neither")}
        test = {"exact_p": self.test.exact, "mid_p": self.test.mid_p}
        files = {"first": str(self.first), "second": str(self.second)}
        return {**files, "n": self.n, **values, "right": right, "mcnemar": test, "seed": self.seed}

    def to_text(self) -> str:
        """A table, and the test in words."""
        header = ("", "first", "second", "difference", "95 % interval")
        rows = [header, *(_row(name, measure) for name, measure in self.measures.items())]
        return "\n".join(
            [
                f"first:  {self.first}",
                f"second: {self.second}",
                *aligned(rows),
                f"{several(self.n, 'image')}: {self.both} right by both, {self.only_first} by the first only, "
                f"{self.only_second} by the second only, {self.neither} by none",
                f"McNemar's test: p {_probability(self.test.exact)} (exact), {_probability(self.test.mid_p)} (mid-p)",
            ]
        )


def _row(name: str, measure: Difference) -> tuple[str, ...]:
    interval = f"{measure.low:+.4f} to {measure.high:+.4f}"
    return metric_label(name), f"{measure.first:.4f}", f"{measure.second:.4f}", f"{measure.difference:+.4f}", interval


def _probability(p: float) -> str:
    return f"= {p:.2g}" if p >= 1e-4 else "< 0.0001"


def compare(first: Path, second: Path, *, split: str | None = None, seed: int = 0) -> Comparison:
    """Compare the predictions of two models on the same images.

    Args:
        first: A run, the `best` bundle of one, a directory or a file that `vernier evaluate` wrote.
        second: The same of the other model.
        split: test, val, train or all; the first that both have when not given.
        seed: Of the resampling; the result is a function of it and of the predictions.

    Raises:
        DataError: no predictions there, or of other images, targets or classes.
    """
    files = _find(first, second, split)
    one, two = (read_predictions(file) for file in files)
    _require_same(one, two)
    paths = list(one.labels)
    names = {name: place for place, name in enumerate(one.class_names)}
    targets = _indicators([one.labels[path][0] for path in paths], names)
    predictions = [_indicators([each.labels[path][1] for path in paths], names) for each in (one, two)]
    return compare_predictions(one.file, two.file, targets, *predictions, seed=seed)


def compare_predictions(
    first: Path, second: Path, targets: np.ndarray, one: np.ndarray, two: np.ndarray, *, seed: int
) -> Comparison:
    """Compare decisions.

    Args:
        targets: bool (N, C): which labels each image has.
        one: bool (N, C): the first model's decisions.
        two: The second's.
    """
    right = [(targets == decisions).all(axis=1) for decisions in (one, two)]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    single = bool((targets.sum(axis=1) == 1).all() and (one.sum(axis=1) == 1).all() and (two.sum(axis=1) == 1).all())
    resampled = _resampled(targets, one, two, seed)
    whole = _Measured.of(np.ones((1, len(targets))), targets, one, two)
    return Comparison(
        first=first,
        second=second,
        n=len(targets),
        measures={
            "accuracy" if single else "exact_match": _difference(whole.accuracy, resampled.accuracy),
            "macro_f1": _difference(whole.macro_f1, resampled.macro_f1),
        },
        both=int((right[0] & right[1]).sum()),
        only_first=only[0],
        only_second=only[1],
        neither=int((~right[0] & ~right[1]).sum()),
        test=mcnemar(*only),
        seed=seed,
    )


@final
@dataclass(frozen=True)
class _Measured:
    """Measures of both models on R weighted sets, each float64 (R, 2)."""

    accuracy: np.ndarray
    macro_f1: np.ndarray

    @staticmethod
    def of(weights: np.ndarray, targets: np.ndarray, one: np.ndarray, two: np.ndarray) -> "_Measured":
        """The measures of G groups of equal images, (R, G) times each."""
        total = weights.sum(axis=1)
        accuracies = [weights @ (targets == decisions).all(axis=1) / total for decisions in (one, two)]
        f1s = [_macro_f1(weights, targets, decisions) for decisions in (one, two)]
        return _Measured(np.stack(accuracies, axis=1), np.stack(f1s, axis=1))


def _macro_f1(weights: np.ndarray, targets: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """The mean over all classes of 2 TP / (2 TP + FP + FN), 0 for a class that is in none; (R,)."""
    hits = weights @ (targets & decisions).astype(np.float64)
    named = weights @ (targets.astype(np.float64) + decisions)
    f1 = np.divide(2 * hits, named, out=np.zeros_like(hits), where=named > 0)
    return np.asarray(f1.mean(axis=1))


def _resampled(targets: np.ndarray, one: np.ndarray, two: np.ndarray, seed: int) -> _Measured:
    """The measures on sets of as many images drawn with replacement.

    Equal images are drawn together: how often each kind comes up is multinomial.
    """
    classes = targets.shape[1]
    kinds, counts = np.unique(np.concatenate([targets, one, two], axis=1), axis=0, return_counts=True)
    parts = kinds[:, :classes], kinds[:, classes : 2 * classes], kinds[:, 2 * classes :]
    generator = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // len(kinds))
    measured = []
    for start in range(0, _RESAMPLES, at_once):
        size = min(at_once, _RESAMPLES - start)
        drawn = generator.multinomial(len(targets), counts / len(targets), size=size)
        measured.append(_Measured.of(drawn.astype(np.float64), *parts))
    return _Measured(
        np.concatenate([each.accuracy for each in measured]), np.concatenate([each.macro_f1 for each in measured])
    )


def _difference(whole: np.ndarray, resampled: np.ndarray) -> Difference:
    """The measures (1, 2) of both models with the percentile interval of their difference on the resamples (R, 2)."""
    first, second = whole[0].tolist()
    low, high = np.quantile(resampled[:, 1] - resampled[:, 0], [0.025, 0.975]).tolist()
    return Difference(first, second, second - first, low, high)


def _find(first: Path, second: Path, split: str | None) -> tuple[Path, Path]:
    if split not in (None, *SPLITS):
        raise DataError(f"split={split}: choose {', '.join(SPLITS)}")
    for name in SPLITS if split is None else [split]:
        one, two = find_predictions(first, name), find_predictions(second, name)
        if one is not None and two is not None:
            return one, two
    wanted = "of the same split" if split is None else f"predictions_{split}.csv"
    lacking = [str(place) for place in (first, second) if not _has_any(place, split)] or [f"{first} and {second}"]
    raise DataError(
        f"{' and '.join(lacking)}: no predictions {wanted}; name runs, or directories that "
        "`vernier evaluate BUNDLE data=DIR --output DIRECTORY` wrote, or give data=DIR here"
    )


def _has_any(place: Path, split: str | None) -> bool:
    return any(find_predictions(place, name) for name in (SPLITS if split is None else [split]))


def _require_same(one: PredictionsFile, two: PredictionsFile) -> None:
    """Check that images, targets and classes are the same.

    Raises:
        DataError: how they differ.
    """
    for having, lacking in ((one, two), (two, one)):
        missing = [path for path in having.labels if path not in lacking.labels]
        if missing:
            raise DataError(
                f"{lacking.file} lacks {several(len(missing), 'image')} of {having.file}: {listed(missing)}; compare "
                "models on the same images"
            )
    if set(one.class_names) != set(two.class_names):
        different = sorted(set(one.class_names) ^ set(two.class_names))
        raise DataError(f"{one.file} and {two.file} have different classes: {listed(different)} are in one only")
    other = [path for path in one.labels if one.labels[path][0] != two.labels[path][0]]
    if other:
        raise DataError(
            f"{one.file} and {two.file} give other targets to {several(len(other), 'image')}: {listed(other)}; compare "
            "models on the same labels"
        )


def _indicators(labels: Sequence[frozenset[str]], places: dict[str, int]) -> np.ndarray:
    """bool (N, C): which labels each image has."""
    marked = np.zeros((len(labels), len(places)), dtype=bool)
    for row, names in enumerate(labels):
        for name in names:
            marked[row, places[name]] = True
    return marked
