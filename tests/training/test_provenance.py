"""What a bundle says of where it comes from."""

import subprocess

import pytest

from vernier import api
from vernier.models.bundle import read_info

SETTINGS = (
    "data=digits", "data.batch_size=64", "data.threads=1", "model=digits_cnn", "train.epochs=1", "train.threads=1",
    "train.speed=off", "optimizer.lr=0.01",
)  # fmt: skip


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "code.py").write_text("a = 1\n")
    git("add", "code.py")
    git("commit", "-qm", "First")


def of(end, name: str = "final") -> dict:
    return read_info(end.run.path / name).provenance


def test_hashes_follow_what_they_stand_for(repository):
    first, same = api.train(None, *SETTINGS), api.train(None, *SETTINGS, "run.new=true")
    other_lr = api.train(None, *SETTINGS, "optimizer.lr=0.02")
    other_split = api.train(None, *SETTINGS, "data.split.seed=1")
    assert of(first) == of(same) == of(first, "best")
    assert of(first)["git"] == {"commit": git("rev-parse", "HEAD"), "changed": False}
    assert of(other_lr)["config_sha256"] != of(first)["config_sha256"]
    assert of(other_lr)["split_sha256"] == of(first)["split_sha256"] != of(other_split)["split_sha256"]
    assert of(other_split)["data_sha256"] == of(first)["data_sha256"]
    assert read_info(first.run.path / "final").versions["torch"]


def test_without_a_repository_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert of(api.train(None, *SETTINGS))["git"] is None
