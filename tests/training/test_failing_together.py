"""One process's error ends all processes with status 2 and no traceback. Wiring: see session.py beside this file."""

import subprocess
import sys

import pytest

from data.digit_shards import write_digit_shards


@pytest.mark.slow
def test_an_error_in_one_process_ends_all_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    write_digit_shards(tmp_path / "set", {"train": (40,) * 6, "val": (40,)})
    (tmp_path / "set" / "train-000003.tar").unlink()
    settings = ["data.channels=1", "model=digits_cnn", "train.epochs=1", "data.batch_size=16", "train.devices=2"]
    alone = ["train.accelerator=cpu", "train.threads=1", "data.threads=1", "train.speed=off"]
    words = [f"data=file://{tmp_path}/set", f"run.root={tmp_path}/runs", *settings, *alone]
    done = subprocess.run([sys.executable, "-m", "vernier", "train", *words], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "train-000003.tar: No such file" in done.stderr
    assert "another process of this training has failed" in done.stderr
