"""What is known of a bundle: from itself, and from the run that it lies in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vernier.augment.preprocess import Preprocessing
from vernier.evaluation.report.run_data import Result, read_result
from vernier.models.bundle import BundleInfo, bundle_directory, read_info, read_weights, weights_sha256

_RESULT_FILE = "result.json"


@final
@dataclass(frozen=True)
class Measured:
    """What was measured on a set: metric -> value, with the number of images as `n`."""

    part: str
    values: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Facts:
    """All that a card tells.

    Attributes:
        directory: the bundle.
        info: what stands in it.
        sha256: of its weights.
        preprocessing: of images.
        result: of the run that it lies in; None for a bundle by itself.
    """

    directory: Path
    info: BundleInfo
    sha256: str
    preprocessing: Preprocessing
    result: Result | None

    @property
    def place(self) -> Path:
        """The bundle by its own name, where `directory` is `.`."""
        return _named(self.directory)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """Validation and test measures of these weights, as far as they are known."""
        test = self.result.test if self.result is not None and self.place.name == "best" else None
        parts = (("val", self.info.metrics.get("val")), ("test", test))
        return tuple(Measured(part, values) for part, values in parts if values)

    @property
    def calibration(self) -> Mapping[str, Any] | None:
        """What `vernier calibrate` kept; None where it did not run."""
        kept = self.info.metrics.get("calibration")
        return kept if isinstance(kept, dict) else None


def gather_facts(path: Path) -> Facts:
    """Read a bundle, or the best one of a run directory.

    Raises:
        ModelError: no bundle there, or a damaged one.
        RunError: the run's result.json is damaged.
    """
    directory = bundle_directory(path)
    info = read_info(directory)
    # A card vouches for the weights by their hash.
    read_weights(directory)
    file = _named(directory).parent / _RESULT_FILE
    return Facts(
        directory,
        info,
        weights_sha256(directory),
        Preprocessing.from_json(info.preprocessing),
        read_result(file) if file.is_file() else None,
    )


def _named(directory: Path) -> Path:
    return Path(os.path.abspath(directory))  # noqa: PTH100
