import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from image_sets import CountingImages, files
from PIL import Image

from vernier.config.data import DataConfig
from vernier.data import disk_store, store
from vernier.data.images import ArrayImages, FileImages, ImageError
from vernier.data.memory_store import LazyStore
from vernier.data.store import DiskStore, MemoryStore, OffStore, open_store
from vernier.data.store_base import Reading
from vernier.errors import DataError

MODES = ("memory", "disk", "off")


@pytest.fixture
def config(tmp_path):
    def make(store="auto", **values):
        return DataConfig(store=store, **{"store_dir": str(tmp_path / "stores"), **values})

    return make


def spoil(root):
    """Three bad images of three kinds; their positions among the files."""
    keys = files(root).keys
    (root / keys[3]).write_bytes(b"")
    whole = (root / keys[7]).read_bytes()
    (root / keys[7]).write_bytes(whole[: len(whole) // 2])
    (root / keys[20]).write_text("hello world, not an image")
    return [3, 7, 20]


class TestModes:
    @pytest.mark.parametrize("threads", [0, 2])
    @pytest.mark.parametrize("mode", MODES)
    def test_give_what_the_source_gives_read_only(self, class_folders, config, mode, threads):
        images = files(class_folders)
        opened = open_store(images, config(mode), threads)
        assert len(opened) == 24
        assert opened.bad == ()
        assert opened.reason.startswith(f"{mode}: ")
        for position in range(24):
            pixels = opened[position]
            assert pixels.dtype == np.uint8
            assert not pixels.flags.writeable
            assert (pixels == images.read(position)).all()

    def test_have_one_content_hash(self, class_folders, config):
        images = files(class_folders)
        hashes = {open_store(images, config(mode), 2).content_hash for mode in MODES for _ in range(2)}
        arrays = np.stack([images.read(position)[:160] for position in range(24)])
        held = ArrayImages(arrays, images.keys, 3)
        array_hashes = {open_store(held, config(mode), 0).content_hash for mode in (*MODES, "auto")}
        assert len(hashes) == len(array_hashes) == 1
        assert hashes != array_hashes

    def test_hash_depends_on_pixels_keys_and_order(self, photos, config):
        crops = np.stack([photos["china"][:16, :16], photos["flower"][:16, :16]])
        sets = [(crops, "ab"), (crops[::-1], "ab"), (crops, "ba"), (crops, "ac"), (crops.reshape(2, 8, 32, 3), "ab")]
        assert len({open_store(ArrayImages(a, k, 3), config(), 0).content_hash for a, k in sets}) == len(sets)

    @pytest.mark.parametrize("mode", MODES)
    def test_grey(self, class_folders, config, mode):
        images = FileImages(class_folders, files(class_folders).keys, 1, 10**8)
        opened = open_store(images, config(mode), 0)
        assert all((opened[position] == images.read(position)).all() for position in range(24))
        assert opened[0].shape == (160, 200, 1)

    @pytest.mark.parametrize("mode", MODES)
    def test_are_read_from_threads(self, class_folders, config, mode):
        opened = open_store(files(class_folders), config(mode), 2)
        expected = [opened[position].sum() for position in range(24)]
        with ThreadPoolExecutor(8) as threads:
            sums = list(threads.map(lambda position: opened[position % 24].sum(), range(240)))
        assert sums == expected * 10

    @pytest.mark.parametrize("mode", MODES)
    def test_progress_ends_with_all(self, class_folders, config, mode):
        seen = []
        open_store(files(class_folders), config(mode), 2, lambda done, total: seen.append((done, total)))
        assert seen == sorted(seen)
        assert seen[-1] == (24, 24)

    def test_an_interruption_from_progress_ends_the_build_and_leaves_nothing(self, class_folders, config, tmp_path):
        def interrupt(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            open_store(files(class_folders), config("disk"), 2, interrupt)
        assert [path.suffix for path in (tmp_path / "stores").iterdir()] == [".lock"]


def crops_of(photos):
    """Six crops of one size, uint8 (6, 32, 48, 3)."""
    return np.stack([photo[row : row + 32, 100:148] for photo in photos.values() for row in (0, 90, 300)])


class TestArray:
    """`Store.array`: all images at once where they are of one size."""

    def saved(self, photos, directory):
        for number, crop in enumerate(crops_of(photos)):
            Image.fromarray(crop).save(directory / f"{number}.png")
        return FileImages(directory, [f"{number}.png" for number in range(6)], 3, 10**8)

    @pytest.mark.parametrize("mode", ["memory", "disk"])
    def test_holds_what_positions_give(self, photos, tmp_path, config, mode):
        array = open_store(self.saved(photos, tmp_path), config(mode), 2).array
        assert (array == crops_of(photos)).all()
        assert not array.flags.writeable

    @pytest.mark.parametrize("mode", [*MODES, "auto"])
    def test_of_images_in_memory_is_the_sources_own(self, photos, config, mode):
        crops = crops_of(photos)
        array = open_store(ArrayImages(crops, "abcdef", 3), config(mode), 0).array
        assert (array == crops).all()
        assert not array.flags.writeable
        assert np.shares_memory(array, crops) == (mode != "disk")

    def test_of_images_in_memory_with_other_channels(self, photos, config):
        held = ArrayImages(crops_of(photos), "abcdef", 1)
        assert open_store(held, config(), 0).array is None
        assert open_store(held, config("disk"), 0).array.shape == (6, 32, 48, 1)

    @pytest.mark.parametrize("mode", MODES)
    def test_is_none_for_several_sizes(self, photos, tmp_path, config, mode):
        images = self.saved(photos, tmp_path)
        Image.fromarray(photos["china"][:48, :32]).save(tmp_path / "3.png")
        opened = open_store(images, config(mode), 0)
        assert opened.array is None
        assert opened[3].shape == (48, 32, 3)

    @pytest.mark.parametrize("mode", MODES)
    def test_is_none_when_one_is_bad(self, photos, tmp_path, config, mode):
        images = self.saved(photos, tmp_path)
        whole = (tmp_path / "3.png").read_bytes()
        (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
        opened = open_store(images, config(mode, on_bad_image="skip"), 0)
        assert opened.array is None
        assert (opened[4] == crops_of(photos)[4]).all()


class TestSaysBeforehand:
    @pytest.mark.parametrize("mode", ["memory", "disk"])
    def test_how_much_is_decoded_into_what(self, class_folders, config, monkeypatch, caplog, tmp_path, mode):
        monkeypatch.setattr(disk_store, "_WORTH_SAYING", 1_000_000)
        said = []
        with caplog.at_level("INFO", "vernier"):
            open_store(files(class_folders), config(mode), 0, lambda done, total: said.extend(caplog.messages))
        place = "memory" if mode == "memory" else str(tmp_path / "stores")
        assert said[0].startswith(f"decoding 24 images, 3 MB, into {place}")
        assert len(caplog.messages) == 1

    def test_nothing_when_it_is_little(self, class_folders, config, caplog):
        with caplog.at_level("INFO", "vernier"):
            open_store(files(class_folders), config("disk"), 0)
        assert caplog.messages == []


class TestLazyStore:
    def opened(self, root, count):
        images = CountingImages(files(root / "china"))
        room = sum(images.images.read(position).nbytes for position in range(count))
        return images, LazyStore(images, Reading("", (), 1), "memory: few", room)

    def test_decodes_once_what_fits(self, class_folders):
        images, lazy = self.opened(class_folders, 2)
        expected = [images.images.read(position) for position in (0, 1)]
        for _ in range(3):
            assert all((lazy[position] == expected[position]).all() for position in (0, 1))
        assert images.reads == 2

    def test_decodes_each_time_what_does_not(self, class_folders):
        images, lazy = self.opened(class_folders, 1)
        sums = [[int(lazy[position].sum()) for position in (0, 1)] for _ in range(3)]
        assert sums[0] == sums[1] == sums[2]
        assert images.reads == 1 + 3

    def test_counts_an_image_once_that_several_threads_read(self, class_folders):
        images, lazy = self.opened(class_folders, 2)
        together = threading.Barrier(8)

        def read(_):
            together.wait()
            return lazy[0].sum()

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(read, range(8)))) == 1
        lazy[1]
        images.reads = 0
        assert not lazy[0].flags.writeable
        assert not lazy[1].flags.writeable
        assert images.reads == 0


class TestAuto:
    def test_takes_memory_for_a_small_set(self, class_folders, config):
        opened = open_store(files(class_folders), config(), 0)
        assert isinstance(opened, MemoryStore)
        assert opened.reason == "memory: 3 MB decoded"

    def test_leaves_an_array_where_it_is(self, photos, config, tmp_path):
        crops = np.stack([photos["china"][:16, :16], photos["flower"][:16, :16]])
        opened = open_store(ArrayImages(crops, ["a", "b"], 3), config(), 0)
        assert np.shares_memory(opened[1], crops)
        assert opened.reason.startswith("memory: ")
        assert not (tmp_path / "stores").exists()

    def test_takes_the_disk_for_a_large_set_and_later_finds_it(self, class_folders, config, monkeypatch):
        monkeypatch.setattr(store, "_SMALL", 1_000_000)
        assert isinstance(open_store(files(class_folders), config(), 0), DiskStore)
        monkeypatch.undo()
        assert isinstance(open_store(files(class_folders), config(), 0), DiskStore)

    def test_takes_memory_when_the_disk_is_full(self, class_folders, config, monkeypatch):
        monkeypatch.setattr(store, "_SMALL", 1_000_000)
        monkeypatch.setattr(disk_store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
        opened = open_store(files(class_folders), config(), 0)
        assert isinstance(opened, MemoryStore)
        assert "0 MB are free" in opened.reason

    def test_decodes_at_every_access_when_there_is_room_nowhere(self, class_folders, config, monkeypatch):
        monkeypatch.setattr(store, "available_memory", lambda: 1_000_000)
        monkeypatch.setattr(disk_store.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
        opened = open_store(files(class_folders), config(), 0)
        assert isinstance(opened, OffStore)
        assert opened.reason.startswith("off: 3 MB decoded")

    def test_goes_without_a_directory_that_cannot_be_written(self, class_folders, config, tmp_path, monkeypatch):
        monkeypatch.setattr(store, "_SMALL", 1_000_000)
        (tmp_path / "file").write_text("")
        opened = open_store(files(class_folders), config(store_dir=str(tmp_path / "file")), 0)
        assert isinstance(opened, MemoryStore)
        assert "Not a directory" in opened.reason or "File exists" in opened.reason


def test_memory_says_what_is_needed_and_what_to_do(class_folders, config, monkeypatch):
    monkeypatch.setattr(store, "available_memory", lambda: 1_000_000)
    with pytest.raises(DataError, match=r"need 3 MB, 1 MB are available. Take data.store=disk"):
        open_store(files(class_folders), config("memory"), 0)


class TestBadImages:
    @pytest.mark.parametrize("mode", ["auto", *MODES])
    def test_are_all_listed_before_anything_happens(self, class_folders, config, mode, tmp_path):
        spoil(class_folders)
        with pytest.raises(DataError) as caught:
            open_store(files(class_folders), config(mode), 2)
        message = str(caught.value)
        assert message.startswith("3 of 24 images can't be read:")
        assert "data.on_bad_image=skip" in message
        for words in (
            "china_03.jpg: is empty (0 bytes)",
            "china_07.jpg: is truncated",
            "flower_08.jpg: is not an image",
        ):
            assert words in message
        left = [path for path in (tmp_path / "stores").glob("*") if path.suffix not in (".lock", ".json")]
        assert left == []

    @pytest.mark.parametrize("mode", MODES)
    def test_are_skipped_on_request_also_the_second_time(self, class_folders, config, mode):
        positions = spoil(class_folders)
        images = files(class_folders)
        for _ in range(2):
            opened = open_store(images, config(mode, on_bad_image="skip"), 2)
            assert [bad.position for bad in opened.bad] == positions
            assert opened.bad[1].error.reason == "is truncated"
            assert (opened[4] == images.read(4)).all()
            with pytest.raises(ImageError, match="is empty"):
                opened[3]

    def test_that_were_skipped_stop_a_run_that_does_not_skip(self, class_folders, config):
        spoil(class_folders)
        for mode in ("disk", "off"):
            open_store(files(class_folders), config(mode, on_bad_image="skip"), 0)
            with pytest.raises(DataError, match="3 of 24 images"):
                open_store(files(class_folders), config(mode), 0)

    def test_have_one_content_hash_in_all_modes(self, class_folders, config):
        spoil(class_folders)
        skip = [open_store(files(class_folders), config(mode, on_bad_image="skip"), 0) for mode in MODES]
        assert len({opened.content_hash for opened in skip}) == 1

    def test_list_ends_after_twenty(self, class_folders, config):
        for path in sorted(class_folders.rglob("*.jpg"))[:23]:
            path.write_bytes(b"")
        with pytest.raises(DataError) as caught:
            open_store(files(class_folders), config(), 0)
        assert str(caught.value).count("is empty") == 20
        assert "and 3 more" in str(caught.value)

    @pytest.mark.parametrize("mode", MODES)
    def test_nothing_left_is_an_error_even_when_skipping(self, class_folders, config, mode):
        for path in class_folders.rglob("*.jpg"):
            path.write_bytes(b"")
        with pytest.raises(DataError, match="none of the 24 images can be read"):
            open_store(files(class_folders), config(mode, on_bad_image="skip"), 0)

    def test_mended_images_are_seen(self, class_folders, config):
        images = files(class_folders)
        whole = images.path(3).read_bytes()
        spoil(class_folders)
        opened = open_store(images, config("disk", on_bad_image="skip"), 0)
        images.path(3).write_bytes(whole)
        again = open_store(images, config("disk", on_bad_image="skip"), 0)
        assert [bad.position for bad in opened.bad] == [3, 7, 20]
        assert [bad.position for bad in again.bad] == [7, 20]

    def test_file_that_changes_while_the_store_is_built(self, class_folders, config):
        class Changing(CountingImages):
            def content(self, index):
                return super().content(0 if index == 1 else index)

        images = Changing(files(class_folders))
        for mode in ("disk", "memory"):
            with pytest.raises(DataError, match="changed while it was read"):
                open_store(images, config(mode), 0)


class TestSecondRun:
    def test_off_remembers_its_check(self, class_folders, config, tmp_path):
        images = CountingImages(files(class_folders))
        first = open_store(images, config("off"), 0)
        second = open_store(images, config("off"), 0)
        assert images.reads == 24
        assert second.content_hash == first.content_hash
        assert [path.name.endswith(".check.json") for path in (tmp_path / "stores").iterdir()] == [True]

    def test_off_checks_again_when_the_record_is_damaged(self, class_folders, config, tmp_path):
        images = CountingImages(files(class_folders))
        open_store(images, config("off"), 0)
        (record,) = (tmp_path / "stores").iterdir()
        for damage in ("", "{}", '{"bad": 3, "content_hash": ""}', "[1]"):
            record.write_text(damage)
            before = images.reads
            open_store(images, config("off"), 0)
            assert images.reads == before + 24

    def test_off_does_without_a_writable_directory(self, class_folders, config, tmp_path):
        (tmp_path / "file").write_text("")
        assert len(open_store(files(class_folders), config("off", store_dir=str(tmp_path / "file")), 0)) == 24

    def test_disk_decodes_nothing(self, class_folders, config):
        images = CountingImages(files(class_folders))
        first = open_store(images, config("disk"), 0)
        second = open_store(images, config("disk"), 0)
        assert images.reads == 24
        assert second.content_hash == first.content_hash

    def test_changed_file_means_another_store(self, class_folders, config):
        images = files(class_folders)
        first = open_store(images, config("disk"), 0)
        shutil.copy(images.path(20), images.path(0))
        second = open_store(images, config("disk"), 0)
        assert second.content_hash != first.content_hash
        assert (second[0] == images.read(20)).all()
