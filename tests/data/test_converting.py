"""A data set is converted whole or not at all, says what it left out, and reads back as it was."""

import errno
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernier.config.loading import config_from_mapping
from vernier.data.convert import output, writing
from vernier.data.convert.annotations import open_annotated
from vernier.data.convert.run import convert_source
from vernier.data.convert.settings import ConvertSettings
from vernier.data.decoded_images import DecodedImages
from vernier.data.shards.index_file import read_index
from vernier.data.shards.info import read_info
from vernier.data.shards.tar import TarWriter
from vernier.data.sources import open_source
from vernier.errors import ConfigError, DataError

FORMATS = ("tfrecord", "webdataset", "store")


def open_data(source, *overrides):
    data = config_from_mapping({"data": {"source": str(source)}}, overrides, checks=()).config.data
    return open_source(data), data


def convert(source, out, *overrides, add=False, threads=2, progress=lambda done, total: None, **settings):
    opened, data = open_data(source, *overrides)
    wanted = ConvertSettings(**settings)
    return convert_source(opened, data, wanted, Path(out), add=add, threads=threads, progress=progress)


def picture(size, seed=0, mode="RGB"):
    shape = (*size, 3) if mode == "RGB" else size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8), mode)


@pytest.fixture
def folders(tmp_path):
    """Three classes of ten pictures each, JPEG and PNG of several sizes."""
    root = tmp_path / "pets"
    for label, name in enumerate(("cat", "dog", "owl")):
        (root / name).mkdir(parents=True)
        for number in range(10):
            suffix = "png" if number % 5 == 4 else "jpg"
            size = (8 + number, 12 + label)
            picture(size, 10 * label + number).save(root / name / f"{number}.{suffix}")
    return root


def contents(directory):
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def summary(source):
    rows = zip(source.keys(), source.labels(), source.split, strict=True)
    return [(*row, source.images.read(index).tobytes()) for index, row in enumerate(rows)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_set_reads_back_as_it_was(folders, tmp_path, format):
    conversion = convert(folders, tmp_path / "out", format=format, shard_size=None)
    assert {name: split.num_examples for name, split in conversion.splits.items()} == {
        "train": 24,
        "validation": 3,
        "test": 3,
    }
    there, (before, _) = open_data(tmp_path / "out")[0], open_data(folders)
    assert there.class_names == before.class_names
    assert there.name == "pets"
    assert {row[0]: (row[1], row[3]) for row in summary(there)} == {row[0]: (row[1], row[3]) for row in summary(before)}
    assert there.keys() == before.keys()
    assert sorted(set(there.split)) == ["test", "train", "val"]


@pytest.mark.parametrize("format", ["tfrecord", "webdataset"])
def test_untouched_images_keep_their_bytes(folders, tmp_path, format):
    convert(folders, tmp_path / "out", format=format, num_shards=2)
    source, _ = open_data(tmp_path / "out")
    for index, key in enumerate(source.keys()):
        assert source.images.content(index) == (folders / key).read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_two_runs_give_the_same_bytes(folders, tmp_path, format):
    settings = {"format": format, "preprocessing": "CENTER_CROP_THEN_SCALE", "image_size": (6, 9)}
    convert(folders, tmp_path / "one", threads=0, **settings)
    convert(folders, tmp_path / "two", threads=3, **settings)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    convert(folders, tmp_path / "three", seed=1, **settings)
    assert contents(tmp_path / "one") != contents(tmp_path / "three")


def test_splits_and_shards_are_named_and_indexed(folders, tmp_path):
    convert(
        folders,
        tmp_path / "out",
        format="webdataset",
        split_names=("train", "train_more"),
        split_percentages=("0.7", "0.3"),
        shard_size=4,
        name="animals",
        description="of a zoo: two\nlines",
    )
    info = read_info(tmp_path / "out")
    assert (info.name, info.description, info.format) == ("animals", "of a zoo: two\nlines", "webdataset")
    assert info.splits["train"].files == tuple(f"train-{number:06d}.tar" for number in range(6))
    assert info.splits["train_more"].files == tuple(f"train_more-{number:06d}.tar" for number in range(3))
    assert (info.splits["train"].num_examples, info.splits["train_more"].num_examples) == (21, 9)
    for file in info.splits["train"].files:
        shard = tmp_path / "out" / file
        entries, size = read_index((tmp_path / "out" / f"{file}.index.csv").read_text(), file)
        assert size == shard.stat().st_size
        assert len(entries) <= 4
        for entry in entries:
            lies = shard.read_bytes()[entry.offset : entry.offset + entry.length]
            assert lies == (folders / entry.key).read_bytes()


@pytest.mark.parametrize("format", ["tfrecord", "webdataset"])
def test_preprocessed_images_have_one_size_and_their_kind(folders, tmp_path, format):
    settings = {"preprocessing": "SQUARE_MARGIN_THEN_SCALE", "image_size": (10, 16), "quality": 90}
    convert(folders, tmp_path / "out", format=format, **settings)
    source, _ = open_data(tmp_path / "out")
    assert {source.images.size(index) for index in range(30)} == {(10, 16)}
    for index, key in enumerate(source.keys()):
        with Image.open(io.BytesIO(source.images.content(index))) as image:
            assert image.format == ("PNG" if key.endswith("png") else "JPEG")


def test_the_size_that_is_stored_is_height_and_width(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        picture((5, 9)).save(tmp_path / "in" / name / "x.png")
    convert(tmp_path / "in", tmp_path / "out", split_names=("train",))
    data = (tmp_path / "out" / "train_0.tfrecord").read_bytes()
    # The feature size: a list of the two varints 5 and 9.
    assert data.count(b"\n\x04size") == 2
    assert data.count(bytes([0x0A, 2, 5, 9])) == 2


def test_images_that_have_the_size_are_untouched_and_others_are_turned_upright(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        picture((8, 12)).save(tmp_path / "in" / name / "right.jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        picture((12, 8), 1).save(tmp_path / "in" / name / "turned.jpg", exif=exif)
        picture((12, 8), 1).save(tmp_path / "in" / name / "high.jpg")
    settings = {"preprocessing": "CENTER_CROP_THEN_SCALE", "image_size": (8, 12), "split_names": ("train",)}
    convert(tmp_path / "in", tmp_path / "out", **settings)
    source, _ = open_data(tmp_path / "out")
    stored = {key: source.images.content(index) for index, key in enumerate(source.keys())}
    assert stored["a/right.jpg"] == (tmp_path / "in/a/right.jpg").read_bytes()
    for key in ("a/turned.jpg", "a/high.jpg"):
        with Image.open(io.BytesIO(stored[key])) as image:
            assert image.size == (12, 8)
            assert image.getexif().get(0x0112) is None
    before, _ = open_data(tmp_path / "in")
    place = before.keys().index("a/turned.jpg")
    turned = source.images.read(source.keys().index("a/turned.jpg")).astype(int)
    assert np.abs(turned - before.images.read(place)).mean() < 12


def bad_images(folders):
    (folders / "cat" / "empty.jpg").write_bytes(b"")
    (folders / "dog" / "text.png").write_text("not an image")
    whole = (folders / "owl" / "0.jpg").read_bytes()
    (folders / "owl" / "short.jpg").write_bytes(whole[: len(whole) // 2])
    png = (folders / "owl" / "4.png").read_bytes()
    (folders / "owl" / "short.png").write_bytes(png[: len(png) // 2])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("preprocessing", ["NO", "CENTER_CROP_THEN_SCALE"])
def test_unreadable_images_are_listed_and_not_counted(folders, tmp_path, format, preprocessing):
    bad_images(folders)
    settings = {"format": format, "preprocessing": preprocessing, "split_names": ("train",)}
    conversion = convert(folders, tmp_path / "out", **settings)
    names = ["empty.jpg", "short.jpg", "short.png", "text.png"]
    assert sorted(Path(image.path).name for image in conversion.skipped) == names
    assert all(image.reason for image in conversion.skipped)
    assert conversion.exit_status == 1
    assert sum(split.num_examples for split in read_info(tmp_path / "out").splits.values()) == 30
    assert len(open_data(tmp_path / "out")[0].images) == 30
    assert "4 images can't be read and were left out:" in conversion.to_text()
    again = convert(folders, tmp_path / "out", **settings)
    assert (again.already_done, again.exit_status, again.skipped) == (True, 1, conversion.skipped)


def test_a_full_check_finds_damage_in_the_middle(folders, tmp_path):
    path = folders / "cat" / "0.jpg"
    picture((64, 64)).save(path)
    data = bytearray(path.read_bytes())
    data[1000:1400] = b"\xff\xd9" * 200
    path.write_bytes(data)
    assert not convert(folders, tmp_path / "quick").skipped
    assert [Path(image.path).name for image in convert(folders, tmp_path / "full", check="full").skipped] == ["0.jpg"]


def test_nothing_but_bad_images_is_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "x.jpg").write_bytes(b"no")
    with pytest.raises(DataError, match=r"none of the 2 images can be read:\n.*x.jpg"):
        convert(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_same_command_again_does_nothing(folders, tmp_path):
    first = convert(folders, tmp_path / "out")
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = convert(folders, tmp_path / "out")
    assert again.already_done
    assert again.splits == first.splits
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out" / "train_0.tfrecord").unlink()
    with pytest.raises(DataError, match=r"train_0\.tfrecord is gone"):
        convert(folders, tmp_path / "out")


def test_a_set_that_is_there_is_not_overwritten(folders, tmp_path):
    convert(folders, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match=r"asked for otherwise now: seed 1 \(before: 0\)"):
        convert(folders, tmp_path / "out", seed=1)
    with pytest.raises(DataError, match="holds the set 'pets', not 'other'"):
        convert(folders, tmp_path / "out", name="other")
    picture((9, 9)).save(folders / "cat" / "0.jpg")
    with pytest.raises(DataError, match="images that are not the same as before"):
        convert(folders, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_other_directories_and_files_are_left_alone(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    convert(folders, tmp_path / "empty")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="is a directory with other things in it"):
        convert(folders, tmp_path / "mine")
    with pytest.raises(DataError, match="is a file"):
        convert(folders, tmp_path / "mine" / "letter.txt")
    assert contents(tmp_path / "mine") == {"letter.txt": b"dear"}


def test_a_set_does_not_go_into_its_source(folders):
    with pytest.raises(DataError, match="lies in the source"):
        convert(folders, folders / "sets" / "out")
    assert not (folders / "sets").exists()


def test_splits_are_added_and_never_overwritten(folders, tmp_path):
    convert(folders, tmp_path / "out", split_names=("train",))
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match="has train already, and splits are never overwritten"):
        convert(folders, tmp_path / "out", split_names=("train",), seed=1, add=True)
    with pytest.raises(DataError, match="the set's format is tfrecord, not store"):
        convert(folders, tmp_path / "out", split_names=("test",), format="store", add=True)
    with pytest.raises(DataError, match="the set's classes are cat, dog, owl, these are dog, cat"):
        convert(folders, tmp_path / "out", "data.class_names=[dog,cat]", split_names=("test",), add=True)
    assert contents(tmp_path / "out") == before
    convert(folders, tmp_path / "out", split_names=("test",), add=True)
    info = read_info(tmp_path / "out")
    assert {name: split.files for name, split in info.splits.items()} == {
        "train": ("train_0.tfrecord",),
        "test": ("test_0.tfrecord",),
    }
    assert contents(tmp_path / "out")["train_0.tfrecord"] == before["train_0.tfrecord"]
    source, _ = open_data(tmp_path / "out")
    assert len(source.images) == len(set(source.keys())) == 60
    assert "test/cat/0.jpg" in source.keys()  # noqa: SIM118
    assert convert(folders, tmp_path / "out", split_names=("test",), add=True).already_done
    assert convert(folders, tmp_path / "out", split_names=("train",)).already_done


def test_a_file_that_no_split_lists_is_not_overwritten(folders, tmp_path):
    convert(folders, tmp_path / "out", split_names=("train",))
    (tmp_path / "out" / "test_0.tfrecord.index.csv").write_text("mine")
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match=r"test_0.tfrecord.index.csv: is there"):
        convert(folders, tmp_path / "out", split_names=("test",), add=True)
    assert contents(tmp_path / "out") == before


def test_an_addition_that_is_cut_off_is_taken_back(folders, tmp_path, monkeypatch):
    convert(folders, tmp_path / "out", split_names=("train",))
    before = contents(tmp_path / "out")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vernier.data.convert.run.write_info", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert(folders, tmp_path / "out", split_names=("test",), add=True)
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


@pytest.mark.parametrize("threads", [0, 2])
def test_an_interruption_leaves_nothing(folders, tmp_path, threads, monkeypatch):
    monkeypatch.setattr(writing, "_REPORTED", 1)

    def stop(done, total):
        if done == 7:
            (unfinished,) = tmp_path.glob("out.partial-*/*")
            assert unfinished.suffix == ".tmp"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(folders, tmp_path / "out", threads=threads, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_a_full_disk_leaves_nothing_and_says_so(folders, tmp_path, monkeypatch):
    added = TarWriter.add

    def add(self, record):
        if record.key.startswith("owl"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return added(self, record)

    monkeypatch.setattr(TarWriter, "add", add)
    with pytest.raises(DataError, match=r"out: not written: No space left on device. Free some space"):
        convert(folders, tmp_path / "out", format="webdataset")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_converting import convert
from vernier.data.convert import writing
writing._REPORTED = 1
def die(done, total):
    if done == 9:
        os.kill(os.getpid(), signal.SIGKILL)
convert({source!r}, {out!r}, format="store", progress=die)
"""


def test_a_kill_leaves_no_set_and_the_next_run_clears_up(folders, tmp_path):
    out = tmp_path / "out"
    code = KILLED.format(tests=str(Path(__file__).parent), source=str(folders), out=str(out))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    assert list(tmp_path.glob("out.partial-*"))
    convert(folders, out, format="store")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


def test_what_another_process_is_writing_is_not_removed(tmp_path):
    with output.staging_directory(tmp_path / "out") as first:
        other = first.rename(tmp_path / "out.partial-1")
        with output.staging_directory(tmp_path / "out") as second:
            assert other.exists()
            assert second.exists()
        assert not second.exists()


def test_a_set_that_came_into_being_meanwhile_stays(folders, tmp_path):
    def meddle(done, total):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "theirs").write_text("here first")

    with pytest.raises(DataError, match="came into being while it was written"):
        convert(folders, tmp_path / "out", progress=meddle)
    assert contents(tmp_path / "out") == {"theirs": b"here first"}


def test_splits_of_the_source_are_kept(folders, tmp_path):
    (folders.parent / "parts").mkdir()
    for split in ("train", "val"):
        (folders.parent / "parts" / split).symlink_to(folders)
    convert(folders.parent / "parts", tmp_path / "out", format="webdataset")
    source, _ = open_data(tmp_path / "out")
    assert {key.split("/")[0] == split for key, split in zip(source.keys(), source.split, strict=True)} == {True}
    assert list(read_info(tmp_path / "out").splits) == ["train", "validation"]


@pytest.mark.parametrize("format", FORMATS)
def test_several_labels(folders, tmp_path, format):
    rows = [
        "path,label",
        *(f"{name}/{n}.jpg,{name}{'|wild' if n == 3 else ''}" for name in ("cat", "owl") for n in range(4)),
    ]
    (folders / "labels.csv").write_text("\n".join([*rows, "dog/0.jpg,"]))
    convert(folders / "labels.csv", tmp_path / "out", "data.task=multilabel", format=format, split_names=("train",))
    source, _ = open_data(tmp_path / "out")
    assert source.multilabel
    assert dict(zip(source.keys(), source.labels(), strict=True)) == {
        **{f"{name}/{n}.jpg": f"{name}{'|wild' if n == 3 else ''}" for name in ("cat", "owl") for n in range(4)},
        "dog/0.jpg": "",
    }


def test_built_in_sources_become_png(tmp_path):
    convert("digits", tmp_path / "out", format="webdataset", shard_size=500)
    before, _ = open_data("digits")
    source, _ = open_data(tmp_path / "out", "data.channels=1")
    place = {key: index for index, key in enumerate(before.keys())}
    for index in range(0, 1797, 97):
        other = place[source.images.key(index)]
        assert np.array_equal(source.images.read(index), before.images.read(other))
        assert source.split[index] == (before.split[other] or "train")
    assert source.class_names == before.class_names


def test_a_store_is_memory_mapped(folders, tmp_path):
    convert(folders, tmp_path / "out", format="store", preprocessing="CENTER_CROP_THEN_SCALE", image_size=(6, 5))
    source, _ = open_data(tmp_path / "out")
    assert isinstance(source.images, DecodedImages)
    pixels = source.images.read(3)
    assert pixels.shape == (6, 5, 3)
    assert not pixels.flags.writeable
    assert not pixels.flags.owndata
    assert source.images.content(3).tobytes() == pixels.tobytes()
    assert source.images.whole is None
    convert(folders, tmp_path / "all", format="store", preprocessing="CENTER_CROP_THEN_SCALE", split_names=("train",))
    assert open_data(tmp_path / "all")[0].images.whole.shape == (30, 224, 224, 3)


def test_a_damaged_store_is_refused(folders, tmp_path):
    out = tmp_path / "out"
    convert(folders, out, format="store", split_names=("train",))
    pixels, index = out / "train.pixels", out / "train.pixels.index.csv"
    with pytest.raises(DataError, match=r"holds decoded images of 3 channels, not data.channels=1"):
        open_data(out, "data.channels=1")
    text = index.read_text()
    for old, new, says in (
        ("cat/0.jpg,cat,0,", "cat/0.jpg,cat,99999999,", "lies outside the file"),
        ("cat/0.jpg,cat,", "cat/0.jpg,bird,", "labels that are no classes of dataset_info.yaml: bird"),
        ("cat/0.jpg,", "cat/1.jpg,", "some images stand in it twice"),
        ("key,label", "key,labels", "the columns are key,labels"),
        ("cat/0.jpg,cat,0,", "cat/0.jpg,cat,zero,", "is no index of a store"),
    ):
        index.write_text(text.replace(old, new, 1))
        with pytest.raises(DataError, match=says):
            open_data(out)
    index.write_text(text)
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"train.pixels: has \d+ bytes, and \d+ by its index"):
        open_data(out)
    index.unlink()
    with pytest.raises(DataError, match=r"train.pixels.index.csv: can't be read"):
        open_data(out)


def annotated(folders, text, **settings):
    (folders / "labels.csv").write_text(text)
    data = config_from_mapping({"data": {"source": str(folders)}}, [], checks=()).config.data
    source = open_annotated(folders, ConvertSettings(annotations=folders / "labels.csv", **settings), data)
    return source, dict(zip(source.keys(), source.labels(), strict=True))


def test_annotations(folders):
    picture((9, 9)).save(folders / "only.jpg")
    source, labels = annotated(
        folders, "file;what\nonly.jpg;b\ncat/0.jpg;a\n./dog/1.jpg;b\n", delimiter=";", header=True
    )
    assert labels == {"only.jpg": "b", "cat/0.jpg": "a", "dog/1.jpg": "b"}
    assert source.skipped == {"not in labels.csv": 28}
    assert source.name == "pets"
    (folders / "cat" / "deep").mkdir()
    picture((9, 9)).save(folders / "cat" / "deep" / "single.jpg")
    assert annotated(folders, "single.jpg,x\nowl/0.jpg,y,more\n")[1] == {"cat/deep/single.jpg": "x", "owl/0.jpg": "y"}
    assert annotated(folders, "cat/0.jpg,x|y\nowl/0.jpg,y\n")[0].multilabel


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cat/0.jpg,a\nbird.jpg,b\n", r"images that are not in .*pets \(1\): bird.jpg \(row 2\)"),
        ("0.jpg,a\n", r"names that several images have; write their paths \(1\): 0.jpg \(row 1\)"),
        ("cat/0.jpg,a\n./cat/0.jpg,b\n", r"images that are named twice \(2\)"),
        ("cat/0.jpg;a\n", "rows without two columns.*: 1. --delimiter says what is between them, ',' now"),
        ("cat/0.jpg,\n", "rows without an image file or a label: 1"),
        ("", "has no rows"),
    ],
)
def test_bad_annotations(folders, text, says):
    with pytest.raises(DataError, match=says):
        annotated(folders, text)


def test_keys_with_other_endings_come_back(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        picture((8, 8), mode="RGB").save(tmp_path / "in" / name / "x.v1.gif")
        picture((8, 8)).save(tmp_path / "in" / name / "x.png")
        picture((8, 8)).save(tmp_path / "in" / name / "x.JPG", format="JPEG")
    settings = {"preprocessing": "CENTER_CROP_THEN_SCALE", "image_size": (4, 4), "split_names": ("train",)}
    convert(tmp_path / "in", tmp_path / "out", format="webdataset", **settings)
    for path in (tmp_path / "out").glob("*.index.csv"):
        path.unlink()
    assert open_data(tmp_path / "out")[0].keys() == open_data(tmp_path / "in")[0].keys()


def test_images_of_many_channels_need_a_store(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        np.save(tmp_path / "in" / name / "x.npy", np.full((6, 8, 5), 7, np.uint8))
    settings = {"preprocessing": "CENTER_CROP_THEN_SCALE", "image_size": (4, 4), "split_names": ("train",)}
    with pytest.raises(DataError, match="images of 5 channels can't be written as JPEG or PNG; take --format store"):
        convert(tmp_path / "in", tmp_path / "out", "data.channels=5", **settings)
    convert(tmp_path / "in", tmp_path / "out", "data.channels=5", format="store", **settings)
    assert open_data(tmp_path / "out")[0].images.read(1).shape == (4, 4, 5)


def test_settings_that_can_not_be_are_refused_first(folders, tmp_path):
    with pytest.raises(ConfigError, match="2 problems"):
        convert(folders, tmp_path / "out", image_size=(4, 4), quality=0)
    assert not (tmp_path / "out").exists()


def test_a_wrong_record_is_an_error(folders, tmp_path):
    convert(folders, tmp_path / "out")
    (tmp_path / "out" / "conversion.json").write_text("{")
    with pytest.raises(DataError, match=r"conversion.json: can't be read"):
        convert(folders, tmp_path / "out")


def test_what_was_done_is_json(folders, tmp_path):
    found = convert(folders, tmp_path / "out", format="webdataset").to_json()
    assert json.loads(json.dumps(found)) == found
    assert found["num_examples"] == 30
    assert found["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").glob("*.tar"))
