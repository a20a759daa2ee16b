import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from vernier import api, cli
from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.deploy.export.wrap import read_info, unwrap_network
from vernier.deploy.onnx_classifier import load_onnx
from vernier.errors import ConfigError, DataError, ModelError, RunError
from vernier.evaluation.metrics import measure
from vernier.evaluation.part import open_part
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model

CLASSES = "data.class_names=[0,1,2,3]"
DIGITS = ("data=digits", CLASSES, "data.threads=1")
CRUDE = ("quantize.method=percentile", "quantize.percentile=51")
"""Ranges that cut off half of all values."""


def _train(directory: Path) -> None:
    """A bundle that tells four digits apart."""
    data = DataConfig(source="digits", class_names=("0", "1", "2", "3"), threads=1)
    operations = [Resize(size=8), Normalize(mean=0.5, std=0.5)]
    preprocessing = compile_preprocessing(operations, channels=1, fill=0, interpolation="bilinear")
    source = open_source(data)
    train = split_source(source, data).train
    images = torch.from_numpy(np.stack([preprocessing(source.images.read(int(place))) for place in train]))
    targets = torch.from_numpy(source.targets[train])
    torch.manual_seed(0)
    architecture = Architecture("zoo", "digits_cnn", {}, 4, 1, (8, 8))
    module = build_model(architecture)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for batch in torch.arange(len(train)).split(64) * 3:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(images[batch]), targets[batch]).backward()
        optimizer.step()
    info = BundleInfo(architecture, data.class_names, "multiclass", preprocessing.to_json(), 0.5, None, {}, {})
    save_bundle(directory, module, info)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run that has been quantized once."""
    run = tmp_path_factory.mktemp("quantize") / "run"
    _train(run / "best")
    (run / "config.yaml").write_text("data: {source: digits, class_names: ['0', '1', '2', '3'], threads: 1}\n")
    api.quantize(run, "quantize.calibration=100", "quantize.granularity=per_tensor", layers=True)
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def model(trained, tmp_path) -> Path:
    """A float ONNX file far from its run."""
    return Path(shutil.copy(trained / "export" / "best.onnx", tmp_path / "model.onnx"))


def _files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _report(run: Path) -> dict:
    return json.loads((run / "export" / "best_int8.json").read_text())


def test_a_run_becomes_an_int8_file_with_its_report(trained):
    assert _files(trained / "export") == ["best.onnx", "best_int8.json", "best_int8.onnx"]
    report = _report(trained)
    assert report["passed"]
    assert report["part"] == "test"
    for name in ("float", "onnx", "int8"):
        figures = report[name]
        assert figures["n"] == report["float"]["n"] > 50
        assert figures["accuracy"] > 0.5
        assert 0 < figures["latency_ms_p50"] <= figures["latency_ms_p95"]
    assert report["onnx"]["agreement"] == report["float"]["agreement"] == 1
    assert report["int8"]["agreement"] > 0.9
    drop = report["drop"]
    assert drop["points"] == pytest.approx(100 * (report["float"]["accuracy"] - report["int8"]["accuracy"]))
    assert drop["low"] <= drop["points"] <= drop["high"]
    assert report["int8"]["bytes"] == (trained / "export" / "best_int8.onnx").stat().st_size
    assert 3 < report["onnx"]["flash_bytes"] / report["int8"]["flash_bytes"] < 4.1
    assert report["settings"]["equalize"]
    assert any(note.startswith("quantize.equalize=true") for note in report["notes"])
    assert {layer["kind"] for layer in report["layers"]} == {"Conv", "Gemm"}


def test_the_file_does_what_the_report_says(trained):
    file = trained / "export" / "best_int8.onnx"
    classifier, report = load_onnx(file), _report(trained)
    data = DataConfig(source="digits", class_names=("0", "1", "2", "3"), threads=1)
    part = open_part(trained, data, classifier.task, classifier.preprocessing, split="test")
    images = [part.source.images.read(int(position)) for position in part.positions]
    logits = classifier.logits(images, range(len(images)), batch_size=1, threads=0)
    found = measure(logits, part.targets[part.positions], classifier.task, EvaluateConfig()).to_json()
    assert found == {name: report["int8"][name] for name in found}
    info = read_info(onnx.load(file), file)
    assert info.quantization["gate"] == {
        "part": "test",
        "n": len(images),
        "drop_points": report["drop"]["points"],
        "max_drop": None,
        "passed": True,
    }
    assert info.quantization["calibration"]["n"] == 100
    floats = read_info(onnx.load(trained / "export" / "best.onnx"), file)
    assert floats.quantization is None
    assert floats.source_sha256 == info.source_sha256


def test_what_loses_too_much_is_not_left_under_the_final_name(model, capsys):
    passed = model.with_name("model_int8.onnx")
    status = cli.main(["quantize", str(model), *DIGITS, *CRUDE, "--max-drop", "0.5"])
    assert status == 1
    assert _files(model.parent) == ["model.onnx", "model_int8.failed.json", "model_int8.failed.onnx"]
    text = capsys.readouterr().out
    worst = json.loads(model.with_name("model_int8.failed.json").read_text())["layers"][0]
    assert f"{worst['layer']} ({worst['output_db']:.1f} dB)" in text
    assert "FAILED" in text
    assert "more than the 0.5 that it may lose" in text
    failed = model.with_name("model_int8.failed.onnx")
    assert read_info(onnx.load(failed), failed).quantization["gate"]["passed"] is False
    assert cli.main(["quantize", str(model), *DIGITS, "--max-drop=30", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "float" not in report
    assert report["onnx"]["agreement"] == 1
    assert report["file"] == str(passed)
    assert _files(model.parent) == ["model.onnx", "model_int8.json", "model_int8.onnx"]


def test_auto_searches_and_tells_its_trials(model, capsys):
    words = [*DIGITS, "quantize.mode=auto", "quantize.max_drop=20", "quantize.calibration=40", "--json"]
    assert cli.main(["quantize", str(model), *words]) == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert len(report["trials"]) == output.err.count("trial ") == 8
    chosen = [trial for trial in report["trials"] if trial["bytes"] == min(t["bytes"] for t in report["trials"])]
    assert report["settings"]["granularity"] == chosen[0]["granularity"] == "per_tensor"
    assert report["max_drop"] == 20


def test_a_raw_network_of_integers_is_measured_by_its_integers(model):
    words = ("export.raw=true", "quantize.input=uint8", "quantize.output=int8", "quantize.granularity=per_tensor")
    output = model.parent / "raw" / "small.onnx"
    report = api.quantize(model, *DIGITS, *words, "quantize.calibration=60", output=output)
    assert _files(output.parent) == ["small.json", "small.onnx"]
    assert report.settings.bias_correction
    assert not report.settings.equalize
    assert any("neither equalised nor trained on" in note for note in report.notes)
    assert report.measured is not None
    assert report.measured.agreement["int8"] > 0.85
    graph = onnx.load(output).graph
    types = [value.type.tensor_type.elem_type for value in (graph.input[0], graph.output[0])]
    assert types == [onnx.TensorProto.UINT8, onnx.TensorProto.INT8]
    assert load_onnx(output).image_logits(np.zeros((8, 8, 1), np.uint8)).dtype == np.float32


def test_without_data_noise_calibrates_and_nothing_is_measured(model):
    with pytest.raises(ConfigError, match=r"data=DIR, or calibrate on noise, quantize\.calibration=random"):
        api.quantize(model)
    with pytest.raises(ConfigError, match="data=DIR"):
        api.quantize(model, "quantize.calibration=random", "quantize.max_drop=1")
    assert _files(model.parent) == ["model.onnx"]
    report = api.quantize(model, "quantize.calibration=random")
    assert report.measured is None
    assert report.passed
    assert "accuracy" not in report.to_json()["int8"]
    assert "not known" in report.to_text()


def test_a_file_of_another_program_is_described_by_settings(model):
    network = unwrap_network(onnx.load(model))
    del network.metadata_props[:]
    onnx.save(network, model)
    with pytest.raises(ModelError, match=r"augment\.eval"):
        api.quantize(model, *DIGITS)
    report = api.quantize(
        model, *DIGITS, "augment.eval=[{name: Resize, size: 8}, {name: Normalize, mean: 0.5, std: 0.5}]"
    )
    assert report.measured is not None
    assert report.measured.agreement["int8"] > 0.85
    assert read_info(onnx.load(report.file), report.file).class_names == ("0", "1", "2", "3")


def test_a_quantized_model_is_not_quantized_again(run):
    with pytest.raises(ModelError, match="is quantized already"):
        api.quantize(run / "export" / "best_int8.onnx", *DIGITS)


def test_weights_that_are_not_the_bundles_are_refused(run):
    weights = run / "best" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    before = (run / "export" / "best_int8.onnx").read_bytes()
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        api.quantize(run)
    assert (run / "export" / "best_int8.onnx").read_bytes() == before


@pytest.mark.parametrize("text", ["-1", "nan", "a lot"])
def test_a_limit_is_a_number_from_0(model, capsys, text):
    assert cli.main(["quantize", str(model), "--max-drop", text]) == 2
    assert f"--max-drop takes points of accuracy (%), a number from 0, not '{text}'" in capsys.readouterr().err


def test_an_output_that_can_not_be_written_is_told_before_the_work(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a directory"):
        api.quantize(model, *DIGITS, output=tmp_path)
    with pytest.raises(RunError, match=r"ends in \.onnx"):
        api.quantize(model, *DIGITS, output=tmp_path / "model.int8")
    with pytest.raises(RunError, match="is no directory that you can write to"):
        api.quantize(model, *DIGITS, output=tmp_path / "file" / "model.onnx")
    assert _files(tmp_path) == ["file", "model.onnx"]


def test_training_images_do_not_decide(model):
    with pytest.raises(DataError, match="split=train: choose test or val"):
        api.quantize(model, *DIGITS, split="train")
