"""One image with two labels."""

import numpy as np

from vernier.data.check.duplicates import exact_examples, near_examples
from vernier.data.check.findings import Evidence, Finding, passed
from vernier.data.wording import counted

_EXACT_REMEDY = "at most one label is right: keep that copy, remove the others; --fix leaves all of them out"
_NEAR_REMEDY = "look at them: where they show one thing, at most one label is right"


def conflicting_groups(evidence: Evidence) -> list[tuple[int, ...]]:
    """Groups of equal images whose labels differ."""
    labels = evidence.subject.label_sets
    return [group for group in evidence.similar.groups if len({labels[position] for position in group}) > 1]


def check_label_conflicts(evidence: Evidence) -> Finding:
    """Equal images with different labels."""
    groups = conflicting_groups(evidence)
    if not groups:
        return passed("label_conflicts", "no image has two labels")
    summary = f"{counted(len(groups), 'image')} with two labels or more"
    return Finding("label_conflicts", "FAIL", len(groups), summary, _EXACT_REMEDY, exact_examples(evidence, groups))


def check_near_label_conflicts(evidence: Evidence) -> Finding:
    """Nearly equal images with different labels."""
    labels = evidence.subject.label_sets
    pairs = evidence.similar.pairs
    differ = np.array([labels[first] != labels[second] for first, second in pairs.tolist()], dtype=bool)
    groups = near_examples(evidence, differ)
    if not groups:
        return passed("near_label_conflicts", "no near duplicates have different labels")
    summary = f"{counted(len(groups), 'group')} of near duplicates with different labels"
    return Finding("near_label_conflicts", "WARN", len(groups), summary, _NEAR_REMEDY, groups)
