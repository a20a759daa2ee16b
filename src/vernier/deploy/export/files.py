"""ONNX files."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vernier.atomic import remedy, write_atomically
from vernier.errors import MissingExtraError, ModelError, RunError

if TYPE_CHECKING:
    import onnx

_LARGEST = 2**31 - 1
"""Bytes that a protobuf message may have."""


def write_onnx(path: Path, model: "onnx.ModelProto") -> None:
    """Write a model in one file, in full or not at all; directories are made.

    Raises:
        ModelError: it is too large for a file.
        RunError: the system refuses; what was there stays.
    """
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size > _LARGEST or model.ByteSize() > _LARGEST:
        raise ModelError(f"{path}: not written: {size / 1e9:.1f} GB, and an ONNX file holds 2 GB; take a smaller model")
    content = model.SerializeToString(deterministic=True)

    def write(file: BinaryIO) -> None:
        file.write(content)

    make_directory(path.parent)
    write_atomically(path, write)


def make_directory(directory: Path) -> None:
    """Make a directory for a file.

    Raises:
        RunError: the system refuses.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{directory}: can't be made: {error.strerror}. {remedy(error)}") from None


def read_onnx(path: Path) -> "onnx.ModelProto":
    """Read a model.

    Raises:
        MissingExtraError: the package onnx is missing.
        ModelError: no such file, or no ONNX model.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError(f"{path}: reading an ONNX file", "onnx") from None
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}; check the path") from None
    except DecodeError:
        model = onnx.ModelProto()
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"{path}: not an ONNX model, or one that is cut short; export it again")
    return model
