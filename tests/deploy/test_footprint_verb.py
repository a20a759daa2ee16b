"""`vernier footprint` and `api.footprint`."""

import csv
import json

import pytest
from footprint_graphs import graph, kernel, node
from PIL import Image

from vernier import api, cli
from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Resize
from vernier.deploy.footprint.measure import measure_footprint
from vernier.deploy.footprint.subject import fill_zero_vectors
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model


@pytest.fixture(autouse=True)
def no_tool(monkeypatch):
    monkeypatch.setattr("vernier.deploy.footprint.st_tool.find_st_tool", lambda: None)


@pytest.fixture
def model(tmp_path):
    """An ONNX file from elsewhere."""
    nodes = [
        node("Conv", "pixels w b", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "a", "r"),
        node("GlobalAveragePool", "r", "p"),
        node("Flatten", "p", "scores"),
    ]
    constants = {"w": kernel(16, 3, 3, 3), "b": kernel(16)}
    made = graph(nodes, {"pixels": ("n", 3, 200, 200)}, {"scores": ("n", 16)}, **constants)
    path = tmp_path / "other.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def run(capsys, *words):
    status = cli.main(["footprint", *map(str, words)])
    return status, *capsys.readouterr()


def test_a_float_file_is_counted_in_integers_and_it_is_said(model, capsys):
    status, out, _ = run(capsys, model)
    assert status == 0
    assert "as if all of it were 8-bit integers" in out
    assert "--precision float32 counts it as it is" in out
    assert "742.19 KiB of activations, most at a (Conv+Relu)" in out


def test_json_has_what_the_api_has(model, capsys):
    status, out, _ = run(capsys, model, "--json", "--precision", "float32")
    found = json.loads(out)
    report = api.footprint(model, precision="float32")
    assert status == 0
    assert found == {**report.to_json(), "picture": None, "csv": None}
    assert found["flash_bytes"] == 4 * (16 * 27 + 16)
    assert found["ram_bytes"] == found["plans"]["separate"]["bytes"] == 4 * 19 * 200 * 200
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"] == 16 * 27 * 200 * 200


def test_table_csv_and_picture(model, tmp_path, capsys):
    status, out, _ = run(capsys, model, "--layers", "--csv", tmp_path / "l.csv", "--picture", tmp_path / "m.png")
    assert status == 0
    rows = list(csv.DictReader((tmp_path / "l.csv").read_text().splitlines()))
    assert [row["type"] for row in rows] == ["Conv+Relu", "GlobalAveragePool", "Flatten"]
    assert max(rows, key=lambda row: int(row["live_bytes"]))["operator"] == rows[0]["operator"]
    marked = [line for line in out.splitlines() if line.endswith("<- the most")]
    assert len(marked) == 1
    assert marked[0].startswith(rows[0]["operator"])
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.width > picture.height > 300


def test_the_board_is_a_gate(model, capsys):
    assert run(capsys, model, "--board", "STM32H747I-DISCO")[0] == 0
    status, out, _ = run(capsys, model, "--board", "NUCLEO-F401RE")
    assert status == 1
    assert "does not fit" in out
    status, out, _ = run(capsys, model, "--board", "NUCLEO-F401RE", "--json")
    assert status == 1
    assert json.loads(out)["board"]["fits"] is False


def test_boards_are_listed(capsys):
    status, out, _ = run(capsys, "--boards")
    assert status == 0
    assert "STM32N6570-DK" in out
    assert len(json.loads(run(capsys, "--boards", "--json")[1])) == len(out.splitlines()) - 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a bundle, a run, an ONNX file, a config or model=NAME"),
        (["{model}", "--precision", "int4"], "--precision takes int8 or float32, not 'int4'"),
        (["{model}", "--classes", "0"], "--classes takes a whole number"),
        (["{model}", "--board", "NUCLEO-F410RE"], "did you mean NUCLEO-F401RE"),
        (["nowhere"], "there is no such bundle or run directory"),
        (["{broken}"], "broken.onnx"),
        (["model=mobilenetv9"], "model.name=mobilenetv9"),
    ],
)
def test_errors_are_told_with_status_2(words, told, model, tmp_path, capsys):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    status, out, err = run(capsys, *(word.format(model=model, broken=broken) for word in words))
    assert status == 2
    assert told in err
    assert out == ""


def test_a_network_by_name_needs_no_training(capsys):
    status, out, _ = run(capsys, "model=digits_cnn", "data.image_size=8", "--classes", "7", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["model"] == "digits_cnn, not trained, 7 logits"
    assert found["layers"][-1]["output"] == "7"
    assert found["input_shape"] == [1, 1, 8, 8]
    # Biases that are zero before training are there all the same.
    assert all(layer["biases"] for layer in found["layers"] if layer["weights"])


def test_a_file_of_ours_is_measured_as_by_the_function(model):
    import onnx

    assert api.footprint(model).footprint == measure_footprint(onnx.load(model), precision="int8")


@pytest.mark.slow
def test_a_bundle_a_config_and_a_name_of_one_network_cost_the_same(class_folders, tmp_path, capsys):
    architecture = Architecture("zoo", "digits_cnn", {}, 2, 3, (16, 16))
    preprocessing = compile_preprocessing([Resize(size=16)], channels=3, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, ("china", "flower"), "multiclass", preprocessing.to_json(), 0.5, None, {}, {})
    module = build_model(architecture)
    fill_zero_vectors(module)
    save_bundle(tmp_path / "bundle", module, info)
    config = tmp_path / "recipe.yaml"
    config.write_text(f"data: {class_folders}\nmodel: {{name: digits_cnn, input_size: 16}}\n")
    words = [["data.channels=3"], ["data.channels=3", "data.image_size=16"]]
    found = [
        api.footprint(tmp_path / "bundle", st_tool=False),
        api.footprint(config, *words[0], st_tool=False),
        api.footprint(None, "model=digits_cnn", *words[1], classes=2, st_tool=False),
    ]
    assert found[0].footprint == found[1].footprint == found[2].footprint
    assert "digits_cnn, 2 classes" in found[0].title
    assert "not trained, 2 logits" in found[1].title
