import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_reference import logits
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from vernier.errors import ConfigError
from vernier.losses.class_weights import ClassWeighted, class_weights
from vernier.losses.cross_entropy import CrossEntropy

NAMES = ("cat", "dog", "owl")
COUNTS = np.array([900, 90, 10])


def test_balanced_is_scikit_learns():
    labels = np.repeat([0, 1, 2], COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights("balanced", NAMES, COUNTS), expected)


@pytest.mark.parametrize("beta", [0.9, 0.999, 0.9999999])
def test_effective_number_is_the_papers_formula(beta):
    weights = class_weights("effective_number", NAMES, COUNTS, effective_number_beta=beta)
    formula = (1 - beta) / (1 - beta ** COUNTS.astype(np.longdouble))
    np.testing.assert_allclose(weights / weights[0], (formula / formula[0]).astype(float), rtol=1e-6)


def test_beta_goes_from_equal_weights_to_balanced_ones():
    low = class_weights("effective_number", NAMES, COUNTS, effective_number_beta=1e-9)
    np.testing.assert_allclose(low, 1.0)
    high = class_weights("effective_number", NAMES, COUNTS, effective_number_beta=1 - 1e-9)
    np.testing.assert_allclose(high, class_weights("balanced", NAMES, COUNTS), rtol=1e-5)


@given(
    st.lists(st.integers(1, 10**6), min_size=3, max_size=3),
    st.sampled_from(["balanced", "effective_number", (1.0, 5.0, 0.1), {"owl": 3.0, "cat": 1.0, "dog": 2.0}]),
)
def test_the_training_images_weigh_1_in_the_mean(counts, given_weights):
    weights = class_weights(given_weights, NAMES, np.array(counts))
    assert np.average(weights, weights=counts) == pytest.approx(1.0)


def test_a_mapping_is_by_name_and_a_list_in_order():
    by_name = class_weights({"owl": 3.0, "cat": 1.0, "dog": 2.0}, NAMES, COUNTS)
    np.testing.assert_array_equal(by_name, class_weights((1.0, 2.0, 3.0), NAMES, COUNTS))
    np.testing.assert_allclose(by_name / by_name[0], [1, 2, 3])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cat": 1.0, "dgo": 2.0, "owl": 1.0}, "loss.class_weights.dgo: is no class. Did you mean 'dog'?"),
        ({"cat": 1.0, "dog": 2.0}, "loss.class_weights: must name every class; owl missing"),
        ((1.0, 2.0), "must be a number for each of the 3 classes (cat, dog, owl); got 2"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_errors(wrong, message):
    with pytest.raises(ConfigError) as error:
        class_weights(wrong, NAMES, COUNTS)
    assert message in str(error.value)


@pytest.mark.parametrize("counted", ["balanced", "effective_number"])
def test_a_class_without_images_has_no_weight_to_count(counted):
    with pytest.raises(ConfigError, match=f"{counted} can't be computed: no training images of dog"):
        class_weights(counted, NAMES, np.array([5, 0, 5]))


def test_weighted_losses_are_torchs_without_smoothing():
    values, targets = logits(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = np.array([0.5, 1.0, 4.0])
    expected = functional.cross_entropy(
        values, targets, weight=torch.tensor(weights, dtype=torch.float32), reduction="none"
    )
    torch.testing.assert_close(ClassWeighted(CrossEntropy(), weights)(values, targets), expected)


def test_an_images_weight_is_its_classs_whatever_the_smoothing():
    values, targets = logits(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = np.array([0.5, 1.0, 4.0])
    smooth = CrossEntropy(0.3)
    expected = smooth(values, targets) * torch.tensor(weights, dtype=torch.float32)[targets]
    torch.testing.assert_close(ClassWeighted(smooth, weights)(values, targets), expected)
