"""What came of a conversion."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

_SHOWN: Final = 50


@final
@dataclass(frozen=True)
class SplitFiles:
    """The files of a split: their names, the images in them, their bytes without the indices."""

    files: tuple[str, ...]
    num_examples: int
    bytes: int


@final
@dataclass(frozen=True)
class SkippedImage:
    """An image that can't be read, and why."""

    path: str
    reason: str


@final
@dataclass(frozen=True)
class Conversion:
    """A set that was written.

    Attributes:
        out: Its directory.
        name: Of the set.
        format: Of its files.
        class_names: In the order of their numbers.
        splits: What was written, by the splits' names; splits that were there before are not among them.
        skipped: Images that can't be read; they are in no split.
        seconds: That it took.
        already_done: Whether the same command had been run before, so that nothing was left to do.
    """

    out: Path
    name: str
    format: str
    class_names: tuple[str, ...]
    splits: Mapping[str, SplitFiles]
    skipped: tuple[SkippedImage, ...]
    seconds: float
    already_done: bool

    @property
    def exit_status(self) -> int:
        """1 where images are left out."""
        return 1 if self.skipped else 0

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "out": str(self.out),
            "name": self.name,
            "format": self.format,
            "class_names": list(self.class_names),
            **self.result(),
            "num_examples": sum(split.num_examples for split in self.splits.values()),
            "bytes": sum(split.bytes for split in self.splits.values()),
            "seconds": round(self.seconds, 3),
            "already_done": self.already_done,
        }

    def result(self) -> dict[str, Any]:
        """What is the same whenever the same images are converted, as JSON types."""
        return {
            "splits": {
                name: {"files": list(split.files), "num_examples": split.num_examples, "bytes": split.bytes}
                for name, split in self.splits.items()
            },
            "skipped": [{"path": image.path, "reason": image.reason} for image in self.skipped],
        }

    def to_text(self) -> str:
        """For a terminal."""
        done = " (done before; nothing was left to do)" if self.already_done else f" in {self.seconds:.1f} s"
        lines = [f"{self.out}: {self.name}, {len(self.class_names)} classes, {self.format}{done}"]
        for name, split in self.splits.items():
            files = "1 file" if len(split.files) == 1 else f"{len(split.files)} files"
            lines.append(f"  {name}: {split.num_examples} images, {files}, {split.bytes / 1e6:.1f} MB")
        if self.skipped:
            lines.append(f"{len(self.skipped)} images can't be read and were left out:")
            lines += [f"  {image.path}: {image.reason}" for image in self.skipped[:_SHOWN]]
        if len(self.skipped) > _SHOWN:
            lines.append(f"  and {len(self.skipped) - _SHOWN} more (--json lists all)")
        return "\n".join(lines)


def read_result(result: Mapping[str, Any]) -> tuple[dict[str, SplitFiles], tuple[SkippedImage, ...]]:
    """The splits and the skipped images that `Conversion.result` gave.

    Raises:
        KeyError, TypeError, ValueError: not what it gave.
    """
    splits = {
        name: SplitFiles(tuple(split["files"]), int(split["num_examples"]), int(split["bytes"]))
        for name, split in result["splits"].items()
    }
    return splits, tuple(SkippedImage(image["path"], image["reason"]) for image in result["skipped"])
