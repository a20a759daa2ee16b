"""Training in several steps, each with a config of its own, from the bundle of the one before."""

import pytest
import torch

from vernier import api
from vernier.config.loading import load_config
from vernier.models.bundle import load_bundle, read_info
from vernier.models.head import head_modules

STEP_1 = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 1, "threads": 1},
    "run": {"name": "step_1", "export_dir": "${ENV:MODELS}/step_1"},
}
STEP_2 = """\
data: {source: photos, batch_size: 8, threads: 1, channels: 1}
model: {name: digits_cnn, weights: "${ENV:MODELS}/step_1", frozen: backbone, input_size: [16, 16]}
optimizer: {name: adamw, lr: 0.01}
train: {epochs: 1, threads: 1}
run: {name: step_2, export_dir: "${ENV:MODELS}/step_2"}
"""


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def backbone(bundle) -> dict[str, torch.Tensor]:
    module, _ = load_bundle(bundle)
    heads = tuple(f"{head}." for head in head_modules(module))
    return {name: value for name, value in module.state_dict().items() if not name.startswith(heads)}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def said(capfd) -> str:
    """The line about the weights, of those since it was last asked for."""
    return next(line for line in capfd.readouterr().err.splitlines() if "model.weights=" in line)


def test_each_step_begins_where_the_one_before_ended(tmp_path, models, class_folders, capfd):
    api.train(STEP_1)
    assert {path.name for path in (models / "step_1").iterdir()} == {"best", "final"}
    (tmp_path / "step_2.yaml").write_text(STEP_2)

    second = api.train(tmp_path / "step_2.yaml")
    assert same(backbone(models / "step_2" / "final"), backbone(models / "step_1" / "best"))
    assert read_info(models / "step_2" / "final").class_names == ("china", "flower")
    assert load_config(second.run.config_file, []).config.model.weights == f"{models}/step_1"
    line = said(capfd)
    assert f"model.weights={models}/step_1 (its best) for model.name=digits_cnn (zoo): " in line
    assert "the head starts afresh (" in line
    assert "[10, 64] in the file, [2, 64] in the network" in line

    third = api.train(
        tmp_path / "step_2.yaml",
        "model.weights=${ENV:MODELS}/step_2/final", "model.frozen=null", "train.freeze_batchnorm=true",
        "optimizer.lr=1e-30", "optimizer.weight_decay=0", "run.name=step_3", "run.export_dir=${ENV:MODELS}/step_3",
    )  # fmt: skip
    whole = load_bundle(models / "step_2" / "final")[0].state_dict()
    assert same(load_bundle(models / "step_3" / "final")[0].state_dict(), whole)
    assert third.result["final"]["val"]["loss"] == second.result["final"]["val"]["loss"]
    assert said(capfd).endswith(f"/step_2/final for model.name=digits_cnn (zoo): {len(whole)} tensors loaded")
