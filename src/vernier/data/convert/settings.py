"""What a conversion is asked to do."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, final

from vernier.data.shards.info import Format
from vernier.errors import ConfigError, ConfigProblem

Preprocessing = Literal["NO", "CENTER_CROP_THEN_SCALE", "SQUARE_MARGIN_THEN_SCALE"]

FORMATS: Final = ("tfrecord", "webdataset", "store")
PREPROCESSINGS: Final = ("NO", "CENTER_CROP_THEN_SCALE", "SQUARE_MARGIN_THEN_SCALE")
SPLIT_NAMES: Final = ("train", "validation", "test")
SPLIT_SHARES: Final = ("0.8", "0.1", "0.1")
IMAGE_SIZE: Final = (224, 224)
SHARD_SIZE: Final = 1000


@final
@dataclass(frozen=True)
class ConvertSettings:
    """A conversion's settings; the command line's options have the same names.

    Attributes:
        format: tfrecord, webdataset (tar shards) or store (decoded pixels).
        preprocessing: NO keeps every image's file as it is. CENTER_CROP_THEN_SCALE scales the largest square in the
            middle, SQUARE_MARGIN_THEN_SCALE the image on a black square.
        image_size: Height and width that preprocessing scales to; 224 x 224 by default.
        split_names: Of the splits; `train`, `validation` and `test` by default.
        split_percentages: Each split's share as a decimal fraction, such as `0.7`; 0.8, 0.1 and 0.1 by default. When
            they are not given, splits that the source has are kept.
        shard_size: Images in a shard at most, 1000 by default.
        num_shards: Shards of each split instead.
        name: Of the set; the source's by default.
        description: Any text.
        seed: Of the draw of splits and of the order in shards.
        quality: Of JPEG files that are written anew, 1 to 100.
        annotations: A CSV file whose first two columns are image file and label, for images that lie in the source.
        delimiter: Between its columns.
        header: Whether its first line holds no image.
        check: quick finds files that are no images or are cut short; full decodes every image.
    """

    format: Format = "tfrecord"
    preprocessing: Preprocessing = "NO"
    image_size: tuple[int, int] | None = None
    split_names: tuple[str, ...] | None = None
    split_percentages: tuple[str, ...] | None = None
    shard_size: int | None = None
    num_shards: int | None = None
    name: str | None = None
    description: str = ""
    seed: int = 0
    quality: int = 95
    annotations: Path | None = None
    delimiter: str = ","
    header: bool = False
    check: Literal["quick", "full"] = "quick"

    @property
    def target_size(self) -> tuple[int, int] | None:
        """Height and width of every image; None where each keeps its own."""
        return None if self.preprocessing == "NO" else self.image_size or IMAGE_SIZE

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        annotations = None if self.annotations is None else str(self.annotations.absolute())
        return {**asdict(self), "annotations": annotations, "image_size": self.target_size}


def check_settings(settings: ConvertSettings) -> None:
    """Refuse what can't be done, before anything is read.

    Raises:
        ConfigError: all problems at once.
    """
    problems = [ConfigProblem(f"--{name}", message) for name, message in _problems(settings)]
    if problems:
        raise ConfigError(problems)


def read_shares(percentages: tuple[str, ...]) -> tuple[Fraction, ...]:
    """Decimal fractions as they are written, so that 0.7, 0.2 and 0.1 make 1.

    Raises:
        ConfigError: a share that is no number from 0 to 1, or a sum other than 1.
    """
    shares = tuple(map(_read_share, percentages))
    if sum(shares) != 1:
        written = " + ".join(percentages)
        message = f"{written} is {_decimal(sum(shares, Fraction(0)))}; the shares have to make 1"
        raise ConfigError([ConfigProblem("--split_percentages", message)])
    return shares


def _read_share(text: str) -> Fraction:
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(-1)
    if not 0 <= share <= 1:
        message = f"{text!r} is no share; write a number from 0 to 1, such as 0.8"
        raise ConfigError([ConfigProblem("--split_percentages", message)])
    return share


def _decimal(number: Fraction) -> str:
    return f"{float(number):.12g}"


def _problems(settings: ConvertSettings) -> Iterator[tuple[str, str]]:
    yield from _format_problems(settings)
    yield from _number_problems(settings)
    yield from _split_problems(settings)
    if len(settings.delimiter) != 1:
        yield "delimiter", f"is one character, not {settings.delimiter!r}"


def _format_problems(settings: ConvertSettings) -> Iterator[tuple[str, str]]:
    for name, allowed in (("format", FORMATS), ("preprocessing", PREPROCESSINGS), ("check", ("quick", "full"))):
        if (value := getattr(settings, name)) not in allowed:
            yield name, f"{value!r} is none of {', '.join(allowed)}"
    if settings.image_size is not None and settings.preprocessing == "NO":
        yield (
            "image_size",
            "has no effect with --preprocessing NO, which leaves images as they are; say how to scale: "
            "--preprocessing CENTER_CROP_THEN_SCALE or SQUARE_MARGIN_THEN_SCALE",
        )


def _number_problems(settings: ConvertSettings) -> Iterator[tuple[str, str]]:
    for name in ("shard_size", "num_shards"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            yield name, f"{value} is less than 1"
        if value is not None and settings.format == "store":
            yield name, "goes with --format tfrecord and webdataset; a store is one file a split"
    if settings.shard_size is not None and settings.num_shards is not None:
        yield "num_shards", "excludes --shard_size; give one of them"
    if settings.image_size is not None and not all(0 < length < 2**16 for length in settings.image_size):
        yield "image_size", f"{settings.image_size} is not height and width, each from 1 to 65535"
    if not 1 <= settings.quality <= 100:
        yield "quality", f"{settings.quality} is not from 1 to 100"
    if settings.seed < 0:
        yield "seed", f"{settings.seed} is less than 0"


def _split_problems(settings: ConvertSettings) -> Iterator[tuple[str, str]]:
    names, percentages = settings.split_names, settings.split_percentages
    for name in names or ():
        if not re.fullmatch(r"[^\W_][\w.-]*", name):
            yield (
                "split_names",
                f"{name!r} names files: use letters, digits, dots, - and _, and a letter or digit first",
            )
    if len({name.casefold() for name in names or ()}) < len(names or ()):
        yield "split_names", f"{' '.join(names or ())}: a name stands twice"
    if percentages is not None and len(percentages) != len(names or SPLIT_NAMES):
        what = " ".join(names or SPLIT_NAMES)
        yield "split_percentages", f"has {len(percentages)} numbers for {len(names or SPLIT_NAMES)} splits ({what})"
