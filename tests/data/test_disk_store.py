import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from image_sets import CountingImages, files

from vernier.config.data import DataConfig
from vernier.data import disk_store
from vernier.data.store import DiskStore, open_store
from vernier.errors import DataError


@pytest.fixture
def config(tmp_path):
    def make(store="auto", **values):
        return DataConfig(store=store, **{"store_dir": str(tmp_path / "stores"), **values})

    return make


def store_of(tmp_path):
    (directory,) = [path for path in (tmp_path / "stores").iterdir() if path.is_dir()]
    return directory


class TestDamagedStore:
    def damages(self):
        def edit_meta(**changes):
            def edit(path):
                meta = json.loads((path / "meta.json").read_text())
                (path / "meta.json").write_text(json.dumps({**meta, **changes}))

            return edit

        def cut(name):
            return lambda path: os.truncate(path / name, (path / name).stat().st_size // 2)

        def edit_index(value):
            def edit(path):
                index = np.load(path / "index.npy")
                index[5] = value
                np.save(path / "index.npy", index)

            return edit

        yield from (cut(name) for name in ("pixels.u8", "index.npy", "meta.json"))
        yield from (
            (lambda path, name=name: (path / name).unlink()) for name in ("pixels.u8", "index.npy", "meta.json")
        )
        yield from (edit_meta(**change) for change in ({"format": 99}, {"bytes": 1}, {"bad": 7}, {"channels": "x"}))
        yield from (edit_index(value) for value in (-1, 0, 2**40, 2**31))
        yield lambda path: (path / "meta.json").write_text("[]")
        yield lambda path: (path / "index.npy").write_bytes(b"")

    def test_is_built_again(self, class_folders, config, tmp_path):
        images = CountingImages(files(class_folders))
        expected = open_store(images, config("disk"), 0).content_hash
        for number, damage in enumerate(self.damages(), start=1):
            damage(store_of(tmp_path))
            opened = open_store(images, config("disk"), 0)
            assert images.reads == 24 * (number + 1)
            assert opened.content_hash == expected
            assert (opened[23] == images.images.read(23)).all()


class TestNoRoom:
    def test_disk_says_what_is_needed_and_what_to_do(self, class_folders, config, monkeypatch):
        monkeypatch.setattr(disk_store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 2_000_000))
        with pytest.raises(DataError) as caught:
            open_store(files(class_folders), config("disk"), 0)
        for words in ("need 3 MB", "2 MB are free", "data.store_dir", "data.store=off"):
            assert words in str(caught.value)

    def test_disk_says_what_else_lies_there(self, class_folders, config, tmp_path, monkeypatch):
        open_store(files(class_folders / "china"), config("disk"), 0)
        monkeypatch.setattr(disk_store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 2_000_000))
        with pytest.raises(DataError, match=r"\(1 MB of decoded images lie there: delete those"):
            open_store(files(class_folders), config("disk"), 0)

    def test_directory_that_cannot_be_written(self, class_folders, config, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(DataError, match=r"data.store_dir chooses the directory"):
            open_store(files(class_folders), config("disk", store_dir=str(tmp_path / "file")), 0)

    def test_disk_that_fills_up_leaves_nothing_behind(self, class_folders, config, tmp_path):
        done = run_builder(class_folders, tmp_path, "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))")
        assert "DataError" in done.stdout
        assert "File too large" in done.stdout
        assert [path.suffix for path in (tmp_path / "stores").iterdir()] == [".lock"]
        assert isinstance(open_store(files(class_folders), config("disk"), 0), DiskStore)


BUILDER = """
import logging, os, resource, signal, sys, time
from pathlib import Path
from vernier.config.data import DataConfig
from vernier.data.images import FileImages
from vernier.data.store import open_store
from vernier.errors import DataError

logging.basicConfig(level=logging.INFO)
root, stores = Path(sys.argv[1]), sys.argv[2]
keys = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
images = FileImages(root, keys, 3, 10**8)
reads = 0
{setup}
def progress(done, total):
    global reads
    reads = done
    {while_building}
try:
    store = open_store(images, DataConfig(store="disk", store_dir=stores), 1, progress)
    print(store.content_hash, reads, sum(int(store[i].sum()) for i in range(len(store))))
except DataError as error:
    print("DataError", error)
"""


def builder(root, tmp_path, setup="", while_building="pass"):
    program = BUILDER.format(setup=setup, while_building=while_building)
    arguments = [sys.executable, "-c", program, str(root), str(tmp_path / "stores")]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_builder(root, tmp_path, setup=""):
    process = builder(root, tmp_path, setup)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return subprocess.CompletedProcess([], 0, stdout=output)


def test_two_processes_at_once_build_one_store(class_folders, tmp_path):
    processes = [builder(class_folders, tmp_path, while_building="time.sleep(0.5)") for _ in range(2)]
    said, errors = zip(*(process.communicate(timeout=60) for process in processes), strict=True)
    assert all(process.returncode == 0 for process in processes)
    outputs = [words.split() for words in said]
    assert sorted(int(reads) for _, reads, _ in outputs) == [0, 24]
    assert len({(content, total) for content, _, total in outputs}) == 1
    assert sorted(path.suffix for path in (tmp_path / "stores").iterdir()) == ["", ".lock"]
    waited = ["waiting for another process that decodes the same images" in error for error in errors]
    assert sorted(waited) == [False, True]


def test_killed_build_is_cleared_away_and_done_again(class_folders, tmp_path):
    images = files(class_folders)
    die_half_way = "if done >= 16: os.kill(os.getpid(), signal.SIGKILL)"
    process = builder(class_folders, tmp_path, while_building=die_half_way)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    (building,) = (tmp_path / "stores").glob("*.building")
    # The file has its full length from the start: nothing but the directory's name tells that it is not finished.
    assert (building / "pixels.u8").stat().st_size == sum(pixels.nbytes for pixels in map(images.read, range(24)))
    done = run_builder(class_folders, tmp_path)
    assert done.stdout.split()[1] == "24"
    assert sorted(path.suffix for path in (tmp_path / "stores").iterdir()) == ["", ".lock"]


def test_killed_build_of_other_images_is_cleared_away_too(class_folders, config, tmp_path):
    process = builder(class_folders, tmp_path, while_building="os.kill(os.getpid(), signal.SIGKILL)")
    process.communicate(timeout=60)
    open_store(files(class_folders / "china"), config("disk"), 0)
    assert not list((tmp_path / "stores").glob("*.building"))


def test_build_that_goes_on_is_left_alone(class_folders, config, tmp_path):
    first = builder(class_folders, tmp_path, while_building="time.sleep(0.5)")
    wait_for_building(tmp_path)
    open_store(files(class_folders / "china"), config("disk"), 0)
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0
    assert output.split()[1] == "24"


def wait_for_building(tmp_path):
    deadline = time.monotonic() + 30
    while not list((tmp_path / "stores").glob("*.building")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_waiting_process_takes_over_from_a_killed_one(class_folders, tmp_path):
    first = builder(class_folders, tmp_path, while_building="time.sleep(60)")
    wait_for_building(tmp_path)
    second = builder(class_folders, tmp_path)
    # It says that it waits, and only then is the first one killed.
    assert "waiting for another process" in second.stderr.readline()
    first.kill()
    first.communicate(timeout=60)
    assert second.communicate(timeout=60)[0].split()[1] == "24"
