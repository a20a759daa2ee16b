"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their official python batches.

A batch is a pickled dict: `data` is uint8 (N, 3072), the 1024 red values row by row, then green, then blue;
`labels` (CIFAR-10) or `fine_labels` and `coarse_labels` (CIFAR-100) are lists of numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.sources.arrays import LabelledArray
from vernier.data.sources.download import RemoteFile, dataset_root, fetch, unpack
from vernier.data.sources.restricted_pickle import load_restricted
from vernier.data.wording import listed
from vernier.errors import ConfigError, ConfigProblem, DataError

_HOST = "https://www.cs.toronto.edu/~kriz/"
_PAGE = f"{_HOST}cifar.html"


@final
@dataclass(frozen=True)
class _Layout:
    """Where a data set's parts lie and what they are called."""

    folder: str
    archive: RemoteFile
    train: tuple[str, ...]
    test: str
    meta: str

    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.meta)


_CIFAR10 = _Layout(
    "cifar-10-batches-py",
    RemoteFile("cifar-10-python.tar.gz", f"{_HOST}cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test_batch",
    "batches.meta",
)
_CIFAR100 = _Layout(
    "cifar-100-python",
    RemoteFile("cifar-100-python.tar.gz", f"{_HOST}cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
    ("train",),
    "test",
    "meta",
)


def load_cifar10(data: DataConfig) -> LabelledArray:
    """50,000 training and 10,000 test images of 32x32 in 10 classes.

    Raises:
        DataError: files are missing and can't be downloaded, or are damaged.
    """
    return _load("cifar10", _CIFAR10, data, "labels", "label_names")


def load_cifar100(data: DataConfig) -> LabelledArray:
    """50,000 training and 10,000 test images of 32x32 in 100 classes; `data.kwargs.labels=coarse` gives the 20.

    Raises:
        ConfigError: `labels` is neither fine nor coarse.
        DataError: files are missing and can't be downloaded, or are damaged.
    """
    labels = data.kwargs.get("labels", "fine")
    if labels not in ("fine", "coarse"):
        raise ConfigError([ConfigProblem("data.kwargs.labels", f"{labels!r}: allowed are fine and coarse")])
    return _load("cifar100", _CIFAR100, data, f"{labels}_labels", f"{labels}_label_names")


def _load(name: str, layout: _Layout, data: DataConfig, labels: str, names: str) -> LabelledArray:
    folder = _folder(name, layout, dataset_root(data))
    class_names = _class_names(folder / layout.meta, names)
    batches = [_read_batch(folder / file, labels, len(class_names)) for file in (*layout.train, layout.test)]
    counts = {"train": sum(len(pixels) for pixels, _ in batches[:-1]), "test": len(batches[-1][0])}
    planes = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)
    return LabelledArray(
        name=name,
        array=np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
        labels=np.concatenate([numbers for _, numbers in batches]),
        class_names=class_names,
        keys=[f"{split}/{index:05d}" for split, count in counts.items() for index in range(count)],
        split=[split for split, count in counts.items() for _ in range(count)],
    )


def _folder(name: str, layout: _Layout, root: Path) -> Path:
    """The unpacked batches: `root` or a folder in it, from the archive in `root`, or downloaded."""
    for folder in (root / layout.folder, root):
        present = [file for file in layout.files() if (folder / file).is_file()]
        if len(present) == len(layout.files()):
            return folder
        if present and (folder.name == layout.folder or layout.test in present):
            missing = [file for file in layout.files() if file not in present]
            raise DataError(f"data.source={name}: {folder} lacks {listed(missing)}; get them from {_PAGE}")
    archive = root / layout.archive.name
    if not archive.is_file():
        fetch([layout.archive], root, name, _PAGE)
    return unpack(archive, layout.folder)


def _class_names(path: Path, key: str) -> tuple[str, ...]:
    names = _entry(_load_dict(path), key, path)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{path}: '{key}' is no list of names; get the file again")
    return tuple(_text(name) for name in names)


def _read_batch(path: Path, key: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, uint8 (N, 3072), and labels, int64 (N,)."""
    batch = _load_dict(path)
    pixels, labels = _entry(batch, "data", path), _entry(batch, key, path)
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise DataError(f"{path}: 'data' is no uint8 array of N x 3072; get the file again")
    numbers = np.asarray(labels) if _is_numbers(labels) else np.empty(0)
    if numbers.shape != (len(pixels),):
        raise DataError(f"{path}: '{key}' does not hold a whole number for each of {len(pixels)} images")
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= classes):
        raise DataError(f"{path}: '{key}' holds a number that is none of the {classes} classes")
    return pixels, numbers.astype(np.int64)


def _is_numbers(labels: Any) -> bool:
    if isinstance(labels, np.ndarray):
        return labels.dtype.kind in "iu"
    return isinstance(labels, list) and all(type(label) is int for label in labels)


def _load_dict(path: Path) -> dict[str, Any]:
    content = load_restricted(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no dict, as a CIFAR batch does; get the file again")
    return {_text(key): value for key, value in content.items()}


def _entry(content: dict[str, Any], key: str, path: Path) -> Any:
    if key not in content:
        raise DataError(f"{path}: has no entry '{key}', only {listed(sorted(content))}; get the file again")
    return content[key]


def _text(name: Any) -> str:
    """Text of Python 2 is bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
