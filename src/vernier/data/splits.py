"""Which sample is in train, val or test: drawn once, saved, reused."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

import numpy as np

from vernier.atomic import write_atomically
from vernier.config.data import DataConfig
from vernier.data.draw_parts import draw_parts
from vernier.data.groups import refuse_divided, sample_groups
from vernier.data.sampling import class_counts as target_counts
from vernier.data.source import LABEL_SEPARATOR, Source
from vernier.data.tables import read_rows
from vernier.data.wording import listed
from vernier.errors import DataError

_COLUMNS = ("path", "label", "split")
_NAMES = ("train", "val", "test")


@final
@dataclass(frozen=True)
class Split:
    """Positions in the source, int64, sorted; each part may be empty. No position is in two of them."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_source(source: Source, data: DataConfig) -> Split:
    """The split that the source, `data.split.file` or a seeded stratified draw gives.

    A split that the source names is kept. A validation set that it does not name is drawn from the samples
    that are not test, unless `data.val_split` is `none`; so is a test set when `data.split.test` asks
    for it, before the validation set. With `data.split.folds` the validation set is one of so many equal parts of
    what is not test. The draw is a pure function of (keys, targets, groups, `data.split`); no group is divided.
    Samples that are in neither are train; there are none when the source gives val or test only.

    Raises:
        DataError: a class that is too small to divide or missing from a part, a test set or folds asked for that
            the source's own splits exclude, a file that does not fit the source, a group in several parts.
    """
    groups = sample_groups(source, data.split)
    if data.split.file is not None:
        names = _read_split(Path(data.split.file).expanduser(), source)
    else:
        names = draw_parts(source, groups, data)
    if groups is not None:
        refuse_divided(groups, names)
    check_class_coverage(source.targets, source.class_names, names)
    return Split(*(np.flatnonzero(names == name) for name in _NAMES))


def save_split(path: Path, source: Source, split: Split) -> None:
    """Write the split as CSV with the columns path, label, split: a file that `data.split.file` reads.

    Raises:
        RunError: the file can't be written.
    """
    labels, text = source.labels(), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    rows = [(int(index), name) for name in _NAMES for index in getattr(split, name)]
    writer.writerows((source.images.key(index), labels[index], name) for index, name in sorted(rows))
    content = text.getvalue().encode(errors="surrogateescape")

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)


def class_counts(source: Source, split: Split) -> dict[str, dict[str, int]]:
    """Images of each class in each part that is not empty; multilabel samples count for each label."""
    parts = {"train": split.train, "val": split.val, "test": split.test}
    return {name: _count(source, part) for name, part in parts.items() if len(part)}


def check_class_coverage(targets: np.ndarray, class_names: Sequence[str], names: np.ndarray) -> None:
    """Every class has to be trained, and validated when there is a validation set.

    A multilabel label may be missing from val: rare labels are.

    Args:
        targets: int64 (N,), or uint8 (N, L) for multilabel.
        class_names: All classes.
        names: (N,) of `train`, `val`, `test`, or an empty string for what can become train or val.

    Raises:
        DataError: naming the classes and the part they are missing from.
    """
    train = np.isin(names, ["train", ""])
    if not train.any():
        return
    missing = _absent(targets, class_names, train)
    if missing:
        elsewhere = " and ".join(name for name in ("val", "test") if (names == name).any())
        raise DataError(_missing(missing, "train", f" but in {elsewhere}" if elsewhere else ""))
    val = names == "val"
    if val.any() and targets.ndim == 1 and (missing := _absent(targets, class_names, val)):
        raise DataError(_missing(missing, "val", ""))


def _missing(class_names: Sequence[str], part: str, elsewhere: str) -> str:
    return (
        f"{_classes(class_names)} no images in {part}{elsewhere}: add some, or leave the class out with "
        "data.class_names"
    )


def _classes(class_names: Sequence[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in class_names)
    return f"class {quoted} has" if len(class_names) == 1 else f"classes {quoted} have"


def _absent(targets: np.ndarray, class_names: Sequence[str], part: np.ndarray) -> list[str]:
    counts = target_counts(targets[part], len(class_names))
    return [name for name, count in zip(class_names, counts, strict=True) if count == 0]


def _count(source: Source, part: np.ndarray) -> dict[str, int]:
    counts = target_counts(source.targets[part], len(source.class_names))
    return {name: int(count) for name, count in zip(source.class_names, counts, strict=True)}


def _read_split(path: Path, source: Source) -> np.ndarray:
    """The split's name of each sample, (N,), from a CSV that covers exactly the source."""
    rows = _read_rows(path)
    keys, labels = source.keys(), source.labels()
    _refuse(path, "paths that the source does not have", sorted(rows.keys() - set(keys)))
    _refuse(path, "no row for images of the source", [key for key in keys if key not in rows])
    changed = [
        f"{key} ({rows[key][0]}, now {label})"
        for key, label in zip(keys, labels, strict=True)
        if _label_set(rows[key][0]) != _label_set(label)
    ]
    _refuse(path, "labels that have changed since", changed)
    return np.array([rows[key][1] for key in keys], dtype="<U5")


def _label_set(label: str) -> set[str]:
    return set(label.split(LABEL_SEPARATOR))


def _read_rows(path: Path) -> dict[str, tuple[str, str]]:
    """Path -> (label, split)."""
    header, *rows = read_rows(path, "data.split.file") or [[]]
    if tuple(header) != _COLUMNS:
        raise DataError(f"data.split.file={path}: the first line has to be {','.join(_COLUMNS)}")
    bad = [",".join(row) for row in rows if len(row) != 3 or row[2] not in _NAMES]
    _refuse(path, "rows that are not path,label,split with train, val or test as split", bad)
    twice = [key for key, count in Counter(row[0] for row in rows).items() if count > 1]
    _refuse(path, "paths that occur twice", twice)
    return {key: (label, name) for key, label, name in rows}


def _refuse(path: Path, what: str, which: Collection[str]) -> None:
    if which:
        raise DataError(
            f"data.split.file={path}: {what} ({len(which)}): {listed(which)}. Use the file with the data it "
            "was made from, or leave data.split.file out to draw anew"
        )
