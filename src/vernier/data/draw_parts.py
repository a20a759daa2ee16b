"""Which part each sample is drawn into, beside the parts that the source gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vernier.config.data import DataConfig
from vernier.data.device_zoo_split import draw_device_zoo
from vernier.data.folds import draw_folds
from vernier.data.group_division import draw_group_folds, draw_groups
from vernier.data.groups import refuse_divided, refuse_undividable
from vernier.data.sampling import class_counts
from vernier.data.source import Source
from vernier.data.stratify import draw_stratified
from vernier.data.wording import listed
from vernier.errors import DataError


def draw_parts(source: Source, groups: Sequence[str] | None, data: DataConfig) -> np.ndarray:
    """The part of each sample as the source and `data.split` have it, (N,) of `train`, `val`, `test`.

    Args:
        groups: What each sample belongs to, N names; none of them is divided.

    Raises:
        DataError: see `split_source`.
    """
    names = np.array(source.split, dtype="<U5")
    given, shares = set(source.split), _shares(data)
    _refuse_given(data, given)
    pool = np.isin(names, ["train", ""])
    if groups is not None:
        refuse_divided(groups, np.where(pool, "train", names))
    if data.split.method == "device_zoo" and "val" not in given:
        names[pool] = _device_zoo(_Pool(source, groups, np.flatnonzero(pool)), shares["val"], data.split.seed)
        return names
    wanted = [name for name, share in shares.items() if share > 0 and name not in given and pool.any()]
    _check_divisible(_Pool(source, groups, np.flatnonzero(pool)), wanted)
    for number, name in enumerate(wanted):
        samples = _Pool(source, groups, np.flatnonzero(pool))
        drawn = samples.draw(shares[name], data.split.seed, name, leave=len(wanted) - number)
        names[drawn] = name
        pool[drawn] = False
    names[pool] = "train"
    if data.split.folds is not None:
        samples = _Pool(source, groups, np.flatnonzero(pool))
        names[pool] = _fold_parts(samples, data.split.folds, data.split.fold, data.split.seed)
    return names


@final
@dataclass(frozen=True)
class _Pool:
    """The samples to draw from: their positions in a source, int64 (n,), and the groups of all its samples."""

    source: Source
    every_group: Sequence[str] | None
    positions: np.ndarray

    @property
    def keys(self) -> list[str]:
        return [self.source.images.key(index) for index in self.positions]

    @property
    def targets(self) -> np.ndarray:
        targets: np.ndarray = self.source.targets[self.positions]
        return targets

    @property
    def groups(self) -> list[str] | None:
        return None if self.every_group is None else [self.every_group[index] for index in self.positions]

    def draw(self, share: float, seed: int, purpose: str, leave: int) -> np.ndarray:
        """Positions of about this share of the samples; see `draw_stratified` for `leave`."""
        groups = self.groups
        if groups is None:
            drawn = draw_stratified(self.keys, self.targets, share, seed, purpose, leave)
        else:
            drawn = draw_groups(self.keys, self.targets, groups, share, seed, purpose)
        positions: np.ndarray = self.positions[drawn]
        return positions

    def folds(self, folds: int, seed: int) -> np.ndarray:
        """The fold of each sample, int64 (n,)."""
        groups = self.groups
        if groups is None:
            return draw_folds(self.keys, self.targets, folds, seed)
        return draw_group_folds(self.keys, self.targets, groups, folds, seed)


def _shares(data: DataConfig) -> dict[str, float]:
    """What share to draw, in the order of drawing."""
    no_val = data.val_split == "none" or data.split.folds is not None
    return {"test": data.split.test or 0.0, "val": 0.0 if no_val else data.split.val}


def _refuse_given(data: DataConfig, given: set[str]) -> None:
    """Parts that are asked for and there already."""
    if "test" in given and data.split.test:
        raise DataError(
            f"data.split.test={data.split.test}: the source has a test set already; leave data.split.test out"
        )
    if "val" in given and data.split.folds is not None:
        raise DataError(
            f"data.split.folds={data.split.folds}: the source has a validation set already; leave its images out with "
            "data.val_split=none, or leave data.split.folds out"
        )


def _check_divisible(samples: _Pool, wanted: Sequence[str]) -> None:
    """Multiclass: every class needs an image, or a group, in every part."""
    source, parts = samples.source, ["train", *reversed(wanted)]
    if source.multilabel or not wanted:
        return
    counts = class_counts(samples.targets, len(source.class_names))
    small = [
        f"'{name}' ({count})" for name, count in zip(source.class_names, counts, strict=True) if 0 < count < len(parts)
    ]
    if small:
        raise DataError(
            f"too few images to divide into train, {' and '.join(parts[1:])}, which takes "
            f"{len(parts)} of each class: {', '.join(small)}. Add images, leave the class out with "
            "data.class_names, or set data.split.val=0 for no validation set"
        )
    if samples.groups is not None:
        refuse_undividable(samples.groups, samples.targets, source.class_names, parts)


def _fold_parts(samples: _Pool, folds: int, fold: int, seed: int) -> np.ndarray:
    """`val` for the samples of one fold, `train` for all others, (n,)."""
    source = samples.source
    if not source.multilabel:
        _check_folds(samples, folds)
    of_sample = samples.folds(folds, seed)
    _check_every_fold(of_sample, samples.targets, source.class_names, folds)
    return np.where(of_sample == fold, "val", "train")


def _check_folds(samples: _Pool, folds: int) -> None:
    """Multiclass: every class needs an image, or a group, in every fold."""
    class_names = samples.source.class_names
    counts = class_counts(samples.targets, len(class_names))
    small = [f"'{name}' ({count})" for name, count in zip(class_names, counts, strict=True) if 0 < count < folds]
    if small:
        raise DataError(
            f"data.split.folds={folds}: classes of fewer images than folds: {', '.join(small)}. Add images, ask for "
            "fewer folds, or leave the class out with data.class_names"
        )
    if samples.groups is not None:
        parts = [f"fold {number}" for number in range(folds)]
        refuse_undividable(samples.groups, samples.targets, class_names, parts)


def _check_every_fold(of_sample: np.ndarray, targets: np.ndarray, class_names: Sequence[str], folds: int) -> None:
    """Whichever fold validates, the others hold every class, so that no run of a series fails alone."""
    counts = np.stack([class_counts(targets[of_sample == fold], len(class_names)) for fold in range(folds)])
    held = (counts > 0).sum(axis=0)
    if targets.ndim == 1 and (missing := [name for name, n in zip(class_names, held, strict=True) if 0 < n < folds]):
        raise DataError(
            f"data.split.folds={folds}: found no way to give every fold images of {listed(missing)} without dividing a "
            "group. Ask for fewer folds, or leave the class out with data.class_names"
        )
    names = [f"'{name}'" for name, n in zip(class_names, held, strict=True) if n == 1]
    if names:
        raise DataError(
            f"data.split.folds={folds}: all images of {listed(names)} are in one fold, so none would be left to train "
            "on when it validates. Add images, or leave the class out with data.class_names"
        )


def _device_zoo(samples: _Pool, share: float, seed: int) -> np.ndarray:
    """`val` for the samples that the STM32 model zoo validates on, `train` for all others, (n,)."""
    source = samples.source
    if source.multilabel:
        raise DataError("data.split.method=device_zoo: the zoo's images have one label; leave it out for multilabel")
    class_of = [source.class_names[target] for target in samples.targets]
    return np.where(draw_device_zoo(samples.keys, class_of, share, seed), "val", "train")
