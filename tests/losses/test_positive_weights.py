import numpy as np
import pytest

from vernier.errors import ConfigError
from vernier.losses.positive_weights import positive_weights
from vernier.models.task import make_task

BINARY = make_task("binary", ("good", "broken"))
LABELS = make_task("multilabel", ("sun", "rain", "snow"))


def test_balanced_makes_both_answers_of_a_label_weigh_the_same():
    counts, images = np.array([50, 10, 1]), 100
    weights = positive_weights("balanced", LABELS, counts, images)
    np.testing.assert_allclose(weights * counts, images - counts)
    np.testing.assert_allclose(positive_weights("balanced", BINARY, np.array([90, 10]), 100), [9.0])


def test_one_number_is_for_all_labels():
    np.testing.assert_array_equal(positive_weights((3.0,), LABELS, np.ones(3), 9), [3, 3, 3])
    np.testing.assert_array_equal(positive_weights((3.0,), BINARY, np.ones(2), 9), [3])


def test_numbers_are_taken_as_they_are():
    np.testing.assert_array_equal(
        positive_weights({"snow": 7.0, "sun": 1.0, "rain": 2.0}, LABELS, np.ones(3), 9), [1, 2, 7]
    )
    np.testing.assert_array_equal(positive_weights({"broken": 7.0}, BINARY, np.ones(2), 9), [7])
    assert positive_weights(None, LABELS, np.ones(3), 9) is None


def test_a_label_that_every_image_has_stays_in_the_loss():
    np.testing.assert_allclose(positive_weights("balanced", LABELS, np.array([8, 4, 2]), 8), [1 / 8, 1, 3])


@pytest.mark.parametrize(
    ("task", "wrong", "message"),
    [
        (BINARY, {"good": 1.0}, "loss.positive_weights.good: is no class. The classes are broken"),
        (LABELS, (1.0, 2.0), "must be a number for each of the 3 classes"),
        (LABELS, "balanced", "no training images of rain"),
    ],
)
def test_weights_that_do_not_fit_the_labels_are_errors(task, wrong, message):
    with pytest.raises(ConfigError) as error:
        positive_weights(wrong, task, np.array([4, 0, 4])[: len(task.class_names)], 8)
    assert message in str(error.value)
