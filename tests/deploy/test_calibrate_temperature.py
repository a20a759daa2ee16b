import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from vernier.deploy.calibrate.temperature import fit_temperature, negative_log_likelihood
from vernier.models.task import make_task

CLASSES = ("a", "b", "c", "d")


def _drawn(task: str, n: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose right temperature is known: targets are drawn with softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    outputs = 1 if task == "binary" else len(CLASSES)
    true = rng.normal(0, 2, (n, outputs))
    if task == "multiclass":
        shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
        targets = (rng.random((n, 1)) > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    else:
        targets = (rng.random((n, outputs)) < 1 / (1 + np.exp(-true))).astype(np.uint8)
        targets = targets[:, 0].astype(np.int64) if task == "binary" else targets
    return (true * temperature).astype(np.float32), targets


def _task(name: str):
    return make_task(name, CLASSES[:2] if name == "binary" else CLASSES)


@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
@pytest.mark.parametrize("temperature", [0.4, 2.5])
def test_a_known_temperature_is_found(name, temperature):
    logits, targets = _drawn(name, 20_000, temperature)
    assert fit_temperature(logits, targets, _task(name)).temperature == pytest.approx(temperature, rel=0.05)


def _sklearn_loss(logits: np.ndarray, targets: np.ndarray, name: str, temperature: float) -> float:
    z = logits.astype(np.float64) / temperature
    if name == "multiclass":
        shares = np.exp(z - z.max(axis=1, keepdims=True))
        return log_loss(targets, shares / shares.sum(axis=1, keepdims=True), labels=range(len(CLASSES)))
    return log_loss(targets.ravel(), 1 / (1 + np.exp(-z.ravel())), labels=[0, 1])


@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel"])
def test_it_is_the_minimum_that_scipy_finds(name):
    logits, targets = _drawn(name, 500, 1.7, seed=3)
    found = minimize_scalar(lambda t: _sklearn_loss(logits, targets, name, t), bounds=(0.1, 10), method="bounded")
    fit = fit_temperature(logits, targets, _task(name))
    assert fit.note is None
    assert fit.temperature == pytest.approx(found.x, rel=1e-4)
    value = negative_log_likelihood(logits, targets, _task(name), fit.temperature)
    assert value == pytest.approx(found.fun, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.02, 50), st.floats(0, 1))
def test_the_likelihood_never_gets_worse_and_answers_stay(seed, n, scale, noise):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(n, 4))).astype(np.float32)
    targets = np.where(rng.random(n) < noise, rng.integers(0, 4, n), logits.argmax(axis=1))
    task = _task("multiclass")
    fit = fit_temperature(logits, targets, task)
    before, after = (negative_log_likelihood(logits, targets, task, t) for t in (1.0, fit.temperature))
    assert after <= before
    assert 0.01 <= fit.temperature <= 1000
    assert (fit.temperature == 1.0) == (fit.note is not None)


def test_what_can_not_be_fitted_leaves_one_and_says_why():
    logits = np.array([[3, 0, 0, 0], [0, 2, 0, 0]], np.float32)
    right = fit_temperature(logits, np.array([0, 1]), _task("multiclass"))
    assert right.temperature == 1.0
    assert "every answer is right" in right.note
    wrong = fit_temperature(logits, np.array([1, 0]), _task("multiclass"))
    assert wrong.temperature == 1.0
    assert "chance" in wrong.note


def test_a_gain_within_chance_moves_nothing():
    logits, targets = _drawn("multiclass", 200, 1.02)
    fit = fit_temperature(logits, targets, _task("multiclass"))
    assert fit.temperature == 1.0
    assert "nats" in fit.note


def test_far_logits_are_no_overflow():
    logits = np.array([[2000, 0, 0, 0], [-2000, 0, 0, 0], [900, 0, 0, 0]] * 4, np.float32)
    fit = fit_temperature(logits, np.array([0, 1, 1] * 4), _task("multiclass"))
    assert 500 < fit.temperature < 1000
