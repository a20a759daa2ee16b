from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sources import config, made_source
from sklearn.model_selection import StratifiedGroupKFold

from vernier.data.group_division import draw_group_folds, draw_groups
from vernier.data.splits import save_split, split_source
from vernier.errors import DataError

GROUPS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), min_size=9, max_size=40)
"""Size and class of each group."""
seeds = st.integers(0, 2**63 - 1)


def grouped(groups):
    """Keys, targets and groups of the samples."""
    targets = np.repeat([target for _, target in groups], [size for size, _ in groups])
    names = [f"g{number}" for number, (size, _) in enumerate(groups) for _ in range(size)]
    return [f"{index:03d}.png" for index in range(len(targets))], targets, names


def with_every_class(groups):
    """With four groups more of each class, so that no class is missing from any part."""
    return [*groups, *((2, target) for target in (0, 1, 2) for _ in range(4))]


@settings(max_examples=30)
@given(GROUPS, st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([None, 0.2]), seeds)
def test_no_group_is_divided(groups, val, test, seed):
    _, targets, names = grouped(with_every_class(groups))
    source = replace(made_source(targets), groups=tuple(names))
    split = split_source(source, config(val=val, test=test, seed=seed))
    sides = [{names[index] for index in part} for part in (split.train, split.val, split.test)]
    assert sum(map(len, sides)) == len(set(names)) == len(set.union(*sides))
    for part in (split.train, split.val):
        assert set(targets[part]) == {0, 1, 2}


@settings(max_examples=30)
@given(GROUPS, st.sampled_from([0.1, 0.2, 0.5]), seeds)
def test_the_share_is_within_the_largest_group(groups, share, seed):
    keys, _, names = grouped(groups)
    drawn = draw_groups(keys, np.zeros(len(keys), np.int64), names, share, seed, "val")
    assert abs(drawn.sum() - share * len(keys)) <= max(size for size, _ in groups)


@settings(max_examples=30)
@given(GROUPS, st.integers(2, 4), seeds)
def test_folds_hold_whole_groups(groups, folds, seed):
    groups = with_every_class(groups)
    keys, targets, names = grouped(groups)
    of_sample = draw_group_folds(keys, targets, names, folds, seed)
    assert len(set(zip(names, of_sample, strict=True))) == len(set(names))
    assert all(set(targets[of_sample == fold]) == {0, 1, 2} for fold in range(folds))
    assert (np.abs(np.bincount(of_sample) - len(keys) / folds) <= max(size for size, _ in groups)).all()


@settings(max_examples=30)
@given(GROUPS, seeds, st.randoms(use_true_random=False))
def test_order_names_and_class_numbers_do_not_matter(groups, seed, random):
    keys, targets, names = grouped(groups)
    order, numbers = list(range(len(keys))), [0, 1, 2]
    random.shuffle(order)
    random.shuffle(numbers)
    drawn = draw_groups(keys, targets, names, 0.3, seed, "val")
    renamed = [f"other{hash(names[index])}" for index in order]
    again = draw_groups([keys[i] for i in order], np.array(numbers)[targets][order], renamed, 0.3, seed, "val")
    assert np.array_equal(drawn[order], again)


def test_the_draw_is_fixed_for_all_time():
    keys, targets, names = grouped([(size, size % 3) for size in range(1, 13)])
    drawn = draw_groups(keys, targets, names, 0.2, 0, "val")
    assert sorted({names[index] for index in np.flatnonzero(drawn)}) == ["g3", "g4", "g5"]


def test_seeds_differ():
    keys, targets, names = grouped([(3 + number % 5, number % 3) for number in range(30)])
    assert len({draw_groups(keys, targets, names, 0.2, seed, "val").tobytes() for seed in range(5)}) == 5


def unevenness(of_sample, targets, folds):
    """Root mean square by which the folds miss their share of each class."""
    shares = [np.bincount(targets[of_sample == fold], minlength=3) / np.bincount(targets) for fold in range(folds)]
    return np.sqrt(np.mean((np.array(shares) - 1 / folds) ** 2))


def test_folds_are_at_least_as_even_as_scikit_learns():
    generator = np.random.default_rng(0)
    ours, theirs = [], []
    for seed in range(5):
        sizes = generator.integers(1, 20, 40)
        targets, groups = generator.integers(0, 3, sizes.sum()), np.repeat(np.arange(40), sizes)
        keys = [f"{index}.png" for index in range(len(targets))]
        ours.append(unevenness(draw_group_folds(keys, targets, list(map(str, groups)), 4, seed), targets, 4))
        oracle = np.empty(len(targets), np.int64)
        splitter = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
        for fold, (_, rows) in enumerate(splitter.split(targets, targets, groups)):
            oracle[rows] = fold
        theirs.append(unevenness(oracle, targets, 4))
    assert np.mean(ours) <= np.mean(theirs)


def test_rare_labels_stay_in_training():
    targets = np.zeros((40, 3), np.uint8)
    targets[:, 0] = 1
    targets[:8, 1] = 1
    targets[12, 2] = 1
    names = [f"g{index // 4}" for index in range(40)]
    for seed in range(10):
        drawn = draw_groups([f"{index}.png" for index in range(40)], targets, names, 0.3, seed, "val")
        assert targets[~drawn, 2].sum() == 1
        assert set(targets[drawn, 1]) == {0, 1}
        assert drawn.sum() == 12


FRAMES = [f"{kind}/{kind}{video}_frame{frame}.png" for kind in "abc" for video in range(4) for frame in range(3)]


def test_an_expression_finds_groups_in_paths():
    source = made_source(np.repeat([0, 1, 2], 12), keys=FRAMES)
    split = split_source(source, config(group=r"(.*)_frame\d+", val=0.25))
    videos = {FRAMES[index].split("_")[0] for index in split.val}
    assert len(split.val) == 9
    assert len(videos) == 3
    assert {FRAMES[index].split("_")[0] for index in split.train}.isdisjoint(videos)


def test_paths_without_a_group():
    source = made_source(np.repeat([0, 1, 2], 12), keys=[*FRAMES[:-2], "c/odd.png", "c/other.png"])
    with pytest.raises(DataError, match=r"data\.split\.group=\(.*finds no group in 2 of 36 paths: c/odd\.png, c/other"):
        split_source(source, config(group=r"(.*)_frame\d+"))


def test_groups_of_one_image_are_none():
    source = made_source([0, 1, 2] * 10)
    alone = replace(source, groups=tuple(source.keys()))
    assert np.array_equal(split_source(alone, config()).val, split_source(source, config()).val)


def test_a_class_within_one_group():
    source = made_source(np.repeat([0, 1, 2], 12), keys=[*FRAMES[:24], *(f"c/only_frame{n}.png" for n in range(12))])
    message = (
        r"classes in fewer groups than there are parts \(train and val\).*: 'cat' \(c/only\)\. Add images of other"
    )
    with pytest.raises(DataError, match=message):
        split_source(source, config(group=r"(.*)_frame\d+"))
    with pytest.raises(DataError, match=r"parts \(fold 0 and fold 1 and fold 2 and fold 3\).*'cat' \(c/only\)"):
        split_source(source, config(group=r"(.*)_frame\d+", folds=4))
    assert len(split_source(source, config(group=r"(.*)_frame\d+", val=0)).train) == 36


def test_classes_that_share_groups_in_a_way_that_leaves_none():
    # Each pair of classes in one group: two parts can't both have all three.
    source = replace(made_source([0, 1, 0, 2, 1, 2]), groups=("x", "x", "y", "y", "z", "z"))
    with pytest.raises(DataError, match=r"class '\w+' has no images in (val|train)"):
        split_source(source, config(val=0.4))
    with pytest.raises(DataError, match=r"data\.split\.folds=2: found no way to give every fold images of"):
        split_source(source, config(folds=2))


def test_a_source_that_divides_a_group_itself():
    names = ["train"] * 20 + ["test"] * 10
    source = replace(made_source([0, 1, 2] * 10, names), groups=tuple(f"g{index // 4}" for index in range(30)))
    with pytest.raises(DataError, match="groups that are in more than one split") as caught:
        split_source(replace(source, groups=tuple(f"g{index // 3}" for index in range(30))), config())
    assert "(1): g6 (test, train)" in str(caught.value)
    assert len(split_source(source, config()).test) == 10


def test_a_file_that_divides_a_group(tmp_path):
    source = made_source([0, 1, 2] * 10)
    save_split(tmp_path / "split.csv", source, split_source(source, config()))
    pairs = replace(source, groups=tuple(f"g{index // 2}" for index in range(30)))
    with pytest.raises(DataError, match=r"groups that are in more than one split"):
        split_source(pairs, config(file=str(tmp_path / "split.csv")))
