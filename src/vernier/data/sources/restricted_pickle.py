"""Pickles of arrays, read by a reader that can build nothing else.

Two fences stand one behind the other. The opcodes are scanned before anything is built: only those that make
plain containers, text, bytes and numbers are let through, and lengths and memo positions have to fit the
file. Then the unpickler resolves a dozen names of NumPy and `_codecs`, each to a stand-in of this module: no
object of NumPy itself is handed state from the file.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.errors import DataError

_LARGEST_FILE = 2**30
# Hashing a tuple in a tuple in a tuple... recurses in C without a check and overflows the stack near 100,000.
_MOST_TUPLES = 30_000
_DEEPEST = 100

_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_OPCODES = _TUPLES.union(
    ("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    ("NONE", "NEWTRUE", "NEWFALSE", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE"),
    ("SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    ("EMPTY_LIST", "APPEND", "APPENDS", "LIST", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "EMPTY_TUPLE"),
    ("GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
)
_DTYPE = re.compile(r"[|<>=]?(?:b1|[iu][1248]|f[248])")
# What the standard library documents or was seen to raise on a malformed pickle.
_MALFORMED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def load_restricted(path: Path) -> Any:
    """Read a pickle file that holds arrays, lists, dicts, tuples, text, bytes and numbers only.

    Text of Python 2 (`str`) comes back as bytes. Arrays are read-only.

    Raises:
        DataError: the file can't be read, is no whole pickle, or names anything else.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(f"{path}: larger than {_LARGEST_FILE} bytes; this is no batch of small images")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    return loads_restricted(data, str(path))


def loads_restricted(data: bytes, name: str) -> Any:
    """As `load_restricted`, from bytes; `name` stands for the file in messages."""
    try:
        _scan(data)
        return _plain(_Unpickler(data).load(), {}, 0)
    except _MALFORMED as error:
        raise DataError(
            f"{name}: refused as a pickle of plain arrays: {error}. Nothing in it was run. "
            "Get the file again from where it was published, or use class folders"
        ) from None


def _scan(data: bytes) -> None:
    """Refuse opcodes, lengths and memo positions that no plain pickle has, before anything is built."""
    tuples = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"holds the instruction {opcode.name}")
        if opcode.name.endswith("PUT") and (argument or 0) > count + 1:
            raise pickle.UnpicklingError(f"asks for memory position {argument} of {count}")
        tuples += opcode.name in _TUPLES
        if tuples > _MOST_TUPLES:
            raise pickle.UnpicklingError(f"holds more than {_MOST_TUPLES} tuples")


@final
class _Callable:
    """A function that a pickle may call but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("gives state to a function")


@final
class _DType:
    """Stands for numpy.dtype: an item type of plain numbers."""

    __slots__ = ("_code",)

    def __init__(self, code: Any, *_alignment_and_copy: Any) -> None:
        self._code = _ascii(code)

    def __setstate__(self, state: Any) -> None:
        _version, order, subarray, names, fields, *_ = state
        if (subarray, names, fields) != (None, None, None):
            raise pickle.UnpicklingError("holds a structured array")
        self._code = _ascii(order) + self._code.lstrip("|<>=")

    def build(self) -> np.dtype[Any]:
        if not _DTYPE.fullmatch(self._code):
            raise pickle.UnpicklingError(f"holds an array of type {self._code!r}, which is not plain numbers")
        return np.dtype(self._code)


@final
class _Array:
    """Stands for numpy.ndarray until the whole pickle is read."""

    __slots__ = ("_array",)

    def __init__(self) -> None:
        self._array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, fortran, raw = state
        self._array = _array(raw, dtype, shape, "F" if fortran else "C")

    def build(self) -> np.ndarray:
        if self._array is None:
            raise pickle.UnpicklingError("holds an array without content")
        return self._array


def _array(raw: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(dtype, _DType) or not isinstance(raw, bytes | bytearray):
        raise pickle.UnpicklingError("holds an array that is not plain numbers")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise pickle.UnpicklingError("holds an array of impossible shape")
    item = dtype.build()
    if len(raw) != math.prod(shape) * item.itemsize:
        raise pickle.UnpicklingError(f"holds {len(raw)} bytes for an array of shape {tuple(shape)}")
    array = np.frombuffer(raw, item).reshape(shape, order="F" if order == "F" else "C")
    array.flags.writeable = False
    return array


def _ascii(text: Any) -> str:
    if isinstance(text, bytes):
        return text.decode("ascii")
    if isinstance(text, str):
        return text
    raise pickle.UnpicklingError("holds an array type that is not text")


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return _array(raw, dtype, shape, order)


def _scalar(dtype: Any, raw: Any) -> int | float | bool:
    number: int | float | bool = _array(raw, dtype, (), "C").item()
    return number


def _empty_array(*_class_shape_and_code: Any) -> _Array:
    return _Array()


def _no_bytes() -> bytes:
    return b""


def _refuse_call(*_: Any) -> None:
    raise pickle.UnpicklingError("calls a class of NumPy directly")


@final
class _Unpickler(pickle.Unpickler):
    """Resolves the names that pickled arrays need, each to a stand-in; every other name is refused."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._text_left = len(data)

    def find_class(self, module: str, name: str) -> Any:
        multiarray = ("numpy.core.multiarray", "numpy._core.multiarray")
        numeric = ("numpy.core.numeric", "numpy._core.numeric")
        match name:
            case "_reconstruct" if module in multiarray:
                return _Callable(_empty_array)
            case "scalar" if module in multiarray:
                return _Callable(_scalar)
            case "_frombuffer" if module in numeric:
                return _Callable(_from_buffer)
            case "ndarray" if module == "numpy":
                return _Callable(_refuse_call)
            case "dtype" if module == "numpy":
                return _Callable(_DType)
            case "encode" if module == "_codecs":
                return _Callable(self._encode)
            case "bytes" if module in ("builtins", "__builtin__"):
                return _Callable(_no_bytes)
        raise pickle.UnpicklingError(f"names {module}.{name}")

    def _encode(self, text: Any, encoding: Any) -> bytes:
        """Bytes as protocol 2 writes them: text of Latin-1. Their sum can't be more than the file holds."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("encodes text otherwise than bytes are pickled")
        self._text_left -= len(text)
        if self._text_left < 0:
            raise pickle.UnpicklingError("encodes more text than it holds")
        return text.encode("latin-1")


def _plain(value: Any, done: dict[int, Any], depth: int) -> Any:
    """The value with arrays in place of their stand-ins.

    `done` holds what was converted, by identity: an object that is referred to often is walked once.
    """
    if depth > _DEEPEST:
        raise pickle.UnpicklingError(f"is nested deeper than {_DEEPEST}")
    if isinstance(value, _Callable | _DType):
        raise pickle.UnpicklingError("holds a function or a type")
    if isinstance(value, _Array):
        return value.build()
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        done[id(value)] = _plain_container(value, done, depth + 1)
    return done[id(value)]


def _plain_container(value: dict[Any, Any] | list[Any] | tuple[Any, ...], done: dict[int, Any], depth: int) -> Any:
    if isinstance(value, dict):
        return {_plain(key, done, depth): _plain(item, done, depth) for key, item in value.items()}
    return type(value)(_plain(item, done, depth) for item in value)
