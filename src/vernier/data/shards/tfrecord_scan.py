"""What images a TFRecord file holds, and where their bytes lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from vernier.config.data import RecordsConfig
from vernier.data.shards.entry import Entry
from vernier.data.shards.example import (
    Feature,
    MalformedExample,
    Span,
    bytes_spans,
    find_features,
    int64_values,
)
from vernier.data.shards.tfrecord import CLASS_FEATURE, Damage, Record, read_records
from vernier.data.wording import did_you_mean, listed
from vernier.errors import DataError


def refuse(damage: str) -> None:
    """Stop at damage.

    Raises:
        DataError: always, with `damage` as its message.
    """
    raise DataError(f"{damage}. Get the file again, or leave out what is damaged with data.on_bad_image=skip")


def numbered_class(number: int) -> str:
    """The name of a class of which only the number is known."""
    return f"class {number}"


def scan_tfrecord(
    path: Path,
    records: RecordsConfig,
    class_names: Sequence[str] = (),
    *,
    file: str | None = None,
    on_damage: Callable[[str], None] = refuse,
) -> tuple[Entry, ...]:
    """The images of a TFRecord file of `tf.train.Example`s, in its order; every byte is read.

    A label is a class's number or its name, one or several. A number is a place in `class_names`; without these it
    is named by the feature `class_name` where there is one, as in our own files, else `class 0` and so on. Images
    without a key get `FILE/000000`, the number of the record.

    Args:
        path: The file.
        records: The features' names, and whether checksums are compared.
        class_names: All classes in the order of their numbers, where they are known.
        file: What keys of images without one start with; the file's name by default.
        on_damage: Gets a sentence for each damaged record; when it returns, the record is left out. A record whose
            length is damaged ends the file.

    Raises:
        DataError: the file can't be read; damage, unless `on_damage` does otherwise; a feature that is missing or
            of the wrong kind; a label that is no class. The message names the record and where it lies.
    """
    scan = _Scan(path, records, tuple(class_names), path.name if file is None else file)
    entries = []
    try:
        for record in read_records(path, records.check):
            found = scan.entry(record) if isinstance(record, Record) else record
            if isinstance(found, Entry):
                entries.append(found)
            else:
                on_damage(f"{scan.where(found)} {found.reason}")
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    return tuple(entries)


@final
@dataclass(frozen=True)
class _Scan:
    """What the records of one file are read by."""

    path: Path
    records: RecordsConfig
    class_names: tuple[str, ...]
    file: str
    known_labels: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """Each combination of labels once: images share it."""

    def where(self, record: Record | Damage) -> str:
        return f"{self.path}: record {record.number} (from 0) at byte {record.offset}"

    def entry(self, record: Record) -> Entry | Damage:
        try:
            features = find_features(record.data)
            start, end = self._image(record, features)
            labels = self._labels(record, features)
            key = self._key(record, features)
        except MalformedExample as error:
            return Damage(record.number, record.offset, f"is no tf.train.Example: {error}")
        return Entry(key, self.known_labels.setdefault(labels, labels), record.data_offset + start, end - start)

    def _image(self, record: Record, features: Mapping[str, Feature]) -> Span:
        feature = self._feature("image", record, features)
        if feature.kind != "bytes":
            raise self._wrong("image", record, f"holds {_content(feature)}, not the bytes of an image file")
        spans = bytes_spans(record.data, feature)
        if len(spans) != 1:
            raise self._wrong("image", record, f"holds {len(spans)} values, not one image file")
        return spans[0]

    def _labels(self, record: Record, features: Mapping[str, Feature]) -> tuple[str, ...]:
        feature = self._feature("label", record, features)
        if feature.kind == "float":
            raise self._wrong("label", record, "holds floats, not the numbers (int64) or names of classes")
        if feature.kind == "int64":
            numbers = int64_values(record.data, feature)
            return self._numbered(record, numbers, _texts(record.data, features.get(CLASS_FEATURE)))
        names = _texts(record.data, feature)
        if self.class_names and (unknown := [name for name in names if name not in self.class_names]):
            near = did_you_mean(unknown[0], self.class_names)
            message = f"holds '{unknown[0]}', which is no class of the set.{near} There are: {listed(self.class_names)}"
            raise self._wrong("label", record, message)
        return names

    def _numbered(self, record: Record, numbers: Sequence[int], names: tuple[str, ...]) -> tuple[str, ...]:
        highest = len(self.class_names) - 1 if self.class_names else None
        for number in numbers:
            if number < 0 or (highest is not None and number > highest):
                known = "" if highest is None else f"; the set has {highest + 1} classes, 0 to {highest}"
                raise self._wrong("label", record, f"holds {number}, which is no class{known}")
        if self.class_names:
            return tuple(self.class_names[number] for number in numbers)
        return names if len(names) == len(numbers) else tuple(map(numbered_class, numbers))

    def _key(self, record: Record, features: Mapping[str, Feature]) -> str:
        keys = _texts(record.data, features.get(self.records.key))
        return keys[0] if keys and keys[0] else f"{self.file}/{record.number:06d}"

    def _feature(self, which: str, record: Record, features: Mapping[str, Feature]) -> Feature:
        name: str = getattr(self.records, which)
        if name not in features:
            there = ", ".join(f"{found} ({_content(feature)})" for found, feature in sorted(features.items()))
            raise DataError(
                f"{self.where(record)} has no feature '{name}' (data.records.{which}).{did_you_mean(name, features)} "
                f"It has: {there or 'none'}"
            )
        return features[name]

    def _wrong(self, which: str, record: Record, what: str) -> DataError:
        name = getattr(self.records, which)
        return DataError(f"{self.where(record)}: the feature '{name}' (data.records.{which}) {what}")


def _content(feature: Feature) -> str:
    return feature.kind or "nothing"


def _texts(data: bytes, feature: Feature | None) -> tuple[str, ...]:
    """The values of a feature as text; none where it is missing or of another kind."""
    if feature is None or feature.kind != "bytes":
        return ()
    return tuple(data[start:end].decode(errors="surrogateescape") for start, end in bytes_spans(data, feature))
