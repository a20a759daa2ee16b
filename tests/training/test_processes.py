"""Several processes train as one would."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vernier import api
from vernier.models.bundle import load_bundle

SETTINGS = (
    "data=digits",
    "data.batch_size=50",
    "data.split.val=0.15",
    "model.input_size=8",
    "optimizer=sgd",
    "optimizer.lr=0.05",
    "train.epochs=1",
    "train.threads=1",
    "train.accelerator=cpu",
    "train.log_every=1st",
)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return os.environ


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_bundle(run / "final", trust=True)[0].state_dict()


def run_under(root: str) -> Path:
    (result,) = Path(root).glob("*/*/result.json")
    return result.parent


def assert_close(one: Path, other: Path) -> None:
    left, right = final_weights(one), final_weights(other)
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], rtol=0, atol=1e-5)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


NORM = "model=training.norm_net:norm_net"
PLAIN = "model=training.plain_net:plain_net"


@pytest.mark.slow
def test_two_processes_with_synchronised_batchnorm_equal_one(environment, monkeypatch):
    # 1220 training images: 24 whole batches and one of 20, which two processes share; 25 steps.
    one = api.train(None, *SETTINGS, NORM, "run.root=one")
    # A batch script of SLURM that starts one process: Fabric must not wait for SLURM to start the other.
    for name in ("SLURM_NTASKS", "SLURM_NNODES"):
        monkeypatch.setenv(name, "1")
    for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(name, "0")
    two = api.train(
        None,
        *(*SETTINGS, NORM, "run.root=two", "train.devices=2", "train.sync_batchnorm=true"),
        "train.strategy_kwargs={gradient_as_bucket_view: true}",
    )
    assert one.result["steps"] == two.result["steps"] >= 20
    assert one.result["counts"] == two.result["counts"]
    assert_close(one.run.path, two.run.path)
    assert one.result["best"]["val"]["n"] == two.result["best"]["val"]["n"]
    assert one.result["best"]["val"]["loss"] == pytest.approx(two.result["best"]["val"]["loss"], abs=1e-5)
    assert_written_once(one.run.path, two.run.path)


def assert_written_once(one: Path, two: Path) -> None:
    """Two processes leave the files of one, with as many rows and lines."""
    assert files(two) == files(one)
    for name in ("metrics.csv", "steps.csv", "predictions_val.csv", "per_class.csv"):
        assert len(rows(two / name)) == len(rows(one / name)), name
    assert [row["step"] for row in rows(two / "steps.csv")] == [str(step) for step in range(1, 26)]
    assert (two / "train.log").read_text().count("epoch 1/1") == 1


def files(run: Path) -> set[str]:
    """Paths below a run, but for the process numbers and times in the names of events."""
    found = (str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {"events" if "tfevents" in name else name for name in found}


@pytest.mark.slow
def test_torchrun_equals_one(environment):
    one = api.train(None, *SETTINGS, PLAIN, "run.root=one")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "vernier"]
    done = subprocess.run(
        [*command, "train", *SETTINGS, PLAIN, "run.root=two"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert_close(one.run.path, run_under("two"))


def test_a_user_error_before_the_launch_is_one_clear_line(environment):
    done = subprocess.run(
        [sys.executable, "-m", "vernier", "train", "data=nowhere", "train.devices=2", "train.accelerator=cpu"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "nowhere" in done.stderr
