"""What the names of shards say: which files are shards, and of which split.

train_0.tfrecord   train-00000-of-00010.tfrecord   validation-00000-of-00002   flowers-test.tfrecords-00000-of-00001
train-000000.tar   train_2_0.tfrecord
"""

import re
from collections.abc import Iterable
from typing import Final

from vernier.data.split_names import SPLIT_NAMES

_SHARD: Final = re.compile(
    r"(?P<stem>[^.].*?)(?:\.(?:tfrecords?|tar)(?:-\d+-of-\d+)?|-\d{5}-of-\d{5})", re.IGNORECASE | re.DOTALL
)
_NUMBERING: Final = re.compile(r"(?:[-_.]?(?<!\d)\d+(?:-of-\d+)?)*$")
_LAST_WORD: Final = re.compile(r"(?:.*[-_.])?([^-_.]*)", re.DOTALL)


def is_shard(file: str) -> bool:
    """Whether a file of that name is a TFRecord file or a tar shard."""
    return _SHARD.fullmatch(file) is not None


def is_tar(file: str) -> bool:
    """Whether a shard of that name is a tar file."""
    return file.casefold().endswith(".tar")


def shard_splits(files: Iterable[str], splits_are_chosen: bool) -> dict[str, str]:
    """The split of each shard by its name.

    That is what stands before its number; its last word, if that alone is a split's name. When no shard is named like
    train, val or test and `splits_are_chosen` (by `data.train_split` or `data.val_split`) is false, the names mean
    something else: no shard says its split.
    """
    splits = {file: _split(file) for file in files}
    if splits_are_chosen or any(split.casefold() in SPLIT_NAMES for split in splits.values()):
        return splits
    return dict.fromkeys(splits, "")


def _split(file: str) -> str:
    match = _SHARD.fullmatch(file)
    stem = match["stem"] if match else file
    base = _NUMBERING.sub("", stem, count=1)
    last = _LAST_WORD.fullmatch(base)
    return last[1] if last and last[1].casefold() in SPLIT_NAMES else base
