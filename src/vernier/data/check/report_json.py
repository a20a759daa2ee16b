"""A report as JSON: every case of every finding, under keys that stay."""

from typing import Any

from vernier.data.check.balance import count_classes
from vernier.data.check.findings import Example, Finding
from vernier.data.check.run import CheckReport
from vernier.data.check.sizes import describe_sizes
from vernier.data.check.subject import Subject


def report_json(report: CheckReport) -> dict[str, Any]:
    """The whole report; an image without an assigned split has the split null."""
    subject, similar = report.evidence.subject, report.evidence.similar
    return {
        "status": report.status,
        "name": subject.name,
        "root": None if subject.root is None else str(subject.root),
        "images": len(subject.images),
        "readable": len(report.evidence.scan.readable),
        "class_counts": {split or "not_assigned": counts for split, counts in count_classes(subject).items()},
        "sizes": describe_sizes(report.evidence),
        "near_duplicates": {"bits": similar.bits, "correlation": similar.bar},
        "findings": [_finding(subject, finding) for finding in report.findings],
    }


def _finding(subject: Subject, finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": finding.severity,
        "count": finding.count,
        "summary": finding.summary,
        "remedy": finding.remedy,
        "examples": [_example(subject, example) for example in finding.examples],
    }


def _example(subject: Subject, example: Example) -> dict[str, Any]:
    images = [
        {
            "path": subject.images.key(position),
            "label": subject.labels[position],
            "split": subject.splits[position] or None,
        }
        for position in example.positions
    ]
    return {"images": images, "name": example.name or None, "note": example.note or None}
