import json
import math

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from vernier.config.evaluate import EvaluateConfig
from vernier.errors import TrainingError
from vernier.evaluation.metrics import average_precision, measure, metric_names, mode_of, roc_auc
from vernier.models.task import make_task

CLASSES = ("a", "b", "c", "d")
KINDS = ("precision", "recall", "f1")


@st.composite
def _multiclass(draw):
    """Logits and targets of 1 to 30 images; classes may be absent, ties occur."""
    n = draw(st.integers(1, 30))
    logits = draw(st.lists(st.integers(-3, 3), min_size=4 * n, max_size=4 * n))
    targets = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return np.array(logits, np.float32).reshape(n, 4), np.array(targets)


@given(_multiclass())
@settings(max_examples=60, deadline=None)
def test_multiclass_measures_are_scikit_learns(drawn):
    logits, targets = drawn
    result = measure(logits, targets, make_task("multiclass", CLASSES), EvaluateConfig(top_k=2))
    predictions, labels = logits.argmax(axis=1), list(range(4))
    assert result.n == len(targets)
    np.testing.assert_array_equal(result.confusion, sk.confusion_matrix(targets, predictions, labels=labels))
    assert result.values["accuracy"] == pytest.approx(sk.accuracy_score(targets, predictions))
    for mean in ("macro", "weighted"):
        expected = sk.precision_recall_fscore_support(
            targets, predictions, labels=labels, average=mean, zero_division=0
        )
        assert [result.values[f"{mean}_{kind}"] for kind in KINDS] == pytest.approx(expected[:3])
    rows = sk.precision_recall_fscore_support(targets, predictions, labels=labels, zero_division=0)
    found = [(row.precision, row.recall, row.f1, row.n) for row in result.per_class]
    np.testing.assert_allclose(found, np.array(rows).T)
    assert sum(row.true_positives for row in result.per_class) == (predictions == targets).sum()
    assert sum(row.false_positives for row in result.per_class) == (predictions != targets).sum()
    present = [sk.recall_score(targets == c, predictions == c) for c in set(targets.tolist())]
    assert result.values["balanced_accuracy"] == pytest.approx(np.mean(present))


def test_multiclass_measures_are_torchmetrics():
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(200, 4, generator=generator), torch.randint(0, 4, (200,), generator=generator)
    evaluate = EvaluateConfig(top_k=3)
    values = measure(logits.numpy(), targets.numpy(), make_task("multiclass", CLASSES), evaluate).values
    expected = {
        "loss": torch.nn.functional.cross_entropy(logits, targets),
        "top3_accuracy": oracle.multiclass_accuracy(logits, targets, 4, top_k=3, average="micro"),
        "balanced_accuracy": oracle.multiclass_accuracy(logits, targets, 4, average="macro"),
        "macro_f1": oracle.multiclass_f1_score(logits, targets, 4, average="macro"),
        "weighted_precision": oracle.multiclass_precision(logits, targets, 4, average="weighted"),
        "ece": oracle.multiclass_calibration_error(logits, targets, 4, n_bins=15),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value.item(), abs=1e-6), name


def test_the_set_is_measured_as_a_whole():
    """The mean of two halves' macro F1 is another number than the macro F1 of the whole."""
    task, evaluate = make_task("multiclass", ("a", "b")), EvaluateConfig()
    logits, targets = np.eye(2, dtype=np.float32)[[0, 1, 1, 1]], np.array([0, 0, 1, 1])
    halves = [measure(logits[part], targets[part], task, evaluate).values["macro_f1"] for part in ([0, 1], [2, 3])]
    whole = measure(logits, targets, task, evaluate).values["macro_f1"]
    assert whole == pytest.approx(sk.f1_score(targets, [0, 1, 1, 1], average="macro"))
    assert whole != pytest.approx(np.mean(halves))


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_areas_are_scikit_learns(pairs):
    scores, positive = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], int)
    if positive.any():
        assert average_precision(scores, positive) == pytest.approx(sk.average_precision_score(positive, scores))
    else:
        assert math.isnan(average_precision(scores, positive))
    if 0 < positive.sum() < len(positive):
        assert roc_auc(scores, positive) == pytest.approx(sk.roc_auc_score(positive, scores))
    else:
        assert math.isnan(roc_auc(scores, positive))


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_binary_measures(threshold):
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(100, 1)).astype(np.float32)
    targets = (logits[:, 0] + generator.normal(size=100) > 0).astype(np.int64)
    task = make_task("binary", ("no", "yes"), threshold=threshold)
    result = measure(logits, targets, task, EvaluateConfig())
    scores = torch.from_numpy(logits[:, 0]).sigmoid().numpy()
    predictions = scores >= threshold
    precision, recall, f1, _ = sk.precision_recall_fscore_support(targets, predictions, average="binary")
    assert [result.values[kind] for kind in KINDS] == pytest.approx([precision, recall, f1])
    assert result.values["roc_auc"] == pytest.approx(sk.roc_auc_score(targets, scores))
    assert result.values["average_precision"] == pytest.approx(sk.average_precision_score(targets, scores))
    assert result.values["loss"] == pytest.approx(sk.log_loss(targets, scores.astype(float)), abs=1e-6)
    assert result.values["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(targets, predictions))
    np.testing.assert_array_equal(result.confusion, sk.confusion_matrix(targets, predictions))


@given(st.integers(1, 20), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_multilabel_measures_are_scikit_learns(n, seed):
    generator = np.random.default_rng(seed)
    logits = generator.integers(-2, 3, (n, 4)).astype(np.float32)
    targets = (generator.random((n, 4)) < [0.5, 0.3, 0.1, 0.0]).astype(np.uint8)
    result = measure(logits, targets, make_task("multilabel", CLASSES), EvaluateConfig())
    predictions = (logits >= 0).astype(int)
    assert result.confusion is None
    assert result.values["exact_match"] == pytest.approx(sk.accuracy_score(targets, predictions))
    assert result.values["hamming_accuracy"] == pytest.approx(1 - sk.hamming_loss(targets, predictions))
    for mean in ("micro", "macro", "weighted"):
        expected = sk.precision_recall_fscore_support(targets, predictions, average=mean, zero_division=0)
        assert [result.values[f"{mean}_{kind}"] for kind in KINDS] == pytest.approx(expected[:3])
    used = [c for c in range(4) if targets[:, c].any()]
    if used:
        expected = sk.average_precision_score(targets[:, used], logits[:, used])
        assert result.values["mean_average_precision"] == pytest.approx(expected)
    else:
        assert math.isnan(result.values["mean_average_precision"])


@pytest.mark.parametrize(
    ("name", "classes", "top_k"),
    [("multiclass", 4, 3), ("multiclass", 4, 4), ("binary", 2, 5), ("multilabel", 3, 5)],
)
def test_metric_names_are_the_names_of_the_values(name, classes, top_k):
    task, evaluate = make_task(name, CLASSES[:classes]), EvaluateConfig(top_k=top_k)
    targets = np.zeros((3, classes), np.uint8) if name == "multilabel" else np.zeros(3, np.int64)
    result = measure(np.zeros((3, task.num_outputs), np.float32), targets, task, evaluate)
    assert tuple(result.values) == metric_names(name, classes, evaluate)
    json.dumps(result.to_json(), allow_nan=False)


def test_top_k_counts_the_k_most_probable():
    logits = np.array([[4, 3, 2, 1]] * 4, np.float32)
    for k, expected in ((1, 0.25), (2, 0.5), (3, 0.75)):
        task = make_task("multiclass", CLASSES)
        values = measure(logits, np.arange(4), task, EvaluateConfig(top_k=k)).values
        assert values[f"top{k}_accuracy"] == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_an_error(value):
    logits = np.zeros((5, 4), np.float32)
    logits[2, 1] = value
    with pytest.raises(TrainingError, match=r"1 of 5 images are not finite.*optimizer\.lr"):
        measure(logits, np.zeros(5, np.int64), make_task("multiclass", CLASSES), EvaluateConfig())


def test_lower_is_better_for_losses_and_errors_only():
    evaluate = EvaluateConfig()
    names = {name for task in ("multiclass", "binary", "multilabel") for name in metric_names(task, 10, evaluate)}
    assert {name for name in names if mode_of(name) == "min"} == {"loss", "ece"}
    assert mode_of("val_loss") == "min"
    assert mode_of("val_accuracy") == "max"
