"""A list of the images that are worth training on: what `--fix` writes."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, final

from vernier.atomic import write_atomically
from vernier.data.check.findings import Evidence
from vernier.data.check.label_conflicts import conflicting_groups
from vernier.data.images import FileImages
from vernier.errors import DataError

_KEPT_FIRST: Final = ("test", "val", "train", "")
"""Which copy stays: what is measured on stays the same set, and training loses what leaked."""


@final
@dataclass(frozen=True)
class CleanList:
    """What became of the images.

    Attributes:
        file: The list, path,label,split.
        root: What its paths are relative to.
        kept: Images in it.
        unreadable: Left out because they can't be read.
        copies: Left out because an equal image is in it.
        conflicting: Left out because equal images have other labels.
    """

    file: Path
    root: Path
    kept: int
    unreadable: int
    copies: int
    conflicting: int

    @property
    def settings(self) -> tuple[str, str]:
        """What to train with."""
        return f"data={self.file}", f"data.root={self.root}"


def refuse_existing(file: Path) -> None:
    """Nothing is overwritten.

    Raises:
        DataError: the file is there already.
    """
    if file.exists():
        raise DataError(f"--fix {file}: is there already and stays as it is; name a new file")


def write_clean_list(file: Path, evidence: Evidence) -> CleanList:
    """Write the images that can be read, one of each set of copies, none with two labels. No image is touched.

    Raises:
        DataError: the file is there already, or the images are no files of their own.
        RunError: the file can't be written.
    """
    subject = evidence.subject
    refuse_existing(file)
    if subject.root is None or not isinstance(subject.images, FileImages):
        raise DataError(f"--fix {file}: a list is of image files, and {subject.name} has none")
    conflicting = {position for group in conflicting_groups(evidence) for position in group}
    copies = set(_copies(evidence)) - conflicting
    left_out = conflicting | copies | set(evidence.scan.errors)
    kept = [position for position in range(len(subject.images)) if position not in left_out]
    _write(file, evidence, kept)
    return CleanList(file, subject.root, len(kept), len(evidence.scan.errors), len(copies), len(conflicting))


def _copies(evidence: Evidence) -> Iterator[int]:
    """All but one of each group of equal images: the first in path order of the split that goes first."""
    splits = evidence.subject.splits
    for group in evidence.similar.groups:
        _, *copies = sorted(group, key=lambda position: (_KEPT_FIRST.index(splits[position]), position))
        yield from copies


def _write(file: Path, evidence: Evidence, kept: list[int]) -> None:
    subject, text = evidence.subject, io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "split"))
    writer.writerows((subject.images.key(place), subject.labels[place], subject.splits[place]) for place in kept)
    content = text.getvalue().encode(errors="surrogateescape")

    def write(handle: BinaryIO) -> None:
        handle.write(content)

    write_atomically(file, write)
