"""Prove that TensorFlow reads the TFRecord files of Vernier, and Vernier those of TensorFlow.

TensorFlow is no dependency, so this runs in an environment of its own, from the repository's root:

    PYTHONPATH=src uv run --no-project --python 3.11 --with tensorflow-cpu --with pydantic --with pyyaml \\
        --with google-crc32c python benchmarks/tfrecord_interop.py

Each line names what was compared; the first difference ends it with an AssertionError.
"""

import itertools
import os
import random
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from vernier.config.data import RecordsConfig
from vernier.data.shards.example import bytes_spans, find_features, float_values, int64_values
from vernier.data.shards.tfrecord import TFRecordWriter, read_records
from vernier.data.shards.tfrecord_scan import scan_tfrecord
from vernier.data.shards.writer import ImageRecord

RECORDS = RecordsConfig()
CLASSES = ("daisy", "rose", "tulip")


def bytes_feature(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def int64_feature(*values: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def float_feature(*values: float) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def example(features: dict[str, tf.train.Feature]) -> bytes:
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def in_order(features: dict[str, tf.train.Feature], names: tuple[str, ...]) -> bytes:
    """The encoding with the features in that order: messages that follow each other are joined when read."""
    return b"".join(example({name: features[name]}) for name in names)


def write(path: Path, examples: list[bytes]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in examples:
            writer.write(content)


def images(count: int) -> list[bytes]:
    generator = random.Random(0)
    return [generator.randbytes(generator.choice([0, 1, 127, 128, 16_383, 16_384, 70_000])) for _ in range(count)]


def reads_what_tensorflow_writes(path: Path) -> None:
    names = ("image", "label", "size", "key")
    for label in (int64_feature(2), bytes_feature(b"tulip")):
        contents = images(24)
        examples, orders = [], list(itertools.permutations(names))
        for number, (content, order) in enumerate(zip(contents, orders, strict=True)):
            features = {
                "image": bytes_feature(content),
                "label": label,
                "size": int64_feature(3, 5),
                "key": bytes_feature(f"k{number}".encode()),
            }
            examples += [in_order(features, order)]
        write(path, examples)
        compare(path, contents, ("tulip",))
    print(f"read: {len(orders)} orders of the features, labels as numbers and as names")


def compare(path: Path, contents: list[bytes], labels: tuple[str, ...]) -> None:
    entries, whole = scan_tfrecord(path, RECORDS, CLASSES), path.read_bytes()
    assert [entry.key for entry in entries] == [f"k{number}" for number in range(len(contents))]
    assert [whole[entry.offset : entry.offset + entry.length] for entry in entries] == contents
    assert {entry.labels for entry in entries} == {labels}


def reads_all_kinds(path: Path) -> None:
    integers = [0, 1, -1, 127, 128, -(2**63), 2**63 - 1]
    floats = [0.0, -1.5, 3.0e38]
    write(
        path, [example({"i": int64_feature(*integers), "f": float_feature(*floats), "b": bytes_feature(b"", b"\0x")})]
    )
    (record,) = read_records(path, check=True)
    features = find_features(record.data)
    assert int64_values(record.data, features["i"]) == integers
    assert float_values(record.data, features["f"]) == list(tf.constant(floats).numpy())
    assert [record.data[start:end] for start, end in bytes_spans(record.data, features["b"])] == [b"", b"\0x"]
    print("read: negative and large integers, floats, several and empty byte strings")


def tensorflow_reads_ours(path: Path) -> None:
    contents = images(50)
    writer = TFRecordWriter(path, RECORDS)
    for number, content in enumerate(contents):
        record = ImageRecord(f"é/{number}.jpg", content, ".jpg", (number % 3,), (CLASSES[number % 3],), (number, 7))
        writer.add(record)
    writer.close()
    wanted = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "size": tf.io.FixedLenFeature([2], tf.int64),
        "key": tf.io.FixedLenFeature([], tf.string),
        "class_name": tf.io.FixedLenFeature([], tf.string),
    }
    parsed = [tf.io.parse_single_example(raw, wanted) for raw in tf.data.TFRecordDataset(str(path))]
    assert [row["image"].numpy() for row in parsed] == contents
    assert [int(row["label"]) for row in parsed] == [number % 3 for number in range(50)]
    assert [row["size"].numpy().tolist() for row in parsed] == [[number, 7] for number in range(50)]
    assert [row["key"].numpy().decode() for row in parsed] == [f"é/{number}.jpg" for number in range(50)]
    assert [row["class_name"].numpy().decode() for row in parsed] == [CLASSES[number % 3] for number in range(50)]
    print("TensorFlow reads ours: 50 images with label, size, key and class_name")


def tensorflow_reads_multilabel(path: Path) -> None:
    writer = TFRecordWriter(path, RECORDS)
    for labels in ((), (0, 2), (1,)):
        names = tuple(CLASSES[label] for label in labels)
        writer.add(ImageRecord(f"{labels}", b"x", ".jpg", labels, names, (1, 1)))
    writer.close()
    wanted = {"label": tf.io.VarLenFeature(tf.int64)}
    rows = [tf.io.parse_single_example(raw, wanted) for raw in tf.data.TFRecordDataset(str(path))]
    assert [row["label"].values.numpy().tolist() for row in rows] == [[], [0, 2], [1]]
    print("TensorFlow reads ours: none, two and one label")


def main() -> None:
    print(f"TensorFlow {tf.__version__}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.tfrecord"
        reads_what_tensorflow_writes(path)
        reads_all_kinds(path)
        tensorflow_reads_ours(path)
        tensorflow_reads_multilabel(path)


if __name__ == "__main__":
    main()
