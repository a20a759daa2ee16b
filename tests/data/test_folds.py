from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sources import config, made_source

from vernier.data.folds import draw_folds
from vernier.data.splits import split_source
from vernier.errors import DataError

sizes = st.lists(st.integers(5, 30), min_size=2, max_size=5)
seeds = st.integers(0, 2**63 - 1)


def samples(class_sizes):
    targets = np.repeat(np.arange(len(class_sizes)), class_sizes)
    return [f"c{target}/{index}.jpg" for index, target in enumerate(targets)], targets


@settings(max_examples=40)
@given(sizes, st.integers(2, 5), seeds)
def test_folds_are_alike(class_sizes, folds, seed):
    keys, targets = samples(class_sizes)
    of_sample = draw_folds(keys, targets, folds, seed)
    counts = np.stack([np.bincount(targets[of_sample == fold], minlength=len(class_sizes)) for fold in range(folds)])
    assert counts.sum() == len(keys)
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


@settings(max_examples=30)
@given(sizes, st.integers(2, 5), seeds, st.randoms(use_true_random=False))
def test_order_and_class_numbers_do_not_matter(class_sizes, folds, seed, random):
    keys, targets = samples(class_sizes)
    order, numbers = list(range(len(keys))), list(range(len(class_sizes)))
    random.shuffle(order)
    random.shuffle(numbers)
    of_sample = draw_folds(keys, targets, folds, seed)
    again = draw_folds([keys[i] for i in order], np.array(numbers)[targets][order], folds, seed)
    assert np.array_equal(of_sample[order], again)


def test_the_folds_are_fixed_for_all_time():
    keys, targets = samples([5, 5])
    assert draw_folds(keys, targets, 3, 0).tolist() == [2, 0, 2, 0, 1, 1, 0, 1, 2, 0]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_multilabel_folds_are_alike(seed, folds):
    generator = np.random.default_rng(seed)
    targets = (generator.random((60, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.uint8)
    of_sample = draw_folds([f"{index}.jpg" for index in range(60)], targets, folds, 0)
    counts = np.stack([targets[of_sample == fold].sum(axis=0) for fold in range(folds)])
    assert (np.abs(counts - targets.sum(axis=0) / folds) <= 5).all()
    assert (np.abs(np.bincount(of_sample, minlength=folds) - 60 / folds) <= 4).all()


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_every_sample_validates_once_over_the_folds(multilabel, grouped):
    targets = np.arange(60) % 3
    source = made_source(np.eye(3, dtype=np.uint8)[targets] if multilabel else targets)
    if grouped:
        source = replace(source, groups=tuple(f"g{index // 4}" for index in range(60)))
    splits = [split_source(source, config(test=0.2, folds=4, fold=fold, seed=3)) for fold in range(4)]
    assert all(np.array_equal(split.test, splits[0].test) for split in splits)
    validated = np.concatenate([split.val for split in splits])
    assert sorted(np.concatenate([validated, splits[0].test])) == list(range(60))
    for split in splits:
        assert sorted(np.concatenate([split.train, split.val, split.test])) == list(range(60))
        assert 10 <= len(split.val) <= 14


def test_another_seed_has_other_folds():
    draws = {tuple(split_source(made_source([0, 1, 2] * 10), config(folds=3, seed=s)).val) for s in range(4)}
    assert len(draws) == 4


def test_a_given_test_set_is_not_divided():
    source = made_source([0, 1, 2] * 10, ["train"] * 24 + ["test"] * 6)
    split = split_source(source, config(folds=2, fold=1))
    assert split.test.tolist() == list(range(24, 30))
    assert (len(split.train), len(split.val)) == (12, 12)


def test_a_given_validation_set():
    source = made_source([0, 1, 2] * 10, ["train"] * 24 + ["val"] * 6)
    message = r"data\.split\.folds=2: the source has a validation set already; leave .* data\.val_split=none"
    with pytest.raises(DataError, match=message):
        split_source(source, config(folds=2))


def test_val_split_none_makes_room_for_folds():
    data = config(folds=2).model_copy(update={"val_split": "none"})
    assert len(split_source(made_source([0, 1, 2] * 10), data).val) == 15


def test_a_class_smaller_than_the_folds():
    with pytest.raises(DataError, match=r"data\.split\.folds=3: classes of fewer images than folds: 'cat' \(2\)"):
        split_source(made_source([0] * 9 + [1] * 9 + [2] * 2), config(folds=3))


def test_a_label_of_one_image():
    targets = np.zeros((12, 3), np.uint8)
    targets[:, 0] = targets[:6, 1] = targets[3, 2] = 1
    for fold in range(3):
        with pytest.raises(DataError, match="all images of 'cat' are in one fold, so none would be left to train on"):
            split_source(made_source(targets), config(folds=3, fold=fold))
