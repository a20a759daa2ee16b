"""Weights in shards train as whole ones do, and leave the same files."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from vernier import api
from vernier.errors import ConfigError
from vernier.training.sharding import blocks, shard

TESTS = Path(__file__).parents[1]
SETTINGS = (
    "data=digits",
    "data.batch_size=50",
    # An odd number of images: the last batch of a validation is not shared evenly.
    "data.split.val=0.1507",
    "model.input_size=8",
    "optimizer=sgd",
    "optimizer.lr=0.05",
    "train.accelerator=cpu",
    "train.threads=1",
    "data.threads=1",
    "train.speed=off",
)
PLAIN, NORM = "model=training.plain_net:plain_net", "model=training.norm_net:norm_net"
SHARDED = ("train.devices=2", "train.strategy=fsdp")


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(Path(run) / "final" / "model.safetensors")


def assert_close(run: str, other: str, atol: float) -> None:
    torch.testing.assert_close(weights(run), weights(other), rtol=0, atol=atol)


def damage_newest_checkpoint(run: str) -> None:
    """As if the training had been killed before it was written, and had not ended."""
    newest = max((Path(run) / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-7])
    (Path(run) / "result.json").unlink()


BOTH = (
    *SETTINGS, PLAIN, "train.epochs=2", "train.accumulate=2", "train.gradient_clip_norm=0.5", "loss.l2=1e-3",
    "evaluate.before_training=true", "train.checkpoint_every=7st",
)  # fmt: skip


@pytest.mark.slow
def test_two_processes_with_shards_equal_one_and_one_goes_on_from_their_checkpoint():
    one = api.train(None, *BOTH, "run.dir=one")
    two = api.train(None, *BOTH, *SHARDED, "run.dir=two")
    assert one.result["steps"] == two.result["steps"] > 20
    assert_close("one", "two", atol=1e-6)
    for part in ("best", "test"):
        assert losses(one.result[part]) == pytest.approx(losses(two.result[part]), abs=1e-6)
    cv2.imwrite("image.png", np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8))
    assert predicted("one") == predicted("two")
    # A checkpoint is the same whatever wrote it.
    damage_newest_checkpoint("two")
    api.resume("two", "train.devices=1", "train.strategy=single", "train.sync_batchnorm=false")
    assert "resuming at step 21" in (Path("two") / "train.log").read_text()
    assert_close("one", "two", atol=1e-6)


@pytest.mark.slow
def test_an_interruption_changes_no_bit_of_shards():
    api.train(None, *BOTH, *SHARDED, "run.dir=two")
    whole = (Path("two") / "final" / "model.safetensors").read_bytes()
    damage_newest_checkpoint("two")
    assert not api.train(None, *BOTH, *SHARDED, "run.dir=two").was_finished
    assert "resuming at step 21" in (Path("two") / "train.log").read_text()
    assert (Path("two") / "final" / "model.safetensors").read_bytes() == whole


def predicted(run: str) -> list[str]:
    return [row.prediction for row in api.predict(run, ["image.png"], trust=True).rows]


def losses(part: dict) -> float:
    return part.get("val", part)["loss"]


@pytest.mark.slow
def test_every_optimizer_and_its_state_in_shards():
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    script = TESTS / "training" / "sharded_optimizers.py"
    done = subprocess.run([*command, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    differences = dict(line.split() for line in done.stdout.splitlines())
    assert len(differences) == 11
    assert all(float(difference) < 1e-6 for difference in differences.values()), differences


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        (NORM, "train.precision=bf16-mixed", "optimizer=adamw"),
        (NORM, "model.frozen=['0']", "train.cache_features=false", "train.strategy_kwargs={}"),
        (NORM, "train.freeze_batchnorm=true", "train.gradient_clip_value=0.01"),
    ],
    ids=["bf16", "frozen", "clip_value"],
)
def test_shards_equal_ddp(settings):
    synchronised = () if "train.freeze_batchnorm=true" in settings else ("train.sync_batchnorm=true",)
    both = (*SETTINGS, *settings, *synchronised, "train.epochs=1", "train.devices=2")
    api.train(None, *both, "train.strategy=ddp", "run.dir=ddp")
    api.train(None, *both, "train.strategy=fsdp", "run.dir=fsdp", "train.strategy_kwargs.reshard_after_forward=false")
    assert_close("ddp", "fsdp", atol=1e-5)


@pytest.mark.slow
def test_torchrun_starts_shards_too():
    api.train(None, *SETTINGS, PLAIN, "train.epochs=1", "run.dir=one")
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "vernier")
    arguments = ("train", *SETTINGS, PLAIN, "train.epochs=1", "train.strategy=fsdp", "run.dir=two")
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_close("one", "two", atol=1e-6)


def test_blocks_are_the_members_of_the_outermost_sequences():
    member = nn.Sequential(nn.Linear(1, 1))
    nested = nn.Module()
    nested.inner = member
    model = nn.Module()
    model.stem = nn.Linear(1, 1)
    model.body = nn.Sequential(nn.Sequential(nested, nn.ReLU()), nn.Linear(1, 1))
    assert list(blocks(model)) == [nested, model.body[1]]


def test_what_can_not_be_cut_is_named():
    scaled, tied = nn.Linear(1, 1), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    scaled.scale = nn.Parameter(torch.tensor(1.0))
    tied[1].weight = tied[0].weight
    for model, message in ((scaled, "scale is a single number"), (tied, r"1\.weight is 0\.weight too")):
        with pytest.raises(ConfigError, match=rf"train\.strategy.*{message}.*use ddp"):
            shard(model, torch.device("cpu"), 2)
