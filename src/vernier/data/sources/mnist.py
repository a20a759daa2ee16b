"""MNIST in its official idx format (LeCun, Cortes & Burges), plain or compressed by gzip.

A file is a magic number (0, 0, type of the items, number of dimensions), the dimensions as 32-bit big-endian
numbers, then the items; here bytes.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.sources.arrays import LabelledArray
from vernier.data.sources.download import RemoteFile, dataset_root, fetch
from vernier.errors import DataError

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FILES = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
_FOLDERS = ("", "MNIST/raw", "raw", "mnist")
_UNSIGNED_BYTE = 8
_MOST_ITEMS = 2**32


def load_mnist(data: DataConfig) -> LabelledArray:
    """60,000 training and 10,000 test images of 28x28, from `data.root` or downloaded to it.

    Raises:
        DataError: files are missing and can't be downloaded, or are damaged.
    """
    root = dataset_root(data)
    found = _find(root)
    if len(found) < len(_FILES):
        target = root if data.root is not None else root / "mnist"
        missing = [name for name in _FILES if name not in found]
        remote = [RemoteFile(f"{name}.gz", f"{_URL}{name}.gz", _FILES[name]) for name in missing]
        fetch(remote, target, "mnist", _URL)
        found = _find(root)
    parts = [_load_part(found, "train"), _load_part(found, "t10k")]
    if parts[0][0].shape[1:] != parts[1][0].shape[1:]:
        raise DataError(f"data.root={root}: training and test images differ in size; get the files again")
    counts = {"train": len(parts[0][0]), "test": len(parts[1][0])}
    return LabelledArray(
        name="mnist",
        array=np.concatenate([images for images, _ in parts])[..., None],
        labels=np.concatenate([labels for _, labels in parts]).astype(np.int64),
        class_names=tuple(str(digit) for digit in range(10)),
        keys=[f"{split}/{index:05d}" for split, count in counts.items() for index in range(count)],
        split=[split for split, count in counts.items() for _ in range(count)],
    )


def _find(root: Path) -> dict[str, Path]:
    candidates = {
        name: [root / folder / (name + ending) for folder in _FOLDERS for ending in ("", ".gz")] for name in _FILES
    }
    found = {name: [path for path in paths if path.is_file()] for name, paths in candidates.items()}
    return {name: paths[0] for name, paths in found.items() if paths}


def _load_part(found: dict[str, Path], prefix: str) -> tuple[np.ndarray, np.ndarray]:
    images_path, labels_path = found[f"{prefix}-images-idx3-ubyte"], found[f"{prefix}-labels-idx1-ubyte"]
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: {len(labels)} labels for {len(images)} images in {images_path}")
    if labels.size and labels.max() > 9:
        raise DataError(f"{labels_path}: a label of {labels.max()}; the digits are 0 to 9")
    return images, labels


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An idx file of unsigned bytes with that many dimensions; `.gz` is unpacked on the way.

    Raises:
        DataError: the file can't be read, is of another kind, shorter or longer than it says.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(path, header, dimensions)
            content = file.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read: {error}. Get the file again") from None
    if len(content) != math.prod(shape):
        less = "less" if len(content) < math.prod(shape) else "more"
        raise DataError(f"{path}: holds {less} than the {math.prod(shape)} bytes it should. Get the file again")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if header[:4] != magic or len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path}: starts with {header[:4].hex()} and not {magic.hex()}: no idx file of its kind")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if math.prod(shape) > _MOST_ITEMS:
        raise DataError(f"{path}: says that it holds {math.prod(shape)} bytes; the file is damaged")
    return shape
