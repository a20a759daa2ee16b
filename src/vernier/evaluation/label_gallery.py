"""Suspected label errors for people: one HTML file with pictures."""

from dataclasses import dataclass
from itertools import islice
from typing import Final, final

from vernier.atomic import write_text_atomically
from vernier.data.decode import ImageError
from vernier.data.images import Images
from vernier.evaluation.label_report import LabelReport, Verdict
from vernier.evaluation.label_text import estimate, scope
from vernier.evaluation.report.pictures import Thumbnail, make_thumbnail
from vernier.evaluation.report.templates import render, verbatim
from vernier.evaluation.words import percent

_MOST: Final = 200
"""Pictures; the CSV file lists all images."""


@final
@dataclass(frozen=True)
class Suspect:
    """A picture with what is said of its label; without a thumbnail where it can't be read any more."""

    verdict: Verdict
    p_given: str
    p_suggested: str
    thumbnail: Thumbnail | None


def write_gallery(report: LabelReport) -> None:
    """Write the page with the most suspicious images, which are read again.

    Raises:
        RunError: the file can't be written.
    """
    pairs = zip(report.source.class_names, report.errors.classes, strict=True)
    html = render(
        "labels.html.j2",
        report=report,
        scope=scope(report),
        estimate=estimate(report),
        suspects=[_suspect(report.source.images, verdict) for verdict in islice(report.suspects(), _MOST)],
        more=max(0, report.num_suspects - _MOST),
        classes=[(name, noise.n, percent(noise.rate, noise.n), noise.suspects) for name, noise in pairs],
        style=verbatim("report.css"),
    )
    write_text_atomically(report.gallery_file, html)


def _suspect(images: Images, verdict: Verdict) -> Suspect:
    try:
        thumbnail = make_thumbnail(images.read(verdict.position))
    except ImageError:
        thumbnail = None
    return Suspect(verdict, percent(verdict.p_given), percent(verdict.p_suggested), thumbnail)
