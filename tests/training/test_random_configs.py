"""Any valid config trains, is interrupted, goes on and is evaluated: 200 of them, drawn from the schema."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from training import interrupting, random_configs
from vernier.config.fields import all_fields, section_classes
from vernier.config.loading import config_from_mapping
from vernier.config.writing import config_diff
from vernier.errors import ConfigError, VernierError
from vernier.training import finish
from vernier.training.log import LineDisplay
from vernier.training.prepare import Prepared, prepare
from vernier.training.resolve import resolve
from vernier.training.run_directory import RunDirectory
from vernier.training.session import TrainingEnd, train_in

CONFIGS = 200
QUICK = 70
"""So many in the default suite."""
MOST_REPAIRS = 40
TEACHER = {
    "data": {"batch_size": 16, "threads": 0},
    "model": {"name": "digits_cnn", "input_size": 8},
    "train": {"epochs": 1, "threads": 1, "speed": "off", "allocator": "system"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A directory with a data set and a teacher for each task."""
    directory = tmp_path_factory.mktemp("random-configs")
    random_configs.write_data(directory)
    with working_in(directory):
        for task in random_configs.TASKS:
            prepared = ready(settings(TEACHER, task, f"teacher_{task}"))
            with cheaply():
                train_in(prepared.run, prepared.parts)
    return directory


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def cheaply() -> Iterator[None]:
    """Without the report, which has tests of its own, and without waiting for disks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish, "write_report", lambda *arguments: None)
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def settings(drawn: dict[str, Any], task: str, run: str, stop: int = 0) -> dict[str, Any]:
    """A config of what was drawn, for a task, in a run directory, stopped after a step."""
    filled = json.loads(json.dumps(random_configs.completed(drawn)).replace("{task}", task))
    stopping = {"name": "training.interrupting:Interruption", "kwargs": {"step": stop}}
    return {
        **filled,
        "data": {**filled["data"], "source": f"{task}.csv", "task": task},
        "callbacks": {**filled.get("callbacks", {}), "custom": [stopping]},
        "run": {"dir": run},
    }


def ready(mapping: dict[str, Any]) -> Prepared:
    return prepare(config_from_mapping(mapping), LineDisplay())


def valid(number: int, stop: int) -> Prepared:
    """A random config without what does not go together: what an error blames is left out until there is none."""
    drawn, task, run = random_configs.draw(number), random_configs.task_of(number), Path(f"run{number}")
    for _ in range(MOST_REPAIRS):
        try:
            return ready(settings(drawn, task, str(run), stop))
        except ConfigError as error:
            keys = [problem.key for problem in error.problems]
        except VernierError as error:
            keys = re.findall(r"[a-z]+(?:\.\w+)+", str(error))[:1]
        assert not run.exists(), "an error leaves no directory behind"
        for key in keys:
            drawn = random_configs.without(drawn, key)
    raise AssertionError(f"still wrong: {keys}")


def assert_same_bits(one: TrainingEnd, other: TrainingEnd) -> None:
    assert one.result["steps"] == other.result["steps"]
    assert one.result["best"] == other.result["best"]
    bundles = ["final"] if one.result["best"] is None else ["final", "best"]
    for bundle in bundles:
        left, right = (load_file(end.run.path / bundle / "model.safetensors") for end in (one, other))
        assert [name for name in left if not torch.equal(left[name], right[name])] == []


@pytest.mark.parametrize("number", [pytest.param(n, marks=[pytest.mark.slow] * (n >= QUICK)) for n in range(CONFIGS)])
def test_a_config_trains_goes_on_and_is_evaluated(number, data, monkeypatch):
    monkeypatch.chdir(data)
    stop = 1 + number % 4
    prepared = valid(number, stop)
    run, parts = prepared.run, prepared.parts
    try:
        with cheaply():
            check(number, stop, run, parts)
    except Exception as error:
        error.add_note(f"config {number}:\n{run.config_file.read_text()}")
        raise
    finally:
        for directory in data.glob(f"*{run.path.name}"):
            shutil.rmtree(directory)


def check(number, stop, run, parts):
    config, dataset = parts.config, parts.dataset
    again = resolve(config, dataset.source, dataset.train_store, config.run.name)
    assert list(config_diff(config, again.config)) == []
    whole = RunDirectory(Path(f"whole-{run.path.name}"))
    shutil.copytree(run.path, whole.path)
    interrupting.stops_left = 1
    end = stopped = train_in(run, parts)
    if stopped.signal_number:
        assert stopped.signal_number == signal.SIGTERM
        assert stopped.result["steps"] == stop
        end = train_in(run)
    else:
        interrupting.stops_left = 0
        assert stopped.result["steps"] < stop, "it ended before it could be stopped"
    assert end.result["status"] == "finished"
    assert end.result["steps"] >= 1
    has_validation = len(dataset.split.val) > 0 or config.train.overfit_batches is not None
    if config.evaluate.at_end:
        assert (end.result["final"]["val"] is not None) == has_validation
    assert (end.result["test"] is not None) == (len(dataset.split.test) > 0)
    if number % 4 == 0:
        assert_same_bits(train_in(whole), end)


def test_every_field_is_drawn_or_left_out_on_purpose():
    drawn = set()
    for number in range(CONFIGS):
        drawn |= set(keys_of(random_configs.draw(number)))
    left_out = [
        key
        for key, field in all_fields().items()
        if key not in drawn
        and not section_classes(field.annotation)
        and not any(key == out or key.startswith(f"{out}.") for out in random_configs.NEVER)
        and not key.endswith(".kwargs")
        and key != "callbacks.custom"
    ]
    assert left_out == [], "name values in CHOICES, or the field in NEVER"


def keys_of(mapping: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in mapping.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from keys_of(value, f"{prefix}{name}.")


@pytest.mark.parametrize("section", ["optimizer", "schedule", "loss"])
def test_every_kind_is_drawn(section):
    kinds = random_configs.kinds(all_fields()[section].annotation)
    assert {random_configs.draw(number)[section]["name"] for number in range(CONFIGS)} == set(kinds)
