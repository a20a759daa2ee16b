"""Every error that is the user's to mend; the command line ends in exit status 2 for each.

VernierError
├── ConfigError      a key, its value, a section; all problems at once
├── DataError        a path, an image, a split
├── ModelError       an architecture, weights, a bundle
├── RunError         a run directory, a checkpoint, resuming
├── TrainingError    what happens during training: a loss that is not a number, memory
└── MissingExtraError  an optional dependency

Anything else that escapes is a bug and keeps its traceback.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class VernierError(Exception):
    """Something the user can mend. The message names the key or file, the value, and the remedy."""


@dataclass(frozen=True)
class ConfigProblem:
    """One thing wrong with a config: `key` as the user wrote it, and a sentence that ends in the remedy."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


class ConfigError(VernierError):
    """All problems of one config together."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem in the config" if count == 1 else f"{count} problems in the config"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in self.problems)]))


class DataError(VernierError):
    """Images, labels or splits that can't be used."""


class ModelError(VernierError):
    """An architecture, weights or a bundle that can't be used."""


class RunError(VernierError):
    """A run directory or checkpoint that can't be used."""


class TrainingError(VernierError):
    """Training can't go on."""


class MissingExtraError(VernierError):
    """An optional dependency is missing; the message says which extra installs it."""

    def __init__(self, needed_by: str, extra: str) -> None:
        super().__init__(f"{needed_by} needs an extra: pip install 'vernier[{extra}]'")
