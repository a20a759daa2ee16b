"""Which image goes into which split: as the source says, or drawn."""

import logging
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from vernier.config.data import SplitConfig
from vernier.data.convert.dividing import divide, divide_groups
from vernier.data.convert.settings import SPLIT_NAMES, SPLIT_SHARES, ConvertSettings, read_shares
from vernier.data.groups import sample_groups
from vernier.data.source import Source
from vernier.data.wording import listed
from vernier.errors import ConfigError, ConfigProblem

_ROLES = ("train", "val", "test")
_logger = logging.getLogger(__name__)


def choose_splits(source: Source, split: SplitConfig, settings: ConvertSettings) -> dict[str, np.ndarray]:
    """Positions in the source of each split's images, int64, sorted; a split without images is left out.

    Splits that the source has are kept, with their usual names or those asked for, unless shares are given. Images that
    the source does not put anywhere are train then. Images of one group are never divided by a draw.

    Raises:
        ConfigError: names or shares that do not go together.
        DataError: `split.group` does not find the group of an image.
    """
    if settings.split_percentages is None and any(source.split):
        return _kept(source, settings.split_names)
    names = settings.split_names or SPLIT_NAMES
    shares = _shares(settings, names)
    groups = sample_groups(source, split)
    if groups is None:
        parts = divide(source.keys(), source.targets, shares, settings.seed)
    else:
        parts = divide_groups(source.keys(), source.targets, groups, shares, settings.seed)
    splits = {name: np.flatnonzero(parts == number) for number, name in enumerate(names)}
    _say_what_is_missing(source, parts, names, shares)
    return {name: positions for name, positions in splits.items() if len(positions)}


def _shares(settings: ConvertSettings, names: Sequence[str]) -> tuple[Fraction, ...]:
    if settings.split_percentages is not None:
        return read_shares(settings.split_percentages)
    if len(names) == 1:
        return (Fraction(1),)
    if len(names) != len(SPLIT_SHARES):
        message = f"is missing; how large are {', '.join(names)}? Give a share for each, which make 1"
        raise ConfigError([ConfigProblem("--split_percentages", message)])
    return read_shares(SPLIT_SHARES)


def _kept(source: Source, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
    roles = np.array([role or "train" for role in source.split])
    there = [role for role in _ROLES if (roles == role).any()]
    names = wanted or [name for role, name in zip(_ROLES, SPLIT_NAMES, strict=True) if role in there]
    if len(names) != len(there):
        message = (
            f"{' '.join(names)}: the source has the splits {', '.join(there)}, which are kept; give as many names, or "
            "--split_percentages to divide all images anew"
        )
        raise ConfigError([ConfigProblem("--split_names", message)])
    return {name: np.flatnonzero(roles == role) for role, name in zip(there, names, strict=True)}


def _say_what_is_missing(source: Source, parts: np.ndarray, names: Sequence[str], shares: Sequence[Fraction]) -> None:
    """Classes that are too small to be everywhere are a matter for the person, not an error."""
    wanted = [(number, name) for number, name in enumerate(names) if shares[number]]
    for number, name in wanted:
        counts = class_counts(source, np.flatnonzero(parts == number))
        if missing := [f"{label} ({total})" for label, total in class_counts(source).items() if not counts[label]]:
            _logger.warning(
                "too few images to have one of each class in every split: %s has none of %s", name, listed(missing)
            )


def class_counts(source: Source, positions: np.ndarray | None = None) -> Counter[str]:
    """Images of each class, of all or of some positions."""
    targets = source.targets if positions is None else source.targets[positions]
    classes = len(source.class_names)
    counts = targets.sum(axis=0) if source.multilabel else np.bincount(targets, minlength=classes)
    return Counter(dict(zip(source.class_names, map(int, counts), strict=True)))
