"""A bundle or a run as `model.name`: its architecture and its weights."""

from pathlib import Path
from typing import Any

from vernier.augment.preprocess import Preprocessing
from vernier.config.model import ModelConfig
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import bundle_directory, read_info

_FREE = ("name", "input_size", "frozen", "warm_start", "stem_init")
"""Keys of `model` that go with a bundle; its architecture fixes all others."""


def model_of_bundle(model: ModelConfig) -> ModelConfig | None:
    """The network of the bundle that `model.name` is, with `weights` from there.

    A directory that holds neither a bundle nor a run is no bundle, so that a name such as `resnet18` keeps its
    meaning beside a directory of that name.

    Args:
        model: As the user wrote it.

    Returns:
        `model` with the bundle's architecture, `weights` the directory that was named, and the bundle's own
        `input_size` where it was left to Vernier; None when `name` is no bundle or run directory.

    Raises:
        ModelError: the bundle can't be read, or keys that its architecture fixes are set.
    """
    architecture = bundle_architecture(model)
    if architecture is None:
        return None
    input_size = architecture.input_size if model.input_size == "auto" else model.input_size
    return model.model_copy(update={**_fields(architecture), "weights": model.name, "input_size": input_size})


def bundle_architecture(model: ModelConfig) -> Architecture | None:
    """The architecture of the bundle that `model.name` is; None when it is no bundle or run directory.

    Raises:
        ModelError: the bundle can't be read, or keys that its architecture fixes are set.
    """
    directory = _bundle_at(Path(model.name))
    if directory is None:
        return None
    _require_free(model)
    return read_info(directory).architecture


def bundle_normalisation(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation, for each channel of an image in [0, 1], that the weights at `path` were trained on.

    None when there is no bundle or run directory.

    Raises:
        ModelError: the bundle can't be read.
    """
    directory = _bundle_at(path)
    if directory is None:
        return None
    preprocessing = Preprocessing.from_json(read_info(directory).preprocessing)
    # (x / 255 - mean) / std = x * scale + offset
    std = tuple(1 / (255 * scale) for scale in preprocessing.scale)
    mean = tuple(-offset * deviation for offset, deviation in zip(preprocessing.offset, std, strict=True))
    return tuple(round(value, 6) for value in mean), tuple(round(value, 6) for value in std)


def _bundle_at(path: Path) -> Path | None:
    if not path.is_dir():
        return None
    try:
        return bundle_directory(path)
    except ModelError:
        return None


def _fields(architecture: Architecture) -> dict[str, Any]:
    return {
        "provider": architecture.provider,
        "name": architecture.name,
        "kwargs": dict(architecture.kwargs),
        "dropout": architecture.dropout,
        "depth": architecture.depth,
        "width_divisor": architecture.width_divisor,
        "head": architecture.head,
        "head_name": architecture.head_name,
        "algebra": architecture.algebra,
    }


def _require_free(model: ModelConfig) -> None:
    """Refuse what the bundle's architecture fixes; a value that is the default says nothing."""
    fields = ModelConfig.model_fields
    given = [
        key
        for key, field in fields.items()
        if key not in _FREE and getattr(model, key) != field.get_default(call_default_factory=True)
    ]
    if not given:
        return
    named = ", ".join(f"model.{key}={getattr(model, key)!r}" for key in given)
    verb = "is" if len(given) == 1 else "are"
    it = "it" if len(given) == 1 else "them"
    raise ModelError(
        f"{named} {verb} fixed by the bundle's architecture (model.name={model.name}), with which only "
        f"{', '.join(f'model.{key}' for key in _FREE[1:])} can be set. Drop {it}; to change {it} name the "
        f"architecture and give the bundle as model.weights={model.name}"
    )
