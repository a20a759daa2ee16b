"""Time the input pipeline on a CPU, from images to normalised batches.

python benchmarks/augment.py [--flowers DIR] [--cifar10 DIR] [--threads N] [--rounds N]

Directories hold a folder for each class. Each line tells images per second of wall-clock time and per second of
processor time (over all threads), as medians over the rounds with the smallest and largest; the works of a round
take turns.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    AnyOperation,
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    Translate,
)
from vernier.config.data import DataConfig
from vernier.data.feed import make_feed
from vernier.data.images import ArrayImages, Images
from vernier.data.loader import TrainLoader
from vernier.data.order import BatchOrder
from vernier.data.sources import open_source
from vernier.data.store import open_store

PHOTOS = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
HEAVY = (
    RandomResizedCrop(size=(224, 224)),
    RandomHorizontalFlip(),
    RandomRotate(degrees=15),
    RandomPerspective(distortion=0.3),
    ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3),
    PHOTOS,
)
WINDOWS = (RandomCrop(size=(32, 32), padding=4), RandomHorizontalFlip(), PHOTOS)
DIGITS = (Translate(), RandomRotate(), Normalize(mean=0.5, std=0.5))


@dataclass
class Work:
    """A loader that is read for a number of images each round."""

    name: str
    loader: TrainLoader
    images: int
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One round: whole batches until there are enough images."""
        wall, processor, seen = time.perf_counter(), time.process_time(), 0
        for batch in _batches(self.loader):
            seen += len(batch)
            if seen >= self.images:
                break
        self.wall.append(seen / (time.perf_counter() - wall))
        self.processor.append(seen / (time.process_time() - processor))

    def describe(self) -> str:
        """The figures in a line."""
        rates = ", ".join(f"{_spread(values)} {per}" for per, values in self._rates())
        return f"{self.name}: {rates}, n = {len(self.wall)} x {self.images} images"

    def _rates(self) -> tuple[tuple[str, list[float]], ...]:
        return ("images/s", self.wall), ("images per processor second", self.processor)


def _batches(loader: TrainLoader) -> Iterator[torch.Tensor]:
    epoch = 0
    while True:
        for batch in loader.epoch(epoch):
            yield batch.images
        epoch += 1


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def make_work(
    name: str, images: Images, operations: Sequence[AnyOperation], store: str, batch_size: int, count: int, threads: int
) -> Work:
    """A work on images in a store."""
    data = DataConfig.model_validate({"source": "folder", "store": store})
    opened = open_store(images, data, threads)
    sizes = {images.size(index) for index in range(len(images))}
    plan = compile_plan(
        operations,
        channels=opened[0].shape[2],
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=0,
        native_size=sizes.pop() if len(sizes) == 1 else None,
    )
    loader = TrainLoader(
        feed=make_feed(opened, plan, threads),
        positions=np.arange(len(images)),
        targets=torch.zeros(len(images), dtype=torch.int64),
        order=BatchOrder(len(images), batch_size, 0),
        threads=threads,
    )
    return Work(name, loader, count)


def photo_works(directory: Path, threads: int) -> Iterator[Work]:
    """The heavy list, decoding each time and from memory."""
    images = open_source(DataConfig(source=str(directory))).images
    yield make_work("heavy list at 224, decoding", images, HEAVY, "off", 64, 1500, threads)
    yield make_work("heavy list at 224, decoded store", images, HEAVY, "memory", 64, 3000, threads)


def window_work(directory: Path, threads: int) -> Work:
    """Crops and flips of at most 10,000 images of 32 x 32."""
    images = open_source(DataConfig(source=str(directory))).images
    chosen = np.linspace(0, len(images) - 1, min(len(images), 10_000)).astype(np.int64).tolist()
    array = np.stack([images.read(place) for place in chosen])
    held = ArrayImages(array, [images.key(place) for place in chosen], 3)
    return make_work("32 x 32 crop, flip, normalise", held, WINDOWS, "auto", 512, 200_000, threads)


def digits_work(threads: int) -> Work:
    """What `vernier quickstart` does to the bundled digits."""
    images = open_source(DataConfig(source="digits")).images
    return make_work("8 x 8 digits, translation and rotation", images, DIGITS, "auto", 64, 40_000, threads)


def main() -> None:
    """Read the arguments, run the works in turns and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flowers", type=Path, help="photos")
    parser.add_argument("--cifar10", type=Path, help="images of 32 x 32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    works = [digits_work(given.threads)]
    if given.cifar10:
        works.append(window_work(given.cifar10, given.threads))
    if given.flowers:
        works += photo_works(given.flowers, given.threads)
    for work in works:
        work.run()
        work.wall.clear()
        work.processor.clear()
    for _ in range(given.rounds):
        for work in works:
            work.run()
    for work in works:
        print(work.describe())


if __name__ == "__main__":
    main()
