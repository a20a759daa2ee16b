"""Images that occur more than once within a split."""

from collections import Counter

import numpy as np

from vernier.data.check.findings import Evidence, Example, Finding, passed
from vernier.data.check.similar import connected
from vernier.data.wording import counted

_EXACT_REMEDY = (
    "remove all but one, or let --fix do it: copies count more than once in loss and measures, and a validation set "
    "that is still to be drawn may get one of them"
)
_NEAR_REMEDY = (
    "look at them: edits of one photo, frames of one film. Keep one, or keep them on one side with data.split.group"
)


def check_duplicates(evidence: Evidence) -> Finding:
    """Equal bytes or equal pixels, twice in one split."""
    splits = evidence.subject.splits
    groups = [group for group in evidence.similar.groups if len(group) > len({splits[place] for place in group})]
    if not groups:
        return passed("duplicates", "no image occurs twice in a split")
    extra = sum(count - 1 for group in groups for count in Counter(splits[place] for place in group).values())
    summary = f"{counted(len(groups), 'image')} more than once in a split, {extra} too many"
    return Finding("duplicates", "WARN", len(groups), summary, _EXACT_REMEDY, exact_examples(evidence, groups))


def check_near_duplicates(evidence: Evidence) -> Finding:
    """Images that are nearly the same, in one split."""
    splits = np.array(evidence.subject.splits)
    pairs = evidence.similar.pairs
    same = splits[pairs[:, 0]] == splits[pairs[:, 1]]
    groups = near_examples(evidence, same)
    if not groups:
        return passed("near_duplicates", "no near duplicates in a split")
    images = sum(len(group.positions) for group in groups)
    summary = f"{counted(len(groups), 'group')} of near duplicates in a split, {images} images"
    return Finding("near_duplicates", "WARN", len(groups), summary, _NEAR_REMEDY, groups)


def exact_examples(evidence: Evidence, groups: list[tuple[int, ...]]) -> tuple[Example, ...]:
    """Groups of equal images; the note says whether their files are equal too."""
    content = evidence.scan.rows["content"]
    notes = ("same file", "same pixels, other bytes")
    return tuple(Example(group, notes[len(set(content[list(group)].tolist())) > 1]) for group in groups)


def near_examples(evidence: Evidence, chosen: np.ndarray) -> tuple[Example, ...]:
    """The chosen pairs joined to groups, the most alike first; the note tells how alike their closest two are."""
    similar = evidence.similar
    pairs, correlations = similar.pairs[chosen], similar.correlations[chosen]
    closest: dict[int, float] = {}
    for pair, correlation in zip(pairs.tolist(), correlations.tolist(), strict=True):
        for position in pair:
            closest[position] = max(correlation, closest.get(position, 0.0))
    groups = [(max(closest[position] for position in group), group) for group in connected(pairs)]
    groups.sort(key=lambda item: (-item[0], item[1]))
    return tuple(Example(group, f"{alike:.1%} alike") for alike, group in groups)
