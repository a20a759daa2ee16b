"""A report for the terminal: a line for each check, the worst cases below it."""

from collections import Counter
from typing import Final

from vernier.data.check.findings import Example, Finding
from vernier.data.check.run import CheckReport
from vernier.data.check.subject import Subject

_SHOWN: Final = 3
_ALL_SHOWN: Final = frozenset({"unreadable", "truncated", "empty"})
_IMAGES_SHOWN: Final = 6
_INDENT: Final = " " * 6


def report_text(report: CheckReport) -> str:
    """The summary, a line for each check, and the status last."""
    subject = report.evidence.subject
    width = max(len(finding.check) for finding in report.findings)
    lines = [_headline(subject)]
    for finding in report.findings:
        lines.append(f"{finding.severity}  {finding.check.replace('_', ' '):{width}}  {finding.summary}")
        if finding.severity != "PASS":
            lines += _details(subject, finding)
    return "\n".join([*lines, _last_line(report)])


def _headline(subject: Subject) -> str:
    splits = Counter(subject.splits)
    sizes = [f"{split or 'not assigned'} {splits[split]}" for split in ("train", "", "val", "test") if splits[split]]
    return f"{subject.name}: {len(subject.images)} images, {len(subject.class_names)} classes; {', '.join(sizes)}"


def _details(subject: Subject, finding: Finding) -> list[str]:
    shown = finding.examples if finding.check in _ALL_SHOWN else finding.examples[:_SHOWN]
    joined = " ~ " if finding.check.startswith("near_") else " = "
    lines = [f"{_INDENT}{_words(subject, example, joined)}" for example in shown]
    if left := len(finding.examples) - len(shown):
        lines.append(f"{_INDENT}and {left} more")
    return [*lines, f"{_INDENT}-> {finding.remedy}"] if finding.remedy else lines


def _words(subject: Subject, example: Example, joined: str) -> str:
    """`a/1.jpg = b/1.jpg (same file)`, or with ` ~ ` for near duplicates."""
    names = [subject.images.key(position) for position in example.positions[:_IMAGES_SHOWN]] or [example.name]
    if (left := len(example.positions) - _IMAGES_SHOWN) > 0:
        names.append(f"{left} more")
    return joined.join(names) + (f" ({example.note})" if example.note else "")


def _last_line(report: CheckReport) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    parts = ", ".join(f"{counts[severity]} {severity}" for severity in ("FAIL", "WARN", "info", "PASS"))
    return f"{report.status}: {parts}"
