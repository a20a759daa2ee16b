"""All checks of a set of images, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from vernier.config.data import DataConfig
from vernier.data.check.balance import check_balance, check_missing_classes, check_small_classes
from vernier.data.check.duplicates import check_duplicates, check_near_duplicates
from vernier.data.check.findings import Evidence, Finding, Severity
from vernier.data.check.label_conflicts import check_label_conflicts, check_near_label_conflicts
from vernier.data.check.leaks import check_leaks, check_near_leaks
from vernier.data.check.quality import (
    check_blank,
    check_blurred,
    check_bright,
    check_channels,
    check_dark,
    check_grey,
)
from vernier.data.check.readable import (
    check_empty,
    check_extensions,
    check_not_read,
    check_opens,
    check_rotation,
    check_truncated,
    check_unreadable,
)
from vernier.data.check.scan import Progress, scan_images
from vernier.data.check.similar import NEAR_BITS, find_similar
from vernier.data.check.sizes import check_aspect_ratios, check_sizes, check_small_images
from vernier.data.check.subject import OpenSource, open_subject
from vernier.data.sources import open_source

CHECKS: Final[tuple[Callable[[Evidence], Finding], ...]] = (
    check_opens,
    check_unreadable,
    check_truncated,
    check_empty,
    check_not_read,
    check_extensions,
    check_leaks,
    check_near_leaks,
    check_label_conflicts,
    check_near_label_conflicts,
    check_duplicates,
    check_near_duplicates,
    check_missing_classes,
    check_small_classes,
    check_balance,
    check_sizes,
    check_small_images,
    check_aspect_ratios,
    check_blank,
    check_dark,
    check_bright,
    check_blurred,
    check_grey,
    check_channels,
    check_rotation,
)
"""Each gives one finding, in this order."""

_WORST_FIRST: Final[tuple[Severity, ...]] = ("FAIL", "WARN")


@final
@dataclass(frozen=True)
class CheckReport:
    """The outcome of all checks, and what they judged by."""

    evidence: Evidence
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Severity:
        """FAIL or WARN if any finding is, else PASS."""
        severities = {finding.severity for finding in self.findings}
        return next((severity for severity in _WORST_FIRST if severity in severities), "PASS")


def run_checks(
    data: DataConfig,
    threads: int,
    *,
    input_size: tuple[int, int] | None = None,
    near: int = NEAR_BITS,
    open_source: OpenSource = open_source,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Open what `data` names, look at every image, judge.

    Args:
        data: What is checked.
        threads: That read and decode, at least 1.
        input_size: (height, width) of what the model is fed with, if it is known.
        near: Bits of the 64 in which the hashes of near duplicates may differ.
        open_source: How training opens what `data` names.
        progress: Told how many images are done.

    Raises:
        ConfigError, DataError: see `open_subject`.
    """
    subject = open_subject(data, open_source)
    scan = scan_images(subject.images, threads, progress)
    evidence = Evidence(subject, scan, find_similar(scan, near), input_size)
    return CheckReport(evidence, tuple(check(evidence) for check in CHECKS))
