import gzip
import hashlib
import io
import tarfile

import pytest

from vernier.config.data import DataConfig
from vernier.data.sources import open_source
from vernier.data.sources.download import RemoteFile, dataset_root, fetch, unpack
from vernier.errors import DataError


@pytest.fixture
def published(tmp_path):
    """A function that publishes bytes under a file URL."""

    def publish(content: bytes, md5: str | None = None) -> RemoteFile:
        path = tmp_path / "server.bin"
        path.write_bytes(content)
        return RemoteFile("data.bin", path.as_uri(), md5 or hashlib.md5(content).hexdigest())

    return publish


def test_download(tmp_path, published):
    content = bytes(range(256)) * 10_000
    fetch([published(content)], tmp_path / "new/root", "made", "https://example.org")
    assert [path.name for path in (tmp_path / "new/root").iterdir()] == ["data.bin"]
    assert (tmp_path / "new/root/data.bin").read_bytes() == content


def test_download_of_something_else_leaves_nothing(tmp_path, published):
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"data\.source=made: .* has the MD5 900150983cd2.*, published is 0000"):
        fetch([published(b"abc", "0" * 32)], root, "made", "https://example.org")
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///nowhere/data.bin", "http://127.0.0.1:9/data.bin"])
def test_download_that_fails(tmp_path, url):
    with pytest.raises(DataError, match=r"the download failed: .*Get data\.bin from https://example\.org, put it in"):
        fetch([RemoteFile("data.bin", url, "")], tmp_path, "made", "https://example.org")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "page", "file"),
    [
        ("cifar10", r"https://www\.cs\.toronto\.edu/~kriz/cifar\.html", r"cifar-10-python\.tar\.gz"),
        ("cifar100", r"https://www\.cs\.toronto\.edu/~kriz/cifar\.html", r"cifar-100-python\.tar\.gz"),
        ("mnist", "https://ossci-datasets", r"train-images-idx3-ubyte\.gz, train-labels.*t10k-labels"),
    ],
)
def test_offline(tmp_path, monkeypatch, name, page, file):
    monkeypatch.setenv("VERNIER_OFFLINE", "1")
    root = tmp_path / "root"
    message = rf"data\.source={name}: not found in {root}, and the download failed: VERNIER_OFFLINE is set\. "
    with pytest.raises(DataError, match=message + rf"Get {file}.* from {page}.*data\.root"):
        open_source(DataConfig(source=name, root=str(root)))
    assert not root.exists()


def test_only_what_is_missing_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("VERNIER_OFFLINE", "1")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match=r"failed: .* Get train-labels"):
        open_source(DataConfig(source="mnist", root=str(tmp_path)))


def test_where_data_sets_lie(tmp_path, monkeypatch):
    assert dataset_root(DataConfig(root=str(tmp_path))) == tmp_path
    assert dataset_root(DataConfig(store_dir=str(tmp_path))) == tmp_path / "datasets"
    monkeypatch.setenv("VERNIER_CACHE", str(tmp_path / "cache"))
    assert dataset_root(DataConfig()) == tmp_path / "cache/datasets"
    monkeypatch.delenv("VERNIER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert dataset_root(DataConfig()) == tmp_path / "xdg/vernier/datasets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert dataset_root(DataConfig()) == tmp_path / ".cache/vernier/datasets"


def make_archive(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["../evil", "folder/../../evil"])
def test_archive_that_leads_outside(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    archive = make_archive(root / "a.tar.gz", ("folder/file", b"x"), (name, b"x"))
    with pytest.raises(DataError, match=r"a\.tar\.gz: can't be unpacked: .*outside"):
        unpack(archive, "folder")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar.gz", "root"]


def test_archives_that_are_damaged(tmp_path):
    whole = make_archive(tmp_path / "a.tar.gz", ("folder/file", bytes(100_000))).read_bytes()
    other = make_archive(tmp_path / "b.tar.gz", ("other/file", b"x")).read_bytes()
    for content in (whole[:-50], whole[:50] + b"\xff" * 50, b"", b"text", other):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.tar\.gz: can't be unpacked: .* Get it again"):
            unpack(tmp_path / "a.tar.gz", "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "b.tar.gz"]
