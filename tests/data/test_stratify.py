import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vernier.data.stratify import draw_stratified

sizes = st.lists(st.integers(3, 40), min_size=2, max_size=8)
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**63 - 1)


def samples(class_sizes):
    targets = np.repeat(np.arange(len(class_sizes)), class_sizes)
    return [f"c{target}/{index}.jpg" for index, target in enumerate(targets)], targets


@given(sizes, shares, seeds)
def test_every_class_is_within_one_image_of_its_share(class_sizes, share, seed):
    keys, targets = samples(class_sizes)
    counts = np.bincount(targets[draw_stratified(keys, targets, share, seed, "val")], minlength=len(class_sizes))
    for count, size in zip(counts, class_sizes, strict=True):
        assert 1 <= count <= size - 1
        assert abs(count - share * size) < 1 + 1e-9


@given(sizes, shares, seeds, st.randoms(use_true_random=False))
def test_order_and_class_numbers_do_not_matter(class_sizes, share, seed, random):
    keys, targets = samples(class_sizes)
    order = list(range(len(keys)))
    random.shuffle(order)
    numbers = list(range(len(class_sizes)))
    random.shuffle(numbers)
    drawn = draw_stratified(keys, targets, share, seed, "val")
    again = draw_stratified([keys[i] for i in order], np.array(numbers)[targets][order], share, seed, "val")
    assert {keys[i] for i in np.flatnonzero(drawn)} == {keys[order[i]] for i in np.flatnonzero(again)}


def test_total_is_the_share_of_the_whole():
    keys, targets = samples([7] * 10)
    assert draw_stratified(keys, targets, 0.2, 0, "val").sum() == 14


def test_seeds_and_purposes_differ():
    keys, targets = samples([50, 50])
    draws = [draw_stratified(keys, targets, 0.5, seed, what) for seed in (0, 1, 2) for what in ("val", "test")]
    assert len({draw.tobytes() for draw in draws}) == 6


def test_the_draw_is_fixed_for_all_time():
    keys, targets = samples([5, 5])
    assert np.flatnonzero(draw_stratified(keys, targets, 0.4, 0, "val")).tolist() == [1, 4, 5, 8]


@given(st.integers(0, 2**32 - 1), st.integers(20, 80), st.sampled_from([0.1, 0.2, 0.5]))
def test_multilabel_keeps_the_share_of_every_label(seed, n, share):
    generator = np.random.default_rng(seed)
    targets = (generator.random((n, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.uint8)
    keys = [f"{index}.jpg" for index in range(n)]
    drawn = draw_stratified(keys, targets, share, 0, "val")
    assert abs(drawn.sum() - share * n) <= 5
    counts, totals = targets[drawn].sum(axis=0), targets.sum(axis=0)
    assert (np.abs(counts - share * totals) <= 5).all()
    order = generator.permutation(n)
    again = draw_stratified([keys[i] for i in order], targets[order], share, 0, "val")
    assert np.array_equal(drawn[order], again)


def test_rare_labels_reach_both_parts():
    targets = np.zeros((100, 3), np.uint8)
    targets[:, 0] = 1
    targets[:2, 1] = 1
    targets[5, 2] = 1
    drawn = draw_stratified([str(index) for index in range(100)], targets, 0.2, 0, "val")
    assert targets[drawn, 1].sum() == 1
    assert targets[drawn, 2].sum() == 0
    assert drawn.sum() == 20
