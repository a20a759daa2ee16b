import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from vernier.deploy.calibrate.classes import class_thresholds
from vernier.models.task import make_task


@pytest.mark.parametrize("name", ["multiclass", "multilabel"])
def test_thresholds_and_areas_are_those_of_scikit_learns_curve(name):
    rng = np.random.default_rng(1)
    # Two decimals make many ties.
    probabilities = rng.random((120, 3)).round(2).astype(np.float32)
    labels = (rng.random((120, 3)) < 0.2 + 0.5 * probabilities).astype(np.uint8)
    targets = labels if name == "multilabel" else labels.argmax(axis=1)
    rows = class_thresholds(probabilities, targets, make_task(name, ("a", "b", "c")))
    for place, row in enumerate(rows):
        positive = labels[:, place] if name == "multilabel" else targets == place
        false_rates, true_rates, thresholds = roc_curve(positive, probabilities[:, place], drop_intermediate=False)
        means = np.sqrt(true_rates * (1 - false_rates))
        best = int(means.argmax())
        assert row.n == positive.sum()
        assert row.auc == pytest.approx(roc_auc_score(positive, probabilities[:, place]))
        assert row.threshold == pytest.approx(thresholds[best])
        figures = (row.g_mean, row.true_positive_rate, row.false_positive_rate)
        assert figures == pytest.approx((means[best], true_rates[best], false_rates[best]))


def test_a_class_without_images_has_no_figures():
    task = make_task("multiclass", ("a", "b", "c"))
    rows = class_thresholds(np.full((4, 3), 1 / 3, np.float32), np.array([0, 1, 0, 1]), task)
    assert rows[2].n == 0
    assert np.isnan([rows[2].auc, rows[2].threshold, rows[2].g_mean]).all()


def test_scores_that_tell_nothing_still_have_a_threshold_of_theirs():
    task = make_task("multiclass", ("a", "b"))
    row = class_thresholds(np.full((4, 2), 0.5, np.float32), np.array([0, 1, 0, 1]), task)[0]
    assert (row.auc, row.threshold, row.g_mean) == (0.5, 0.5, 0.0)
