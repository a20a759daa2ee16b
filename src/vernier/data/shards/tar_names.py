"""What members of tar shards are called: `<base>.<extension>`, all members of one sample with the same base.

The base is the key without its ending. The WebDataset convention splits a name at the first dot of its last component,
so dots within it are written `%2E`; so are `%` itself, `.` and `..` as directories, and what is no printable text. A
base that ends in `%` holds the whole key.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

_UNSAFE: Final = re.compile(r"[%\\\x00-\x1f\x7f\ud800-\udfff]")
_EMPTY: Final = "%-"
_WHOLE: Final = "%"


class MemberName(NamedTuple):
    """A member's name: `base` is shared by a sample's members, `extension` has no leading dot and may have others."""

    base: str
    extension: str


def short_base(key: str, suffix: str) -> str:
    """The base for an image file that ends in `suffix`: the key without it, or all of it where it ends otherwise."""
    directory, slash, name = key.rpartition("/")
    stem = name.removesuffix(suffix)
    if not stem or stem == name:
        return whole_base(key)
    return _directories(directory + slash) + _escape(stem).replace(".", "%2E")


def whole_base(key: str) -> str:
    """A base that says the key itself, its ending too: two keys never share it."""
    directory, slash, name = key.rpartition("/")
    return _directories(directory + slash) + _escape(name).replace(".", "%2E") + _WHOLE


def key_of(name: MemberName) -> str:
    """The key of an image in a member of this name; the opposite of both functions above."""
    *directories, stem = name.base.split("/")
    last = _unescape(stem[:-1]) if stem.endswith(_WHOLE) else f"{_unescape(stem)}.{name.extension}"
    return "/".join([*("" if part == _EMPTY else _unescape(part) for part in directories), last])


def split_name(path: str) -> MemberName | None:
    """Base and extension of a member; None for what belongs to no sample: hidden files, names without an extension."""
    directory, slash, name = path.rpartition("/")
    stem, dot, extension = name.partition(".")
    if not stem or not dot or (stem.startswith("__") and stem.endswith("__")):
        return None
    return MemberName(directory + slash + stem, extension)


def _directories(path: str) -> str:
    return "".join(f"{_directory(part)}/" for part in path.split("/")[:-1])


def _directory(part: str) -> str:
    if part in (".", ".."):
        return part.replace(".", "%2E")
    return _escape(part) or _EMPTY


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in _bytes(match[0])), text)


def _unescape(text: str) -> str:
    return unquote_to_bytes(_bytes(text)).decode(errors="surrogateescape") if "%" in text else text


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
