"""`tf.train.Example`, a mapping of names to lists of bytes, floats or integers, as protocol buffers encode it.

    message Example   { Features features = 1; }
    message Features  { map<string, Feature> feature = 1; }        an entry: key = 1, value = 2
    message Feature   { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
    message BytesList { repeated bytes value = 1; }                FloatList and Int64List alike, packed or not

Reading finds where values lie and copies none of them. Fields in any order, repeated and unknown ones are read as the
encoding says: messages that stand twice are joined, of the kinds of one feature the last counts.
Source: https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

Kind = Literal["bytes", "float", "int64"]

_KINDS: Final[dict[int, Kind]] = {1: "bytes", 2: "float", 3: "int64"}
_NUMBERS: Final = {kind: number for number, kind in _KINDS.items()}
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_64_BITS: Final = 2**64 - 1
_ONE_BYTE: Final = tuple(bytes([value]) for value in range(0x80))

Parts = tuple[bytes, ...]
"""Bytes to be joined: what is nested is then copied once."""

Span = tuple[int, int]
"""Where something starts and where it ends."""


class MalformedExample(ValueError):
    """Bytes that are no Example; the message says what is wrong at which byte."""


class Feature(NamedTuple):
    """Where the list of a feature lies.

    Attributes:
        kind: Of its values; None for a feature that was written without any.
        spans: Of the list's parts, almost always one.
    """

    kind: Kind | None
    spans: tuple[Span, ...]


# Writing


def bytes_feature(values: Iterable[bytes]) -> Parts:
    """The encoding of a Feature that holds a list of bytes."""
    return _feature("bytes", tuple(part for value in values for part in _field(1, (value,))))


def int64_feature(values: Iterable[int]) -> Parts:
    """The encoding of a Feature that holds a list of integers from -2^63 to 2^63 - 1, packed."""
    return _feature("int64", _packed(b"".join(_varint(value & _64_BITS) for value in values)))


def float_feature(values: Sequence[float]) -> Parts:
    """The encoding of a Feature that holds a list of floats of 32 bits, packed."""
    return _feature("float", _packed(struct.pack(f"<{len(values)}f", *values)))


def encode_example(features: Mapping[str, Parts]) -> bytes:
    """The encoding of an Example whose features, by name, are encoded already; they stand in the order given."""
    entries = (_field(1, _field(1, (name.encode(),)) + _field(2, feature)) for name, feature in features.items())
    return b"".join(_field(1, tuple(part for entry in entries for part in entry)))


def _feature(kind: Kind, values: Parts) -> Parts:
    return _field(_NUMBERS[kind], values)


def _packed(values: bytes) -> Parts:
    return _field(1, (values,)) if values else ()


def _field(number: int, content: Parts) -> Parts:
    return (_varint(number << 3 | _LENGTH) + _varint(sum(map(len, content))), *content)


def _varint(value: int) -> bytes:
    if value < len(_ONE_BYTE):
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


# Reading


def find_features(data: bytes) -> dict[str, Feature]:
    """The features of an encoded Example by name.

    Raises:
        MalformedExample: it is none.
    """
    features: dict[str, Feature] = {}
    for message in _messages(data, (0, len(data)), 1):
        for entry in _messages(data, message, 1):
            name, feature = _entry(data, entry)
            features[name] = feature
    return features


def bytes_spans(data: bytes, feature: Feature) -> list[Span]:
    """Where the values of a list of bytes lie."""
    return [span for part in feature.spans for span in _messages(data, part, 1)]


def int64_values(data: bytes, feature: Feature) -> list[int]:
    """The values of a list of integers."""
    values: list[int] = []
    for part in feature.spans:
        for number, wire, start, end in _fields(data, part):
            if number == 1 and wire == _VARINT:
                values.append(_signed(_read_varint(data, start, end)[0]))
            elif number == 1 and wire == _LENGTH:
                values += _packed_varints(data, start, end)
    return values


def float_values(data: bytes, feature: Feature) -> list[float]:
    """The values of a list of floats."""
    values: list[float] = []
    for part in feature.spans:
        for number, wire, start, end in _fields(data, part):
            if number == 1 and wire in (_FIXED_32, _LENGTH):
                if (end - start) % 4:
                    raise MalformedExample(f"floats take 4 bytes each, not {end - start} in all, at byte {start}")
                values += struct.unpack(f"<{(end - start) // 4}f", data[start:end])
    return values


def _entry(data: bytes, span: Span) -> tuple[str, Feature]:
    name = b""
    kind: Kind | None = None
    spans: list[Span] = []
    for number, wire, start, end in _fields(data, span):
        if wire == _LENGTH and number == 1:
            name = data[start:end]
        elif wire == _LENGTH and number == 2:
            for inner, inner_wire, inner_start, inner_end in _fields(data, (start, end)):
                if inner_wire != _LENGTH or inner not in _KINDS:
                    continue
                if _KINDS[inner] != kind:
                    kind, spans = _KINDS[inner], []
                spans.append((inner_start, inner_end))
    return name.decode(errors="replace"), Feature(kind, tuple(spans))


def _messages(data: bytes, span: Span, number: int) -> Iterator[Span]:
    """Where the contents of all fields of that number lie."""
    for found, wire, start, end in _fields(data, span):
        if found == number and wire == _LENGTH:
            yield start, end


def _fields(data: bytes, span: Span) -> Iterator[tuple[int, int, int, int]]:
    """(number, wire type, start, end) of each field of a message; the end is that of its content."""
    position, end = span
    while position < end:
        # Almost all tags are of one byte; the function for others takes four times as long.
        tag, start = data[position], position + 1
        if tag > 0x7F:
            tag, start = _read_varint(data, position, end)
        wire = tag & 7
        if wire == _LENGTH:
            length, start = _read_varint(data, start, end)
            stop = start + length
        else:
            stop = _end_of_number(data, wire, start, end)
        if stop > end:
            raise MalformedExample(f"a field at byte {position} says that it is longer than what holds it")
        yield tag >> 3, wire, start, stop
        position = stop


def _end_of_number(data: bytes, wire: int, start: int, end: int) -> int:
    if wire == _VARINT:
        return _read_varint(data, start, end)[1]
    if wire in (_FIXED_64, _FIXED_32):
        return start + (8 if wire == _FIXED_64 else 4)
    raise MalformedExample(f"a field of the unknown type {wire} before byte {start}")


def _read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A number and where it ends."""
    if position < end and data[position] < 0x80:
        return data[position], position + 1
    value = shift = 0
    for at in range(position, min(end, position + 10)):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, at + 1
        shift += 7
    raise MalformedExample(f"a number without an end at byte {position}")


def _packed_varints(data: bytes, position: int, end: int) -> list[int]:
    values = []
    while position < end:
        value, position = _read_varint(data, position, end)
        values.append(_signed(value))
    return values


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
