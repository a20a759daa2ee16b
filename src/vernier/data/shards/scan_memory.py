"""What a scan of a shard found, remembered for as long as the shard stays as it is."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from vernier.atomic import write_text_atomically
from vernier.config.data import RecordsConfig
from vernier.data.shards.entry import Entry
from vernier.errors import RunError

_VERSION: Final = 1


@final
@dataclass(frozen=True)
class Scan:
    """The images of a shard, and a sentence for each part that is damaged."""

    entries: tuple[Entry, ...]
    damage: tuple[str, ...]


def remembered_scan(record: Path, scan: Callable[[], Scan]) -> Scan:
    """What the file `record` remembers; without it what `scan` finds, which the file remembers then."""
    try:
        return _from_json(json.loads(record.read_text()))
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        # Whatever is wrong with the record, the shard is scanned again.
        found = scan()
    # Without a record the next run scans again: no reason to stop this one.
    with suppress(OSError, RunError):
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(record, json.dumps(_to_json(found)))
    return found


def scan_key(path: Path, records: RecordsConfig, class_names: tuple[str, ...]) -> str:
    """Hex digits of all that a scan follows from.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    parts = [_VERSION, str(path), stamp, records.model_dump(), class_names]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _to_json(scan: Scan) -> dict[str, Any]:
    labels = {labels: number for number, labels in enumerate(dict.fromkeys(entry.labels for entry in scan.entries))}
    return {
        "labels": list(labels),
        "entries": [[entry.key, labels[entry.labels], entry.offset, entry.length] for entry in scan.entries],
        "damage": scan.damage,
    }


def _from_json(values: dict[str, Any]) -> Scan:
    labels = [tuple(names) for names in values["labels"]]
    entries = (Entry(key, labels[number], offset, length) for key, number, offset, length in values["entries"])
    return Scan(tuple(entries), tuple(values["damage"]))
