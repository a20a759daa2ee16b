"""`dataset_info.yaml`: what a set of shards holds.

    name: flowers
    description: ''
    format: tfrecord
    class_names: [daisy, tulip]
    multilabel: false
    splits:
      train: {tfrecord_files: [train_0.tfrecord], num_examples: 3000}

Files are named `tfrecord_files` where they are that and `files` otherwise, so that the UpStride classification API
reads our sets. Its own have neither `format` nor `multilabel`.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vernier.atomic import write_text_atomically
from vernier.config.reading import read_yaml
from vernier.config.types import Count, Flag, Size, Text
from vernier.data.wording import listed
from vernier.errors import ConfigError, DataError

INFO_FILE: Final = "dataset_info.yaml"

Format = Literal["tfrecord", "webdataset", "store"]


@final
@dataclass(frozen=True)
class SplitInfo:
    """One split of a set.

    Attributes:
        files: Names relative to the set's directory.
        num_examples: Images in them; None where the number that was written can't be trusted, as that of the
            UpStride API, which counts images that it left out.
    """

    files: tuple[str, ...]
    num_examples: int | None


@final
@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset_info.yaml` says.

    Attributes:
        name: Of the set.
        description: Any text.
        format: Of its files.
        class_names: In the order of their numbers.
        multilabel: Whether an image may have several labels, or none.
        splits: By name.
        channels: Of the images, where it was written.
        native_size: Height and width when all images are of one small size by design, else None.
    """

    name: str
    description: str
    format: Format
    class_names: tuple[str, ...]
    multilabel: bool
    splits: Mapping[str, SplitInfo]
    channels: int | None = None
    native_size: tuple[int, int] | None = None


def write_info(directory: Path, info: DatasetInfo) -> None:
    """Write `dataset_info.yaml` in `directory`.

    Raises:
        RunError: the system refuses.
    """
    key = "tfrecord_files" if info.format == "tfrecord" else "files"
    values = {
        "name": info.name,
        "description": info.description,
        "format": info.format,
        "class_names": list(info.class_names),
        "multilabel": info.multilabel,
        **({} if info.channels is None else {"channels": info.channels}),
        **({} if info.native_size is None else {"native_size": list(info.native_size)}),
        "splits": {
            name: {key: list(split.files), "num_examples": split.num_examples} for name, split in info.splits.items()
        },
    }
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    write_text_atomically(directory / INFO_FILE, text)


def read_info(directory: Path) -> DatasetInfo | None:
    """What `dataset_info.yaml` in `directory` says; None where there is none.

    Raises:
        DataError: it can't be read or is no such file.
    """
    path = directory / INFO_FILE
    try:
        return parse_info(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}; check its permissions") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text: {error}. {_REMEDY}") from None


def parse_info(text: str, where: str) -> DatasetInfo:
    """The information in a file's text; `where` names the file in messages.

    Raises:
        DataError: it is no such text, or a file stands in two splits.
    """
    try:
        written = _InfoFile.model_validate(read_yaml(text, where))
    except ConfigError as error:
        raise DataError("; ".join(map(str, error.problems))) from None
    except ValidationError as error:
        raise DataError(f"{where}: {_explain(error)}. {_REMEDY}") from None
    ours = written.format is not None
    splits = {name: _split_info(split, ours) for name, split in written.splits.items()}
    splits = splits if ours else _without_captured(splits, where)
    _check(written.class_names, splits, where)
    format_ = written.format or "tfrecord"
    description = written.description or ""
    return DatasetInfo(
        written.name,
        description,
        format_,
        written.class_names,
        written.multilabel,
        splits,
        written.channels,
        written.native_size,
    )


_logger = logging.getLogger(__name__)
_NUMBERING: Final = re.compile(r"[-_.\d]*(-of-\d+)?(\.tfrecords?)?(-\d+-of-\d+)?")
_REMEDY: Final = "Mend it, or make the set again with vernier convert"


class _Written(BaseModel):
    """Keys that are not known are left alone: others may keep more in the file."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@final
class _SplitFile(_Written):
    files: tuple[Text, ...] = ()
    tfrecord_files: tuple[Text, ...] = ()
    num_examples: int = Field(ge=0)


@final
class _InfoFile(_Written):
    name: Text
    description: Text | None = None
    format: Format | None = None
    class_names: tuple[Text, ...]
    multilabel: Flag = False
    splits: dict[str, _SplitFile]
    channels: Count | None = None
    native_size: Size | None = None


def _split_info(split: _SplitFile, ours: bool) -> SplitInfo:
    return SplitInfo((*split.files, *split.tfrecord_files), split.num_examples if ours else None)


def _without_captured(splits: Mapping[str, SplitInfo], where: str) -> dict[str, SplitInfo]:
    """The splits without what is another one's.

    The UpStride API lists all files that match `<split>*.tfrecord`, so `train` also has `train_extra_0.tfrecord`.
    """
    own = {
        name: tuple(file for file in split.files if _owner(file, name, splits) == name)
        for name, split in splits.items()
    }
    listed_files = {file for split in splits.values() for file in split.files}
    if orphans := sorted(listed_files.difference(*own.values())):
        _logger.warning("%s: lists %s in a split of another name; left out", where, listed(orphans))
    return {name: SplitInfo(files, splits[name].num_examples) for name, files in own.items()}


def _owner(file: str, lister: str, splits: Mapping[str, SplitInfo]) -> str | None:
    """The split that a file listed in `lister` belongs to by its name; None where that is no split of the set."""
    if not file.startswith(lister):
        return lister
    fitting = [name for name in splits if file.startswith(name) and _NUMBERING.fullmatch(file[len(name) :])]
    return max(fitting, key=len, default=None)


def _check(class_names: tuple[str, ...], splits: Mapping[str, SplitInfo], where: str) -> None:
    files = [file for split in splits.values() for file in split.files]
    for what, names in (("class_names", class_names), ("splits", files)):
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DataError(f"{where}: {what} has {listed(twice)} more than once. {_REMEDY}")
    if outside := [file for file in files if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts]:
        raise DataError(f"{where}: {listed(outside)} lies outside the set's directory. {_REMEDY}")


def _explain(error: ValidationError) -> str:
    problems: list[Any] = list(error.errors())
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems[:5])
