import io
import threading
from pathlib import Path

import numpy as np
import pytest

from data.digit_shards import write_digit_shards
from data.shard_server import ShardServer
from vernier.config.data import DataConfig, StreamConfig
from vernier.data.shards import shard_store, transfer
from vernier.data.shards.remote import RemoteShards
from vernier.data.shards.remote_set import open_remote_set
from vernier.data.shards.shard_store import ShardInMemory, ShardStore, keep_shard
from vernier.data.shards.transfer import fetch
from vernier.data.shards.url import beside, expanded, with_ending
from vernier.data.sources import open_source
from vernier.errors import ConfigError, DataError

SHARD = "train-000000.tar"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of `tmp_path`, which has a set of digits in `set/`; waits between tries are tiny."""
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("no_proxy", "*")
    write_digit_shards(tmp_path / "set", {"train": (20, 20, 20), "val": (20,)})
    server = ShardServer(tmp_path)
    yield server
    server.close()


def patience(retries=3, **more):
    return StreamConfig.model_validate({"retries": retries, "timeout": "10s", **more})


def fetched(server, name=f"set/{SHARD}", size=None, **more):
    target = io.BytesIO()
    fetch(f"{server.url}/{name}", target, patience(**more), size)
    return target.getvalue()


def config(server, path="set", **more):
    return DataConfig.model_validate({"source": f"{server.url}/{path}", "channels": 1, **more})


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_is_finished(served, tmp_path, ranges):
    served.trouble.ranges, served.trouble.drops = ranges, 2
    content = (tmp_path / "set" / SHARD).read_bytes()
    assert fetched(served, size=len(content)) == content
    asked = [range_ for _, range_ in served.trouble.requests]
    # Without ranges the second failure comes no further than the first; both ways three connections are enough.
    assert asked == [None, "bytes=1000-", "bytes=2000-" if ranges else "bytes=1000-"]


def test_what_comes_further_each_time_is_never_given_up(served, tmp_path):
    served.trouble.drops = 20
    content = (tmp_path / "set" / SHARD).read_bytes()
    assert len(content) > 20 * served.trouble.drop_after
    assert fetched(served, retries=1) == content
    assert len(served.trouble.requests) == 21


@pytest.mark.parametrize("failure", [503, 500, 429, 408])
def test_a_busy_server_is_asked_again(served, tmp_path, failure):
    served.trouble.failure, served.trouble.failures = failure, 3
    assert fetched(served) == (tmp_path / "set" / SHARD).read_bytes()
    assert len(served.trouble.requests) == 4


def test_the_last_try_ends_in_one_clear_error(served, caplog):
    served.trouble.failures = 100
    with pytest.raises(DataError) as caught:
        fetched(served)
    message = str(caught.value)
    for words in (f"{served.url}/set/{SHARD}: ", "503", "4 tries", "data.stream.retries", "the same command"):
        assert words in message
    assert len(served.trouble.requests) == 4
    assert [record.message.rpartition(" in ")[2] for record in caplog.records] == [
        "0.0 s (1 of 3)",
        "0.0 s (2 of 3)",
        "0.0 s (3 of 3)",
    ]


def test_a_server_that_is_not_there_is_named(served):
    served.close()
    with pytest.raises(DataError, match=r"train-000000.tar: can't be read: Connection refused \(2 tries"):
        fetched(served, retries=1)
    served.start()


def test_silence_is_a_failure_and_slowness_is_not(served, tmp_path):
    content = (tmp_path / "set" / SHARD).read_bytes()
    served.trouble.chunk, served.trouble.pause = len(content) // 8, 0.04
    assert fetched(served, retries=0, timeout="0.2s") == content
    served.trouble.pause = 0.5
    with pytest.raises(DataError, match="the server says nothing"):
        fetched(served, retries=0, timeout="0.1s")


@pytest.mark.parametrize("failure", [403, 404])
def test_what_another_try_does_not_mend_is_said_at_once(served, failure):
    served.trouble.failure, served.trouble.failures = failure, 1
    with pytest.raises(DataError, match=f"answers {failure} .*check the URL"):
        fetched(served)
    assert len(served.trouble.requests) == 1


def test_another_size_than_the_index_says_is_an_error(served):
    with pytest.raises(DataError, match=r"has \d+ bytes, and its index says 7: .*replaced"):
        fetched(served, size=7)


def test_a_full_disk_is_no_failure_of_the_server(served):
    with (
        Path("/dev/full").open("wb", buffering=0) as target,
        pytest.raises(DataError, match="can't be kept: No space left"),
    ):
        fetch(f"{served.url}/set/{SHARD}", target, patience())


def test_urls():
    assert beside("http://h/a/", "b c.tar") == "http://h/a/b%20c.tar"
    assert beside("https://h/a?token=1", "b") == "https://h/a/b?token=1"
    assert with_ending("http://h/a.tar?token=1", ".csv") == "http://h/a.tar.csv?token=1"
    assert expanded("s3://b/t-{08..11}.tar") == [f"s3://b/t-{number}.tar" for number in ("08", "09", "10", "11")]
    assert expanded("h/{a,b}-{0..1}") == ["h/a-0", "h/a-1", "h/b-0", "h/b-1"]


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_threads_that_want_one_shard_fetch_it_once(tmp_path, cache):
    started, go = [], threading.Event()

    def fetch_shard(shard):
        started.append(shard)
        go.wait()
        return keep_shard(lambda file: file.write(b"0123456789"), cache, tmp_path / "new")

    store, got = ShardStore(fetch_shard, 2), []
    threads = [threading.Thread(target=lambda: got.append(store.get(1).read(3, 4))) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert got == [b"3456"] * 4
    assert started == [1]
    assert list(tmp_path.glob("new/*")) == [], "files have no name, so a killed process leaves none"


def test_the_shard_that_was_used_longest_ago_goes(tmp_path):
    fetched_shards = []

    def fetch_shard(shard):
        fetched_shards.append(shard)
        return ShardInMemory(lambda file: file.write(bytes([shard])))

    store = ShardStore(fetch_shard, 2)
    for shard in (1, 2, 1, 3, 1, 2):
        assert store.get(shard).read(0, 9) == bytes([shard])
    assert fetched_shards == [1, 2, 3, 2]


def test_files_of_shards_that_go_are_closed(tmp_path):
    store = ShardStore(lambda shard: keep_shard(lambda file: file.write(b"x"), "disk", tmp_path), 2)
    store.get(0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for shard in range(20):
        store.get(shard)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_a_shard_that_failed_is_fetched_when_it_is_asked_for_again_later(monkeypatch):
    failures = [DataError("first")]

    def fetch_shard(shard):
        if failures:
            raise failures.pop()
        return ShardInMemory(lambda file: file.write(b"ok"))

    store = ShardStore(fetch_shard, 1)
    for _ in range(2):
        with pytest.raises(DataError, match="first"):
            store.get(0)
    monkeypatch.setattr(shard_store, "FAILS_FOR", 0.0)
    assert store.get(0).read(0, 2) == b"ok"


def test_shards_come_before_they_are_asked_for(served):
    shards, reader = open_remote_set(f"{served.url}/set", DataConfig(stream=patience(window=1)), "data.source")
    assert [shard.file for shard in shards.shards] == [*(f"train-{n:06d}.tar" for n in range(3)), "val-000000.tar"]
    reader.expect(np.array([2, 0, 1]))
    assert arrived(served, 2) == {"train-000002.tar", "train-000000.tar"}, "the open one and the next"
    reader.read(2, 0, 1)
    assert arrived(served, 2) == {"train-000002.tar", "train-000000.tar"}
    reader.read(0, 0, 1)
    assert "train-000001.tar" in arrived(served, 3)
    assert len(served.shards_asked_for()) == 3


def arrived(server, count):
    for _ in range(1000):
        if len(server.shards_asked_for()) >= count:
            break
        threading.Event().wait(0.002)
    return set(server.shards_asked_for())


@pytest.mark.parametrize("format_", ["webdataset", "tfrecord"])
def test_a_set_is_known_before_any_image_is_read(tmp_path, served, format_):
    write_digit_shards(tmp_path / "other", {"train": (30, 30), "test": (30,)}, format_)
    source = open_source(config(served, "other"))
    assert served.shards_asked_for() == []
    here = open_source(DataConfig(source=str(tmp_path / "other"), channels=1))
    places = np.argsort(source.keys())
    assert [source.keys()[place] for place in places] == here.keys()
    assert np.array_equal(source.targets[places], here.targets)
    assert [source.split[place] for place in places] == list(here.split)
    assert all(np.array_equal(source.images.read(place), here.images.read(n)) for n, place in enumerate(places))


def test_images_lie_in_the_order_of_their_positions(served):
    images = open_source(config(served)).images
    for position in range(len(images)):
        images.read(position)
    assert served.shards_asked_for() == [*(f"train-{n:06d}.tar" for n in range(3)), "val-000000.tar"]


@pytest.mark.parametrize("format_", ["webdataset", "tfrecord"])
def test_shards_without_an_index_are_read_once(tmp_path, served, format_, caplog):
    directory = tmp_path / "foreign"
    write_digit_shards(directory, {"train": (30, 30)}, format_)
    for file in (*directory.glob("*.csv"), *directory.glob("*.yaml")):
        file.unlink()
    ending = "tar" if format_ == "webdataset" else "tfrecord"
    data = config(served, f"foreign/train-{{000000..000001}}.{ending}", store_dir=str(tmp_path / "store"))
    caplog.set_level("INFO")
    source = open_source(data)
    assert sum("has no index beside it" in record.message for record in caplog.records) == 2
    assert sorted(served.shards_asked_for()) == [f"train-{number:06d}.{ending}" for number in range(2)]
    again = open_source(data)
    assert len(served.shards_asked_for()) == 2
    assert again.keys() == source.keys()
    assert len(source.images) == 60
    assert again.images.read(7).shape == (8, 8, 1)
    assert source.name == "foreign"


def test_files_by_fsspec(tmp_path, monkeypatch):
    write_digit_shards(tmp_path / "set", {"train": (30,), "val": (30,)})
    monkeypatch.setenv("VERNIER_OFFLINE", "1")
    images = open_source(DataConfig(source=f"file://{tmp_path}/set", channels=1)).images
    here = open_source(DataConfig(source=str(tmp_path / "set"), channels=1)).images
    places = np.argsort(images.keys)
    assert all(np.array_equal(images.read(place), here.read(n)) for n, place in enumerate(places))


def test_offline_refuses_the_network(monkeypatch):
    monkeypatch.setenv("VERNIER_OFFLINE", "1")
    with pytest.raises(DataError, match=r"data.source=http://nowhere/set: VERNIER_OFFLINE is set"):
        open_source(DataConfig(source="http://nowhere/set"))


def test_errors_of_urls(served):
    with pytest.raises(DataError, match=r"data.source=http.*/nothing: no set of shards: .* 404 .*vernier convert"):
        open_source(config(served, "nothing"))
    with pytest.raises(DataError, match=r"nosuchprotocol://x/dataset_info.yaml: can't be opened: .*nosuchprotocol"):
        open_source(DataConfig(source="nosuchprotocol://x"))
    with pytest.raises(ConfigError, match=r"data.train: is a URL .* data.source=URL"):
        open_source(DataConfig(train="http://x/train"))


def test_memory_is_bounded_by_the_window(served):
    data = config(served, stream={"window": 1, "cache": "memory"})
    images = open_source(data).images
    assert isinstance(images.reader, RemoteShards)
    for position in range(len(images)):
        images.read(position)
    images.read(0)
    # Three of the four shards are kept: one open and two beside it.
    assert served.shards_asked_for() == [*(f"train-{n:06d}.tar" for n in range(3)), "val-000000.tar", SHARD]
