"""Data sets of other libraries by name: `torchvision:Flowers102`, `hf:NAME`, `tfds:NAME`.

Each is a list of parts, one a split, whose images are bytes of image files where the library can hand them over as they
are, else pixels.
"""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

from vernier.config.data import DataConfig
from vernier.data.images import EncodedImages, ImageError
from vernier.data.source import Source
from vernier.data.sources.listing import ListedFile, Listing, make_source
from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem

OLD_NAMES: Mapping[str, str] = {
    "caltech101": "torchvision:Caltech101",
    "caltech_birds2010": "tfds:caltech_birds2010",
    "caltech_birds2011": "tfds:caltech_birds2011",
    "cars196": "torchvision:StanfordCars",
    "cats_vs_dogs": "tfds:cats_vs_dogs",
    "cifar10_1": "tfds:cifar10_1",
    "cifar10_corrupted": "tfds:cifar10_corrupted",
    "fashion_mnist": "torchvision:FashionMNIST",
    "food101": "torchvision:Food101",
    "imagenette/full-size-v2": "torchvision:Imagenette",
    "i_naturalist2017": "tfds:i_naturalist2017",
    "mnist_corrupted": "tfds:mnist_corrupted",
    "omniglot": "tfds:omniglot",
    "oxford_flowers102": "torchvision:Flowers102",
    "oxford_iiit_pet": "torchvision:OxfordIIITPet",
}
"""Names that UpStride's configs use, and where the same images are had; cifar10, cifar100 and mnist are built in."""


@final
@dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes:
        split: Its name there; empty where there are no splits.
        labels: Names of the classes of each image.
        read: The bytes of an image file by number; OSError, RuntimeError or ValueError say why not.
    """

    split: str
    labels: Sequence[tuple[str, ...]]
    read: Callable[[int], bytes]


def is_named(text: str) -> bool:
    """Whether a text names a data set of another library, by prefix or by an old name."""
    return text.partition(":")[0] in ("torchvision", "hf", "tfds") or text in OLD_NAMES


def open_named(text: str, data: DataConfig) -> Source:
    """The data set that a text names.

    Raises:
        ConfigError: an argument that it does not take.
        DataError: the library is not installed, there is no such data set, or it is not here and can't be fetched.
    """
    library, _, name = OLD_NAMES.get(text, text).partition(":")
    if library == "torchvision":
        from vernier.data.sources.torchvision_sets import open_torchvision

        return open_torchvision(name, data)
    if library == "hf":
        from vernier.data.sources.hf_sets import open_hf

        return open_hf(name, data)
    from vernier.data.sources.tfds_sets import open_tfds

    return open_tfds(name, data)


def check_arguments(source: str, data: DataConfig, known: Sequence[str]) -> None:
    """Refuse arguments in `data.kwargs` that a source does not take.

    Raises:
        ConfigError: all of them.
    """
    problems = [
        ConfigProblem(
            f"data.kwargs.{key}",
            f"{source} has no such argument.{did_you_mean(key, known)} It takes: {listed(known) or 'none'}",
        )
        for key in data.kwargs
        if key not in known
    ]
    if problems:
        raise ConfigError(problems)


def source_from_parts(
    name: str, parts: Sequence[Part], class_names: Sequence[str], multilabel: bool, version: str, data: DataConfig
) -> Source:
    """The source of the images whose split and class are used.

    Args:
        name: Of the data set.
        parts: Its splits.
        class_names: In the order of the data set.
        multilabel: Whether an image may have several labels, or none.
        version: What changes when the images do.
        data: Which splits and classes to use.

    Raises:
        DataError: see `make_source`.
    """
    places: dict[str, tuple[Part, int]] = {}
    files = []
    for part in parts:
        for number, labels in enumerate(part.labels):
            key = f"{part.split or 'all'}/{number:07d}"
            places[key] = (part, number)
            files.append(ListedFile(key, labels, part.split))
    listing = Listing(name, Path(name), tuple(files), tuple(class_names), multilabel, {})

    def images(keys: Sequence[str], channels: int) -> NamedImages:
        return NamedImages(name, version, [places[key] for key in keys], keys, channels, data)

    return make_source(listing, data, images, None)


@final
class NamedImages(EncodedImages):
    """Images that other libraries read, by part and number."""

    def __init__(
        self,
        name: str,
        version: str,
        places: Sequence[tuple[Part, int]],
        keys: Sequence[str],
        channels: int,
        data: DataConfig,
    ) -> None:
        super().__init__(keys, channels, data.max_pixels, data.value_range)
        self._name, self._version, self._places = name, version, tuple(places)

    def path(self, index: int) -> None:
        """None: what is a file is the library's business."""

    def where(self, index: int) -> str:
        """The data set and the key."""
        return f"{self._name}: {self.keys[index]}"

    def content(self, index: int) -> bytes:
        """The bytes of the image file."""
        part, number = self._places[index]
        try:
            return part.read(number)
        except (OSError, RuntimeError, ValueError) as error:
            raise ImageError(self.where(index), f"can't be read ({error})") from error

    def open(self, index: int) -> BinaryIO:
        """The same, to read the header from."""
        return io.BytesIO(self.content(index))

    def fingerprint(self) -> str:
        """Of the name, the version, the keys and how images are decoded."""
        words = (self._name, self._version, self.decoding, str(self.max_pixels), *self.keys)
        return hashlib.sha256("\0".join(words).encode()).hexdigest()
