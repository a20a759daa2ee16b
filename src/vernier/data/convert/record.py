"""`conversion.json`: how a set was made, so that the same command finds that nothing is left to do."""

import hashlib
import json
import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from vernier.atomic import write_text_atomically
from vernier.config.data import DataConfig
from vernier.data.convert.settings import ConvertSettings
from vernier.data.source import Source
from vernier.errors import DataError

RECORD_FILE: Final = "conversion.json"

_DATA_KEYS: Final = frozenset(
    {
        *("source", "root", "train", "val", "test", "train_split", "val_split", "class_names", "task", "channels"),
        *("value_range", "max_pixels", "lists", "columns", "records", "kwargs"),
    }
)


@final
@dataclass(frozen=True)
class PastConversion:
    """A conversion whose files are in a set: what was asked for, and `Conversion.result`."""

    request: Mapping[str, Any]
    result: Mapping[str, Any]


def describe_request(source: Source, data: DataConfig, settings: ConvertSettings) -> dict[str, Any]:
    """All that a set follows from, as JSON types: settings, where images come from, and which images these are."""
    given = data.model_dump(mode="json", exclude_defaults=True)
    asked = {"settings": settings.to_json(), "data": {key: given[key] for key in sorted(given) if key in _DATA_KEYS}}
    if data.source is not None and os.path.lexists(data.source):
        asked["data"]["source"] = os.path.abspath(data.source)  # noqa: PTH100
    if data.split.group is not None:
        asked["data"]["split.group"] = data.split.group
    plain: dict[str, Any] = json.loads(json.dumps(asked))
    return {**plain, "images": _identity(source)}


def differences(request: Mapping[str, Any], past: Mapping[str, Any]) -> list[str]:
    """What is asked otherwise than before: `format webdataset (before: tfrecord)`."""
    found = []
    for section in ("settings", "data"):
        now, before = request[section], past.get(section, {})
        changed = [key for key in sorted({*now, *before}) if now.get(key) != before.get(key)]
        found += [f"{key} {now.get(key)!r} (before: {before.get(key)!r})" for key in changed]
    return found or ["images that are not the same as before"]


def read_record(directory: Path) -> tuple[PastConversion, ...]:
    """The conversions that a set was made by; none where it was not made by this program.

    Raises:
        DataError: the file is damaged or can't be read.
    """
    path = directory / RECORD_FILE
    try:
        conversions = json.loads(path.read_text(encoding="utf-8"))["conversions"]
        return tuple(PastConversion(past["request"], past["result"]) for past in conversions)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: can't be read ({error}); remove {directory} and convert again") from None


def write_record(directory: Path, conversions: Sequence[PastConversion]) -> None:
    """Write `conversion.json`.

    Raises:
        RunError: the system refuses.
    """
    values = [{"request": past.request, "result": past.result} for past in conversions]
    text = json.dumps({"conversions": values}, indent=1, ensure_ascii=True)
    write_text_atomically(directory / RECORD_FILE, text + "\n")


def _identity(source: Source) -> str:
    """Hex digits that change when images, labels or splits may have changed; files are not read."""
    digest = hashlib.sha256(source.images.fingerprint().encode())
    for column in (source.class_names, source.labels(), source.split, source.groups or ()):
        digest.update("\0".join(column).encode(errors="surrogateescape") + b"\n")
    return digest.hexdigest()
