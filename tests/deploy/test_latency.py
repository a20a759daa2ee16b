"""Latency: what is counted, in which order, and what is said."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from vernier.deploy.latency import timing
from vernier.deploy.latency.benchmark import benchmark_candidates
from vernier.deploy.latency.candidates import OnnxCandidate, TorchCandidate
from vernier.deploy.latency.energy import EnergyCounter
from vernier.errors import ModelError


def test_blocks_alternate_and_warm_up_calls_are_not_timed():
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    found = timing.time_interleaved(runs, rounds=2, block=3, warmup=1)
    assert "".join(calls) == "aaaabbbb" * 2
    assert {latency.n for latency in found.values()} == {6}


def test_figures_of_known_times(monkeypatch):
    clock = itertools.accumulate(itertools.chain([0], itertools.cycle([1_000_000, 0, 3_000_000, 0])))
    monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: next(clock))
    found = timing.summarize(timing.time_block(lambda: None, 4))
    assert (found.p50, found.mean, found.n) == (2.0, 2.0, 4)
    assert found.p99 == pytest.approx(3.0)


def make_counter(root, packages):
    for number, (name, joules) in enumerate(packages):
        zone = root / f"intel-rapl:{number}"
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        (zone / "energy_uj").write_text(f"{joules}\n")
        (zone / "max_energy_range_uj").write_text("1000000\n")
    return EnergyCounter.find(root)


def test_energy_is_that_of_all_packages_and_counters_turn_over(tmp_path):
    counter = make_counter(tmp_path, [("package-0", 900_000), ("package-1", 0), ("psys", 5)])
    before = counter.read()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100000\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("300000\n")
    assert counter.joules_since(before) == pytest.approx(0.2 + 0.3)


def test_a_machine_that_does_not_tell_has_no_counter(tmp_path):
    assert EnergyCounter.find(tmp_path) is None
    assert make_counter(tmp_path, [("core", 1)]) is None


def make_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def make_graph(batch):
    onnx = pytest.importorskip("onnx")
    shape = [batch, "h", "w", 3]
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, shape)
    pixels = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, shape)
    node = onnx.helper.make_node("Cast", ["image"], ["pixels"], to=onnx.TensorProto.FLOAT)
    graph = onnx.helper.make_graph([node], "g", [image], [pixels])
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()


def test_candidates_side_by_side_restore_the_threads():
    torch.set_num_threads(2)
    candidates = [TorchCandidate("torch", make_network(), (3, 8, 8)), OnnxCandidate("cast", make_graph("n"), (5, 7))]
    found = benchmark_candidates(candidates, [1, 2], [1], seconds=0.01, timed="Said.")
    assert torch.get_num_threads() == 2
    assert [(row.name, row.batch_size) for row in found.rows] == [("torch", 1), ("cast", 1), ("torch", 2), ("cast", 2)]
    row = found.rows[2]
    assert row.images_per_second == pytest.approx(2000 / row.latency.mean)
    assert row.joules_per_image is None
    assert set(found.to_json()["rows"][0]) >= {"p50_ms", "p95_ms", "p99_ms", "n", "images_per_second"}
    assert "Said." in found.to_text()


def test_a_fixed_batch_is_kept_to():
    with pytest.raises(ModelError, match="takes 1 images at once, not 4; export it"):
        OnnxCandidate("cast", make_graph(1), (5, 7)).prepare(4, 1)


def test_images_of_an_integer_input_span_its_type():
    candidate = OnnxCandidate("cast", make_graph("n"), (50, 70))
    pixels = candidate.prepare(2, 1)()[0]
    assert pixels.shape == (2, 50, 70, 3)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert np.mean(pixels) == pytest.approx(127.5, abs=2)
