"""Several processes stop together on a signal and go on together."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vernier.track.csv_tracker import read_rows

COMMAND = [
    sys.executable, "-m", "vernier", "train", "data=digits", "data.batch_size=16", "model=digits_cnn",
    "train.epochs=6", "train.devices=2", "train.accelerator=cpu", "train.threads=1", "train.log_every=1st",
]  # fmt: skip


@pytest.mark.slow
def test_sigterm_to_the_parent_stops_all_and_the_same_command_goes_on(tmp_path):
    process = subprocess.Popen(COMMAND, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not any(len(read_rows(path)) > 100 for path in tmp_path.glob("runs/*/*/steps.csv")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM, error
    assert "vernier resume" in error
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (steps,) = tmp_path.glob("runs/*/*/steps.csv")
    rows = [int(row["step"]) for row in read_rows(Path(steps))]
    assert rows == list(range(1, len(rows) + 1))
