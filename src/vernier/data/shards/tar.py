"""Tar shards as WebDataset has them: the members of a sample follow each other and share a name up to the first dot.

`daisy/1.jpg` holds the image, `daisy/1.cls` its class number; several labels are in `daisy/1.json`. Nothing is ever
extracted: reading looks at the headers of the members and at the small files that hold labels.
"""

import itertools
import json
import os
import secrets
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, final

from vernier.config.data import RecordsConfig
from vernier.data.shards.entry import Entry
from vernier.data.shards.tar_names import MemberName, key_of, short_base, split_name, whole_base
from vernier.data.shards.writer import ImageRecord, ShardWriter
from vernier.data.wording import listed
from vernier.errors import DataError

IMAGE_EXTENSIONS: Final = frozenset({"jpg", "jpeg", "jpe", "png", "bmp", "gif", "webp", "tif", "tiff", "npy"})
"""Of members that are images, in any letter case."""

_BLOCK: Final = tarfile.BLOCKSIZE
_BUFFER: Final = 2**20
_SHORT: Final = 100
# Checksum (filled in later), type, link, magic and version; no names of users, no devices, no prefix.
_BLANKS: Final = (b" " * 8 + b"0" + bytes(100) + b"ustar\x0000").ljust(364, b"\0")
_MOST_MEMBERS: Final = 20_000_000
_LARGEST_LABEL: Final = 2**20
_LARGEST_IMAGE: Final = 2**31
_COMPRESSIONS: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
}
_ODD_KINDS: Final = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


@final
class TarWriter(ShardWriter):
    """Writes a tar shard (POSIX ustar, pax headers for long names); equal records give equal bytes.

    Args:
        path: Of the shard; its directory exists.
        multilabel: Whether labels are written as JSON, since there may be several or none.
    """

    def __init__(self, path: Path, multilabel: bool) -> None:
        self._path, self._multilabel = path, multilabel
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        self._file = self._temporary.open("xb", buffering=_BUFFER)
        self._position = 0
        self._bases: set[str] = set()

    def add(self, record: ImageRecord) -> Entry:
        """See `ShardWriter.add`."""
        base = self._new_base(record)
        offset = self._write_member(base + record.suffix, record.content)
        self._write_label(base, record)
        return Entry(record.key, record.class_names, offset, len(record.content))

    def _new_base(self, record: ImageRecord) -> str:
        base = short_base(record.key, record.suffix)
        if base in self._bases:
            # x.jpg and x.png would be one sample.
            base = whole_base(record.key)
        self._bases.add(base)
        return base

    def _write_label(self, base: str, record: ImageRecord) -> None:
        if self._multilabel:
            labels = {"labels": record.labels, "names": record.class_names}
            self._write_member(f"{base}.json", json.dumps(labels).encode())
        else:
            self._write_member(f"{base}.cls", str(record.labels[0]).encode())

    def _write_member(self, name: str, content: bytes) -> int:
        header = _header(name, len(content))
        self._file.write(header)
        self._file.write(content)
        self._file.write(bytes(-len(content) % _BLOCK))
        offset = self._position + len(header)
        self._position = offset + len(content) + -len(content) % _BLOCK
        return offset

    def close(self) -> int:
        """See `ShardWriter.close`."""
        end = self._position + 2 * _BLOCK
        size = end + -end % tarfile.RECORDSIZE
        with self._file as file:
            file.write(bytes(size - self._position))
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self._path)
        return size

    def abandon(self) -> None:
        """See `ShardWriter.abandon`."""
        try:
            self._file.close()
        finally:
            self._temporary.unlink(missing_ok=True)


def _header(name: str, size: int) -> bytes:
    """The header of a regular file, as `tarfile` makes it, which takes longer than all else for short names."""
    text = name.encode()
    if len(text) > _SHORT or not name.isascii():
        member = tarfile.TarInfo(name)
        member.size = size
        return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
    header = text.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0" + _BLANKS
    return header[:148] + b"%06o\0" % sum(header) + header[155:]


@final
@dataclass(frozen=True)
class _Member:
    """A regular file in a tar: its name, as it stands and in parts, and where its bytes lie."""

    path: str
    name: MemberName
    offset: int
    length: int

    @property
    def extension(self) -> str:
        return self.name.extension.casefold()


def scan_tar(
    path: Path, class_names: Sequence[str] | None = None, records: RecordsConfig | None = None
) -> tuple[Entry, ...]:
    """The images in a tar shard of any origin, in its order.

    The label is in a member `.cls` (a number or a name), `.json` (`label`, or what `records.label` says: a number, a
    name, or a list of them) or `.txt` (a name). `records.image` and `records.label` are extensions too, for samples
    that have several images or other endings.

    Args:
        path: The file.
        class_names: What class numbers stand for; without them a number is its own name.
        records: What members are called.

    Raises:
        DataError: no tar, a compressed or damaged one; members that are links or devices, or lead out of the directory;
            samples without an image or a label. The message names the file and the member.
    """
    scan = _Scan(path, class_names, records or RecordsConfig())
    try:
        with path.open("rb") as file:
            entries = tuple(scan.entries(file))
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    twice = [key for key, count in Counter(entry.key for entry in entries).items() if count > 1]
    if twice:
        raise DataError(f"{path}: more than one image of the same name: {listed(twice)}")
    return entries


@final
@dataclass(frozen=True)
class _Scan:
    """One look through a tar file; see `scan_tar`."""

    path: Path
    class_names: Sequence[str] | None
    records: RecordsConfig

    def entries(self, file: BinaryIO) -> Iterator[Entry]:
        """The samples' images."""
        members = self._members(file)
        for _, sample in itertools.groupby(members, lambda member: member.name.base):
            yield self._entry(file, list(sample))

    def _members(self, file: BinaryIO) -> Iterator[_Member]:
        size = self._checked_size(file)
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for number, member in enumerate(tar):
                    self._check(member, number, size)
                    path = member.name.removeprefix("./")
                    name = split_name(path)
                    if member.isreg() and name is not None:
                        yield _Member(path, name, member.offset_data, member.size)
                end = tar.offset
        except (tarfile.TarError, ValueError) as error:
            raise self._error(f"is no tar file, or a damaged or truncated one ({error}). Make it again") from None
        self._check_end(file, end)

    def _checked_size(self, file: BinaryIO) -> int:
        start = file.read(8)
        for magic, name in _COMPRESSIONS.items():
            if start.startswith(magic):
                raise self._error(f"is compressed ({name}), so its images can't be read in place; unpack it to a .tar")
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            raise self._error("is empty (0 bytes). Make it again")
        file.seek(0)
        return size

    def _check(self, member: tarfile.TarInfo, number: int, size: int) -> None:
        if number >= _MOST_MEMBERS:
            raise self._error(f"has more than {_MOST_MEMBERS} members; divide it into smaller shards")
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise self._error("leads out of the directory; such a file is not read", member.name)
        if member.isdir():
            return
        if not member.isreg() or member.issparse():
            kind = "a sparse file" if member.issparse() else _ODD_KINDS.get(member.type, "no regular file")
            raise self._error(f"is {kind}; write the file itself into the tar (tar --dereference)", member.name)
        if member.offset_data + member.size > size:
            raise self._error(
                f"has {member.size} bytes by its header, but the file ends before: the tar is truncated. Make or copy "
                "it again",
                member.name,
            )
        if member.size > _LARGEST_IMAGE:
            raise self._error(f"has {member.size} bytes, too many for an image", member.name)

    def _check_end(self, file: BinaryIO, end: int) -> None:
        file.seek(end)
        rest = file.read(_BLOCK)
        if len(rest) < _BLOCK:
            raise self._error("is truncated: it has no end-of-archive mark. Make or copy it again")
        if any(rest):
            raise self._error(f"is damaged: no header of a member at byte {end}. Make or copy it again")
        if any(any(part) for part in iter(lambda: file.read(2**20), b"")):
            raise self._error("goes on after its end-of-archive mark; join tar files with tar --concatenate")

    def _entry(self, file: BinaryIO, sample: list[_Member]) -> Entry:
        if len({member.extension for member in sample}) < len(sample):
            raise self._error(f"has two members of one name; there is {_listed(sample)}", sample[0].name.base, "sample")
        image = self._image(sample)
        labels = self._labels(file, sample, image)
        return Entry(key_of(image.name), labels, image.offset, image.length)

    def _image(self, sample: list[_Member]) -> _Member:
        named = [member for member in sample if member.extension == self.records.image.casefold()]
        images = named or [member for member in sample if member.extension in IMAGE_EXTENSIONS]
        if not images:
            raise self._error(f"has no image; there is {_listed(sample)}", sample[0].name.base, "sample")
        if len(images) > 1:
            which = f"has {len(images)} images, {_listed(images)}: choose one with data.records.image=EXTENSION"
            raise self._error(which, sample[0].name.base, "sample")
        return images[0]

    def _labels(self, file: BinaryIO, sample: list[_Member], image: _Member) -> tuple[str, ...]:
        by_extension = {member.extension: member for member in sample if member is not image}
        for extension in (self.records.label.casefold(), "cls", "json", "txt"):
            if extension in by_extension:
                return self._read_labels(file, by_extension[extension])
        raise self._error(
            f"has no label; there is {_listed(sample)}. A label is in .cls, .json or .txt (or what data.records.label "
            "says), next to its image",
            sample[0].name.base,
            "sample",
        )

    def _read_labels(self, file: BinaryIO, member: _Member) -> tuple[str, ...]:
        if member.length > _LARGEST_LABEL:
            raise self._error(f"has {member.length} bytes, too many for a label", member.path)
        position = file.tell()
        file.seek(member.offset)
        content = file.read(member.length)
        # tarfile goes on from where it was.
        file.seek(position)
        try:
            text = content.decode().strip()
            label = self._from_json(json.loads(text)) if member.extension == "json" else _number_or_name(text)
            return tuple(map(self._name, label if isinstance(label, list) else [label]))
        except (ValueError, RecursionError) as error:
            raise self._error(f"holds no label: {error}", member.path) from None

    def _from_json(self, value: Any) -> Any:
        """What stands for the label in a `.json` member."""
        if not isinstance(value, dict):
            return value
        for key in (self.records.label, "names", "labels", "label", "cls"):
            if key in value:
                return value[key]
        keys = listed([repr(key) for key in value]) or "none"
        raise ValueError(f"no {self.records.label!r} among its keys ({keys}); data.records.label names another")

    def _name(self, label: Any) -> str:
        if isinstance(label, str) and label:
            return label
        if not isinstance(label, int) or isinstance(label, bool):
            raise ValueError(f"{label!r} is neither a class number nor a name")
        if self.class_names is None:
            return str(label)
        if not 0 <= label < len(self.class_names):
            raise ValueError(f"class number {label}, but there are {len(self.class_names)} classes, from 0")
        return self.class_names[label]

    def _error(self, problem: str, member: str | None = None, what: str = "member") -> DataError:
        where = "" if member is None else f"{what} {member!r} "
        return DataError(f"{self.path}: {where}{problem}")


def _number_or_name(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _listed(members: Sequence[_Member]) -> str:
    return listed([f".{member.name.extension}" for member in members])
