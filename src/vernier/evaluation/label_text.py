"""What is said of the labels of a data set on a terminal, and in sentences elsewhere."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from vernier.evaluation.label_report import LabelReport
from vernier.evaluation.plain_tables import aligned
from vernier.evaluation.words import decimal, percent, several

_SHOWN: Final = 10
_CLASSES_SHOWN: Final = 30


def label_text(report: LabelReport) -> str:
    """Estimates, classes, and the most suspicious labels, in lines."""
    places = (f"all images: {report.csv_file}", f"pictures: {report.gallery_file}")
    parts = ((scope(report), estimate(report)), _classes(report), _worst(report), places)
    return "\n\n".join("\n".join(part) for part in map(tuple, parts) if part)


def scope(report: LabelReport) -> str:
    """What was looked at."""
    n = len(report.positions)
    others = len(report.source.targets) - n
    alone = f"; {several(others, 'other')} left alone" if others else ""
    return f"{report.source.name}: {several(n, 'image')}, each judged by a network that was not trained on it{alone}"


def estimate(report: LabelReport) -> str:
    """How many labels are wrong."""
    n = len(report.positions)
    unit = "decisions" if report.source.multilabel else "labels"
    return (
        f"An estimated {percent(report.errors.noise_rate, n)} of the {unit} are wrong; "
        f"{several(report.num_suspects, 'suspect')}; {percent(report.agreement, n)} are what the networks suggest"
    )


def _classes(report: LabelReport) -> Iterator[str]:
    """A line a class; of many, those with the most suspects."""
    pairs = list(zip(report.source.class_names, report.errors.classes, strict=True))
    if len(pairs) > _CLASSES_SHOWN:
        pairs.sort(key=lambda pair: -pair[1].suspects)
    rows = [(name, f"{c.n}", percent(c.rate, c.n), f"{c.suspects}") for name, c in pairs[:_CLASSES_SHOWN]]
    yield from aligned([("class", "n", "wrong", "suspects"), *rows])
    if left_out := pairs[_CLASSES_SHOWN:]:
        yield f"and {several(len(left_out), 'class')} with no more suspects each"


def _worst(report: LabelReport) -> Iterator[str]:
    """The most suspicious labels."""
    rows = [
        (v.path, v.label or "none", decimal(v.p_given, 3), v.suggested or "none", decimal(v.p_suggested, 3))
        for v in islice(report.suspects(), _SHOWN)
    ]
    if rows:
        yield from aligned([("most suspicious", "label", "p", "suggested", "p"), *rows])
