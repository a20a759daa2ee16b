"""`vernier chain` on a small trained run, an ONNX file, and with words that make no sense."""

import json
import shutil
from dataclasses import replace
from functools import partial

import pytest

from vernier import api
from vernier.cli import main
from vernier.deploy.chain.chaining import chain_model
from vernier.deploy.chain.steps import Verbs
from vernier.deploy.onnx_classifier import load_onnx
from vernier.models.bundle import read_info, update_info

FEW = "quantize.calibration=50"


@pytest.fixture
def run(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "run")


def chain_json(capsys, *words):
    status = main(["chain", *map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_float_and_int8_beside_each_other_and_again_for_nothing(run, capsys):
    status, found = chain_json(capsys, "eqe", run, FEW)
    assert status == 0
    assert [step["name"] for step in found["steps"]] == ["evaluate float", "quantize", "evaluate int8"]
    names = {"accuracy", "n", "bytes", "latency_ms_p50", "flash_bytes", "ram_bytes"}
    assert all(
        found[model].keys() == names and None not in found[model].values() for model in ("float", "onnx", "int8")
    )
    assert found["int8"]["flash_bytes"] < 0.3 * found["float"]["flash_bytes"]
    test = json.loads((run / "result.json").read_text())["test"]
    assert (found["float"]["accuracy"], found["float"]["n"]) == (test["accuracy"], test["n"])
    saved = json.loads((run / "chain.json").read_text())
    assert saved == {key: value for key, value in found.items() if key != "directory"}
    assert (run / "chain.html").is_file()
    assert (run / "evaluation_int8" / "predictions_test.csv").is_file()
    assert main(["chain", "eqe", str(run), FEW]) == 0
    assert capsys.readouterr().err.count("done before") == 3


def test_a_new_temperature_does_all_again_and_reaches_both_files(quantized_digits_run, tmp_path):
    run = shutil.copytree(quantized_digits_run, tmp_path / "run")
    steps = (run, (), quick(FEW), None)
    chain_model("q", *steps)
    update_info(run / "best", replace(read_info(run / "best"), temperature=2.5, reject_threshold=0.75))
    again = chain_model("q", *steps).record.steps[0]
    loss = {name: again.details["report"][name]["loss"] for name in ("float", "onnx")}
    assert loss["onnx"] == pytest.approx(loss["float"], rel=1e-4)
    for name in ("best.onnx", "best_int8.onnx"):
        info = load_onnx(run / "export" / name).info
        assert (info.temperature, info.reject_threshold) == (2.5, 0.75)


def test_a_failed_gate_ends_it_with_status_1(quantized_digits_run, tmp_path, capsys):
    file = shutil.copy(quantized_digits_run / "export" / "best.onnx", tmp_path / "m.onnx")
    crude = ("quantize.percentile=51", "quantize.method=percentile", "--max-drop=0")
    status, found = chain_json(capsys, "qe", file, "data=digits", FEW, *crude)
    assert status == 1
    assert [step["name"] for step in found["steps"]] == ["quantize"]
    assert not (tmp_path / "m_int8.onnx").exists()


def quick(*overrides):
    benchmark = partial(api.benchmark_model, batch_sizes=[1], threads=[1], seconds=0.01)
    return Verbs(
        evaluate=lambda target, tables: api.evaluate(target, *overrides, output=tables),
        quantize=lambda target: api.quantize(target, *overrides),
        benchmark=benchmark,
        footprint=lambda target: api.footprint(target, st_tool=False),
    )


def test_a_benchmark_sees_the_file_of_8_bits_too(quantized_digits_run, tmp_path):
    made = quantized_digits_run / "export"
    file = shutil.copy(made / "best.onnx", tmp_path / "m.onnx")
    shutil.copy(made / "best_int8.onnx", tmp_path / "m_int8.onnx")
    end = chain_model("b", file, (), quick(), None)
    assert set(end.record.figures()) == {"onnx"}
    steps = chain_model("qb", file, (), quick(FEW, "data=digits"), None).record.steps
    assert {model: figures.latency_ms_p50 is not None for model, figures in steps[1].figures.items()} == {
        "onnx": True,
        "int8": True,
    }
    assert end.directory == tmp_path / "m_chain"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["qt", "x"], "t (train) comes first"),
        (["tqe", "."], "takes a config"),
        ([], "name the steps first"),
        (["eqe", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_said(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["chain", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_config_without_a_run_asks_for_t(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("data: digits\n")
    assert main(["chain", "eqe", "c.yaml"]) == 2
    assert "begin the chain with t" in capsys.readouterr().err
