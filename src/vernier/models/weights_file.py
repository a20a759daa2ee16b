"""Files of weights, read without running anything that is in them."""

import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from vernier.errors import ModelError
from vernier.models.bundle import bundle_directory, read_weights

_TORCH = (".pth", ".pt", ".bin", ".ckpt", ".tar")
_KERAS = (".h5", ".hdf5", ".keras")
_NESTED = ("state_dict", "model", "model_state_dict", "module", "net", "model_ema")
_ZIP = b"PK\x03\x04"
_DAMAGED = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    OverflowError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
)
"""What torch.load raises for a file that it did not write, or that is cut off or changed."""


@final
@dataclass(frozen=True)
class WeightsFile:
    """Tensors by name, on the CPU.

    Attributes:
        tensors: by the names they have in the file.
        part: which part of the file or directory they are, as a clause; empty for all of it.
    """

    tensors: Mapping[str, Tensor]
    part: str


def read_weights_file(path: Path) -> WeightsFile:
    """Read a bundle, a run directory (its `best`, else its `final`), a `.safetensors` file or one of torch.save's.

    No code runs: files of torch.save are read with `weights_only`, whose reader makes tensors, numbers, text and
    containers, and refuses everything else that a pickle could hold.

    Raises:
        ModelError: not there, not readable, damaged, or more than a state dict.
    """
    if path.is_dir():
        directory = bundle_directory(path)
        return WeightsFile(read_weights(directory), "" if directory == path else f" (its {directory.name})")
    suffix = path.suffix.lower()
    if suffix in _TORCH:
        return _state_dict(_load_torch(path), path)
    if suffix in _KERAS:
        raise _keras(path)
    if suffix == ".safetensors":
        return WeightsFile(_read_safetensors(path), "")
    if not path.exists():
        raise ModelError(f"model.weights={path}: there is no such file or directory")
    raise ModelError(
        f"model.weights={path}: {suffix or 'a file without suffix'} is not read; give a bundle, a run directory, "
        f"a .safetensors file, or a state dict as {', '.join(_TORCH)}"
    )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from None
    except SafetensorError as error:
        raise ModelError(
            f"model.weights={path}: not a safetensors file, or cut off ({error}); copy or save it again"
        ) from None


def _load_torch(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            mapped = file.read(len(_ZIP)) == _ZIP
        with warnings.catch_warnings():
            # torch warns of pickle protocols and TorchScript; the file is read, or the error below says why not.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except OSError as error:
        raise _unreadable(path, error) from None
    except _DAMAGED as error:
        raise _refused(path, str(error)) from None


def _refused(path: Path, message: str) -> ModelError:
    """The error for a file that torch.load does not take: code, or nothing of torch's."""
    code = re.search(r"GLOBAL (\S+)", message)
    if code is None and "TorchScript" not in message:
        return ModelError(
            f"model.weights={path}: not a file of torch.save with its own pickle protocol, or damaged or cut off; copy "
            "or save it again"
        )
    named = f"objects of {code[1]}" if code else "a TorchScript program"
    return ModelError(
        f"model.weights={path}: besides tensors it holds {named}, which can run code when they are loaded. Only "
        "tensors, numbers, text and containers are read. Convert it once where you trust it: "
        "torch.save(torch.load(FILE, weights_only=False)['state_dict'], OUT), with the key that holds the weights; "
        "a whole module has .state_dict() instead"
    )


def _state_dict(content: Any, path: Path) -> WeightsFile:
    """The content itself when it is a state dict, else the first that it holds under a usual key."""
    if _is_state_dict(content):
        return WeightsFile(_plain(content, path), "")
    keys = list(content) if isinstance(content, dict) else []
    found = [key for key in _NESTED if key in keys and _is_state_dict(content[key])]
    if not found:
        raise ModelError(
            f"model.weights={path}: no state dict, which is tensors by name, neither at the top nor under "
            f"{', '.join(_NESTED)}; it holds {_described(content)}. Save the state dict alone: "
            "torch.save(model.state_dict(), FILE)"
        )
    others = f", not its {' or '.join(found[1:])}" if len(found) > 1 else ""
    return WeightsFile(_plain(content[found[0]], path), f" (its {found[0]}{others})")


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _plain(tensors: Mapping[str, Tensor], path: Path) -> Mapping[str, Tensor]:
    odd = [name for name, tensor in tensors.items() if tensor.layout != torch.strided or tensor.is_meta]
    if odd:
        raise ModelError(
            f"model.weights={path}: {', '.join(odd[:3])}: {len(odd)} tensor(s) are sparse or without values; "
            "save the state dict of a dense network"
        )
    return tensors


def _described(content: Any) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    shown = [f"{key} ({_described_value(value)})" for key, value in list(content.items())[:10]]
    return ", ".join([*shown, *(["..."] if len(content) > len(shown) else [])]) or "nothing"


def _described_value(value: Any) -> str:
    if not isinstance(value, dict):
        return type(value).__name__
    odd = [f"{name}: {type(item).__name__}" for name, item in value.items() if not isinstance(item, Tensor)]
    return f"dict with {odd[0]}" if odd else f"dict of {len(value)} tensors"


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"model.weights={path}: can't be read: {error.strerror or error}; check the path")


def _keras(path: Path) -> ModelError:
    return ModelError(
        f"model.weights={path}: Keras files are not read, and TensorFlow is not needed otherwise. Where TensorFlow is, "
        "save the arrays by name with safetensors.numpy.save_file, convolution kernels as (out, in, height, width) and "
        "dense kernels as (out, in); then give that file, with model.warm_start.rename for the names"
    )
