"""A bundle: a directory of weights and everything needed to use them, and nothing that runs."""

import hashlib
import json
import math
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final

import safetensors.torch
import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn

from vernier.atomic import remedy, sync_directory, write_atomically, write_text_atomically
from vernier.errors import ModelError, RunError
from vernier.models.architecture import Architecture, describe_problems
from vernier.models.providers import construct

WEIGHTS_FILE = "model.safetensors"
INFO_FILE = "bundle.json"
SCHEMA = 1
"""Version of `bundle.json`; raised when an older Vernier could misread it."""

_IN_RUN = ("best", "final")


@final
@dataclass(frozen=True)
class BundleInfo:
    """What stands beside the weights, in `bundle.json`.

    Attributes:
        architecture: how to build the network.
        class_names: the classes in the order of the outputs (binary: negative, positive).
        task: multiclass, binary or multilabel.
        preprocessing: `Preprocessing.to_json()`.
        threshold: probability from which on a binary or multilabel label counts as predicted.
        temperature: what logits are divided by before probabilities; None for not calibrated.
        metrics: what was measured with these weights; anything JSON can hold, NaN becomes None.
        versions: packages and their versions at the time of saving.
        provenance: what made it: seed, hashes of config and data, the revision of the code around it.
        reject_threshold: confidence below which an image is `unknown`; None for never.
    """

    architecture: Architecture
    class_names: tuple[str, ...]
    task: str
    preprocessing: dict[str, Any]
    threshold: float
    temperature: float | None
    metrics: dict[str, Any]
    versions: dict[str, str]
    provenance: dict[str, Any] = field(default_factory=dict)
    reject_threshold: float | None = None

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


def save_bundle(directory: Path, module: nn.Module, info: BundleInfo) -> None:
    """Write `model.safetensors` and `bundle.json`, replacing the directory as a whole or not at all.

    Equal weights make an equal `model.safetensors`, byte for byte, whatever their memory format or device.

    Raises:
        RunError: the system refuses (disk full, no permission), or the directory holds something else; what was
            there stays.
    """
    _require_replaceable(directory)
    try:
        _write_and_swap(directory, _weights(module), info)
    except OSError as error:
        raise RunError(f"{directory}: not written: {error.strerror or error}. {remedy(error)}") from error


def update_info(directory: Path, info: BundleInfo) -> None:
    """Replace what stands beside the weights; they and their checksum stay.

    Raises:
        ModelError: no readable `bundle.json` there.
        RunError: the system refuses; what was there stays.
    """
    write_text_atomically(directory / INFO_FILE, _info_text(info, weights_sha256(directory)))


def load_bundle(path: Path, *, trust: bool = False) -> tuple[nn.Module, BundleInfo]:
    """The network in eval mode on the CPU, and what stands beside it.

    torch's generator is left as it was.

    Args:
        path: a bundle, or a run directory (its `best`, else its `final`).
        trust: import and run the user's own code when the bundle names it.

    Raises:
        ModelError: no bundle there, damaged, of a newer Vernier, or in need of `trust`.
    """
    directory = bundle_directory(path)
    info, state = read_info(directory), read_weights(directory)
    if info.architecture.provider == "python" and not trust:
        raise ModelError(
            f"{directory}: its network is Python code, {info.architecture.name}, which loading would run. "
            "If you trust it, load with --trust (in Python: trust=True)"
        )
    with torch.random.fork_rng(devices=[]):
        module = construct(info.architecture)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{directory}: {WEIGHTS_FILE} does not fit {INFO_FILE}: {error}") from None
    return module.eval(), info


def bundle_directory(path: Path) -> Path:
    """The bundle at `path`: itself, or in a run directory its `best`, else its `final`.

    A bundle whose replacement was cut short is found under its other name.

    Raises:
        ModelError: there is none.
    """
    candidates = [path, *(path / name for name in _IN_RUN)]
    for candidate in candidates:
        for directory in (candidate, _aside(candidate)):
            if (directory / INFO_FILE).is_file():
                return directory
    if not path.exists():
        raise ModelError(f"{path}: there is no such bundle or run directory")
    runs = sorted(run.name for run in path.glob("seed_*") if run.is_dir())
    if runs:
        raise ModelError(f"{path}: holds the runs of several seeds; name one of them: {', '.join(runs)}")
    raise ModelError(
        f"{path}: neither a bundle ({WEIGHTS_FILE} and {INFO_FILE}) nor a run directory with best/ or final/"
    )


def read_info(directory: Path) -> BundleInfo:
    """What stands beside the weights.

    Raises:
        ModelError: not readable, not JSON, of a newer Vernier, or fields missing, unknown or of another type.
    """
    values = dict(_read_json(directory))
    schema = values.pop("schema", None)
    values.pop("sha256", None)
    if schema != SCHEMA:
        raise ModelError(f"{directory / INFO_FILE}: schema {schema}, but this Vernier reads {SCHEMA}; update Vernier")
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        raise ModelError(f"{directory / INFO_FILE}: {describe_problems(error)}") from None


def read_weights(directory: Path) -> dict[str, Tensor]:
    """The weights by name, after comparing the file with its checksum.

    Raises:
        ModelError: not readable, or not the file that was saved.
    """
    path = directory / WEIGHTS_FILE
    expected = _read_json(directory).get("sha256")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelError(f"{path}: its sha256 is not the one in {INFO_FILE}: damaged; copy it again")
    return safetensors.torch.load(content)


def weights_sha256(directory: Path) -> str:
    """The SHA-256 of the weights' file as `bundle.json` has it.

    Raises:
        ModelError: not readable.
    """
    return str(_read_json(directory).get("sha256"))


def _read_json(directory: Path) -> dict[str, Any]:
    path = directory / INFO_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); copy the bundle again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: not a JSON object; copy the bundle again")
    return values


def _weights(module: nn.Module) -> bytes:
    """The state dict as safetensors; copies make shared and channels_last tensors plain."""
    state = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in module.state_dict().items()
    }
    return safetensors.torch.save(state, metadata={"format": "pt"})


def _info_text(info: BundleInfo, sha256: str) -> str:
    values = {
        "schema": SCHEMA,
        **asdict(info),
        "architecture": info.architecture.to_json(),
        "metrics": _finite(info.metrics),
        "sha256": sha256,
    }
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity: None instead, all the way down."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _require_replaceable(directory: Path) -> None:
    if directory.is_dir() and any(directory.iterdir()) and not (directory / INFO_FILE).is_file():
        raise RunError(f"{directory}: not empty and not a bundle; a bundle would replace it. Choose another one")


def _write_and_swap(directory: Path, weights: bytes, info: BundleInfo) -> None:
    new = directory.with_name(f"{directory.name}.new")
    old = _aside(directory)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    write_atomically(new / WEIGHTS_FILE, lambda file: _write(file, weights))
    write_text_atomically(new / INFO_FILE, _info_text(info, hashlib.sha256(weights).hexdigest()))
    if directory.exists():
        shutil.rmtree(old, ignore_errors=True)
        directory.rename(old)
    new.rename(directory)
    sync_directory(directory.parent)
    shutil.rmtree(old, ignore_errors=True)


def _write(file: Any, content: bytes) -> None:
    file.write(content)


def _aside(directory: Path) -> Path:
    """Where the bundle lies for the moment between two renames."""
    place = Path(os.path.abspath(directory))  # noqa: PTH100
    return place.parent / f"{place.name}.old"


_ADAPTER = TypeAdapter(BundleInfo)
