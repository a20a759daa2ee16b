import numpy as np
import pytest
import torch
import torchmetrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from vernier.config.evaluate import EvaluateConfig
from vernier.config.loading import config_from_mapping
from vernier.errors import ConfigError
from vernier.evaluation.metrics import measure, mode_of, probabilities_of, roc_curve
from vernier.evaluation.torchmetrics_metrics import _say_once, make_metrics
from vernier.models.task import make_task

CLASSES = ("cat", "dog", "eel", "fox")
TASKS = {
    "multiclass": make_task("multiclass", CLASSES),
    "binary": make_task("binary", ("no", "yes"), threshold=0.3),
    "multilabel": make_task("multilabel", CLASSES, threshold=0.3),
}


def draw(task: str, seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Random logits and targets; every class has images, and images that are not of it."""
    generator = np.random.default_rng(seed)
    if task == "multilabel":
        targets = (generator.random((n, 4)) < 0.4).astype(np.uint8)
        targets[0], targets[1] = 1, 0
        return generator.normal(size=(n, 4)).astype(np.float32), targets
    classes = 2 if task == "binary" else 4
    targets = np.concatenate([np.arange(classes), generator.integers(0, classes, n - classes)])
    return generator.normal(size=(n, 1 if task == "binary" else 4)).astype(np.float32), targets


def values_of(task: str, metrics: dict, seed: int = 0) -> dict[str, float]:
    logits, targets = draw(task, seed)
    chosen = make_metrics(metrics, TASKS[task], EvaluateConfig())
    return chosen.compute(probabilities_of(logits, TASKS[task]), targets)


def problems_of(task: str, metrics: dict) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        make_metrics(metrics, TASKS[task], EvaluateConfig())
    return {problem.key: problem.message for problem in caught.value.problems}


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_multiclass_values_are_scikit_learns(seed):
    chosen = {
        "right": "accuracy",
        "top2": {"name": "multiclass_accuracy", "top_k": 2, "average": "micro"},
        "recall_of": {"name": "MulticlassRecall", "average": "none"},
        "f2": {"name": "fbeta_score", "beta": 2, "average": "macro"},
        "area": "auroc",
        "precision_area": {"name": "multiclass_average_precision", "average": "macro"},
        "correlation": "matthews_corrcoef",
        "kappa": {"name": "cohen_kappa", "weights": "quadratic"},
        "jaccard": "jaccard_index",
    }
    logits, targets = draw("multiclass", seed)
    scores = probabilities_of(logits, TASKS["multiclass"]).astype(np.float64)
    scores /= scores.sum(axis=1, keepdims=True)
    decisions, one_hot = scores.argmax(axis=1), np.eye(4)[targets]
    recalls = sk.recall_score(targets, decisions, average=None)
    expected = {
        "right": sk.accuracy_score(targets, decisions),
        "top2": sk.top_k_accuracy_score(targets, scores, k=2),
        **{f"recall_of_{name}": recall for name, recall in zip(CLASSES, recalls, strict=True)},
        "f2": sk.fbeta_score(targets, decisions, beta=2, average="macro", zero_division=0),
        "area": sk.roc_auc_score(targets, scores, multi_class="ovr"),
        "precision_area": sk.average_precision_score(one_hot, scores, average="macro"),
        "correlation": sk.matthews_corrcoef(targets, decisions),
        "kappa": sk.cohen_kappa_score(targets, decisions, weights="quadratic"),
        "jaccard": sk.jaccard_score(targets, decisions, average="macro", zero_division=0),
    }
    values = values_of("multiclass", chosen, seed)
    assert list(values) == list(expected)
    assert values == pytest.approx(expected, abs=1e-5)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_binary_values_are_scikit_learns_at_the_tasks_threshold(seed):
    logits, targets = draw("binary", seed)
    scores = probabilities_of(logits, TASKS["binary"])[:, 1]
    decisions = (scores >= 0.3).astype(int)
    values = values_of(
        "binary",
        {"f2": {"name": "binary_fbeta_score", "beta": 2.0}, "area": "auroc", "kappa": "BinaryCohenKappa"},
        seed,
    )
    assert values == pytest.approx(
        {
            "f2": sk.fbeta_score(targets, decisions, beta=2, zero_division=0),
            "area": sk.roc_auc_score(targets, scores),
            "kappa": sk.cohen_kappa_score(targets, decisions),
        },
        abs=1e-5,
    )


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_multilabel_values_are_scikit_learns_at_the_tasks_threshold(seed):
    logits, targets = draw("multilabel", seed)
    scores = probabilities_of(logits, TASKS["multilabel"])
    decisions = (scores >= 0.3).astype(int)
    values = values_of(
        "multilabel",
        {
            "f1s": {"name": "f1_score", "average": "macro"},
            "all_right": "exact_match",
            "ranking": "ranking_average_precision",
            "wrong": "ranking_loss",
            "area": {"name": "multilabel_auroc", "average": None},
        },
        seed,
    )
    areas = sk.roc_auc_score(targets, scores, average=None)
    assert values == pytest.approx(
        {
            "f1s": sk.f1_score(targets, decisions, average="macro", zero_division=0),
            "all_right": sk.accuracy_score(targets, decisions),
            "ranking": sk.label_ranking_average_precision_score(targets, scores),
            "wrong": sk.label_ranking_loss(targets, scores),
            **{f"area_{name}": area for name, area in zip(CLASSES, areas, strict=True)},
        },
        abs=1e-5,
    )


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [("f1_score", "micro"), ("F1Score", "micro"), ("multiclass_f1_score", "macro"), ("MulticlassF1Score", "macro")],
)
def test_a_name_has_the_defaults_that_torchmetrics_gives_it(spelling, expected):
    logits, targets = draw("multiclass", 3)
    metric = torchmetrics.F1Score(task="multiclass", num_classes=4, average=expected)
    oracle = metric(torch.from_numpy(logits).softmax(1), torch.from_numpy(targets)).item()
    assert values_of("multiclass", {"mine": spelling}, 3) == {"mine": pytest.approx(oracle)}


def test_a_probability_on_the_threshold_counts_as_everywhere_else():
    task = make_task("binary", ("no", "yes"))
    values = measure(
        np.zeros((4, 1), np.float32),
        np.array([0, 1, 1, 1]),
        task,
        EvaluateConfig(),
        make_metrics({"found": "recall", "given": {"name": "recall", "threshold": 0.4}}, task, EvaluateConfig()),
    ).values
    assert values["recall"] == values["found"] == values["given"] == 1


def test_values_come_after_the_built_in_ones_and_are_those_of_the_whole_set():
    logits, targets = draw("multiclass", 1)
    chosen = make_metrics({"m": {"name": "f1_score", "average": "macro"}}, TASKS["multiclass"], EvaluateConfig())
    values = measure(logits, targets, TASKS["multiclass"], EvaluateConfig(), chosen).values
    assert list(values)[-1] == "m" == chosen.names[0]
    assert values["m"] == pytest.approx(values["macro_f1"])


@pytest.mark.parametrize(
    ("task", "entry", "parts"),
    [
        ("multiclass", "multiclass_acuracy", ("not a measure", "Did you mean 'multiclass_accuracy'?")),
        ("multiclass", "f1_scor", ("Did you mean 'f1_score'?", "matthews_corrcoef")),
        ("multiclass", "torch.nn.Linear", ("not a measure of torchmetrics",)),
        ("multiclass", "binary_accuracy", ("for binary tasks", "this one is multiclass", "write accuracy")),
        ("binary", "multilabel_ranking_loss", ("for multilabel tasks", "choose from accuracy")),
        ("multiclass", "binary_exact_match", ("not a measure", "Did you mean")),
        ("binary", "binary_exact_match", ("no binary form",)),
        ("binary", "exact_match", ("no binary form", "choose from accuracy")),
        ("multiclass", "confusion_matrix", ("no numbers", "confusion_matrix.csv")),
        ("multilabel", "MultilabelROC", ("no numbers", "track.tensorboard.curves")),
        ("binary", "binary_fairness", ("no numbers", "group")),
        ("multiclass", {"name": "accuracy", "topk": 2}, ("no argument 'topk'", "'top_k'", "takes top_k, average")),
        ("multiclass", {"name": "accuracy", "num_classes": 4}, ("no argument 'num_classes'",)),
        ("multiclass", {"name": "accuracy", "top_k": 5}, ("MulticlassAccuracy does not take these values", "top_k")),
        ("multiclass", {"name": "accuracy", "top_k": 0}, ("does not take these values",)),
        ("multilabel", {"name": "auroc", "thresholds": -1}, ("does not take these values",)),
        ("binary", {"name": "logauc", "fpr_range": 0.5}, ("does not take these values",)),
        ("multiclass", {"name": "accuracy", "average": "mean"}, ("does not take these values", "macro")),
        ("multiclass", "multiclass_fbeta_score", ("needs beta", "{name: multiclass_fbeta_score, beta: 0.5}")),
        ("multiclass", 3, ("must be the name of a measure",)),
        ("multiclass", {"top_k": 3}, ("must be the name of a measure",)),
    ],
)
def test_what_can_not_be_measured_is_said_with_its_key(task, entry, parts):
    message = problems_of(task, {"mine": entry, "fine": "accuracy"})
    assert list(message) == ["metrics.mine"]
    for part in parts:
        assert part in message["metrics.mine"]


def test_all_problems_come_at_once():
    assert set(problems_of("binary", {"a": "nonsense", "b": {"name": "auroc", "x": 1}, "c": "auroc"})) == {
        "metrics.a",
        "metrics.b",
    }


@pytest.mark.parametrize("name", ["accuracy", "loss", "macro_f1", "n", "confusion", "val_mine", "a/b", ""])
def test_names_that_results_have_already_are_refused(name):
    assert set(problems_of("multiclass", {name: "accuracy"})) == {f"metrics.{name}"}


def test_names_of_classes_clash_too():
    metrics = {"area_cat": "accuracy", "area": {"name": "auroc", "average": "none"}}
    assert "'area_cat' already" in problems_of("multiclass", metrics)["metrics.area"]


@pytest.mark.parametrize("task", TASKS)
def test_every_measure_that_is_offered_gives_numbers(task):
    offered = problems_of(task, {"mine": "nonsense"})["metrics.mine"].partition("Choose from ")[2].split(", ")
    needed = {"min_recall", "min_precision", "min_specificity", "min_sensitivity"}
    arguments = {
        name: {argument: 0.5 for argument in needed if argument in problems_of_one(task, name)} for name in offered
    }
    chosen = make_metrics({f"my_{n}": {"name": n, **arguments[n]} for n in offered}, TASKS[task], EvaluateConfig())
    logits, targets = draw(task, 5)
    values = chosen.compute(probabilities_of(logits, TASKS[task]), targets)
    assert tuple(values) == chosen.names
    assert np.isfinite(list(values.values())).all()


def problems_of_one(task: str, name: str) -> str:
    """The message for a measure without arguments; empty when it needs none."""
    try:
        make_metrics({"mine": name}, TASKS[task], EvaluateConfig())
    except ConfigError as error:
        return str(error)
    return ""


def test_lower_is_better_where_torchmetrics_says_so():
    lower = ("hamming_distance", "calibration_error", "hinge_loss", "eer")
    higher = ("accuracy", "auroc", "specificity", "matthews_corrcoef")
    names = {f"my_{name}": {"name": name} for name in (*lower, *higher)}
    names["my_eer"] = {"name": "eer", "average": "macro"}
    chosen = make_metrics(names, TASKS["multiclass"], EvaluateConfig())
    assert {name for name in names if mode_of(f"val_{name}", chosen) == "min"} == {f"my_{name}" for name in lower}
    labels = make_metrics({"c": "coverage_error", "r": "ranking_loss"}, TASKS["multilabel"], EvaluateConfig())
    assert [mode_of(name, labels) for name in ("c", "r", "loss", "macro_f1")] == ["min", "min", "min", "max"]


def test_a_class_that_the_set_lacks_is_said_once(caplog):
    _say_once.cache_clear()
    chosen = make_metrics({"area": "auroc"}, TASKS["binary"], EvaluateConfig())
    for _ in range(2):
        chosen.compute(np.full((3, 2), 0.5, np.float32), np.zeros(3, np.int64))
    assert sum("No positive samples" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("value", "key"),
    [({"a": 3}, "metrics.a"), ({"a b": "accuracy"}, "metrics.a b"), ({"n": "accuracy"}, "metrics.n")],
)
def test_a_config_tells_what_needs_no_data_at_once(value, key):
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"data": "x", "train": {"epochs": 0}, "metrics": value})
    assert {problem.key for problem in caught.value.problems} == {"train.epochs", key}


def test_entries_are_written_on_the_command_line_too():
    config = config_from_mapping(
        {"data": "x", "metrics": {"a": {"name": "accuracy", "top_k": 1}}},
        ["metrics.a.top_k=2", "metrics.b=auroc", "metrics.c={name: f1_score, average: macro}"],
    ).config
    assert config.metrics == {
        "a": {"name": "accuracy", "top_k": 2},
        "b": "auroc",
        "c": {"name": "f1_score", "average": "macro"},
    }


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_roc_curve_is_scikit_learns(seed):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 9, 30).astype(np.float32)
    positive = np.concatenate([[0, 1], generator.integers(0, 2, 28)])
    false, true, _ = sk.roc_curve(positive, scores, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(scores, positive), (false, true), strict=True):
        np.testing.assert_allclose(ours, theirs)
