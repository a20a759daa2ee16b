"""Training streams from shards over connections that are slow and break, and nothing is lost."""

import hashlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits

from data.digit_shards import record, write_digit_shards
from data.shard_server import ShardServer
from training import breaking
from vernier import cli
from vernier.config.loading import load_config
from vernier.data.shards import transfer
from vernier.data.shards.index_file import SUFFIX, index_text, read_index
from vernier.data.shards.tar import TarWriter
from vernier.errors import ConfigError, DataError
from vernier.training import finish
from vernier.training.session import TrainingEnd, run_training

SHARDS = {"train": (24, 32, 28, 30, 26), "val": (20, 20)}
SETTINGS = (
    "data.channels=1",
    "data.batch_size=16",
    "data.threads=1",
    "data.stream.window=2",
    "data.stream.timeout=5s",
    "model=digits_cnn",
    "model.dropout=0.1",
    "train.epochs=2",
    "train.threads=1",
    "train.speed=off",
    "train.log_every=1st",
    "callbacks.custom=[training.breaking:Event]",
)
STEPS = 18
"""Two epochs of 140 images."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("streaming") / "digits"
    write_digit_shards(directory, SHARDS)
    return directory


@pytest.fixture
def served(shards, tmp_path, monkeypatch):
    """A server of the digits; waits between tries are tiny, no report is written."""
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(finish, "write_report", lambda *arguments: None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    server = ShardServer(shards.parent)
    yield server
    server.close()
    breaking.events.clear()


def words(served: ShardServer, root: str, *more: str) -> list[str]:
    return [f"data={served.url}/digits", *SETTINGS, f"run.root={root}", *more]


def train(served: ShardServer, root: str, *more: str) -> TrainingEnd:
    return run_training(load_config(None, words(served, root, *more)))


def sha(end: TrainingEnd) -> str:
    return hashlib.sha256((end.run.path / "final" / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory):
    """The weights and the result of a training in peace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        patch.setattr(finish, "write_report", lambda *arguments: None)
        server = ShardServer(shards.parent)
        end = train(server, str(tmp_path_factory.mktemp("undisturbed")))
        server.close()
    assert end.result["steps"] == STEPS
    return sha(end), end.result


def assert_same(end: TrainingEnd, undisturbed) -> None:
    weights, result = undisturbed
    assert sha(end) == weights
    assert end.result["best"] == result["best"]
    assert end.result["data"]["content_hash"] == result["data"]["content_hash"]


def test_slow_broken_and_busy_connections_change_nothing(served, undisturbed):
    served.trouble.chunk, served.trouble.pause = 4000, 0.002
    served.trouble.failures, served.trouble.drops = 3, 6

    def worse():
        served.trouble.ranges, served.trouble.drops, served.trouble.drop_after = False, 4, 5000

    breaking.events[9] = worse
    assert_same(train(served, "runs", "data.threads=3", "data.stream.cache=memory"), undisturbed)
    assert breaking.events == {}


def test_a_server_that_is_started_again_changes_nothing(served, undisturbed, monkeypatch):
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.02)

    def restart():
        served.close()
        threading.Timer(0.1, served.start).start()

    breaking.events[2] = restart
    assert_same(train(served, "runs", "data.stream.retries=8"), undisturbed)
    assert breaking.events == {}


def test_a_server_that_stays_down_stops_the_training_which_goes_on_later(served, undisturbed, capsys):
    def down():
        served.trouble.down = True

    breaking.events[10] = down
    assert cli.main(["train", *words(served, "runs", "data.stream.retries=1", "data.threads=0")]) == 2
    said = capsys.readouterr().err
    assert said.count("can't be read") == 1
    assert "Traceback" not in said
    assert f"{served.url}/digits/train-" in said, said
    assert "the same command" in said
    (run,) = Path("runs").glob("*/*")
    assert not (run / "result.json").exists()
    served.trouble.down = False
    end = train(served, "runs", "data.stream.retries=1")
    assert end.run.path.samefile(run)
    assert_same(end, undisturbed)


def test_a_stopped_training_goes_on_in_the_middle_of_an_epoch(served, undisturbed):
    breaking.events[7] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    stopped = train(served, "runs")
    assert stopped.signal_number == signal.SIGTERM
    assert stopped.result["steps"] == 7
    settled(served)
    served.trouble.requests.clear()
    breaking.events[9] = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert train(served, "runs").result["steps"] == 9
    settled(served)
    # 28 of 140 images are left: those of the last two shards, which are open at the end.
    assert len({name for name in served.shards_asked_for() if name.startswith("train")}) == 2
    assert_same(train(served, "runs"), undisturbed)


def settled(served):
    """Wait until no shard is fetched any more."""
    asked = -1
    while asked != len(served.trouble.requests):
        asked = len(served.trouble.requests)
        time.sleep(0.03)


def test_every_shard_is_fetched_once_an_epoch(served):
    train(served, "runs", "train.epochs=1", "data.val_split=none")
    assert sorted(served.shards_asked_for()) == [f"train-{number:06d}.tar" for number in range(5)]


def test_a_resolved_config_gives_the_same_weights(served, undisturbed):
    end = train(served, "runs", "train.epochs=1")
    text = (end.run.path / "config.yaml").read_text()
    assert "streamed" in text
    again = run_training(load_config(end.run.path / "config.yaml", ["run.root=again", "run.new=true"]))
    assert sha(again) == sha(end)


@pytest.mark.slow
def test_each_process_has_shards_of_its_own(served, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    end = train(served, "runs", "train.devices=2", "train.accelerator=cpu", "train.epochs=1")
    assert end.result["steps"] == STEPS // 2
    asked = [name for name in served.shards_asked_for() if name.startswith("train")]
    # One shard lies at the cut.
    assert len(set(asked)) == 5
    assert len(asked) <= 6


@pytest.fixture
def damaged(served, tmp_path):
    """A set with one image that is none, in its second shard."""
    directory = tmp_path / "damaged"
    write_digit_shards(directory, SHARDS)
    path = directory / "train-000001.tar"
    entries, _ = read_index((directory / f"{path.name}{SUFFIX}").read_text(), "")
    content = bytearray(path.read_bytes())
    content[entries[3].offset : entries[3].offset + 8] = b"no image"
    path.write_bytes(content)
    server = ShardServer(tmp_path)
    yield f"data={server.url}/damaged", entries[3].key
    server.close()


def test_a_bad_image_stops_the_training_when_it_comes(served, damaged):
    data, key = damaged
    with pytest.raises(DataError, match=rf"train-000001.tar: {key}: .*data.on_bad_image=skip"):
        train(served, "runs", data)


def test_bad_images_are_left_out_after_one_reading_of_the_whole_set(served, damaged):
    data, _ = damaged
    end = train(served, "runs", data, "data.on_bad_image=skip", "train.epochs=1")
    assert end.result["data"]["unreadable"] == 1
    assert sum(end.result["counts"]["train"].values()) == sum(SHARDS["train"]) - 1


def test_what_a_stream_can_not_do_is_said_before_the_first_step(served):
    with pytest.raises(ConfigError, match=r"data.sampler: balanced draws images from all shards at once"):
        train(served, "runs", "data.sampler=balanced")
    assert list(Path("runs").glob("*")) == []


def test_a_set_that_is_kept_here_has_the_same_order(served):
    ends = [
        train(served, "runs", f"data.store={store}", "run.new=true", "train.epochs=1") for store in ("off", "memory")
    ]
    left, right = (load_file(end.run.path / "final" / "model.safetensors") for end in ends)
    for name, value in left.items():
        # Small images in memory are interpolated by other code, which rounds otherwise.
        torch.testing.assert_close(value, right[name], rtol=0, atol=2e-4)


def test_the_writer_and_the_index_agree(tmp_path):
    # What this file's damage relies on: offsets are those of the images' bytes.
    one = record(load_digits(), 0)
    writer = TarWriter(tmp_path / "x.tar", multilabel=False)
    entry = writer.add(one)
    size = writer.close()
    content = (tmp_path / "x.tar").read_bytes()
    assert content[entry.offset : entry.offset + entry.length] == one.content
    assert read_index(index_text([entry], size), "x") == ((entry,), len(content))
