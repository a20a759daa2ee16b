"""Trainings on the digits, from start to end, through the Python API."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from vernier import api
from vernier.errors import ConfigError, RunError, TrainingError
from vernier.models.bundle import load_bundle
from vernier.track.csv_tracker import read_rows

BASE = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "train": {"epochs": 2, "threads": 1},
}


@pytest.fixture(autouse=True)
def in_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def weights(end) -> dict[str, torch.Tensor]:
    return load_bundle(end.run.path / "final")[0].state_dict()


def same_weights(one, other) -> bool:
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_a_run_directory_holds_all_that_is_promised():
    end = api.train(BASE)
    names = {path.name for path in end.run.path.iterdir()}
    assert names >= {
        "config.yaml", "result.json", "metrics.csv", "steps.csv", "train.log", "split.csv", "best", "final",
        "checkpoints", "predictions_val.csv", "predictions_test.csv", "report.html", "curves.png",
        "confusion_matrix.csv", "confusion_matrix.png", "per_class.csv",
    }  # fmt: skip
    assert any(name.startswith("events.out.tfevents") for name in names)
    result = json.loads((end.run.path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["epochs"] == 2
    assert sum(result["counts"]["train"].values()) + result["best"]["val"]["n"] + result["test"]["n"] == 1797
    assert result["test"]["accuracy"] > 0.9
    predictions = read_rows(end.run.path / "predictions_test.csv")
    right = np.mean([row["target"] == row["prediction"] for row in predictions])
    assert right == pytest.approx(result["test"]["accuracy"])
    assert len(read_rows(end.run.path / "metrics.csv")) == 2
    assert not any("auto" in line.split("#")[0] for line in (end.run.path / "config.yaml").read_text().splitlines())


def test_the_resolved_config_is_a_runnable_input_with_the_same_numbers():
    first = api.train(BASE)
    again = api.train(first.run.config_file)
    assert again.run.path != first.run.path
    assert same_weights(first, again)


def test_loader_threads_change_no_bit():
    ends = [api.train(BASE, f"data.threads={threads}", "run.new=true") for threads in (0, 2)]
    assert same_weights(*ends)


def test_seed_0_is_a_seed_and_another_seed_gives_other_weights():
    zero, one = api.train(BASE, "train.epochs=1", "seed=0"), api.train(BASE, "train.epochs=1", "seed=1")
    assert zero.run.path != one.run.path
    assert not same_weights(zero, one)
    assert read_rows(zero.run.path / "split.csv") == read_rows(one.run.path / "split.csv")


def test_the_same_command_on_a_finished_run_does_nothing():
    first = api.train(BASE)
    before = (first.run.path / "final" / "model.safetensors").stat().st_mtime_ns
    again = api.train(BASE)
    assert again.was_finished
    assert again.run.path == first.run.path
    assert (first.run.path / "final" / "model.safetensors").stat().st_mtime_ns == before
    assert not api.train(BASE, "run.new=true").was_finished


def test_more_epochs_go_on_from_where_the_run_ended():
    api.train(BASE, "schedule=constant")
    longer = api.train(BASE, "schedule=constant", "train.epochs=3")
    whole = api.train(BASE, "schedule=constant", "train.epochs=3", "run.name=whole")
    assert longer.result["epochs"] == 3
    assert [row["epoch"] for row in read_rows(longer.run.path / "metrics.csv")] == ["1", "2", "3"]
    assert same_weights(longer, whole)


def stop_after(run_root: Path, rows: int, number: int) -> threading.Thread:
    """Send this process a signal once a run has logged some steps."""

    def watch() -> None:
        while True:
            files = list(run_root.glob("*/*/steps.csv"))
            if files and files[0].read_bytes().count(b"\n") > rows:
                return os.kill(os.getpid(), number)
            time.sleep(0.002)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_leaves_a_state_that_ends_with_the_same_bits(tmp_path, number):
    settings = ("train.log_every=1st", "train.epochs=4", "callbacks.early_stopping.patience=50")
    whole = api.train(BASE, *settings, "run.root=whole")
    watcher = stop_after(tmp_path / "cut", 30, number)
    stopped = api.train(BASE, *settings, "run.root=cut")
    watcher.join()
    assert stopped.exit_status == 128 + number
    assert stopped.result["status"] == "stopped"
    assert 30 <= stopped.result["steps"] < whole.result["steps"]
    resumed = api.train(BASE, *settings, "run.root=cut")
    assert resumed.run.path == stopped.run.path
    assert same_weights(resumed, whole)
    left, right = (
        [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in read_rows(path)]
        for end in (resumed, whole)
        for path in [end.run.path / "metrics.csv"]
    )
    assert left == right
    assert [row["step"] for row in read_rows(resumed.run.path / "steps.csv")] == [
        str(step) for step in range(1, whole.result["steps"] + 1)
    ]


def test_resume_refuses_what_makes_no_sense_and_shows_what_changed(caplog):
    end = api.train(BASE, "train.epochs=1")
    for setting in ("data.class_names=[0,1]", "model=resnet20_cifar", "seed=3", "data.split.val=0.5"):
        with pytest.raises(RunError, match=r"run\.new=true"):
            api.resume(end.run.path, setting)
    resumed = api.resume(end.run.path, "train.epochs=2", "optimizer.lr=0.001")
    assert resumed.result["epochs"] == 2
    config = (end.run.path / "config.yaml").read_text()
    assert "lr: 0.001" in config


def test_no_validation_set_means_no_best_and_it_is_said():
    end = api.train(BASE, "data.split.val=0", "train.epochs=1")
    assert end.result["best"] is None
    assert not (end.run.path / "best").exists()
    assert "val_accuracy" not in read_rows(end.run.path / "metrics.csv")[0]
    assert end.result["test"]["n"] > 0


def test_best_is_chosen_on_validation_whatever_the_test_set_says():
    end = api.train(BASE, "train.epochs=3")
    rows = read_rows(end.run.path / "metrics.csv")
    best = max(rows, key=lambda row: float(row["val_accuracy"]))
    assert end.result["best"]["epoch"] == int(best["epoch"])
    assert not any("test" in column for column in rows[0])


def test_early_stopping_counts_on_after_a_stop(tmp_path):
    settings = ("optimizer.lr=0", "train.epochs=6", "callbacks.early_stopping.patience=3", "train.log_every=1st")
    watcher = stop_after(tmp_path / "runs", 50, signal.SIGTERM)
    stopped = api.train(BASE, *settings)
    watcher.join()
    assert stopped.result["epochs"] == 2
    end = api.train(BASE, *settings)
    assert end.result["epochs"] == 4
    assert "not improved" in end.result["stopped_early"]
    assert api.train(BASE, *settings).was_finished


def test_a_loss_that_is_not_a_number_names_step_images_and_remedies():
    with pytest.raises(TrainingError, match=r"step \d+ .*\n  \d{4}") as caught:
        api.train(BASE, "optimizer=sgd", "optimizer.lr=1e30", "optimizer.weight_decay=0")
    assert "optimizer.lr" in str(caught.value)


def test_fast_dev_run_goes_through_everything_in_one_step():
    end = api.train(BASE, "train.fast_dev_run=true", "schedule.warmup=1ep")
    assert end.result["steps"] == 1
    assert (end.run.path / "report.html").is_file()


def test_debug_is_one_thread_and_no_prefetch():
    end = api.train(BASE, "train.debug=true", "train.epochs=1")
    text = (end.run.path / "config.yaml").read_text()
    assert "threads: 0" in text
    assert "threads: 1" in text


def test_a_batch_of_one_left_over_does_not_break_batchnorm():
    end = api.train(BASE, "data.batch_size=64", "data.split.val=0.108", "train.epochs=1")
    assert end.result["status"] == "finished"


def test_batchnorm_refuses_single_images_by_name_of_the_key():
    with pytest.raises(ConfigError, match=r"data\.batch_size"):
        api.train(BASE, "data.batch_size=1")


def test_what_the_chosen_device_can_not_do_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"train\.precision.*bf16-mixed"):
        api.train(BASE, "train.precision=16-mixed")


def test_a_monitor_that_the_task_does_not_have():
    with pytest.raises(ConfigError, match=r"train\.monitor.*accuracy"):
        api.train(BASE, "train.monitor=acuracy")


def test_a_damaged_newest_checkpoint_falls_back_and_ends_the_same():
    settings = ("train.checkpoint_every=5st", "train.epochs=3")
    first = api.train(BASE, *settings)
    whole = weights(first)
    states = sorted((first.run.path / "checkpoints").iterdir())
    states[-1].write_bytes(states[-1].read_bytes()[:-7])
    (first.run.path / "report.html").unlink()
    again = api.train(BASE, *settings)
    assert not again.was_finished
    assert all(torch.equal(value, weights(again)[name]) for name, value in whole.items())
    assert "is damaged" in (first.run.path / "train.log").read_text()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_two_classes_either_way(class_folders, task):
    end = api.train(
        {"data": {"source": str(class_folders), "batch_size": 4, "task": task}, "model": "resnet20_cifar"},
        "model.input_size=32",
        "train.epochs=1",
    )
    assert end.result["task"] == task
    assert end.result["best"]["val"]["n"] == 5


def test_a_directory_with_other_files_is_not_taken_for_a_run(tmp_path):
    stray = tmp_path / "mine" / "checkpoints" / "step-00000007.state"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of another training")
    with pytest.raises(RunError, match=r"run\.dir"):
        api.train(BASE, "run.dir=mine")
    with pytest.raises(RunError, match=r"run\.checkpoint_dir"):
        api.train(BASE, "run.checkpoint_dir=mine/checkpoints")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_run_that_was_moved_goes_on_where_it_is_now(tmp_path):
    api.train(BASE, "train.epochs=1", "run.dir=here")
    Path("here").rename("there")
    assert api.train(BASE, "train.epochs=1", "run.dir=there").was_finished
    assert api.train(BASE, "train.epochs=2", "run.dir=there").result["epochs"] == 2
    assert not Path("here").exists()


def test_another_schedule_on_resume_drops_the_fields_of_the_old_one():
    end = api.train(BASE, "train.epochs=1", "schedule.warmup=3st")
    again = api.resume(end.run.path, "train.epochs=2", "schedule=one_cycle")
    assert again.result["epochs"] == 2
    assert "name: one_cycle" in (end.run.path / "config.yaml").read_text()
    assert "final_factor" not in (end.run.path / "config.yaml").read_text()


def test_several_labels_a_sample(class_folders, tmp_path):
    files = sorted(path.relative_to(tmp_path) for path in class_folders.rglob("*.jpg"))
    lines = ["path,red,building"]
    lines += [f"{file},{int(n % 3 == 0)},{int('china' in str(file))}" for n, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    end = api.train(
        {"data": {"source": "labels.csv", "batch_size": 4}, "model": "resnet20_cifar"},
        "model.input_size=32",
        "train.epochs=1",
    )
    assert end.result["task"] == "multilabel"
    assert end.result["classes"] == ["building", "red"]
    assert 0 <= end.result["best"]["val"]["macro_f1"] <= 1


def test_a_bug_keeps_its_traceback_and_is_not_called_an_interruption():
    with pytest.raises(ZeroDivisionError, match="a bug in the network"):
        api.train(BASE, "model=training.plain_net:BrokenNet")
    (log,) = Path("runs").glob("*/*/train.log")
    assert "stopped" not in log.read_text()


def test_clipping_holds_the_weights_back(tmp_path):
    sgd = ("optimizer=sgd", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.weight_decay=0")
    plain = ("model=training.plain_net:plain_net", "model.input_size=8", "train.epochs=1", "schedule=constant")
    still = api.train(BASE, *sgd, *plain, "optimizer.lr=0", "run.root=still")
    first = load_bundle(still.run.path / "final", trust=True)[0].state_dict()
    for clip in ("gradient_clip_norm", "gradient_clip_value"):
        end = api.train(BASE, *sgd, *plain, "optimizer.lr=1", f"train.{clip}=1e-4", f"run.root={clip}")
        moved = load_bundle(end.run.path / "final", trust=True)[0].state_dict()
        furthest = max(float((moved[name] - first[name]).abs().max()) for name in first)
        assert 0 < furthest <= end.result["steps"] * 1e-4 * 1.01


def test_a_run_is_trained_by_one_process_at_a_time():
    end = api.train(BASE, "train.epochs=1")
    with end.run.lock(), pytest.raises(RunError, match="another process"):
        api.resume(end.run.path, "train.epochs=2")
