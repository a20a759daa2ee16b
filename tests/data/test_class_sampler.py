import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.data.order import BatchOrder, rank_share
from vernier.data.sampling import ClassSampler, class_counts, largest_remainder, sampling_labels

labels = st.lists(st.integers(0, 6), min_size=1, max_size=200).map(np.array)
names = st.sampled_from(["balanced", "square_root"])
samplers = st.builds(ClassSampler, names, labels, st.integers(0, 2**63 - 1))
epochs = st.integers(0, 50)


@given(samplers, epochs)
def test_classes_get_their_shares_of_an_epoch_as_long_as_the_set(sampler, epoch):
    drawn = np.bincount(sampler.labels[sampler.epoch(epoch).places], minlength=len(sampler.sizes))
    roots = np.where(sampler.sizes > 0, np.sqrt(sampler.sizes) if sampler.name == "square_root" else 1.0, 0.0)
    exact = roots / roots.sum() * len(sampler.labels)
    assert drawn.sum() == len(sampler.labels)
    assert np.all(np.abs(drawn - exact) < 1)
    assert np.all(drawn[sampler.sizes == 0] == 0)


@given(samplers, epochs)
def test_no_image_comes_again_before_all_of_its_class_have_come(sampler, epoch):
    times = np.bincount(sampler.epoch(epoch).places, minlength=len(sampler.labels))
    for label in range(len(sampler.sizes)):
        of_class = times[sampler.labels == label]
        assert len(of_class) == 0 or of_class.max() - of_class.min() <= 1
    assert times.max() == sampler.most_repeated


@given(samplers, epochs)
def test_repeats_number_the_times_that_an_image_comes(sampler, epoch):
    drawn = sampler.epoch(epoch)
    pairs = set(zip(drawn.places.tolist(), drawn.repeats.tolist(), strict=True))
    times = np.bincount(drawn.places)
    assert pairs == {(place, number) for place in range(len(times)) for number in range(times[place])}


@given(samplers, epochs)
def test_an_epoch_is_a_function_of_seed_and_epoch(sampler, epoch):
    again = ClassSampler(sampler.name, sampler.labels.copy(), sampler.seed)
    again.epoch(epoch + 1)
    np.testing.assert_array_equal(again.epoch(epoch).places, sampler.epoch(epoch).places)


@given(samplers, st.integers(1, 40), st.integers(1, 5))
def test_batches_and_processes_share_the_epoch_as_without_a_sampler(sampler, batch_size, processes):
    count = len(sampler.labels)
    order = BatchOrder(count, batch_size, sampler.seed, sampler=sampler)
    plain = BatchOrder(count, batch_size, sampler.seed)
    assert order.batches_per_epoch == plain.batches_per_epoch
    batches = [order.batch(2, number) for number in range(order.batches_per_epoch)]
    assert [len(batch) for batch in batches] == [len(plain.batch(2, number)) for number in range(len(batches))]
    np.testing.assert_array_equal(np.concatenate(batches), sampler.epoch(2).places)
    shares = [rank_share(batch, rank, processes) for batch in batches for rank in range(processes)]
    np.testing.assert_array_equal(np.concatenate(shares), sampler.epoch(2).places)


def test_other_epochs_and_seeds_draw_other_images_of_a_large_class_in_another_order():
    of = np.repeat([0, 1], [90, 10])
    sampler = ClassSampler("balanced", of, 0)
    one, two, other = sampler.epoch(0), sampler.epoch(1), ClassSampler("balanced", of, 1).epoch(0)
    assert set(one.places) != set(two.places)
    assert set(one.places) != set(other.places)
    assert np.count_nonzero(of[one.places] == of[two.places]) < 80


def test_it_says_how_often_images_come():
    text = ClassSampler("balanced", np.repeat([0, 1], [95, 5]), 0).description
    assert text == "data.sampler=balanced: an epoch draws 50 images of each class; an image comes up to 10 times"
    assert "draws 19 to 81 images" in ClassSampler("square_root", np.repeat([0, 1], [95, 5]), 0).description


def test_over_many_epochs_every_image_comes_about_equally_often():
    sampler = ClassSampler("balanced", np.repeat([0, 1], [90, 10]), 3)
    times = sum(np.bincount(sampler.epoch(epoch).places, minlength=100) for epoch in range(200))
    assert abs(times[:90] / 200 - 50 / 90).max() < 0.15
    assert np.all(times[90:] == 200 * 5)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8).filter(sum), st.integers(0, 1000))
def test_whole_numbers_are_shares_rounded_and_add_up(shares, total):
    numbers = largest_remainder(np.array(shares), total)
    assert numbers.sum() == total
    assert np.all(np.abs(numbers - np.array(shares) / sum(shares) * total) < 1 + 1e-9)


def test_of_equal_remainders_the_first_is_rounded_up():
    assert largest_remainder(np.ones(3), 10).tolist() == [4, 3, 3]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (np.array([2, 0, 1]), [2, 0, 1]),
        # Label 0 stands three times, 1 once, 2 twice; the last image has none.
        (np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]], np.uint8), [1, 2, 0, 2, 3]),
    ],
)
def test_an_image_is_drawn_by_its_rarest_label(targets, expected):
    assert sampling_labels(targets).tolist() == expected


def test_counts_are_of_classes_or_of_labels():
    assert class_counts(np.array([0, 2, 2]), 4).tolist() == [1, 0, 2, 0]
    assert class_counts(np.array([[1, 1], [0, 1]], np.uint8), 2).tolist() == [1, 2]
