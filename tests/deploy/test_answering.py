import numpy as np
import pytest

from vernier.deploy.answering import Answering
from vernier.models.task import make_task

TASK = make_task("multiclass", ("a", "b", "c"))
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.005, 0.005, 0.99]], np.float32)


def _answers(**values):
    return list(Answering(TASK, **values).answers(["x", "y", "z"], PROBABILITIES))


@pytest.mark.parametrize(
    ("reject", "expected"), [(None, ["a", "b", "c"]), (0.7, ["a", "unknown", "c"]), (1.0, ["unknown"] * 3)]
)
def test_what_is_below_the_threshold_is_unknown(reject, expected):
    rows = _answers(reject=reject)
    assert [row.prediction for row in rows] == expected
    assert [row.guess for row in rows] == ["a", "b", "c"]
    assert [row.rejected for row in rows] == [name == "unknown" for name in expected]


def test_levels_begin_at_their_thresholds():
    assert [row.level for row in _answers(levels=(0.7, 0.99))] == ["medium", "low", "high"]
    assert [row.level for row in _answers(levels=(0.5, 0.5))] == ["high"] * 3
    assert [row.level for row in _answers()] == [None] * 3


def test_equal_probabilities_rank_in_the_order_of_the_classes():
    equal = np.full((1, 3), 1 / 3, np.float32)
    (row,) = Answering(TASK, top_k=3).answers(["x"], equal)
    assert [name for name, _ in row.top] == ["a", "b", "c"]
