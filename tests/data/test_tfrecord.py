"""TFRecord files: checksums, examples and records, against encoders of the test's own."""

import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord_bytes import entry, frame, message, slow_crc, slow_mask, varint

from vernier.config.data import RecordsConfig
from vernier.data.shards.crc import masked_crc
from vernier.data.shards.example import (
    Feature,
    MalformedExample,
    bytes_feature,
    bytes_spans,
    encode_example,
    find_features,
    float_feature,
    float_values,
    int64_feature,
    int64_values,
)
from vernier.data.shards.tfrecord import Damage, Record, TFRecordWriter, read_records
from vernier.data.shards.writer import ImageRecord

INT64 = st.integers(-(2**63), 2**63 - 1)
READ_COMMAND = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000"
)
FLOAT32 = st.floats(width=32, allow_nan=False)


def written(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(map(frame, records)))
    return path


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (READ_COMMAND, 0xD9963A56),
    ],
)
def test_crc_of_the_vectors_of_rfc_3720(data, crc):
    assert slow_crc(data) == crc
    assert google_crc32c.value(data) == crc
    assert masked_crc(data) == slow_mask(crc)


@given(st.binary(max_size=100))
def test_crc(data):
    assert masked_crc(data) == slow_mask(slow_crc(data))


def test_bytes_are_those_that_protocol_buffers_have():
    """Spelled by hand: Example{1: Features{1: entry{1: "a", 2: Feature{3: Int64List{1: packed [1, 300]}}}}}."""
    spelled = bytes.fromhex("0a0e 0a0c 0a01 61 1207 1a05 0a03 01 ac02")
    assert encode_example({"a": int64_feature([1, 300])}) == spelled
    spelled = bytes.fromhex("0a0c 0a0a 0a01 62 1205 0a03 0a01 ff")
    assert encode_example({"b": bytes_feature([b"\xff"])}) == spelled
    spelled = bytes.fromhex("0a0f 0a0d 0a01 63 1208 1206 0a04 0000c03f")
    assert encode_example({"c": float_feature([1.5])}) == spelled


def values_of(data: bytes, feature: Feature) -> list:
    if feature.kind == "int64":
        return int64_values(data, feature)
    if feature.kind == "float":
        return float_values(data, feature)
    return [data[start:end] for start, end in bytes_spans(data, feature)]


FEATURES = st.one_of(
    st.tuples(st.just("int64"), st.lists(INT64, max_size=5)),
    st.tuples(st.just("float"), st.lists(FLOAT32, max_size=5)),
    st.tuples(st.just("bytes"), st.lists(st.binary(max_size=300), max_size=3)),
)
ENCODERS = {"int64": int64_feature, "float": float_feature, "bytes": bytes_feature}


@given(st.dictionaries(st.text(max_size=5), FEATURES, max_size=5))
def test_examples_read_back(features):
    data = encode_example({name: ENCODERS[kind](values) for name, (kind, values) in features.items()})
    found = find_features(data)
    assert {name: (feature.kind, values_of(data, feature)) for name, feature in found.items()} == features


def test_lists_that_are_not_packed():
    integers = b"\x08\x05" + b"\x08" + varint(2**64 - 1) + message(1, varint(300))
    floats = b"\x0d" + struct.pack("<f", 1.5) + message(1, struct.pack("<2f", 2, 3))
    data = entry("i", message(3, integers)) + entry("f", message(2, floats))
    found = find_features(data)
    assert int64_values(data, found["i"]) == [5, -1, 300]
    assert float_values(data, found["f"]) == [1.5, 2.0, 3.0]


def test_unknown_fields_repeated_messages_and_no_value():
    unknown = b"\x78\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + message(15, b"x")
    inner = message(1, b"old") + unknown + message(1, b"a") + message(2, message(1, message(1, b"one")) + unknown)
    data = (
        unknown + message(1, unknown + message(1, inner + unknown)) + entry("empty", b"") + entry("", message(3, b""))
    )
    found = find_features(data)
    assert list(found) == ["a", "empty", ""]
    assert values_of(data, found["a"]) == [b"one"]
    assert found["empty"] == Feature(None, ())
    assert (found[""].kind, int64_values(data, found[""])) == ("int64", [])


def test_the_last_feature_of_a_name_and_the_last_kind_of_a_feature_count():
    data = entry("a", message(3, b"\x08\x01")) + entry("a", message(1, message(1, b"x")) + message(3, b"\x08\x02"))
    assert values_of(data, find_features(data)["a"]) == [2]
    joined = entry("a", message(3, b"\x08\x01") + message(3, b"\x08\x02"))
    assert values_of(joined, find_features(joined)["a"]) == [1, 2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\x05abc", "longer than what holds it"),
        (b"\x0b", "unknown type 3"),
        (b"\x0a" + b"\xff" * 10, "a number without an end at byte 1"),
        (b"\x0a\x80", "a number without an end at byte 1"),
        (b"\x09abc", "longer than what holds it"),
        (message(1, b"\x0a\x02\x0a\x05"), "longer than what holds it"),
    ],
)
def test_bytes_that_are_no_example(data, reason):
    with pytest.raises(MalformedExample, match=reason):
        find_features(data)


def test_floats_that_are_cut():
    data = entry("f", message(2, message(1, b"abc")))
    with pytest.raises(MalformedExample, match="4 bytes each, not 3"):
        float_values(data, find_features(data)["f"])


@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_malformed(data):
    with suppress(MalformedExample):
        for feature in find_features(data).values():
            values_of(data, feature)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_records_read_back(tmp_path_factory, records):
    path = written(tmp_path_factory.mktemp("records") / "x.tfrecord", *records)
    whole, found = path.read_bytes(), list(read_records(path, check=True))
    assert [(record.number, record.data) for record in found] == list(enumerate(records))
    for record in found:
        assert whole[record.data_offset : record.data_offset + len(record.data)] == record.data
        assert struct.unpack_from("<Q", whole, record.offset) == (len(record.data),)


@given(st.data())
def test_any_flipped_bit_is_noticed(tmp_path_factory, data):
    path = written(tmp_path_factory.mktemp("flipped") / "x.tfrecord", b"first", b"", b"the third record")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    ends = [21, 37, 69]
    number = next(number for number, end in enumerate(ends) if place < end)
    found = list(read_records(path, check=True))
    (damage,) = [item for item in found if isinstance(item, Damage)]
    assert (damage.number, damage.offset) == (number, [0, *ends][number])
    in_head = place < damage.offset + 12
    assert len(found) == (number + 1 if in_head else 3)


@given(st.integers(1, 68))
def test_any_truncation_is_noticed(tmp_path_factory, kept):
    path = written(tmp_path_factory.mktemp("cut") / "x.tfrecord", b"first", b"", b"the third record")
    path.write_bytes(path.read_bytes()[:kept])
    ends = [21, 37]
    whole = sum(end <= kept for end in ends)
    for check in (True, False):
        found = list(read_records(path, check))
        assert [type(item) for item in found[:whole]] == [Record] * whole
        if kept in ends:
            assert len(found) == whole
        else:
            assert isinstance(found[whole], Damage)
            assert "is cut short" in found[whole].reason


def test_without_checks_only_impossible_lengths_are_noticed(tmp_path):
    path = tmp_path / "x.tfrecord"
    path.write_bytes(struct.pack("<QI", 3, 0) + b"abc" + bytes(4) + struct.pack("<QI", 2**40, 0) + bytes(9))
    record, damage = read_records(path, check=False)
    assert record == Record(0, 0, b"abc")
    assert (damage.number, damage.offset) == (1, 19)
    assert (
        damage.reason == "says that it is 1099511627776 bytes long, which no image is, so nothing is found from here on"
    )


def test_a_compressed_file_is_recognised(tmp_path):
    path = tmp_path / "x.tfrecord"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(50))
    (damage,) = read_records(path, check=True)
    assert damage.reason.endswith("the file is compressed, unpack it with gunzip")


def image(number: int, content: bytes = b"\xff\xd8 an image") -> ImageRecord:
    return ImageRecord(f"train/é/{number}.jpg", content, ".jpg", (number,), (f"class é {number}",), (480, 640))


def test_writer(tmp_path):
    path = tmp_path / "train_0.tfrecord"
    writer = TFRecordWriter(path, RecordsConfig(image="picture"))
    entries = [writer.add(image(number, bytes([number]) * size)) for number, size in enumerate((0, 5, 200, 20_000))]
    assert not path.exists()
    assert writer.close() == path.stat().st_size
    assert [child.name for child in tmp_path.iterdir()] == ["train_0.tfrecord"]
    whole, records = path.read_bytes(), list(read_records(path, check=True))
    for number, (entry_, record) in enumerate(zip(entries, records, strict=True)):
        found = find_features(record.data)
        assert {name: values_of(record.data, feature) for name, feature in found.items()} == {
            "size": [480, 640],
            "class_name": [f"class é {number}".encode()],
            "key": [f"train/é/{number}.jpg".encode()],
            "label": [number],
            "picture": [whole[entry_.offset : entry_.offset + entry_.length]],
        }
        assert (entry_.key, entry_.labels) == (f"train/é/{number}.jpg", (f"class é {number}",))
        assert whole[entry_.offset : entry_.offset + entry_.length] == bytes([number]) * entry_.length


def test_an_abandoned_file_leaves_nothing_and_what_was_there(tmp_path):
    path = tmp_path / "train_0.tfrecord"
    path.write_bytes(b"before")
    writer = TFRecordWriter(path, RecordsConfig())
    writer.add(image(0))
    writer.abandon()
    assert [child.name for child in tmp_path.iterdir()] == ["train_0.tfrecord"]
    assert path.read_bytes() == b"before"


def test_a_full_disk_leaves_nothing(tmp_path):
    writer = TFRecordWriter(tmp_path / "x.tfrecord", RecordsConfig())
    writer.add(image(0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.close()
        writer.abandon()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []
