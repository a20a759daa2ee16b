"""The report of `vernier check` for people: one HTML file with pictures of what was found."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vernier.atomic import write_text_atomically
from vernier.data.check.balance import count_classes
from vernier.data.check.findings import Example, Finding
from vernier.data.check.run import CheckReport
from vernier.data.check.subject import Subject
from vernier.data.decode import ImageError
from vernier.evaluation.report.pictures import Thumbnail, make_thumbnail
from vernier.evaluation.report.templates import render, verbatim

_EXAMPLES: Final = 12
"""Cases shown with pictures for each finding; `--json` has all."""
_PICTURES: Final = 4
"""Pictures shown of one case."""


@dataclass(frozen=True)
class Picture:
    """An image of a case; without a thumbnail where it can't be read."""

    path: str
    label: str
    split: str
    thumbnail: Thumbnail | None


@dataclass(frozen=True)
class Case:
    """An example of a finding; `more` counts its images that are not shown."""

    name: str
    note: str
    pictures: tuple[Picture, ...]
    more: int


@dataclass(frozen=True)
class Section:
    """A finding and its worst cases; `more` counts those that are not shown."""

    finding: Finding
    cases: tuple[Case, ...]
    more: int


def write_check_page(file: Path, report: CheckReport) -> None:
    """Write the page; the images of the examples are read again.

    Raises:
        RunError: the file can't be written.
    """
    subject = report.evidence.subject
    counts = count_classes(subject)
    html = render(
        "check.html.j2",
        report=report,
        name=subject.name,
        lead=_lead(report),
        sections=[_section(subject, finding) for finding in report.findings if finding.severity != "PASS"],
        splits=[split or "not assigned" for split in counts],
        classes=[(name, [classes[name] for classes in counts.values()]) for name in subject.class_names],
        style=verbatim("report.css") + verbatim("check.css"),
    )
    write_text_atomically(file, html)


def _lead(report: CheckReport) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    subject = report.evidence.subject
    checked = f"{len(subject.images)} images of {len(subject.class_names)} classes"
    return f"{checked}: {counts['FAIL']} FAIL, {counts['WARN']} WARN, {counts['PASS']} PASS."


def _section(subject: Subject, finding: Finding) -> Section:
    shown = finding.examples[:_EXAMPLES]
    return Section(finding, tuple(_case(subject, example) for example in shown), len(finding.examples) - len(shown))


def _case(subject: Subject, example: Example) -> Case:
    shown = example.positions[:_PICTURES]
    pictures = tuple(_picture(subject, position) for position in shown)
    return Case(example.name, example.note, pictures, len(example.positions) - len(shown))


def _picture(subject: Subject, position: int) -> Picture:
    try:
        pixels = subject.images.read(position)
        thumbnail = make_thumbnail(pixels)
    except ImageError:
        thumbnail = None
    return Picture(subject.images.key(position), subject.labels[position], subject.splits[position], thumbnail)
