"""Time writing and reading TFRecord files without decoding images.

python benchmarks/records.py [--images N] [--bytes N] [--shards N] [--threads N] [--rounds N] [--directory DIR]

Each line tells images per second of wall-clock time and per second of processor time (over all threads), as medians
over the rounds with the smallest and largest; the works of a round take turns. Files are read from the page
cache, as they were just written; writing includes waiting for the device (fsync). The last lines are the checksum
alone, by the wheel that is used and by NumPy.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import google_crc32c
import numpy as np

from vernier.config.data import RecordsConfig
from vernier.data.shards.images import LocalShards, ShardImages
from vernier.data.shards.tfrecord import TFRecordWriter, read_records
from vernier.data.shards.tfrecord_scan import scan_tfrecord
from vernier.data.shards.writer import ImageRecord

POLYNOMIAL = 0x82F63B78
ALL_ONES = 0xFFFFFFFF


@dataclass(frozen=True)
class Set:
    """Shards of random bytes: `paths`, `images` in each of the size of `content`."""

    paths: tuple[Path, ...]
    images: int
    content: bytes

    @property
    def total(self) -> int:
        return len(self.paths) * self.images

    def write(self, path: Path) -> None:
        writer = TFRecordWriter(path, RecordsConfig())
        for number in range(self.images):
            key = f"{path.stem}/{number}.jpg"
            writer.add(ImageRecord(key, self.content, ".jpg", (number % 10,), ("class",), (480, 640)))
        writer.close()

    def read(self, path: Path) -> None:
        """Every byte, with checksums, and nothing made of it."""
        assert sum(1 for _ in read_records(path, check=True)) == self.images

    def scan(self, path: Path, check: bool) -> None:
        assert len(scan_tfrecord(path, RecordsConfig(check=check))) == self.images

    def everywhere(self, work: Callable[[Path], None], threads: int) -> int:
        """Do the work for all shards, several at once."""
        with ThreadPoolExecutor(threads) as executor:
            list(executor.map(work, self.paths))
        return self.total

    def read_in_random_order(self) -> int:
        entries = [(n, e) for n, path in enumerate(self.paths) for e in scan_tfrecord(path, RecordsConfig(check=False))]
        random.Random(0).shuffle(entries)
        rows = np.array([(n, entry.offset, entry.length) for n, entry in entries]).T
        images = ShardImages(LocalShards(self.paths), [entry.key for _, entry in entries], *rows, 3, 10**8)
        for place in range(len(images)):
            images.content(place)
        return len(images)


def crc_table() -> np.ndarray:
    """What one byte does to a CRC, uint32 (256,)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ np.where(table & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return table


TABLE = crc_table()


def numpy_crc(data: bytes) -> int:
    """CRC-32C by NumPy: lanes side by side, a byte of each at a time, then joined from the first to the last."""
    lane = max(1, int(len(data) ** 0.5))
    whole = np.frombuffer(data, np.uint8)
    head, body = np.split(whole, [len(data) % lane])
    columns = body.reshape(-1, lane).T
    states = np.zeros(columns.shape[1], np.uint32)
    for column in columns:
        states = states >> 8 ^ TABLE[(states ^ column) & 255]
    crc = ALL_ONES
    for byte in head.tolist():
        crc = crc >> 8 ^ int(TABLE[(crc ^ byte) & 255])
    advance = zeros_table(lane)
    for state in states.tolist():
        crc = advance[0][crc & 255] ^ advance[1][crc >> 8 & 255] ^ advance[2][crc >> 16 & 255] ^ advance[3][crc >> 24]
        crc ^= state
    return crc ^ ALL_ONES


def zeros_table(count: int, known: dict[int, list[list[int]]] = {}) -> list[list[int]]:  # noqa: B006
    """What `count` bytes of zero do to each of the four bytes of a CRC, 4 times 256."""
    if count not in known:
        states = (np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, None]).astype(np.uint32)
        for _ in range(count):
            states = states >> 8 ^ TABLE[states & 255]
        known[count] = states.tolist()
    return known[count]


def checksums(crc: Callable[[bytes], int], content: bytes, seconds: float = 0.3) -> int:
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        crc(content)
        count += 1
    return count


def works(data: Set, threads: int) -> dict[str, Callable[[], int]]:
    table: dict[str, Callable[[], int]] = {}
    for number in sorted({1, threads}):
        on = f"{number} thread{'s' * (number > 1)}"
        table[f"write, {on}"] = partial(data.everywhere, data.write, number)
        table[f"read and check, {on}"] = partial(data.everywhere, data.read, number)
        table[f"scan: read, check, find images and labels, {on}"] = partial(
            data.everywhere, partial(data.scan, check=True), number
        )
    table["scan without checksums, 1 thread"] = partial(data.everywhere, partial(data.scan, check=False), 1)
    table["read images in random order, 1 thread"] = data.read_in_random_order
    table["checksum alone, google-crc32c"] = partial(checksums, google_crc32c.value, data.content)
    table["checksum alone, NumPy"] = partial(checksums, numpy_crc, data.content)
    return table


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Images per second of wall-clock and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - wall), count / (time.process_time() - processor)


def row(name: str, rates: list[tuple[float, float]]) -> str:
    cells = [
        f"{statistics.median(kind):,.0f} ({min(kind):,.0f} to {max(kind):,.0f})" for kind in zip(*rates, strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", default=None)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    content = random.Random(0).randbytes(options.bytes)
    assert numpy_crc(content) == google_crc32c.value(content)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        paths = tuple(Path(directory) / f"train_{number}.tfrecord" for number in range(options.shards))
        table = works(Set(paths, options.images // options.shards, content), options.threads)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in table}
        for _ in range(options.rounds):
            for name, work in table.items():
                rates[name].append(timed(work))
    print(f"{options.images} images of {options.bytes} bytes, google-crc32c by {google_crc32c.implementation}")
    print("| images a second | wall-clock | processor |\n|---|--:|--:|")
    for name, pairs in rates.items():
        print(row(name, pairs))
    compiled, slow = (
        statistics.median(rate for _, rate in rates[f"checksum alone, {name}"]) for name in ("google-crc32c", "NumPy")
    )
    print(f"\nThe compiled checksum is {compiled / slow:.0f} times as fast as NumPy's.")


if __name__ == "__main__":
    main()
