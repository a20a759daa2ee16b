"""What a scan of TFRecord files finds, and what it says of bad ones."""

import json

import pytest
from tfrecord_bytes import example, floats, frame, integers, texts

from vernier.config.data import RecordsConfig
from vernier.data.shards.entry import Entry
from vernier.data.shards.scan_memory import Scan, remembered_scan, scan_key
from vernier.data.shards.tfrecord import TFRecordWriter
from vernier.data.shards.tfrecord_scan import scan_tfrecord
from vernier.data.shards.writer import ImageRecord
from vernier.errors import DataError

RECORDS = RecordsConfig()
CLASSES = ("daisy", "tulip")


@pytest.fixture
def path(tmp_path):
    """Four images without a key, of the classes 0 and 1."""
    return written(tmp_path / "train_0.tfrecord", *(features(number % 2) for number in range(4)))


def features(label, **others):
    return {"image": texts(b"image " * 3), "label": integers(label), **others}


def written(path, *examples):
    path.write_bytes(b"".join(frame(example(**features)) for features in examples))
    return path


def message(path, class_names=CLASSES, **records):
    with pytest.raises(DataError) as caught:
        scan_tfrecord(path, RecordsConfig(**records), class_names)
    return str(caught.value)


def test_entries(path):
    whole, entries = path.read_bytes(), scan_tfrecord(path, RECORDS, CLASSES)
    assert [entry.key for entry in entries] == [f"train_0.tfrecord/{number:06d}" for number in range(4)]
    assert [entry.labels for entry in entries] == [("daisy",), ("tulip",)] * 2
    assert all(whole[entry.offset :][: entry.length] == b"image " * 3 for entry in entries)
    assert scan_tfrecord(path, RecordsConfig(check=False), CLASSES) == entries
    assert scan_tfrecord(path, RECORDS, CLASSES, file="a/b")[3].key == "a/b/000003"


def test_what_the_writer_wrote(tmp_path):
    for labels, names in (((1,), ("tulip",)), ((0, 1), CLASSES), ((), ())):
        path = tmp_path / "x.tfrecord"
        writer = TFRecordWriter(path, RECORDS)
        entry = writer.add(ImageRecord("a/\udcff.jpg", b"\xff\xd8", ".jpg", labels, names, (3, 4)))
        writer.close()
        assert scan_tfrecord(path, RECORDS, CLASSES) == scan_tfrecord(path, RECORDS) == (entry,)
        assert entry.key == "a/\udcff.jpg"


@pytest.mark.parametrize(
    ("label", "class_names", "labels"),
    [
        (integers(1), (), ("class 1",)),
        (integers(0, 1), CLASSES, ("daisy", "tulip")),
        (texts(b"tulip"), CLASSES, ("tulip",)),
        (texts("café".encode(), b"x"), (), ("café", "x")),
        (integers(), CLASSES, ()),
        (b"", CLASSES, ()),
    ],
)
def test_labels(tmp_path, label, class_names, labels):
    found = written(tmp_path / "x", {"picture": texts(b"x"), "y": label})
    (entry,) = scan_tfrecord(found, RecordsConfig(image="picture", label="y"), class_names)
    assert entry.labels == labels


def test_keys(tmp_path):
    examples = [features(0, name=texts(key)) for key in (b"a/1.jpg", b"")] + [features(0)]
    entries = scan_tfrecord(written(tmp_path / "x", *examples), RecordsConfig(key="name"), CLASSES)
    assert [entry.key for entry in entries] == ["a/1.jpg", "x/000001", "x/000002"]


def test_missing_features_are_told_with_those_that_are_there(tmp_path, path):
    where = f"{path}: record 0 (from 0) at byte 0"
    assert message(path, label="labell") == (
        f"{where} has no feature 'labell' (data.records.label). Did you mean 'label'? It has: "
        "image (bytes), label "
        "(int64)"
    )
    empty = written(tmp_path / "empty", {})
    assert message(empty).endswith("has no feature 'image' (data.records.image). It has: none")


@pytest.mark.parametrize(
    ("wrong", "end"),
    [
        (
            features(2),
            "'label' (data.records.label) holds 2, which is no class; the set has 2 classes, 0 to 1",
        ),
        (
            features(-1),
            "'label' (data.records.label) holds -1, which is no class; the set has 2 classes, 0 to 1",
        ),
        (
            {**features(0), "label": texts(b"tulips")},
            "'label' (data.records.label) holds 'tulips', which is no class of the set. Did you mean 'tulip'? "
            "There are: daisy, tulip",
        ),
        (
            {**features(0), "label": floats(1)},
            "'label' (data.records.label) holds floats, not the numbers (int64) or names of classes",
        ),
        (
            {**features(0), "image": integers(1)},
            "'image' (data.records.image) holds int64, not the bytes of an image file",
        ),
        (
            {**features(0), "image": texts(b"a", b"b")},
            "'image' (data.records.image) holds 2 values, not one image file",
        ),
    ],
)
def test_features_of_the_wrong_kind(tmp_path, wrong, end):
    path = written(tmp_path / "x", features(0), wrong)
    second = len(written(tmp_path / "first", features(0)).read_bytes())
    assert message(path) == f"{path}: record 1 (from 0) at byte {second}: the feature {end}"


def test_negative_labels_without_classes(tmp_path):
    assert message(written(tmp_path / "x", features(-1)), ()).endswith("holds -1, which is no class")


def test_damage_names_the_record(path):
    content = bytearray(path.read_bytes())
    size = len(content) // 4
    content[size + 20] ^= 1
    path.write_bytes(content)
    sentence = f"{path}: record 1 (from 0) at byte {size} is damaged: its checksum is another one"
    assert message(path) == (
        f"{sentence}. Get the file again, or leave out what is damaged with data.on_bad_image=skip"
    )
    damage = []
    entries = scan_tfrecord(path, RECORDS, CLASSES, on_damage=damage.append)
    assert [entry.key[-1] for entry in entries] == ["0", "2", "3"]
    assert damage == [sentence]


def test_a_damaged_length_ends_the_file(path):
    content = bytearray(path.read_bytes())
    size = len(content) // 4
    content[size] ^= 1
    path.write_bytes(content)
    damage = []
    assert len(scan_tfrecord(path, RECORDS, CLASSES, on_damage=damage.append)) == 1
    assert damage == [
        f"{path}: record 1 (from 0) at byte {size} has a length whose checksum is another one, so nothing is "
        "found from here on"
    ]


def test_a_truncated_last_record(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    size = len(content) // 4
    assert message(path).startswith(
        f"{path}: record 3 (from 0) at byte {3 * size} is cut short: it says that it is {size - 16} bytes long, the "
        f"file ends after {size - 13}"
    )


def test_records_that_are_no_examples(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(frame(b"\xff" * 11))
    assert message(path).startswith(
        f"{path}: record 0 (from 0) at byte 0 is no tf.train.Example: a number without an end at byte 0. "
    )


def test_files_that_cannot_be_read(tmp_path):
    assert message(tmp_path / "none") == f"{tmp_path}/none: can't be read: No such file or directory"


def test_scans_are_remembered(tmp_path):
    scan = Scan((Entry("é/\udcff|", ("a|b",), 3, 4), Entry("y", (), 0, 0)), ("damage",))
    calls = []

    def find():
        calls.append(1)
        return scan

    record = tmp_path / "store" / "x.json"
    assert [remembered_scan(record, find) for _ in range(3)] == [scan] * 3
    assert len(calls) == 1
    for broken in ("", "[]", json.dumps({"labels": [], "entries": [["k", 0, 1, 2]], "damage": []})):
        record.write_text(broken)
        assert remembered_scan(record, find) == scan


def test_a_store_that_cannot_be_written_to_stops_nothing(tmp_path):
    (tmp_path / "store").touch()
    scan = Scan((), ())
    assert remembered_scan(tmp_path / "store" / "x.json", lambda: scan) == scan


def test_what_a_scan_follows_from(path):
    keys = {
        scan_key(path, RECORDS, CLASSES),
        scan_key(path, RECORDS, ()),
        scan_key(path, RecordsConfig(label="y"), CLASSES),
        scan_key(path, RecordsConfig(check=False), CLASSES),
    }
    path.write_bytes(path.read_bytes())
    assert len(keys | {scan_key(path, RECORDS, CLASSES)}) == 5
