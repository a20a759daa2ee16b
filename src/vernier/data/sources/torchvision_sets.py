"""`torchvision:NAME`: the classification data sets of torchvision.datasets, such as Flowers102 or Food101.

They differ in how splits are asked for (`train=`, `split=`, not at all) and in where labels and files are kept; both
are found out from the class. Files are taken as they are; what is only handed out as an image keeps its pixels.
"""

import inspect
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.source import Source
from vernier.data.sources.arrays import LabelledArray, source_from_array
from vernier.data.sources.by_name import Part, check_arguments, source_from_parts
from vernier.data.sources.download import dataset_root
from vernier.data.wording import listed
from vernier.errors import DataError

_SPLITS = ("train", "trainval", "val", "valid", "validation", "test")
_TARGETS = ("targets", "_targets", "labels", "_labels")
_FILES = ("_image_files", "_images", "images")
_PAIRS = ("samples", "_samples", "imgs")
_OWN = ("self", "root", "transform", "target_transform", "transforms", "download", "loader", "split", "train")
_NOT_CLASSES = ("FakeData", "VisionDataset", "ImageFolder", "DatasetFolder")


def open_torchvision(name: str, data: DataConfig) -> Source:
    """A data set of torchvision, from `data.root` or downloaded to it; `data.kwargs` are further arguments.

    Raises:
        ConfigError: an argument that its class does not take.
        DataError: no such data set, not here and not to be had, or none of images with classes.
    """
    kind = _class(name)
    arguments = inspect.signature(kind.__init__).parameters
    check_arguments(f"torchvision:{name}", data, [key for key in arguments if key not in _OWN])
    root = dataset_root(data) if data.root is not None else dataset_root(data) / "torchvision"
    splits = dict(_splits(name, kind, arguments, root, data))
    class_names = _class_names(splits)
    arrays = {split: _array(dataset) for split, dataset in splits.items()}
    if all(array is not None for array in arrays.values()):
        return source_from_array(_whole(name, splits, arrays, class_names), data)
    parts = [_part(split, dataset, class_names) for split, dataset in splits.items()]
    version = f"{root} {sorted(data.kwargs.items())} {[len(part.labels) for part in parts]}"
    return source_from_parts(f"torchvision-{name}", parts, class_names, False, version, data)


def _class(name: str) -> Any:
    from torchvision import datasets

    known = [each for each in datasets.__all__ if each not in _NOT_CLASSES]
    if name not in known:
        by_case = {each.casefold(): each for each in known}
        close = by_case.get(name.casefold()) or next(iter(get_close_matches(name, known, n=1)), None)
        hint = f" Did you mean torchvision:{close}?" if close else f" There are: {listed(sorted(known))}"
        raise DataError(f"data.source=torchvision:{name}: torchvision has no such data set.{hint}")
    return getattr(datasets, name)


def _splits(
    name: str, kind: Any, arguments: Mapping[str, Any], root: Path, data: DataConfig
) -> Iterator[tuple[str, Any]]:
    """The name of each split, and its data set."""
    if "train" in arguments:
        for split in ("train", "test"):
            yield split, _open(name, kind, arguments, root, {**data.kwargs, "train": split == "train"})
    elif "split" in arguments:
        found = False
        for split in _SPLITS:
            try:
                dataset = _open(name, kind, arguments, root, {**data.kwargs, "split": split})
            except ValueError:
                continue
            found = True
            yield {"trainval": "train", "valid": "val", "validation": "val"}.get(split, split), dataset
        if not found:
            raise DataError(f"data.source=torchvision:{name}: has none of the splits {listed(_SPLITS)}")
    else:
        yield "", _open(name, kind, arguments, root, dict(data.kwargs))


def _open(name: str, kind: Any, arguments: Mapping[str, Any], root: Path, chosen: dict[str, Any]) -> Any:
    """The data set as it lies in `root`, else downloaded to it.

    Raises:
        ValueError: an argument's value, such as the split, is none that it takes.
    """
    try:
        return kind(str(root), **chosen)
    except (RuntimeError, OSError) as error:
        missing: Exception = error
    offline = os.environ.get("VERNIER_OFFLINE", "") not in ("", "0")
    reason = "VERNIER_OFFLINE is set" if offline else "torchvision can't download it by itself"
    if "download" in arguments and not offline:
        try:
            root.mkdir(parents=True, exist_ok=True)
            return kind(str(root), **chosen, download=True)
        except (RuntimeError, OSError) as error:
            reason = f"the download failed: {error}"
    raise DataError(
        f"data.source=torchvision:{name}: not found in {root} ({missing}); {reason}. Put it there as torchvision's "
        f"documentation of {name} says, or set data.root to where it lies"
    )


def _array(dataset: Any) -> np.ndarray | None:
    """All images at once, uint8 (N, H, W, C), where the data set has them so."""
    array = np.asarray(getattr(dataset, "data", None))
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or len(array) != len(dataset):
        return None
    whole = array[..., None] if array.ndim == 3 else array
    first = np.asarray(dataset[0][0])
    first = first[..., None] if first.ndim == 2 else first
    for candidate in (whole, whole.transpose(0, 2, 3, 1)):
        if np.array_equal(candidate[0], first):
            return np.ascontiguousarray(candidate)
    return None


def _whole(
    name: str, splits: Mapping[str, Any], arrays: Mapping[str, np.ndarray | None], class_names: tuple[str, ...]
) -> LabelledArray:
    names = [split for split, dataset in splits.items() for _ in range(len(dataset))]
    return LabelledArray(
        name=f"torchvision-{name}",
        array=np.concatenate([array for array in arrays.values() if array is not None]),
        labels=np.array([number for dataset in splits.values() for number in _numbers(dataset)], np.int64),
        class_names=class_names,
        keys=[f"{split}/{index:07d}" for split, dataset in splits.items() for index in range(len(dataset))],
        split=names,
    )


def _class_names(splits: Mapping[str, Any]) -> tuple[str, ...]:
    names = getattr(next(iter(splits.values())), "classes", None)
    if names is not None:
        # Of several names (as ImageNet has them) the first.
        return tuple(str(each[0] if isinstance(each, tuple | list) else each) for each in names)
    highest = max(max(_numbers(dataset)) for dataset in splits.values())
    return tuple(str(number) for number in range(highest + 1))


def _part(split: str, dataset: Any, class_names: Sequence[str]) -> Part:
    numbers = _numbers(dataset)
    labels = [(class_names[number],) for number in numbers]
    return Part(split, labels, _reader(dataset, len(numbers)))


def _numbers(dataset: Any) -> list[int]:
    """The class of each image."""
    for attribute in _TARGETS:
        values = getattr(dataset, attribute, None)
        if values is not None and len(values) == len(dataset):
            return [int(value) for value in values]
    for attribute in _PAIRS:
        values = getattr(dataset, attribute, None)
        if values is not None and len(values) == len(dataset):
            return [int(value[1]) for value in values]
    return [int(dataset[number][1]) for number in range(len(dataset))]


def _reader(dataset: Any, count: int) -> Callable[[int], bytes]:
    files = _files(dataset, count)
    if files is not None:
        return lambda number: Path(files[number]).read_bytes()

    def read(number: int) -> bytes:
        file = io.BytesIO()
        dataset[number][0].save(file, "PNG", compress_level=0)
        return file.getvalue()

    return read


def _files(dataset: Any, count: int) -> Sequence[str] | None:
    """The images' files, where the data set keeps a list of them."""
    lists = [getattr(dataset, attribute, None) for attribute in _FILES]
    lists += [[pair[0] for pair in getattr(dataset, attribute, None) or ()] for attribute in _PAIRS]
    for files in lists:
        if isinstance(files, list) and len(files) == count and isinstance(files[0], str | Path):
            return [str(file) for file in files]
    return None
