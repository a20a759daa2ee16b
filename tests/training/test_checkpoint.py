import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vernier.errors import RunError
from vernier.training.checkpoint import Checkpoints


def state(value: float) -> dict:
    return {"model": {"weight": torch.full((3, 2), value)}, "state": {"step": int(value)}}


def test_the_newest_state_comes_back(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save(step, state(step))
    loaded = checkpoints.load_newest(pytest.fail)
    assert loaded is not None
    assert torch.equal(loaded["model"]["weight"], torch.full((3, 2), 3.0))
    assert checkpoints.steps() == [3, 2]


def test_nothing_to_load(tmp_path):
    assert Checkpoints(tmp_path / "none").load_newest(pytest.fail) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    checkpoints.save(2, state(2))
    newest = tmp_path / "step-00000002.state"
    content = bytearray(newest.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    newest.write_bytes({"cut": content[:-10], "flipped": content, "empty": b""}[damage])
    said: list[str] = []
    loaded = checkpoints.load_newest(said.append)
    assert loaded is not None
    assert loaded["state"]["step"] == 1
    assert len(said) == 1
    assert "step-00000002.state is damaged" in said[0]


def test_only_damaged_checkpoints_are_an_error_with_a_remedy(tmp_path):
    Checkpoints(tmp_path).save(1, state(1))
    (tmp_path / "step-00000001.state").write_bytes(b"nonsense")
    with pytest.raises(RunError, match=r"run\.new=true"):
        Checkpoints(tmp_path).load_newest(lambda _text: None)


def test_a_file_that_would_run_code_is_not_loaded(tmp_path):
    import hashlib
    import pickle

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    content = pickle.dumps({"model": Hostile()}, protocol=2)
    (tmp_path / "step-00000001.state").write_bytes(hashlib.sha256(content).digest() + content)
    with pytest.raises(RunError):
        Checkpoints(tmp_path).load_newest(lambda _text: None)
    assert not (tmp_path / "ran").exists()


FILL = """
import resource, signal, sys
from pathlib import Path
import torch
from vernier.errors import RunError
from vernier.training.checkpoint import Checkpoints
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoints.save(1, {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(2, {"step": 2, "large": torch.zeros(100_000)})
except RunError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_good_checkpoint_and_no_fragments(tmp_path):
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "step-00000002.state" in done.stdout
    assert [path.name for path in Path(tmp_path).iterdir()] == ["step-00000001.state"]
    loaded = Checkpoints(tmp_path).load_newest(pytest.fail)
    assert loaded == {"step": 1}
