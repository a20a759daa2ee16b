"""What is at the place that a set is to be written to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vernier.data.convert.record import PastConversion, differences, read_record
from vernier.data.shards.index_file import SUFFIX, read_index
from vernier.data.shards.info import INFO_FILE, DatasetInfo, read_info
from vernier.data.shards.pixels import read_pixel_index
from vernier.data.wording import listed
from vernier.errors import DataError


@final
@dataclass(frozen=True)
class ExistingSet:
    """A set that was written before."""

    directory: Path
    info: DatasetInfo
    past: tuple[PastConversion, ...]

    def find(self, request: Mapping[str, Any]) -> PastConversion | None:
        """The conversion that was asked for in the same words, its files being there.

        Raises:
            DataError: some of its files are gone.
        """
        past = next((past for past in self.past if past.request == request), None)
        files = [file for split in self.info.splits.values() for file in split.files]
        if past is not None and (gone := [file for file in files if not (self.directory / file).is_file()]):
            raise DataError(f"{self.directory}: {listed(gone)} is gone; remove {self.directory} and convert again")
        return past

    def keys(self) -> set[str]:
        """Of all its images.

        Raises:
            DataError: an index is gone or damaged.
        """
        return {key for split in self.info.splits.values() for file in split.files for key in self._keys_in(file)}

    def _keys_in(self, file: str) -> Sequence[str]:
        path = self.directory / f"{file}{SUFFIX}"
        try:
            text = path.read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            raise DataError(
                f"{path}: can't be read: {error.strerror}. Splits are added to sets that vernier convert made, with "
                "their indices"
            ) from None
        if self.info.format == "store":
            return read_pixel_index(text, str(path)).keys
        return [entry.key for entry in read_index(text, str(path))[0]]


def find_existing(out: Path) -> ExistingSet | None:
    """The set in `out`; None where there is nothing, or an empty directory.

    Raises:
        DataError: there is something else.
    """
    if not out.is_dir():
        if out.exists():
            raise DataError(f"{out}: is a file; name a directory that is not there yet")
        return None
    info = read_info(out)
    if info is not None:
        return ExistingSet(out, info, read_record(out))
    if any(out.iterdir()):
        raise DataError(
            f"{out}: is a directory with other things in it (no {INFO_FILE}), and nothing is overwritten; name one "
            "that is not there yet"
        )
    return None


def refuse_existing(existing: ExistingSet, name: str, request: Mapping[str, Any]) -> None:
    """Say why a set that is there stays as it is.

    Raises:
        DataError: always.
    """
    if existing.info.name != name:
        raise DataError(
            f"{existing.directory}: holds the set {existing.info.name!r}, not {name!r}; name another directory"
        )
    past = existing.past
    what = "asked for otherwise now: " + listed(differences(request, past[-1].request)) if past else "made otherwise"
    raise DataError(
        f"{existing.directory}: the set {name!r} is there, {what}. Nothing is overwritten: name another directory, "
        "remove this one, or add splits of other names with --add --split_names"
    )


def check_addition(existing: ExistingSet, addition: DatasetInfo) -> None:
    """Refuse to add splits that do not fit the set.

    Raises:
        DataError: another name, format or classes, or splits that are there.
    """
    there = existing.info
    where = f"{existing.directory}: --add:"
    if there.name != addition.name:
        raise DataError(f"{where} the set is called {there.name!r}, not {addition.name!r}; say --name {there.name}")
    if there.format != addition.format:
        raise DataError(
            f"{where} the set's format is {there.format}, not {addition.format}; say --format {there.format}"
        )
    if (there.class_names, there.multilabel) != (addition.class_names, addition.multilabel):
        raise DataError(
            f"{where} the set's classes are {listed(there.class_names)}, these are {listed(addition.class_names)}; the "
            "same classes in the same order are needed, which data.class_names chooses"
        )
    if both := [split for split in addition.splits if split.casefold() in {name.casefold() for name in there.splits}]:
        raise DataError(
            f"{where} the set has {listed(both)} already, and splits are never overwritten; choose other --split_names"
        )
