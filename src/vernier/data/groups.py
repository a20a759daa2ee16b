"""Which images belong together: frames of one video, photos of one patient."""

import re
from collections.abc import Sequence

import numpy as np

from vernier.config.data import SplitConfig
from vernier.data.source import Source
from vernier.data.wording import listed
from vernier.errors import DataError


def sample_groups(source: Source, split: SplitConfig) -> tuple[str, ...] | None:
    """The group of each sample: what `data.split.group` finds in its key, else what the source says.

    Returns:
        N names; None where no two samples belong together.

    Raises:
        DataError: keys in which the regular expression finds nothing.
    """
    groups = source.groups if split.group is None else _groups_in_keys(source.keys(), split.group)
    return None if groups is None or len(set(groups)) == len(groups) else groups


def _groups_in_keys(keys: Sequence[str], expression: str) -> tuple[str, ...]:
    pattern = re.compile(expression)
    found = [match[1] if (match := pattern.search(key)) else None for key in keys]
    if without := [key for key, group in zip(keys, found, strict=True) if group is None]:
        raise DataError(
            f"data.split.group={expression}: finds no group in {len(without)} of {len(keys)} paths: {listed(without)}. "
            "It is a regular expression whose first group, in (), has to be in every path; `(.*)_frame\\d+|(.*)` has "
            "two, `(.*?)(?:_frame\\d+)?\\.jpg` finds one in paths without a frame too"
        )
    return tuple(group for group in found if group is not None)


def refuse_divided(groups: Sequence[str], names: np.ndarray) -> None:
    """A group lies on one side of every split.

    Args:
        groups: N names.
        names: (N,), the part of each sample.

    Raises:
        DataError: naming the groups that do not, and their parts.
    """
    parts: dict[str, set[str]] = {}
    for group, name in zip(groups, names.tolist(), strict=True):
        parts.setdefault(group, set()).add(name)
    if divided := [f"{group} ({', '.join(sorted(names))})" for group, names in parts.items() if len(names) > 1]:
        raise DataError(
            f"groups that are in more than one split ({len(divided)}): {listed(divided)}. What is measured on images "
            "whose kind was trained on is too good: move each group to one split, or leave out what says the groups "
            "(data.split.group, data.columns.group)"
        )


def refuse_undividable(
    groups: Sequence[str], targets: np.ndarray, class_names: Sequence[str], parts: Sequence[str]
) -> None:
    """Every class has a group for every part.

    Args:
        groups: N names.
        targets: int64 (N,).
        parts: What the parts are called, in messages.

    Raises:
        DataError: naming the classes that have less.
    """
    of_class: dict[int, set[str]] = {}
    for group, target in zip(groups, targets.tolist(), strict=True):
        of_class.setdefault(target, set()).add(group)
    few = [
        f"'{class_names[target]}' ({listed(sorted(names))})"
        for target, names in sorted(of_class.items())
        if len(names) < len(parts)
    ]
    if few:
        raise DataError(
            f"classes in fewer groups than there are parts ({' and '.join(parts)}), while no group may be divided: "
            f"{'; '.join(few)}. Add images of other groups, leave the class out with data.class_names, or ask for "
            "fewer parts"
        )
