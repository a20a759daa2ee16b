"""Short trainings with every loss and sampler, through the Python API."""

import numpy as np
import pytest
import torch

from vernier import api
from vernier.config.loading import load_config
from vernier.config.loss import CrossEntropyConfig
from vernier.errors import ConfigError
from vernier.models.bundle import load_bundle

BASE = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 1, "threads": 1, "speed": "off"},
    "run": {"new": True},
}
PHOTOS = {
    "data": {"source": "photos", "batch_size": 8, "threads": 1, "channels": 1, "task": "binary"},
    "model": {"name": "digits_cnn", "input_size": 16},
    "train": {"epochs": 1, "threads": 1, "speed": "off"},
}
OWN = """
from torch.nn import functional

def hinge(logits, targets, margin=1.0):
    return functional.multi_margin_loss(logits, targets, margin=margin, reduction="none")
"""


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def resolved(end):
    return load_config(end.run.config_file, ()).config


def weights(end) -> dict[str, torch.Tensor]:
    return load_bundle(end.run.path / "final")[0].state_dict()


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["loss.label_smoothing=0.1", "loss.class_weights=effective_number"], "cross_entropy"),
        (["loss=focal", "data.sampler=square_root"], "focal"),
        (["loss=own:hinge", "loss.kwargs={margin: 0.5}", "data.sampler=balanced", "data.threads=0"], "custom"),
    ],
)
def test_digits_are_learned_with_every_loss(tmp_path, overrides, name):
    (tmp_path / "own.py").write_text(OWN)
    end = api.train(BASE, *overrides)
    assert end.result["best"]["val"]["accuracy"] > 0.5
    assert end.result["best"]["val"]["n"] == 288
    assert resolved(end).loss.name == name


def test_binary_trainings_weigh_their_positives(class_folders):
    end = api.train(PHOTOS, "loss.positive_weights=balanced")
    assert resolved(end).loss.name == "bce"
    assert np.isfinite(end.result["final"]["val"]["loss"])


def test_several_labels_can_be_sampled_and_weighted(class_folders, tmp_path):
    rows = [f"photos/{path.parent.name}/{path.name}" for path in sorted(class_folders.rglob("*.jpg"))]
    lines = ["path,sky,roof", *(f"{row},1,{int('china' in row)}" for row in rows)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    weights_by_label = "loss.positive_weights={sky: 1, roof: 3}"
    end = api.train(PHOTOS, "data.source=labels.csv", "data.task=multilabel", "data.sampler=balanced", weights_by_label)
    assert resolved(end).loss.name == "bce"


def test_a_student_learns_from_a_teacher_alone():
    teacher = api.train(BASE)
    student = api.train(BASE, f"loss.distillation.teacher={teacher.run.path}", "loss.distillation.weight=1")
    assert student.result["best"]["val"]["accuracy"] > 0.3


def test_an_imbalance_is_corrected_and_the_resolved_file_repeats_the_training(class_folders):
    for path in sorted((class_folders / "flower").glob("*.jpg"))[3:]:
        path.unlink()
    end = api.train(PHOTOS, "data.imbalance=auto", "data.task=auto", "data.split.val=0")
    assert resolved(end).loss == CrossEntropyConfig(class_weights="effective_number")
    assert "chose loss.class_weights=effective_number: the largest class has 4 times the images" in (
        end.run.config_file.read_text()
    )
    again = api.train(end.run.config_file, "run.new=true")
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(end).items())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "train.label_smoothing=0.1",
            "train.label_smoothing: unknown key, set to 0.1; did you mean 'loss.label_smoothing'?",
        ),
        ("loss.class_weights={0: 2}", "loss.class_weights: must name every class; 1, 2, 3, 4, 5, 6, 7, 8, 9 missing"),
        ("loss.class_weights=[1,2,3]", "loss.class_weights: must be a number for each of the 10 classes"),
        ("loss=bce", "loss.name: bce takes labels that are set or not, but the task is multiclass"),
    ],
)
def test_what_does_not_fit_is_an_error_and_leaves_no_run(tmp_path, override, message):
    with pytest.raises(ConfigError) as error:
        api.train(BASE, override)
    assert message in str(error.value)
    assert not (tmp_path / "runs").exists()
