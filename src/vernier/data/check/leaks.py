"""Images that are in two splits: what was trained on is measured on."""

import numpy as np

from vernier.data.check.duplicates import exact_examples, near_examples
from vernier.data.check.findings import Evidence, Finding, passed
from vernier.data.wording import counted

_SPLITS = ("train", "", "val", "test")
_EXACT_REMEDY = "remove the copy that is trained on, or let --fix do it: measures on these images are too good"
_NEAR_REMEDY = "look at them, and put what shows one photo or scene on one side: measures on it are too good"


def check_leaks(evidence: Evidence) -> Finding:
    """Equal images in two splits."""
    splits = evidence.subject.splits
    groups = [group for group in evidence.similar.groups if len({splits[place] for place in group}) > 1]
    if not groups:
        return passed("leaks", "no image is in two splits")
    summary = f"{counted(len(groups), 'image')} in two splits: {_between(evidence, groups)}"
    return Finding("leaks", "FAIL", len(groups), summary, _EXACT_REMEDY, exact_examples(evidence, groups))


def check_near_leaks(evidence: Evidence) -> Finding:
    """Nearly equal images in two splits."""
    splits = np.array(evidence.subject.splits)
    pairs = evidence.similar.pairs
    groups = near_examples(evidence, splits[pairs[:, 0]] != splits[pairs[:, 1]])
    if not groups:
        return passed("near_leaks", "no near duplicates in two splits")
    between = _between(evidence, [group.positions for group in groups])
    summary = f"{counted(len(groups), 'group')} of near duplicates in two splits: {between}"
    return Finding("near_leaks", "WARN", len(groups), summary, _NEAR_REMEDY, groups)


def _between(evidence: Evidence, groups: list[tuple[int, ...]]) -> str:
    """Which splits share how many: `train and val (2), train and test (1)`."""
    splits = evidence.subject.splits
    counts: dict[tuple[str, ...], int] = {}
    for group in groups:
        names = tuple(name or "not assigned" for name in _SPLITS if name in {splits[place] for place in group})
        counts[names] = counts.get(names, 0) + 1
    return ", ".join(f"{' and '.join(names)} ({count})" for names, count in sorted(counts.items()))
