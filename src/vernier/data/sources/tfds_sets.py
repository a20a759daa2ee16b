"""`tfds:NAME`: TensorFlow Datasets, without TensorFlow: data sets that were prepared as ArrayRecord files.

The image files' bytes are taken as they are. The extra `tfds` has the library.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vernier.config.data import DataConfig
from vernier.data.source import Source
from vernier.data.sources.by_name import Part, check_arguments, source_from_parts
from vernier.data.sources.download import dataset_root
from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem, DataError

_ARGUMENTS = ("image", "label")


def open_tfds(name: str, data: DataConfig) -> Source:
    """A data set of TensorFlow Datasets (`NAME`, `NAME/CONFIG` or `NAME/CONFIG:VERSION`), from `data.root`.

    It is prepared there when it is not yet, which downloads it and takes TensorFlow for most data sets.
    `data.kwargs.image` and `data.kwargs.label` name features where there are several.

    Raises:
        ConfigError: another argument, or a feature that is not there.
        DataError: the library is missing, or the data set is not here and can't be prepared.
    """
    check_arguments(f"tfds:{name}", data, _ARGUMENTS)
    builder = _prepared(name, data)
    features = builder.info.features
    image, label = (_feature(features, data, purpose) for purpose in _ARGUMENTS)
    class_names = tuple(features[label].names)
    parts = [_part(builder, split, image, label, class_names) for split in builder.info.splits]
    version = f"{builder.info.full_name} {builder.data_dir}"
    return source_from_parts(f"tfds-{name.replace('/', '-')}", parts, class_names, False, version, data)


def _prepared(name: str, data: DataConfig) -> Any:
    """The data set's builder, its files there."""
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        raise DataError(
            f"data.source=tfds:{name}: needs TensorFlow Datasets; install it with pip install 'vernier[tfds]'"
        ) from None
    root = Path(data.root).expanduser() if data.root is not None else dataset_root(data) / "tfds"
    try:
        builder = tfds.builder(name, data_dir=str(root), file_format="array_record")
        if not Path(builder.data_dir).is_dir():
            _refuse_offline(name, root)
            builder.download_and_prepare(file_format="array_record")
    except (tfds.core.DatasetNotFoundError, OSError, ValueError, RuntimeError, ImportError, AssertionError) as error:
        raise DataError(
            f"data.source=tfds:{name}: not found in {root}, and not to be had ({error}). Check the name and the "
            "network, or set data.root to a directory where it was prepared with file_format=array_record"
        ) from None
    return builder


def _refuse_offline(name: str, root: Path) -> None:
    if os.environ.get("VERNIER_OFFLINE", "") not in ("", "0"):
        raise DataError(f"data.source=tfds:{name}: not found in {root}, and VERNIER_OFFLINE is set; set data.root")


def _feature(features: Mapping[str, Any], data: DataConfig, purpose: str) -> str:
    import tensorflow_datasets as tfds

    wanted = data.kwargs.get(purpose)
    if wanted is not None:
        if wanted not in features:
            message = (
                f"no feature {wanted!r}.{did_you_mean(str(wanted), list(features))} There are: {listed(list(features))}"
            )
            raise ConfigError([ConfigProblem(f"data.kwargs.{purpose}", message)])
        return str(wanted)
    kind = tfds.features.Image if purpose == "image" else tfds.features.ClassLabel
    fitting = [key for key in features if isinstance(features[key], kind)]
    if len(fitting) != 1:
        found = f"several: {listed(fitting)}" if fitting else f"none among {listed(list(features))}"
        raise DataError(f"the data set's {purpose} feature: {found}; choose one with data.kwargs.{purpose}")
    return fitting[0]


def _part(builder: Any, split: str, image: str, label: str, class_names: Sequence[str]) -> Part:
    import tensorflow_datasets as tfds

    records = builder.as_data_source(split=split, decoders={image: tfds.decode.SkipDecoding()})
    labels = [(class_names[int(records[number][label])],) for number in range(len(records))]

    def read(number: int) -> bytes:
        content: bytes = records[number][image]
        return content

    return Part(split, labels, read)
