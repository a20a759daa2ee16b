from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from predict_models import BIAS, CLASSES, WEIGHTS, preprocessing, write_model
from vernier.deploy.predict import PredictSettings, open_model, predict, predict_stream
from vernier.deploy.predict_onnx import probabilities_of
from vernier.deploy.predictions import Failure
from vernier.errors import ModelError, TrainingError
from vernier.models.task import make_task


def _expected_logits(path: Path) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return preprocessing()(pixels).astype(np.float64).mean(axis=(1, 2)) @ WEIGHTS.astype(np.float64) + BIAS


@pytest.mark.parametrize(("kind", "layout"), [("image", "nhwc"), ("image", "nchw"), ("network", "nhwc")])
def test_probabilities_are_the_softmax_of_the_calibrated_logits(class_folders, tmp_path, kind, layout):
    path = write_model(tmp_path / "model.onnx", kind, layout=layout, temperature=2.0)
    result = predict(path, [class_folders], threads=2, batch_size=5)
    assert len(result.rows) == 24
    for row in result.rows:
        shares = np.exp(_expected_logits(row.path) / 2)
        shares /= shares.sum()
        np.testing.assert_allclose(row.probabilities, shares, atol=1e-5)
        assert row.prediction == CLASSES[shares.argmax()]
        assert row.confidence == row.probabilities.max()


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel"])
def test_numpy_and_torch_agree_on_probabilities(task):
    meaning = make_task(task, CLASSES[:2] if task == "binary" else CLASSES)
    logits = np.random.default_rng(0).normal(0, 40, (100, meaning.num_outputs)).astype(np.float32)
    exact = meaning.probabilities(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(probabilities_of(logits, meaning), exact, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_decisions_go_by_the_files_own_threshold(class_folders, tmp_path, threshold):
    several = predict(write_model(tmp_path / "several.onnx", task="multilabel", threshold=threshold), [class_folders])
    binary = predict(write_model(tmp_path / "binary.onnx", task="binary", threshold=threshold), [class_folders])
    for row, other in zip(several.rows, binary.rows, strict=True):
        shares = 1 / (1 + np.exp(-_expected_logits(row.path)))
        chosen = [name for name, share in zip(CLASSES, shares, strict=True) if share >= threshold]
        assert row.prediction == "|".join(chosen)
        assert other.prediction == CLASSES[int(shares[0] >= threshold)]
        np.testing.assert_allclose(other.probabilities, [1 - shares[0], shares[0]], atol=1e-5)


def test_the_files_threshold_rejects_unless_told_otherwise(class_folders, tmp_path):
    model = open_model(write_model(tmp_path / "model.onnx", reject_threshold=0.99999))
    rows = list(predict_stream(model, [class_folders]))
    assert {row.prediction for row in rows} == {"unknown"}
    assert {row.guess for row in rows} <= set(CLASSES)
    assert all(row.rejected for row in rows)
    sure = list(predict_stream(model, [class_folders], PredictSettings(reject=0.0)))
    assert [row.prediction for row in sure] == [row.guess for row in rows]
    half = np.median([row.confidence for row in rows])
    some = list(predict_stream(model, [class_folders], PredictSettings(reject=float(half))))
    assert [row.rejected for row in some] == [bool(row.confidence < half) for row in rows]


def test_images_of_another_size_than_the_only_one_are_failures(class_folders, tmp_path):
    path = write_model(tmp_path / "model.onnx", image_size=(160, 200))
    result = predict(path, [class_folders])
    fitting = {"china_00.jpg", "flower_00.jpg"}
    assert {Path(row.path).name for row in result.rows} == fitting
    assert len(result.failures) == 24 - len(fitting)
    assert "164 x 200 and the model takes images of 160 x 200" in result.failures[0].reason


def test_unreadable_files_do_not_stop_the_others(class_folders, tmp_path):
    (class_folders / "china" / "broken.jpg").write_text("hello")
    answers = list(predict_stream(open_model(write_model(tmp_path / "model.onnx")), [class_folders]))
    assert [isinstance(answer, Failure) for answer in answers].index(True) == 0
    assert len(answers) == 25


def test_outputs_that_are_no_numbers_are_an_error(class_folders, tmp_path):
    with pytest.raises(TrainingError, match="not finite"):
        predict(write_model(tmp_path / "model.onnx", temperature=float("nan")), [class_folders])


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(ModelError, match="there is no such file"):
        open_model(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        open_model(tmp_path / "text.onnx")
