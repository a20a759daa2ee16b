"""The trace is one that viewers open, of the steps that were meant."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.loading import load_config
from vernier.training.profile import NoProfiler, StepProfiler, make_profiler, traced_steps

WATCHED = ("train.profile=true", "train.epochs=2")


def train(profiler: StepProfiler, steps: int) -> None:
    network = torch.nn.Conv2d(3, 4, 3)
    for _ in range(steps):
        network(torch.ones(2, 3, 8, 8)).sum().backward()
        profiler.step()
    profiler.close()


def profiler(directory: Path, *settings: str, start: int = 0, steps_per_epoch: int = 10) -> StepProfiler:
    return make_profiler(load_config(None, settings, checks=()).config, directory, start, steps_per_epoch)


def events(directory: Path) -> Counter:
    (trace,) = (directory / "profile").glob("*.pt.trace.json.gz")
    with gzip.open(trace) as file:
        found = json.load(file)["traceEvents"]
    return Counter(event["name"] for event in found)


@given(st.integers(1, 5), st.integers(1, 300))
def test_steps_of_one_epoch_are_traced_the_second_if_there_is_one(epochs, steps_per_epoch):
    traced = traced_steps(epochs, steps_per_epoch)
    epoch = 1 if epochs > 1 else 0
    assert epoch * steps_per_epoch <= traced.first < traced.stop <= (epoch + 1) * steps_per_epoch
    assert traced.stop - traced.first == min(5, steps_per_epoch)
    assert 0 <= traced.first - traced.begin <= 1


def test_a_trace_of_five_steps_of_the_second_epoch(tmp_path):
    train(profiler(tmp_path, *WATCHED), 20)
    found = events(tmp_path)
    assert found["aten::conv2d"] == 5
    assert found["aten::convolution_backward"] == 5
    assert sum(name.startswith("ProfilerStep") for name in found) == 5
    assert (tmp_path / "profile" / "steps_14-18.pt.trace.json.gz").stat().st_size < 50e6
    assert "aten::convolution_backward" in (tmp_path / "profile" / "summary.txt").read_text()


def test_a_training_of_one_step(tmp_path):
    train(profiler(tmp_path, "train.profile=true", "train.epochs=1", steps_per_epoch=1), 1)
    assert events(tmp_path)["aten::conv2d"] == 1


def test_what_was_traced_before_a_stop_is_written(tmp_path):
    train(profiler(tmp_path, *WATCHED), 15)
    assert events(tmp_path)["aten::conv2d"] == 2


@pytest.mark.parametrize("start", [14, 18, 100])
def test_a_training_that_goes_on_behind_them_traces_nothing(tmp_path, start):
    train(profiler(tmp_path, *WATCHED, start=start), 5)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_goes_on_before_them_traces_the_same_steps(tmp_path):
    train(profiler(tmp_path, *WATCHED, start=7), 13)
    assert events(tmp_path)["aten::conv2d"] == 5
    assert (tmp_path / "profile" / "steps_14-18.pt.trace.json.gz").is_file()


def test_without_it_nothing_is_watched(tmp_path):
    watched = profiler(tmp_path)
    assert isinstance(watched, NoProfiler)
    train(watched, 20)
    assert list(tmp_path.iterdir()) == []
