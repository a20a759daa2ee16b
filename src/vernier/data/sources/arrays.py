"""Built-in sources: images of one size that are in memory as one array."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.images import ArrayImages
from vernier.data.source import Source
from vernier.data.sources.selection import select_classes, split_roles
from vernier.errors import DataError


@final
@dataclass(frozen=True)
class LabelledArray:
    """A whole data set.

    Attributes:
        name: The source's name.
        array: uint8 (N, H, W, C).
        labels: int64 (N,), an index into `class_names`.
        class_names: In the publisher's order.
        keys: N stable names.
        split: `train` or `test`, the publisher's own, for each image.
    """

    name: str
    array: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    keys: Sequence[str]
    split: Sequence[str]


def source_from_array(whole: LabelledArray, data: DataConfig) -> Source:
    """The source of the images whose split and class are used.

    The publisher's training images may be divided into train and val: their split is not given.

    Raises:
        DataError: a class or split that does not exist, or fewer than two classes.
    """
    class_names = select_classes(whole.class_names, data.class_names)
    if len(class_names) < 2:
        raise DataError(f"data.class_names: only one class, '{class_names[0]}'; training needs two or more")
    roles = split_roles(set(whole.split), data, whole.name)
    number = np.full(len(whole.class_names), -1)
    number[[whole.class_names.index(name) for name in class_names]] = np.arange(len(class_names))
    of_class, of_split = number[whole.labels] >= 0, np.array([name in roles for name in whole.split])
    used = np.flatnonzero(of_class & of_split).tolist()
    names = [roles[whole.split[index]] for index in used]
    targets = number[whole.labels[used]]
    channels = _channels(whole, data)
    array = whole.array if len(used) == len(whole.array) else whole.array[used]
    skipped = Counter(
        {
            "in a split that is not used": int(np.count_nonzero(~of_split)),
            "of a class that is not in data.class_names": int(np.count_nonzero(~of_class & of_split)),
        }
    )
    return Source(
        name=whole.name,
        images=ArrayImages(array, [whole.keys[index] for index in used], channels),
        targets=np.eye(len(class_names), dtype=np.uint8)[targets] if data.task == "multilabel" else targets,
        class_names=class_names,
        split=tuple("" if name == "train" else name for name in names),
        skipped=dict(+skipped),
        native_size=(whole.array.shape[1], whole.array.shape[2]),
        root=None,
    )


def _channels(whole: LabelledArray, data: DataConfig) -> int:
    stored = whole.array.shape[3]
    if data.channels == "auto" or data.channels == stored or (stored in (1, 3) and data.channels in (1, 3, 4)):
        return stored if data.channels == "auto" else data.channels
    raise DataError(f"data.channels={data.channels}: the images of {whole.name} have {stored}; leave data.channels out")
