"""Label errors from out-of-sample probabilities, against the paper's formulas written as loops."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.evaluation.confident_learning import (
    class_thresholds,
    confident_classes,
    confident_joint,
    estimate_joint,
    find_label_errors,
    label_scores,
    relative_probabilities,
)


def mean_confidence(targets, probabilities):
    """Equation 2, element by element."""
    n, classes = probabilities.shape
    own = [[probabilities[i, j] for i in range(n) if targets[i] == j] for j in range(classes)]
    return [sum(values) / len(values) if values else float("inf") for values in own]


def paper(targets, probabilities, thresholds):
    """Confident classes, the confident joint (equation 1) and the calibrated joint (equation 3)."""
    n, classes = probabilities.shape
    counts = np.zeros((classes, classes), int)
    confident = []
    for i in range(n):
        reached = [j for j in range(classes) if probabilities[i, j] >= thresholds[j]]
        confident.append(max(reached, key=lambda j: probabilities[i, j]) if reached else -1)
        if reached:
            counts[targets[i], confident[-1]] += 1
    joint = np.zeros((classes, classes))
    for i in range(classes):
        row = counts[i].astype(float)
        if row.sum() == 0:
            row[i] = 1
        joint[i] = row / row.sum() * sum(target == i for target in targets)
    return np.array(confident), counts, joint / joint.sum()


def lowest(targets, scores, counts):
    """Of each label as many images as the calibrated joint has off its diagonal (section 3.2, prune by class)."""
    suspects = np.zeros(len(targets), bool)
    for label, row in enumerate(counts.tolist()):
        own = sorted(np.flatnonzero(targets == label), key=lambda image: scores[image])
        wrong = Fraction(len(own) * (sum(row) - row[label]), sum(row) or 1)
        suspects[own[: round(wrong)]] = True
    return suspects & (scores < 0.5)


def example(seed, n=60, classes=4):
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes)) + 2 * np.eye(classes)[targets]
    probabilities = np.exp(logits)
    return targets, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_the_paper(seed, classes, n):
    targets, single = example(seed, n, classes)
    probabilities = single.astype(np.float64)
    thresholds = class_thresholds(targets, probabilities)
    np.testing.assert_allclose(thresholds, mean_confidence(targets, probabilities))
    confident, counts, joint = paper(targets, probabilities, thresholds)
    found = confident_classes(probabilities, thresholds)
    np.testing.assert_array_equal(found, confident)
    np.testing.assert_array_equal(confident_joint(targets, found, classes), counts)
    errors = find_label_errors(targets, single)
    np.testing.assert_allclose(errors.joint, joint)
    np.testing.assert_array_equal(errors.suspects, lowest(targets, errors.scores, counts))
    # A score below 1/2 is a label that another class is likelier than.
    assert ((errors.scores < 0.5) <= (errors.suggested != targets)).all()
    assert errors.noise_rate == pytest.approx(1 - joint.trace())
    for number, noise in enumerate(errors.classes):
        assert noise.n == (targets == number).sum()
        row = joint[number]
        assert noise.rate == pytest.approx(1 - row[number] / row.sum() if row.sum() else 0)
        assert noise.suspects == sum(errors.suspects[targets == number])


def test_a_score_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    targets = np.array([0, 1, 0])
    thresholds = class_thresholds(targets, probabilities)
    assert thresholds == pytest.approx([0.6, 0.8])
    # The last one: 0.3 / 0.6 beside 0.7 / 0.8.
    scores = label_scores(targets, relative_probabilities(probabilities, thresholds))
    assert scores == pytest.approx([1.5 / 1.625, 0.75, 0.5 / 1.375])
    errors = find_label_errors(targets, probabilities)
    assert errors.order().tolist() == [2, 1, 0]
    assert not errors.suspects.any()
    assert errors.suggested.tolist() == [0, 1, 1]


def test_flipped_labels_come_first_and_are_counted():
    rng = np.random.default_rng(3)
    true = rng.integers(3, size=900)
    probabilities = np.full((900, 3), 0.05) + 0.85 * np.eye(3)[true] + rng.uniform(0, 0.01, (900, 3))
    given_labels = true.copy()
    flipped = rng.choice(900, 90, replace=False)
    given_labels[flipped] = (true[flipped] + 1) % 3
    errors = find_label_errors(given_labels, probabilities)
    assert set(errors.order()[:90].tolist()) == set(flipped.tolist())
    assert set(np.flatnonzero(errors.suspects).tolist()) == set(flipped.tolist())
    np.testing.assert_array_equal(errors.suggested, true)
    assert errors.noise_rate == pytest.approx(0.1, abs=0.005)
    # Label 1 was put in place of 0.
    assert errors.joint[1, 0] == pytest.approx(np.sum(true[flipped] == 0) / 900, abs=0.005)
    assert errors.joint[1, 2] == 0


def test_a_class_that_models_are_unsure_of_is_not_suspicious_for_it():
    rng = np.random.default_rng(0)
    common, rare = 200, 20
    targets = np.repeat([0, 1], [common, rare])
    p_rare = np.concatenate([rng.uniform(0, 0.1, common), rng.uniform(0.2, 0.4, rare)])
    # One of the common class is really the rare one.
    p_rare[7] = 0.35
    errors = find_label_errors(targets, np.stack([1 - p_rare, p_rare], axis=1))
    assert np.flatnonzero(errors.suspects).tolist() == [7]
    assert errors.order()[0] == 7
    assert errors.suggested[7] == 1


def test_a_class_without_images_is_nobodys_suggestion():
    targets, probabilities = example(5)
    padded = np.concatenate([probabilities, np.full((len(targets), 1), 0.99)], axis=1)
    errors = find_label_errors(targets, padded)
    plain = find_label_errors(targets, probabilities)
    np.testing.assert_array_equal(errors.suspects, plain.suspects)
    np.testing.assert_allclose(errors.scores, plain.scores)
    assert errors.classes[4].n == 0
    assert errors.classes[4].rate == 0


def test_probabilities_of_zero_and_classes_of_nobody_give_scores_all_the_same():
    targets = np.array([0, 0, 1, 1])
    probabilities = np.array([[1, 0, 0], [0.5, 0, 0.5], [1, 0, 0], [0, 0, 1.0]])
    thresholds = class_thresholds(targets, probabilities)
    scores = label_scores(targets, relative_probabilities(probabilities, thresholds))
    np.testing.assert_array_equal(scores, [1, 1, 0, 1])


def test_rows_without_confident_images_count_as_right():
    joint = estimate_joint(np.array([[0, 0], [1, 3]]), np.array([6, 4]))
    np.testing.assert_allclose(joint, [[0.6, 0], [0.1, 0.3]])


def test_several_labels_are_as_many_questions_of_two_answers():
    rng = np.random.default_rng(1)
    targets = rng.integers(2, size=(80, 3)).astype(np.uint8)
    probabilities = np.clip(0.8 * targets + 0.1 + rng.normal(0, 0.1, targets.shape), 0.01, 0.99)
    probabilities[[4, 9]] = np.where(targets[[4, 9]] == 1, 0.98, 0.02)
    targets[4, 1] = 1 - targets[4, 1]
    targets[9] = 1 - targets[9]
    errors = find_label_errors(targets, probabilities)
    alone = [
        find_label_errors(targets[:, label].astype(np.int64), np.stack([1 - p, p], axis=1))
        for label, p in enumerate(probabilities.T)
    ]
    suspects = np.stack([one.suspects for one in alone], axis=1)
    assert suspects[4].tolist() == [False, True, False]
    assert suspects[9].all()
    np.testing.assert_array_equal(errors.suspects, suspects.any(axis=1))
    np.testing.assert_array_equal(errors.suggested != targets, suspects)
    assert errors.scores[4] == alone[1].scores[4]
    assert errors.scores[9] == min(one.scores[9] for one in alone)
    assert set(errors.order()[:2].tolist()) == {4, 9}
    assert errors.p_given[4] == pytest.approx(alone[1].p_given[4])
    assert errors.p_suggested[4] == pytest.approx(1 - errors.p_given[4])
    assert errors.noise_rate == pytest.approx(np.mean([one.noise_rate for one in alone]))
    for label, noise in enumerate(errors.classes):
        assert noise.n == targets[:, label].sum()
        assert noise.suspects == suspects[:, label].sum()
