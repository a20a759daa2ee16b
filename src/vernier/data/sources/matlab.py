"""Data sets that are published as MATLAB files: EMNIST (Cohen et al. 2017) and SVHN (Netzer et al. 2011).

EMNIST: `dataset.{train,test}.{images,labels}` and `dataset.mapping`, rows of (label, ASCII code); an image is 784
bytes, column by column. SVHN: `X` is (32, 32, 3, N), `y` the digit, with 10 for 0.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.sources.arrays import LabelledArray
from vernier.data.sources.download import RemoteFile, dataset_root, fetch
from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem, DataError

_EMNIST_PAGE = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
_EMNIST_FOLDERS = ("", "matlab", "emnist")
_SIDE = 28
_SVHN_PAGE = "http://ufldl.stanford.edu/housenumbers/"
_SVHN = {
    "train": RemoteFile("train_32x32.mat", f"{_SVHN_PAGE}train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": RemoteFile("test_32x32.mat", f"{_SVHN_PAGE}test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    "extra": RemoteFile("extra_32x32.mat", f"{_SVHN_PAGE}extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),
}


def load_emnist(data: DataConfig) -> LabelledArray:
    """Handwritten letters and digits of 28x28, of the .mat file in `data.root`.

    `data.kwargs.variant` (byclass, bymerge, balanced, letters, digits or mnist) says which, where there are several.
    Classes are characters; `data.class_names` chooses some, such as the digits and capitals alone.

    Raises:
        DataError: no such file, or it is damaged.
    """
    path = _emnist_file(dataset_root(data), data.kwargs.get("variant"))
    content = _load(path)
    try:
        record = content["dataset"][0, 0]
        mapping = np.asarray(record["mapping"], np.int64)
        parts = {split: _emnist_part(record[split][0, 0]) for split in ("train", "test")}
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is no EMNIST file ({error}). Get it from {_EMNIST_PAGE}") from None
    # A row is a label and the codes of its characters; merged ones (c and C) have several.
    classes = [int(label) for label in mapping[:, 0]]
    class_names = tuple(chr(int(codes[0])) for codes in mapping[:, 1:])
    return _whole("emnist", parts, class_names, classes, path)


def load_svhn(data: DataConfig) -> LabelledArray:
    """73,257 training and 26,032 test images of 32x32 of digits in photos; `data.kwargs.extra=true` adds 531,131.

    Raises:
        ConfigError: `extra` is neither true nor false.
        DataError: files are missing and can't be downloaded, or are damaged.
    """
    extra = data.kwargs.get("extra", False)
    if not isinstance(extra, bool):
        raise ConfigError([ConfigProblem("data.kwargs.extra", f"{extra!r}: allowed are true and false")])
    root = dataset_root(data)
    folder = root if data.root is not None else root / "svhn"
    files = [_SVHN[name] for name in (("train", "extra", "test") if extra else ("train", "test"))]
    if missing := [file for file in files if not (folder / file.name).is_file()]:
        fetch(missing, folder, "svhn", _SVHN_PAGE)
    loaded = {file.name.partition("_")[0]: _svhn_part(folder / file.name) for file in files}
    train = [loaded[name] for name in ("train", "extra") if name in loaded]
    images, labels = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    parts = {"train": (images, labels), "test": loaded["test"]}
    return _whole("svhn", parts, tuple(map(str, range(10))), range(10), folder)


def _whole(
    name: str,
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    classes: Sequence[int],
    path: Path,
) -> LabelledArray:
    """One array of parts; `classes` are the labels in the files, in the order of their names."""
    labels = np.concatenate([labels for _, labels in parts.values()])
    if unknown := sorted({int(label) for label in labels} - set(classes)):
        raise DataError(f"{path}: holds labels that are no class: {listed(list(map(str, unknown)))}. Get it again")
    place = {label: number for number, label in enumerate(classes)}
    counts = {split: len(images) for split, (images, _) in parts.items()}
    return LabelledArray(
        name=name,
        array=np.concatenate([images for images, _ in parts.values()]),
        labels=np.array([place[int(label)] for label in labels], np.int64),
        class_names=class_names,
        keys=[f"{split}/{index:06d}" for split, count in counts.items() for index in range(count)],
        split=[split for split, count in counts.items() for _ in range(count)],
    )


def _emnist_file(root: Path, variant: Any) -> Path:
    found = {path.stem: path for folder in _EMNIST_FOLDERS for path in sorted((root / folder).glob("*.mat"))}
    if not found:
        raise DataError(
            f"data.source=emnist: no .mat file in {root}. Get matlab.zip from {_EMNIST_PAGE}, unpack it, and set "
            "data.root to where it lies"
        )
    if variant is None:
        if len(found) > 1:
            raise DataError(f"{root}: several .mat files: {listed(list(found))}; choose one with data.kwargs.variant")
        return next(iter(found.values()))
    for stem in (str(variant), f"emnist-{variant}"):
        if stem in found:
            return found[stem]
    names = [stem.removeprefix("emnist-") for stem in found]
    raise DataError(
        f"data.kwargs.variant={variant}: no such file in {root}.{did_you_mean(str(variant), names)} There are: "
        f"{listed(names)}"
    )


def _emnist_part(record: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 (N, 28, 28, 1), and labels (N,)."""
    pixels = np.asarray(record["images"])
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != _SIDE * _SIDE:
        raise ValueError(f"images are {pixels.dtype} {pixels.shape}")
    images = np.ascontiguousarray(pixels.reshape(-1, _SIDE, _SIDE).transpose(0, 2, 1))[..., None]
    labels = np.asarray(record["labels"]).ravel()
    if len(labels) != len(images):
        raise ValueError(f"{len(labels)} labels of {len(images)} images")
    return images, labels


def _svhn_part(path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = _load(path)
    images, labels = content.get("X"), content.get("y")
    if images is None or labels is None or images.ndim != 4 or labels.size != images.shape[3]:
        raise DataError(f"{path}: is no SVHN file of single digits (X and y). Get it from {_SVHN_PAGE}")
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels.ravel() % 10


def _load(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = loadmat(path)
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError, EOFError) as error:
        raise DataError(f"{path}: can't be read as a MATLAB file ({error}). Get it again") from None
    return content
