import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

from vernier import api, cli
from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import CentralCrop, Normalize, Resize
from vernier.deploy.card import wording
from vernier.deploy.card.snippets import onnxruntime_snippet, python_snippet
from vernier.errors import ModelError, RunError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, read_info, save_bundle, update_info, weights_sha256
from vernier.models.providers import build_model
from vernier.models.task import make_task

NAMES = ("flower", "rose | red", "<b>*china*")


def _save(directory: Path, task: str = "multiclass", **values) -> Path:
    torch.manual_seed(0)
    names = NAMES[:2] if task == "binary" else NAMES
    architecture = Architecture("zoo", "digits_cnn", {}, make_task(task, names).num_outputs, 3, (16, 16))
    preprocessing = compile_preprocessing(
        [Resize(size=16), Normalize(mean=0.5, std=0.5)], channels=3, fill=0, interpolation="bilinear"
    )
    info = BundleInfo(architecture, names, task, preprocessing.to_json(), 0.7, None, {}, {"vernier": "0.1.0"}, **values)
    save_bundle(directory, build_model(architecture), info)
    return directory


@pytest.fixture
def run(digits_run, tmp_path) -> Path:
    shutil.copytree(digits_run, tmp_path / "run")
    return tmp_path / "run"


def test_the_card_of_a_run_tells_what_its_files_say(run):
    file = api.card(run)
    text, info = file.read_text(), read_info(run / "best")
    result = json.loads((run / "result.json").read_text())
    assert file == run / "best" / "README.md"
    assert weights_sha256(run / "best") in text
    assert info.provenance["data_sha256"] in text
    assert info.provenance["config_sha256"] in text
    for name in info.class_names:
        counts = [str(result["counts"][part][name]) for part in ("train", "val", "test")]
        assert f"| {name} | {' | '.join(counts)} |" in text
    assert "| validation, 288 images | test, 359 images |" in text
    right = round(result["test"]["accuracy"] * 359)
    interval = binomtest(right, 359).proportion_ci(0.95, method="wilson")
    assert f"({100 * interval.low:.1f} % to {100 * interval.high:.1f} %)" in text.replace("\u00a0", " ")
    assert "The test images chose nothing." in text
    assert "Not calibrated" in text


def test_after_calibrating_the_card_tells_of_it(run):
    report = api.calibrate(run, precision=0.9)
    text = api.card(run).read_text().replace("\u00a0", " ")
    assert f"Logits are divided by {report.temperature:g}, fitted on validation images." in text
    assert f"below a confidence of {report.rejection.threshold:.4f} count as `unknown`" in text
    accepted = report.shown["test"].accepted
    assert f"On 359 test images: {100 * accepted.coverage:.1f} % are accepted" in text
    assert "unless it is rejected for lack of confidence" in text


def test_a_bundle_by_itself_has_a_card_that_claims_nothing(tmp_path):
    text = api.card(_save(tmp_path / "bundle")).read_text()
    assert "does not say what it was trained on" in text
    assert "holds no measures" in text
    assert "%" not in text
    assert r"flower, rose \| red, \<b\>\*china\*" in text
    assert "None" not in text.replace("[None]", "")


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_other_tasks(task, tmp_path):
    text = api.card(_save(tmp_path / "bundle", task)).read_text()
    assert wording._TASKS[task].format(n=3) in text
    assert "from a probability of 0.7 on" in text


def test_a_card_is_replaced_and_another_file_is_not(tmp_path, capsys):
    bundle = _save(tmp_path / "bundle")
    first = api.card(bundle).read_text()
    assert api.card(bundle).read_text() == first
    mine = bundle / "README.md"
    mine.write_text("mine")
    with pytest.raises(RunError, match="no card of Vernier's; name another file with --output"):
        api.card(bundle)
    assert mine.read_text() == "mine"
    assert cli.main(["card", str(bundle), "--output", str(tmp_path / "card.md"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text() == first
    assert cli.main(["card", str(bundle), "data=x"]) == 2
    with pytest.raises(ModelError, match="no such bundle"):
        api.card(tmp_path / "nowhere")


def _blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_python_on_a_card_runs_and_both_ways_agree(tmp_path, photos, monkeypatch, capsys):
    bundle = _save(tmp_path / "bundle")
    update_info(bundle, replace(read_info(bundle), temperature=2.5, reject_threshold=0.25))
    monkeypatch.chdir(bundle)
    Image.fromarray(photos["china"][:90, :120]).save("image.jpg")
    python, onnxruntime = _blocks(api.card(".").read_text())
    assert (bundle / "README.md").is_file()
    exec(compile(python, "card", "exec"), {})
    assert capsys.readouterr().out.startswith("image.jpg ")
    assert cli.main(["export", ".", "--output", "model.onnx", "--parity", "0"]) == 0
    capsys.readouterr()
    exec(compile(onnxruntime, "card", "exec"), space := {})
    shares = space["session"].run(["probabilities"], {"image": space["image"][None]})[0][0]
    row = api.predict(".", ["image.jpg"]).rows[0]
    assert space["classes"] == list(NAMES)
    np.testing.assert_allclose(shares, row.probabilities, atol=1e-5)
    metadata = space["session"].get_modelmeta().custom_metadata_map
    assert (metadata["temperature"], metadata["reject_threshold"]) == ("2.5", "0.25")
    assert "flower" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_snippets_are_python(channels):
    for snippet in (python_snippet(True, channels), onnxruntime_snippet(channels)):
        compile(snippet, "snippet", "exec")
    assert "trust=True" in python_snippet(True, channels)
    assert "trust" not in python_snippet(False, channels)


def test_preprocessing_in_words():
    shown = Preprocessing(
        3,
        (Resize(size=(224, 200), mode="letterbox", interpolation="bicubic"), CentralCrop(fraction=0.875)),
        "bilinear",
        114,
        (0.5, 0.25, 0.5),
        (-1.0, 0.0, -1.0),
        (0.0, 4095.0),
    )
    assert [step.replace("\u00a0", " ") for step in wording.preprocessing_steps(shown)] == [
        "Take the image upright, uint8, RGB, (H, W, 3).",
        "Images of more than 8 bits: 0 becomes 0 and 4095 becomes 255.",
        "Resize so that it just fits into 224 x 200 pixels (height x width), in the middle; the rest is 114 "
        "(bicubic, antialiased).",
        "Keep the middle, 87.5 % of each side.",
        "Make of pixel values x from 0 to 255, channel by channel, `x * 0.5 -1`, `x * 0.25 +0`: "
        "float32 (3, 196, 175), channels first.",
    ]
