"""Tar shards: ours are plain tar files in the WebDataset layout, foreign ones are read, bad ones are refused."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.config.data import RecordsConfig
from vernier.data.shards.entry import Entry
from vernier.data.shards.tar import TarWriter, scan_tar
from vernier.data.shards.tar_names import MemberName, key_of, short_base, split_name, whole_base
from vernier.data.shards.writer import ImageRecord
from vernier.errors import DataError

NAMES = ("cat", "dog")


def record(key, content=b"image bytes", suffix=".jpg", labels=(1,)):
    return ImageRecord(key, content, suffix, labels, tuple(NAMES[label] for label in labels), (3, 4))


def write(path, *records, multilabel=False):
    writer = TarWriter(path, multilabel)
    entries = tuple(writer.add(item) for item in records)
    return entries, writer.close()


def make_tar(path, *members, format=tarfile.USTAR_FORMAT):
    """A tar of (name, content) or of TarInfo, made by Python."""
    with tarfile.open(path, "w", format=format) as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def odd(kind, name="a.jpg", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_python_reads_what_we_write(tmp_path):
    path = tmp_path / "train-000000.tar"
    entries, size = write(
        path, record("photos/cat/1.jpg", b"x" * 700, labels=(0,)), record("dog.v2.JPG", suffix=".JPG")
    )
    assert size == path.stat().st_size
    assert size % tarfile.RECORDSIZE == 0
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        contents = [tar.extractfile(member).read() for member in members]
    names = ["photos/cat/1.jpg", "photos/cat/1.cls", "dog%2Ev2.JPG", "dog%2Ev2.cls"]
    assert [member.name for member in members] == names
    assert contents == [b"x" * 700, b"0", b"image bytes", b"1"]
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o644)
    }
    data = path.read_bytes()
    assert [data[entry.offset : entry.offset + entry.length] for entry in entries] == [contents[0], contents[2]]


def test_members_of_a_sample_share_the_name_up_to_the_first_dot(tmp_path):
    write(tmp_path / "a.tar", record("a.b/c.d.e.jpg"), record("x.jpg"), record("x.png", suffix=".png"))
    with tarfile.open(tmp_path / "a.tar") as tar:
        bases = [name.rpartition("/")[0] + "/" + name.rpartition("/")[2].split(".")[0] for name in tar.getnames()]
    assert bases[0] == bases[1]
    assert len(set(bases)) == 3


def test_equal_records_give_equal_bytes(tmp_path):
    records = [record("ä/" + "x" * 150 + ".jpg"), record("b.jpg")]
    write(tmp_path / "one.tar", *records)
    write(tmp_path / "two.tar", *records)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


keys = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
        lambda text: not text.endswith("/")
    )
    | st.sampled_from(
        ["a.jpg", "a.png", "a", "../x.jpg", "/abs/x.jpg", "a//b.jpg", "a%2Eb.jpg", ".jpg", "50%.jpg", "%-/x"]
    )
    | st.binary(min_size=1, max_size=9)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    .filter(lambda text: not text.endswith("/")),
    min_size=1,
    max_size=8,
    unique=True,
)


@settings(deadline=None, max_examples=60)
@given(keys, st.sampled_from([".jpg", ".png"]))
def test_every_key_comes_back(tmp_path_factory, names, suffix):
    path = tmp_path_factory.mktemp("keys") / "a.tar"
    entries, _ = write(path, *(record(name, suffix=suffix) for name in names))
    assert scan_tar(path, NAMES) == entries
    assert [entry.key for entry in entries] == names


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab./%", min_size=1, max_size=12).filter(lambda text: not text.endswith("/")))
def test_names_hold_one_dot_and_lead_nowhere(key):
    for base in (short_base(key, ".b"), whole_base(key)):
        name = split_name(f"{base}.b")
        assert name == MemberName(base, "b")
        assert key_of(name) == key
        assert not base.startswith("/")
        assert not {"..", "."} & set(base.split("/"))


def test_several_labels_are_json(tmp_path):
    path = tmp_path / "a.tar"
    entries, _ = write(path, record("1.jpg", labels=(0, 1)), record("2.jpg", labels=()), multilabel=True)
    assert (
        scan_tar(path)
        == entries
        == (
            Entry("1.jpg", ("cat", "dog"), 512, 11),
            Entry("2.jpg", (), entries[1].offset, 11),
        )
    )
    with tarfile.open(path) as tar:
        assert json.load(tar.extractfile("1.json")) == {"labels": [0, 1], "names": ["cat", "dog"]}


def test_a_shard_appears_when_it_is_closed_or_not_at_all(tmp_path):
    writer = TarWriter(tmp_path / "a.tar", multilabel=False)
    writer.add(record("1.jpg"))
    assert not (tmp_path / "a.tar").exists()
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("members", "labels"),
    [
        ([("1.jpg", b"x"), ("1.cls", b"1\n")], ("dog",)),
        ([("1.cls", b"cat"), ("1.JPEG", b"x")], ("cat",)),
        ([("1.png", b"x"), ("1.txt", "Höhle".encode())], ("Höhle",)),
        ([("1.webp", b"x"), ("1.json", b'{"label": 0, "caption": "a cat"}')], ("cat",)),
        ([("1.bmp", b"x"), ("1.json", b'{"label": ["dog", "cat"]}')], ("dog", "cat")),
        ([("1.tif", b"x"), ("1.json", b"1")], ("dog",)),
        ([("./d/1.jpg", b"x"), ("./d/1.txt", b"a caption"), ("./d/1.cls", b"0")], ("cat",)),
        ([("__set__.json", b"{}"), ("1.jpg", b"x"), ("1.cls", b"0"), ("README", b"")], ("cat",)),
    ],
)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_foreign_shards(tmp_path, members, labels, format):
    path = make_tar(tmp_path / "a.tar", odd(tarfile.DIRTYPE, "d"), *members, format=format)
    (entry,) = scan_tar(path, NAMES)
    assert entry.labels == labels
    assert path.read_bytes()[entry.offset : entry.offset + entry.length] == b"x"


def test_long_names_of_gnu_and_pax(tmp_path):
    name = "d" * 120 + "/" + "n" * 140
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = make_tar(tmp_path / "a.tar", (f"{name}.jpg", b"x"), (f"{name}.cls", b"1"), format=format)
        assert [entry.key for entry in scan_tar(path)] == [f"{name}.jpg"]


def test_numbers_without_class_names_name_themselves(tmp_path):
    path = make_tar(tmp_path / "a.tar", ("1.jpg", b"x"), ("1.cls", b"7"))
    assert scan_tar(path)[0].labels == ("7",)


def test_the_config_says_which_members_are_meant(tmp_path):
    path = make_tar(
        tmp_path / "a.tar", ("1.left.png", b"l"), ("1.png", b"m"), ("1.json", b'{"species": "cat"}'), ("1.age", b"dog")
    )
    assert scan_tar(path, NAMES, RecordsConfig(image="left.png", label="age"))[0].labels == ("dog",)
    (entry,) = scan_tar(path, NAMES, RecordsConfig(image="png", label="species"))
    assert (entry.labels, path.read_bytes()[entry.offset : entry.offset + 1]) == (("cat",), b"m")


GOOD = (("1.jpg", b"x" * 2000), ("1.cls", b"1"))


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("../1.jpg", b"x"), ("../1.cls", b"1")], r"member '../1.jpg' leads out of the directory"),
        ([("/etc/1.jpg", b"x")], r"member '/etc/1.jpg' leads out of the directory"),
        ([("a/../../1.jpg", b"x")], r"leads out of the directory"),
        ([odd(tarfile.SYMTYPE, link="/etc/passwd")], r"member 'a.jpg' is a symbolic link"),
        ([odd(tarfile.LNKTYPE, link="b.jpg")], r"member 'a.jpg' is a hard link"),
        ([odd(tarfile.CHRTYPE)], r"member 'a.jpg' is a device"),
        ([odd(tarfile.FIFOTYPE)], r"member 'a.jpg' is a pipe"),
        ([("1.jpg", b"x"), ("2.jpg", b"x"), ("2.cls", b"1")], r"sample '1' has no label; there is \.jpg"),
        ([("1.cls", b"1")], r"sample '1' has no image; there is \.cls"),
        ([("1.jpg", b"x"), ("1.png", b"x"), ("1.cls", b"0")], r"has 2 images.*data.records.image"),
        ([("1.jpg", b"x"), ("1.cls", b"2")], r"'1.cls' holds no label: class number 2, but there are 2 classes"),
        ([("1.jpg", b"x"), ("1.cls", b"")], r"holds no label: '' is neither"),
        ([("1.jpg", b"x"), ("1.cls", b"\xff\xfe")], r"'1.cls' holds no label"),
        ([("1.jpg", b"x"), ("1.json", b'{"a": 1, "b": 2}')], r"no 'label' among its keys \('a', 'b'\)"),
        ([("1.jpg", b"x"), ("1.json", b"{")], r"'1.json' holds no label"),
        ([("1.jpg", b"x"), ("1.json", b"true")], r"True is neither"),
        ([("1.jpg", b"x"), ("1.json", b"[" * 100_000)], r"holds no label"),
        ([("1.jpg", b"x"), ("1.txt", b"a" * (2**20 + 1))], r"too many for a label"),
        ([*GOOD, *GOOD], r"sample '1' has two members of one name"),
        ([*GOOD, ("2.jpg", b"x"), ("2.cls", b"0"), *GOOD], r"more than one image of the same name: 1.jpg"),
    ],
)
def test_bad_members_are_refused(tmp_path, members, says):
    path = make_tar(tmp_path / "bad.tar", *members)
    with pytest.raises(DataError, match=says) as caught:
        scan_tar(path, NAMES)
    assert str(path) in str(caught.value)


def damaged(change):
    def make(path: Path) -> None:
        make_tar(path, *GOOD, ("2.jpg", b"y" * 3000), ("2.cls", b"0"))
        path.write_bytes(change(path.read_bytes()))

    return make


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:1500], r"member '1.jpg' has 2000 bytes by its header.*truncated"),
        (lambda data: data[: 512 + 2048 + 1024 + 512 + 100], r"member '2.jpg' has 3000 bytes by its header.*truncated"),
        (lambda data: data[: 512 + 2048 + 1024], r"is truncated: it has no end-of-archive mark"),
        (lambda data: data[: 512 + 2048 + 700], r"truncated"),
        (lambda data: data[:2560] + b"?" + data[2561:], r"no header of a member at byte 2560"),
        (lambda data: data + data, r"goes on after its end"),
        (lambda data: b"", r"is empty"),
        (lambda data: b"no tar at all" * 100, r"is no tar file"),
        (lambda data: b"\x1f\x8b" + data, r"is compressed \(gzip\)"),
        (lambda data: b"\x28\xb5\x2f\xfd" + data, r"is compressed \(zstandard\)"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, says):
    path = tmp_path / "bad.tar"
    damaged(change)(path)
    with pytest.raises(DataError, match=says) as caught:
        scan_tar(path, NAMES)
    assert str(path) in str(caught.value)


def test_a_header_that_promises_more_than_the_file_is_refused(tmp_path):
    info = tarfile.TarInfo("1.jpg")
    info.size = 2**40
    (tmp_path / "bomb.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(DataError, match=r"'1.jpg' has 1099511627776 bytes"):
        scan_tar(tmp_path / "bomb.tar")


def test_sparse_files_are_refused(tmp_path):
    info = tarfile.TarInfo("1.jpg")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "999999999999"}
    content = b"1\n0\n3\n".ljust(512, b"\0") + b"abc"
    info.size = len(content)
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(content))
    with pytest.raises(DataError, match="a sparse file"):
        scan_tar(tmp_path / "a.tar")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_whatever_is_wrong_is_a_data_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "a.tar"
    make_tar(path, ("1.jpg", b"x" * 600), ("1.cls", b"1"))
    content = bytearray(path.read_bytes()[:3072])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 1699))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        entries = scan_tar(path, NAMES)
    except DataError:
        return
    assert all(entry.offset + entry.length <= len(content) for entry in entries)
