"""What a check says about a set of images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, final

from vernier.data.check.scan import Scan
from vernier.data.check.similar import Similar
from vernier.data.check.subject import Subject

Severity = Literal["FAIL", "WARN", "info", "PASS"]
"""FAIL: training breaks, or its numbers are wrong. WARN: look at it. info: good to know."""


@final
@dataclass(frozen=True)
class Example:
    """Images that show a finding: one, or several that belong together.

    Attributes:
        positions: In the subject; none where it is about a file that is not read, or about a class.
        note: What is the matter with them, such as a measured value.
        name: The file or the class, where there is no position.
    """

    positions: tuple[int, ...] = ()
    note: str = ""
    name: str = ""


@final
@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: The name of the check; it never changes.
        severity: PASS where nothing was found.
        count: Of images, of groups of images, of classes or of files, as `summary` says.
        summary: A line for people.
        remedy: What to do; empty where there is nothing to do.
        examples: All cases, the worst first.
    """

    check: str
    severity: Severity
    count: int
    summary: str
    remedy: str = ""
    examples: tuple[Example, ...] = ()


@final
@dataclass(frozen=True)
class Evidence:
    """What checks judge by.

    Attributes:
        input_size: (height, width) of what the model is fed with, where a config says so.
    """

    subject: Subject
    scan: Scan
    similar: Similar
    input_size: tuple[int, int] | None


def passed(check: str, summary: str) -> Finding:
    """Nothing was found."""
    return Finding(check, "PASS", 0, summary)


def each(positions: Iterable[int], notes: Sequence[str] | None = None) -> tuple[Example, ...]:
    """An example for each image, with its note."""
    listed = [int(position) for position in positions]
    return tuple(Example((position,), note) for position, note in zip(listed, notes or [""] * len(listed), strict=True))
