import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from vernier.evaluation.calibration import reliability


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 20))
def test_bins_are_those_of_guo(pairs, bins):
    confidence, correct = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    result = reliability(confidence, correct, bins)
    error = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = (confidence > low) & (confidence <= high) | ((confidence == 0) & (number == 0))
        assert result.counts[number] == inside.sum()
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            error += inside.mean() * gap
    np.testing.assert_allclose(result.expected_calibration_error, error, atol=1e-12)


def test_error_is_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(500, 4, generator=generator).softmax(dim=1)
    targets = torch.randint(0, 4, (500,), generator=generator)
    expected = multiclass_calibration_error(probabilities, targets, num_classes=4, n_bins=15)
    confidence, predicted = probabilities.max(dim=1)
    result = reliability(confidence.numpy(), (predicted == targets).numpy(), 15)
    np.testing.assert_allclose(result.expected_calibration_error, expected.item(), atol=1e-6)


def test_a_confidence_on_an_edge_falls_in_the_lower_bin():
    assert reliability(np.array([0.0, 0.5, 1.0]), np.array([True, True, False]), 2).counts.tolist() == [2, 1]


def test_perfect_confidence_has_no_error():
    assert reliability(np.ones(5), np.ones(5, bool), 10).expected_calibration_error == 0
