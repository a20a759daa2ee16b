"""Run directories written by hand from real predictions, in the formats that a training leaves behind."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.naive_bayes import GaussianNB

CONFIG = """\
# resolved by vernier 0.1.0
seed: 0
data:
  source: digits
  batch_size: 32  # the default
model:
  name: resnet20_cifar
evaluate:
  top_k: 5
  calibration_bins: 15
  worst: {worst}
"""

TEST_NOTES = {
    "test": "The test set was scored once, with the best epoch's model; it chose nothing.",
    "val": "There is no test set. The best epoch was chosen on the validation set, so its figures are optimistic.",
    None: "There is neither a test set nor a validation set: nothing says how good this model is.",
}


@dataclass(frozen=True)
class Scored:
    """Images of one split, and what a model says about them."""

    images: tuple[np.ndarray, ...]
    paths: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def predictions(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        return float((self.predictions == self.targets).mean())

    def picture(self, path: str) -> np.ndarray | None:
        return self.images[self.paths.index(path)] if path in self.paths else None

    def renamed(self, class_names: Sequence[str]) -> "Scored":
        return replace(self, class_names=tuple(class_names))


@lru_cache
def scored_digits() -> Scored:
    """360 of scikit-learn's digits, scored by naive Bayes that was fitted on the others."""
    digits = load_digits()
    model = GaussianNB(var_smoothing=1e-2).fit(digits.data[:1437], digits.target[:1437])
    images = tuple((image[..., None] * 15.9).astype(np.uint8) for image in digits.images[1437:])
    return Scored(
        images,
        tuple(f"val/{number:05d}" for number in range(1437, 1797)),
        digits.target[1437:],
        model.predict_proba(digits.data[1437:]),
        tuple("0123456789"),
    )


def scored_at_random(num_classes: int, n: int, seed: int = 0) -> Scored:
    """`n` noise images with probabilities that favour the target and its neighbour."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % num_classes
    logits = rng.normal(size=(n, num_classes)) + 4 * np.eye(num_classes)[targets]
    logits += 2.5 * np.eye(num_classes)[(targets + 1) % num_classes]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    images = tuple(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in range(n))
    names = tuple(f"class {number:03d}" for number in range(num_classes))
    return Scored(images, tuple(f"images/{number:05d}.jpg" for number in range(n)), targets, probabilities, names)


def write_run(
    run: Path, scored: Scored, split: str | None = "val", epochs: int = 6, worst: int = 24, **changes: Any
) -> Path:
    """Write a run directory whose `split` ("val", "test" or None: nothing held out) is `scored`.

    `changes` replace keys of result.json.
    """
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(CONFIG.format(worst=worst), encoding="utf-8")
    result = result_json(scored, split, epochs) | changes
    (run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    write_csv(run / "metrics.csv", *_metrics(epochs, split))
    if split is not None:
        _write_predictions(run / f"predictions_{split}.csv", scored)
        _write_per_class(run / "per_class.csv", scored, split)
        _write_confusion(run / "confusion_matrix.csv", scored)
    return run


def result_json(scored: Scored, split: str | None, epochs: int) -> dict[str, Any]:
    measures = {
        "n": len(scored.targets),
        "loss": float(_losses(scored).mean()),
        "accuracy": scored.accuracy,
        "macro_f1": 0.8712,
        "ece": 0.0642,
        "roc_auc": None,
    }
    counts = {name: int((scored.targets == index).sum()) for index, name in enumerate(scored.class_names)}
    best = {"epoch": max(1, epochs - 1), "monitor": "accuracy", "val": measures} if split else None
    return {
        "status": "finished",
        "name": "digits",
        "seed": 0,
        "task": "multiclass",
        "model": {"name": "resnet20_cifar", "provider": "vernier", "parameters": 271_824, "trainable": 271_824},
        "epochs": epochs,
        "steps": 45 * epochs,
        "seconds": 41.2,
        "images_per_second": 900.1,
        "stopped_early": None,
        "classes": list(scored.class_names),
        "counts": {"train": {name: 4 * n for name, n in counts.items()}} | ({split: counts} if split else {}),
        "data": {"source": "digits", "content_hash": "9f86d081884c7d65", "skipped": {"hidden": 2}},
        "best": best,
        "final": {"epoch": epochs, "val": measures if split else None},
        "test": measures if split == "test" else None,
        "test_note": TEST_NOTES[split],
        "command": "vernier train data=digits model=resnet20_cifar train.epochs=6",
        "versions": {"vernier": "0.1.0", "torch": "2.15.0", "python": "3.11.2"},
        "paths": {"best": "best", "final": "final"},
    }


def write_csv(path: Path, header: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def _metrics(epochs: int, split: str | None) -> tuple[list[str], list[list[float]]]:
    val = ["val_loss", "val_accuracy"] if split else []
    header = ["epoch", "step", "lr", "train_loss", "train_accuracy", *val, "seconds", "images_per_second"]
    rows = []
    for epoch in range(1, epochs + 1):
        share = epoch / epochs
        train = [2.3 * np.exp(-2.2 * share), 1 - 0.8 * np.exp(-3 * share)]
        held_out = [2.3 * np.exp(-1.8 * share) + 0.2 * share, 0.97 - 0.75 * np.exp(-3 * share)] if split else []
        lr = 0.05 * (1 + np.cos(np.pi * share))
        rows.append([epoch, 45 * epoch, lr, *train, *held_out, 6.9, 900.0])
    return header, rows


def _losses(scored: Scored) -> np.ndarray:
    return -np.log(scored.probabilities[np.arange(len(scored.targets)), scored.targets] + 1e-12)


def _write_predictions(path: Path, scored: Scored) -> None:
    names = scored.class_names
    header = ["path", "target", "prediction", "confidence", "loss", *(f"p_{name}" for name in names)]
    columns = zip(scored.paths, scored.targets, scored.predictions, _losses(scored), scored.probabilities, strict=True)
    rows = [[key, names[target], names[prediction], p.max(), loss, *p] for key, target, prediction, loss, p in columns]
    write_csv(path, header, rows)


def _write_per_class(path: Path, scored: Scored, split: str) -> None:
    labels = range(len(scored.class_names))
    measures = precision_recall_fscore_support(scored.targets, scored.predictions, labels=labels, zero_division=0.0)
    rows = [
        [split, name, n, precision, recall, f1]
        for name, precision, recall, f1, n in zip(scored.class_names, *measures, strict=True)
    ]
    write_csv(path, ["split", "class", "n", "precision", "recall", "f1"], rows)


def _write_confusion(path: Path, scored: Scored) -> None:
    labels = range(len(scored.class_names))
    counts = confusion_matrix(scored.targets, scored.predictions, labels=labels)
    rows = [[name, *row] for name, row in zip(scored.class_names, counts, strict=True)]
    write_csv(path, ["target", *scored.class_names], rows)
