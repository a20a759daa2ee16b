"""The first digits as a set of shards, as `vernier convert` writes it."""

from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

from vernier.config.data import RecordsConfig
from vernier.data.shards.index_file import SUFFIX, index_text
from vernier.data.shards.info import DatasetInfo, SplitInfo, write_info
from vernier.data.shards.tar import TarWriter
from vernier.data.shards.tfrecord import TFRecordWriter
from vernier.data.shards.writer import ImageRecord


def write_digit_shards(directory: Path, sizes: dict[str, tuple[int, ...]], format_: str = "webdataset") -> None:
    """Shards of so many images each, by split; the images of all are different ones."""
    directory.mkdir(parents=True)
    digits, splits, first = load_digits(), {}, 0
    ending = "tar" if format_ == "webdataset" else "tfrecord"
    for split, counts in sizes.items():
        files = []
        for number, count in enumerate(counts):
            path = directory / f"{split}-{number:06d}.{ending}"
            write_shard(path, [record(digits, place) for place in range(first, first + count)])
            files.append(path.name)
            first += count
        splits[split] = SplitInfo(tuple(files), sum(counts))
    names = tuple(map(str, range(10)))
    write_info(directory, DatasetInfo("digits", "", format_, names, False, splits))


def write_shard(path: Path, records: list[ImageRecord]) -> None:
    writer = TarWriter(path, multilabel=False) if path.suffix == ".tar" else TFRecordWriter(path, RecordsConfig())
    entries = [writer.add(one) for one in records]
    path.with_name(path.name + SUFFIX).write_text(index_text(entries, writer.close()))


def record(digits, place: int) -> ImageRecord:
    pixels = (digits.images[place] * 15).astype(np.uint8)
    label = int(digits.target[place])
    content = cv2.imencode(".png", pixels)[1].tobytes()
    return ImageRecord(f"{label}/{place:04d}.png", content, ".png", (label,), (str(label),), (8, 8))
