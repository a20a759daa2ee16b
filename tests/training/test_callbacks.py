"""Callbacks of one's own, and the built-in ones that have no file of tests."""

import json

import pytest
import torch
from safetensors.torch import load_file

from training import own_callbacks
from vernier import api
from vernier.errors import ConfigError, TrainingError
from vernier.models.bundle import load_bundle
from vernier.track.csv_tracker import read_rows

BASE = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 2, "threads": 1, "speed": "off"},
}


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_callbacks, "SEEN", [])


def custom(*entries) -> dict:
    return {**BASE, "callbacks": {"custom": list(entries)}}


def test_hooks_are_called_in_order_and_state_survives():
    recorder = {"name": "training.own_callbacks:Recorder", "kwargs": {"tag": "a "}}
    api.train(custom(recorder), "train.epochs=1")
    assert own_callbacks.SEEN == [
        "a begin 0 0", "a validation_begin 18", "a validation_end 288", "a epoch_end 1 True", "a end 18 True",
    ]  # fmt: skip
    own_callbacks.SEEN.clear()
    api.train(custom(recorder))
    assert own_callbacks.SEEN[0] == "a begin 18 18"
    assert own_callbacks.SEEN[-1] == "a end 36 True"


def test_two_of_a_kind_keep_their_own_state():
    entries = [{"name": "training.own_callbacks:Recorder", "kwargs": {"tag": tag}} for tag in ("a ", "b ")]
    api.train(custom(*entries), "train.epochs=1")
    begun = [line for line in own_callbacks.SEEN if "begin 0" in line]
    assert begun == ["a begin 0 0", "b begin 0 0"]


def test_a_bare_name_is_an_entry():
    api.train(BASE, "callbacks.custom=training.own_callbacks:Recorder", "train.epochs=1")
    assert own_callbacks.SEEN[0] == "begin 0 0"


def test_a_callback_ends_a_training_in_the_middle_of_an_epoch():
    stopper = {"name": "training.own_callbacks:Stopper", "kwargs": {"steps": 20}}
    end = api.train(custom(stopper))
    assert end.result["steps"] == 20
    assert end.result["stopped_early"] == "20 steps are enough"
    assert end.result["final"]["val"]["n"] == 288
    assert [row["step"] for row in read_rows(end.run.path / "metrics.csv")] == ["18", "20"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "training.own_callbacks:Recoder"}, r"custom\[0\]\.name: .*did you mean 'Recorder'"),
        ({"name": "training.own_callback:Recorder"}, r"no module 'training\.own_callback'"),
        ({"name": "training.own_callbacks:share_of_zeros"}, "must be a class derived from"),
        ({"name": "training.own_callbacks:Recorder", "kwargs": {"tags": 1}}, r"kwargs\.tags: .*did you mean 'tag'"),
        ({"name": "training.own_callbacks:Stopper"}, r"kwargs\.steps: is missing"),
        ({"name": "training.own_callbacks:Misspelt"}, r"name: .*epoch_ended is no hook.*did you mean 'epoch_end'"),
        ({"name": "training.own_callbacks:Short"}, r"name: .*epoch_end has to take \(self, training, values\)"),
    ],
)
def test_what_is_no_callback_is_an_error_before_anything_is_made(entry, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        api.train(custom(entry))
    assert list(tmp_path.iterdir()) == []


def test_budgets_end_a_training_and_more_of_them_go_on():
    end = api.train(BASE, "train.max_steps=25")
    assert end.result["steps"] == 25
    assert end.result["best"]["val"]["n"] == 288
    rows = read_rows(end.run.path / "metrics.csv")
    assert float(rows[-1]["lr"]) < 0.001
    end = api.train(BASE, "train.max_time=0.001s", "run.new=true")
    assert end.result["steps"] == 1
    assert "max_time" in end.result["stopped_early"]
    end = api.resume(end.run.path, "train.max_time=1h")
    assert end.result["steps"] == 36
    assert end.result["stopped_early"] is None
    assert [row["step"] for row in read_rows(end.run.path / "metrics.csv")] == ["18", "36"]


def test_validation_by_parts_of_an_epoch_and_before_training():
    end = api.train(BASE, "evaluate.every=0.5ep", "evaluate.before_training=true")
    steps = [row["step"] for row in read_rows(end.run.path / "validations.csv")]
    assert steps == ["0", "9", "18", "27", "36"]
    assert len(read_rows(end.run.path / "metrics.csv")) == 2


def test_rare_validation_leaves_gaps_but_the_end_is_measured():
    end = api.train(BASE, "evaluate.every=2ep", "train.epochs=3")
    rows = read_rows(end.run.path / "metrics.csv")
    assert [bool(row.get("val_accuracy")) for row in rows] == [False, True, True]
    assert end.result["final"]["val"] is not None
    end = api.train(BASE, "evaluate.every=2ep", "train.epochs=3", "evaluate.at_end=false")
    assert [row["step"] for row in read_rows(end.run.path / "validations.csv")] == ["36"]
    assert end.result["best"]["epoch"] == 2


def test_accumulated_batches_are_one_large_batch():
    settings = (
        "model=training.plain_net:plain_net", "model.input_size=8", "optimizer=sgd", "optimizer.lr=0.05",
        "optimizer.weight_decay=1e-3", "train.gradient_clip_norm=0.5", "train.epochs=1", "data.split.val=0.15",
    )  # fmt: skip
    small = api.train(BASE, *settings, "data.batch_size=25", "train.accumulate=4", "run.name=small")
    large = api.train(BASE, *settings, "data.batch_size=100", "run.name=large")
    assert small.result["steps"] == large.result["steps"] == 13
    left, right = (load_bundle(end.run.path / "final", trust=True)[0].state_dict() for end in (small, large))
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], rtol=0, atol=1e-6)


def test_accumulating_more_than_an_epoch_is_an_error():
    with pytest.raises(ConfigError, match=r"train\.accumulate: is more than the 18 batches"):
        api.train(BASE, "train.accumulate=19")


def test_a_broken_batch_is_written_down():
    with pytest.raises(TrainingError, match="not_finite_0") as caught:
        api.train(BASE, "optimizer=sgd", "optimizer.lr=1e30", "optimizer.weight_decay=0", "run.dir=here")
    (file,) = (path for path in caught.value.args[0].split() if "not_finite_0" in path)
    batch = load_file(file.rstrip("."))
    assert batch["images"].shape == (64, 1, 8, 8)
    assert not batch["losses"].isfinite().all()
    assert len(batch["targets"]) == len(batch["positions"]) == 64


def test_evaluators_measure_validation_and_test_and_can_be_monitored():
    end = api.train(
        BASE, "evaluate.evaluators=[training.own_callbacks:share_of_zeros]", "train.epochs=1",
        "train.monitor=share_of_zeros",
    )  # fmt: skip
    assert end.result["best"]["val"]["classes"] == 10
    assert 0.05 < end.result["test"]["share_of_zeros"] < 0.15
    with pytest.raises(ConfigError, match="numbers by name"):
        api.train(BASE, "evaluate.evaluators=[training.own_callbacks:no_numbers]")


def test_more_sets_are_measured_through_a_bundle(class_folders):
    config = {
        "data": {"source": str(class_folders), "batch_size": 8, "threads": 1},
        "model": {"name": "resnet20_cifar", "input_size": 32},
        "train": {"epochs": 2, "threads": 1, "speed": "off"},
        "evaluate": {"extended": {"data": {"again": str(class_folders)}, "every": "2ep"}},
    }
    end = api.train(config)
    rows = read_rows(end.run.path / "validations.csv")
    assert rows[0]["again_accuracy"] == ""
    report = api.evaluate(end.run.path / "final", f"data={class_folders}", split="all")
    assert float(rows[1]["again_accuracy"]) == pytest.approx(report.measures.values["accuracy"])
    assert json.loads((end.run.path / "result.json").read_text())["final"]["val"]["again_loss"] > 0
    with pytest.raises(ConfigError, match=r"evaluate\.extended\.data\.nowhere"):
        api.train(config, "evaluate.extended.data.nowhere=missing_directory", "run.new=true")
    with pytest.raises(ConfigError, match=r"data\.balanced: its accuracy would be called balanced_accuracy"):
        api.train(config, f"evaluate.extended.data={{balanced: {class_folders}}}", "run.new=true")


def test_more_sets_wait_for_a_validation(class_folders):
    config = {
        "data": {"source": str(class_folders), "batch_size": 2, "threads": 1},
        "model": {"name": "resnet20_cifar", "input_size": 32},
        "train": {"epochs": 2, "threads": 1, "speed": "off"},
        "evaluate": {"every": "4st", "extended": {"data": {"again": str(class_folders)}}},
    }
    run = api.train(config).run.path
    per_epoch = int(read_rows(run / "metrics.csv")[0]["step"])
    rows = read_rows(run / "validations.csv")
    validated = [int(row["step"]) for row in rows]
    measured = [int(row["step"]) for row in rows if row["again_accuracy"]]
    assert per_epoch not in validated, "else an epoch's end is one of the validations"
    assert measured == [next(step for step in validated if step >= epoch * per_epoch) for epoch in (1, 2)]


@pytest.mark.parametrize(
    ("step", "limit"),
    [
        pytest.param(18, "train.max_steps=30", marks=pytest.mark.slow),
        (30, "train.max_steps=30"),
        pytest.param(36, "seed=0", marks=pytest.mark.slow),
    ],
)
def test_a_signal_in_the_last_step_of_an_epoch_loses_no_validation(step, limit):
    terminator = {"name": "training.own_callbacks:Terminator", "kwargs": {"step": step}}
    stopped = api.train(custom(terminator), limit, "run.dir=stopped")
    assert stopped.signal_number
    end = api.resume("stopped")
    whole = api.train(BASE, limit, "run.dir=whole")
    assert end.result["final"] == whole.result["final"]
    assert end.result["best"] == whole.result["best"]
    steps = [[row["step"] for row in read_rows(run / "metrics.csv")] for run in (end.run.path, whole.run.path)]
    assert steps[0] == steps[1]


def test_a_state_that_could_not_be_read_again_is_not_written():
    with pytest.raises(TrainingError, match=r"Opaque\['kept'\]\[0\] of a callback's state_dict is a object"):
        api.train(custom({"name": "training.own_callbacks:Opaque"}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["evaluate.evaluators=training.own_callbacks:no_numbers"], "must give numbers by name"),
        (["evaluate.evaluators=training.own_callbacks:two_arguments"], "must take one argument"),
        (
            ["evaluate.evaluators=training.own_callbacks:share_of_zeros", "train.monitor=share_of_zero"],
            r"Did you mean 'share_of_zeros'",
        ),
    ],
)
def test_evaluators_are_tried_before_anything_is_made(settings, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        api.train(BASE, *settings)
    assert not (tmp_path / "runs").exists()
