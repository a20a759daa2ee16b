"""`hf:NAME`: data sets of Hugging Face `datasets`, by their name on the hub, or a directory that holds one.

The image files' bytes are taken as they are. The extra `hf` has the library.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vernier.config.data import DataConfig
from vernier.data.source import Source
from vernier.data.sources.by_name import Part, check_arguments, source_from_parts
from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem, DataError

_ARGUMENTS = ("config", "revision", "image", "label")


def open_hf(name: str, data: DataConfig) -> Source:
    """A data set of the hub, from `data.root` (its cache) or downloaded there; or a directory.

    `data.kwargs`: `config` and `revision` choose on the hub; `image` and `label` name columns where there are several.

    Raises:
        ConfigError: another argument, or a column that is not there.
        DataError: the library is missing, the data set is not here and can't be fetched, or has no images and labels.
    """
    check_arguments(f"hf:{name}", data, _ARGUMENTS)
    splits = _load(name, data)
    features: Mapping[str, Any] = next(iter(splits.values())).features
    image = _column(features, data, "image", _is_image)
    label = _column(features, data, "label", _is_label)
    multilabel = not _is_single(features[label])
    class_names = _class_names(features[label], splits, label)
    parts = [_part(split, dataset, image, label, class_names) for split, dataset in splits.items()]
    version = " ".join(f"{split} {dataset._fingerprint}" for split, dataset in splits.items())
    short = Path(name).name or name
    return source_from_parts(f"hf-{short}", parts, class_names, multilabel, version, data)


def _load(name: str, data: DataConfig) -> Mapping[str, Any]:
    """The splits by name."""
    try:
        import datasets
        from datasets.exceptions import DatasetsError
    except ImportError:
        raise DataError(
            f"data.source=hf:{name}: needs the library datasets; install it with pip install 'vernier[hf]'"
        ) from None
    directory = Path(name).expanduser()
    try:
        if (directory / "dataset_dict.json").is_file() or (directory / "dataset_info.json").is_file():
            loaded = datasets.load_from_disk(str(directory))
        else:
            offline = os.environ.get("VERNIER_OFFLINE", "") not in ("", "0") and not directory.is_dir()
            loaded = datasets.load_dataset(
                name,
                data.kwargs.get("config"),
                revision=data.kwargs.get("revision"),
                cache_dir=data.root,
                download_config=datasets.DownloadConfig(local_files_only=True) if offline else None,
            )
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"data.source=hf:{name}: not found here, and not to be had ({error}). Check the name and the network, or "
            "give a directory: data=hf:DIR as datasets' save_to_disk writes it, with data.root for a cache elsewhere"
        ) from None
    return loaded if isinstance(loaded, dict) else {"": loaded}


def _column(features: Mapping[str, Any], data: DataConfig, purpose: str, fits: Callable[[Any], bool]) -> str:
    wanted = data.kwargs.get(purpose)
    if wanted is not None:
        if wanted not in features:
            message = (
                f"no column {wanted!r}.{did_you_mean(str(wanted), list(features))} There are: {listed(list(features))}"
            )
            raise ConfigError([ConfigProblem(f"data.kwargs.{purpose}", message)])
        return str(wanted)
    fitting = [name for name, feature in features.items() if fits(feature)]
    if len(fitting) != 1:
        found = f"several columns of them: {listed(fitting)}" if fitting else f"none among {listed(list(features))}"
        raise DataError(f"the data set's {purpose}s: {found}; choose a column with data.kwargs.{purpose}")
    return fitting[0]


def _is_image(feature: Any) -> bool:
    from datasets import Image

    return isinstance(feature, Image)


def _is_label(feature: Any) -> bool:
    from datasets import ClassLabel

    return isinstance(getattr(feature, "feature", feature), ClassLabel)


def _is_single(feature: Any) -> bool:
    return not hasattr(feature, "feature")


def _class_names(feature: Any, splits: Mapping[str, Any], label: str) -> tuple[str, ...]:
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is not None:
        return tuple(names)
    found = {str(value) for dataset in splits.values() for value in dataset.unique(label)}
    return tuple(sorted(found, key=lambda text: (len(text), text) if text.isdecimal() else (0, text)))


def _part(split: str, dataset: Any, image: str, label: str, class_names: Sequence[str]) -> Part:
    from datasets import Image

    bare = dataset.cast_column(image, Image(decode=False))

    def read(number: int) -> bytes:
        value = bare[number][image]
        content: bytes | None = value["bytes"]
        return Path(value["path"]).read_bytes() if content is None else content

    return Part(split, [_labels(value, class_names) for value in dataset[label]], read)


def _labels(value: Any, class_names: Sequence[str]) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(
        class_names[each] if isinstance(each, int) and str(each) not in class_names else str(each) for each in values
    )
