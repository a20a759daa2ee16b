"""How images are divided among splits and dealt out to shards."""

import logging
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.config.data import SplitConfig
from vernier.data.convert.dealing import deal
from vernier.data.convert.dividing import divide, divide_groups
from vernier.data.convert.settings import ConvertSettings, check_settings, read_shares
from vernier.data.convert.splits import choose_splits
from vernier.data.images import ArrayImages
from vernier.data.source import Source
from vernier.errors import ConfigError


def make_source(targets, split=None, groups=None):
    targets = np.asarray(targets)
    count = len(targets)
    classes = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    images = ArrayImages(np.zeros((count, 1, 1, 1), np.uint8), [f"{i:04d}" for i in range(count)], 1)
    names = tuple(f"class{number}" for number in range(classes))
    return Source("tiny", images, targets, names, tuple(split or [""] * count), {}, None, None, groups=groups)


def splits(source, group=None, **wanted):
    return choose_splits(source, SplitConfig(group=group), ConvertSettings(**wanted))


weights = st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any)
class_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def shares_of(parts):
    return [Fraction(part, sum(parts)) for part in parts]


@settings(deadline=None, max_examples=60)
@given(class_sizes, weights, st.integers(0, 2**32))
def test_every_class_has_its_shares(sizes, parts, seed):
    shares = shares_of(parts)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    keys = [f"{index}.jpg" for index in range(len(targets))]
    divided = divide(keys, targets, shares, seed)
    assert set(divided.tolist()) <= {split for split, share in enumerate(shares) if share}
    used = sum(1 for share in shares if share)
    for label, size in enumerate(sizes):
        counts = [int(((divided == split) & (targets == label)).sum()) for split in range(len(shares))]
        raised = sum(max(0, 1 - share * size) for share in shares if share)
        for count, share in zip(counts, shares, strict=True):
            assert abs(count - share * size) < 1 + raised
            assert count >= 1 or not share or size < used
    total = sum(sizes)
    if min(sizes) * min(share for share in shares if share) >= 1:
        for split, share in enumerate(shares):
            assert abs((divided == split).sum() - share * total) < 2


@settings(deadline=None, max_examples=60)
@given(class_sizes, weights, st.integers(0, 99), st.randoms(use_true_random=False))
def test_a_draw_does_not_depend_on_the_order(sizes, parts, seed, random):
    targets = np.repeat(np.arange(len(sizes)), sizes)
    keys = [f"{index}.jpg" for index in range(len(targets))]
    order = list(range(len(keys)))
    random.shuffle(order)
    divided = divide(keys, targets, shares_of(parts), seed)
    again = divide([keys[index] for index in order], targets[order], shares_of(parts), seed)
    assert (divided[order] == again).all()


def test_the_old_default_leaves_no_split_of_a_small_class_empty():
    shares = read_shares(("0.8", "0.1", "0.1"))
    for size, expected in ((5, [3, 1, 1]), (10, [8, 1, 1]), (100, [80, 10, 10]), (2, [1, 1, 0]), (1, [1, 0, 0])):
        divided = divide([str(index) for index in range(size)], np.zeros(size, np.int64), shares, 0)
        assert np.bincount(divided, minlength=3).tolist() == expected


def test_small_classes_together_meet_the_shares():
    targets = np.repeat(np.arange(50), 15)
    divided = divide([str(index) for index in range(750)], targets, read_shares(("0.7", "0.2", "0.1")), 1)
    assert np.bincount(divided).tolist() == [525, 150, 75]


def test_other_seeds_draw_otherwise():
    keys, targets = [str(index) for index in range(40)], np.zeros(40, np.int64)
    first, second = (divide(keys, targets, shares_of([1, 1]), seed) for seed in (0, 1))
    assert (first != second).any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 99))
def test_several_labels_are_stratified(seed):
    targets = (np.random.default_rng(seed).random((200, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.uint8)
    divided = divide([str(index) for index in range(200)], targets, read_shares(("0.7", "0.2", "0.1", "0")), seed)
    assert np.bincount(divided, minlength=4) == pytest.approx([140, 40, 20, 0], abs=2)
    for split, share in enumerate((0.7, 0.2, 0.1)):
        assert targets[divided == split].sum(axis=0) == pytest.approx(targets.sum(axis=0) * share, abs=4)


def test_groups_stay_together():
    targets = np.tile([0, 1], 60)
    groups = [f"patient{index // 6}" for index in range(120)]
    divided = divide_groups(
        [str(index) for index in range(120)], targets, groups, read_shares(("0.5", "0.3", "0.2")), 0
    )
    assert all(
        len({part for part, name in zip(divided, groups, strict=True) if name == group}) == 1 for group in groups
    )
    assert np.bincount(divided) == pytest.approx([60, 36, 24], abs=6)


@pytest.mark.parametrize("percentages", [("0.7", "0.2", "0.1"), ("0.6", "0.3", "0.1"), ("1/3", "1/3", "1/3")])
def test_decimal_fractions_are_exact(percentages):
    assert sum(read_shares(percentages)) == 1


@pytest.mark.parametrize(
    ("percentages", "says"),
    [
        (("0.7", "0.2"), r"--split_percentages: 0.7 \+ 0.2 is 0.9; the shares have to make 1"),
        (("70", "30"), r"'70' is no share"),
        (("1.5", "-0.5"), r"'1.5' is no share"),
        (("half", "half"), r"'half' is no share"),
        (("nan", "1"), r"'nan' is no share"),
        (("1/0", "1"), r"'1/0' is no share"),
    ],
)
def test_other_shares_are_refused(percentages, says):
    with pytest.raises(ConfigError, match=says):
        read_shares(percentages)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"format": "zip"}, "--format: 'zip' is none of tfrecord, webdataset, store"),
        ({"preprocessing": "no"}, "--preprocessing: 'no' is none of NO"),
        ({"image_size": (9, 9)}, "--image_size: has no effect with --preprocessing NO"),
        ({"shard_size": 0}, "--shard_size: 0 is less than 1"),
        ({"shard_size": 5, "num_shards": 5}, "--num_shards: excludes --shard_size"),
        ({"num_shards": 5, "format": "store"}, "--num_shards: goes with"),
        ({"quality": 101}, "--quality: 101"),
        ({"seed": -1}, "--seed: -1"),
        ({"split_names": ("a/b",)}, "--split_names: 'a/b' names files"),
        ({"split_names": ("..",)}, "--split_names: '..' names files"),
        ({"split_names": ("Train", "train", "test")}, "--split_names: .*twice"),
        ({"split_percentages": ("0.5", "0.5")}, "has 2 numbers for 3 splits"),
        ({"delimiter": ";;"}, "--delimiter"),
    ],
)
def test_settings_are_checked_at_once(settings, says):
    with pytest.raises(ConfigError, match=says):
        check_settings(ConvertSettings(**settings))


def test_splits_of_the_source_are_kept():
    source = make_source([0, 1] * 4, ["train"] * 4 + [""] * 2 + ["val"] * 2)
    assert {name: rows.tolist() for name, rows in splits(source).items()} == {
        "train": [0, 1, 2, 3, 4, 5],
        "validation": [6, 7],
    }
    assert list(splits(source, split_names=("a", "b"))) == ["a", "b"]
    with pytest.raises(ConfigError, match="the source has the splits train, val, which are kept; give as many names"):
        splits(source, split_names=("a", "b", "c"))


def test_shares_divide_anew():
    source = make_source([0, 1] * 10, ["train"] * 10 + ["test"] * 10)
    divided = splits(source, split_names=("a", "b"), split_percentages=("0.5", "0.5"))
    assert sorted([*divided["a"], *divided["b"]]) == list(range(20))
    assert Counter(divided["a"] < 10) != Counter({True: 10})


def test_one_name_takes_all_and_others_need_shares():
    source = make_source([0, 1] * 3)
    assert splits(source, split_names=("all",))["all"].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ConfigError, match="--split_percentages: is missing; how large are a, b"):
        splits(source, split_names=("a", "b"))


def test_classes_that_are_too_small_are_told(caplog):
    with caplog.at_level(logging.WARNING, "vernier"):
        splits(make_source([0] * 20 + [1] * 2))
    assert "test has none of class1 (2)" in caplog.text


def test_groups_of_the_source_and_of_the_config_are_kept_together():
    groups = tuple(f"g{index // 4}" for index in range(40))
    for source, group in ((make_source([0, 1] * 20, groups=groups), None), (make_source([0, 1] * 20), r"(\d\d\d)\d")):
        names = source.groups or [key[:3] for key in source.images.keys]
        parts = [{names[index] for index in rows} for rows in splits(source, group).values()]
        assert sum(map(len, parts)) == len(set(names))


@settings(deadline=None, max_examples=60)
@given(class_sizes, st.integers(1, 12), st.integers(0, 99))
def test_shards_are_balanced_and_hold_everything_once(sizes, shards, seed):
    targets = np.repeat(np.arange(len(sizes)), sizes)
    keys = [f"{index}" for index in range(len(targets))]
    hands = deal(keys, targets, shards, seed)
    assert len(hands) == min(shards, len(keys))
    assert sorted(np.concatenate(hands).tolist()) == list(range(len(keys)))
    assert max(map(len, hands)) - min(map(len, hands)) <= 1
    counts = np.array([np.bincount(targets[hand], minlength=len(sizes)) for hand in hands])
    assert (counts.max(axis=0) - counts.min(axis=0)).max() <= 1
    assert all(np.array_equal(a, b) for a, b in zip(hands, deal(keys, targets, shards, seed), strict=True))


def test_a_shard_mixes_classes():
    targets = np.repeat([0, 1], 100)
    (hand,) = deal([str(index) for index in range(200)], targets, 1, 0)
    assert 30 < targets[hand[:100]].sum() < 70
