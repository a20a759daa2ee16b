import numpy as np
import pytest
from image_sets import files
from PIL import Image

from vernier.config.data import DataConfig
from vernier.data.header_table import HeaderTable, read_header_table
from vernier.data.images import FileImages, ImageError
from vernier.data.reduced_images import ReducedImages, denominators, reduce_images
from vernier.data.store import full_store, open_store
from vernier.errors import DataError


def spare_by_shorter_side(sizes):
    """Half of the shorter side in units of 20 pixels: photographs of 160 have 4 to spare."""
    return sizes.min(axis=1) / 40


@pytest.fixture
def mixed(photos, tmp_path):
    """Photographs of several sizes and kinds, one of them turned on its side, one that can't be read."""
    root = tmp_path / "mixed"
    root.mkdir()
    photo = Image.fromarray(photos["china"][:400, :600])
    photo.save(root / "large.jpg")
    photo.resize((135, 90)).save(root / "small.jpg")
    photo.save(root / "large.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.resize((300, 201)).save(root / "turned.jpg", exif=exif)
    (root / "empty.jpg").write_bytes(b"")
    return FileImages(root, ["large.jpg", "small.jpg", "large.png", "turned.jpg", "empty.jpg"], 3, 10**8)


class TestHeaderTable:
    def test_is_what_the_headers_say(self, mixed, tmp_path):
        table = read_header_table(mixed, tmp_path / "stores", 2)
        assert table.sizes.tolist() == [[400, 600], [90, 135], [400, 600], [300, 201], [0, 0]]
        assert table.reducible.tolist() == [True, True, False, True, False]

    def test_is_read_once(self, mixed, tmp_path, monkeypatch):
        first = read_header_table(mixed, tmp_path, 0)
        monkeypatch.setattr(FileImages, "header", None)
        again = read_header_table(mixed, tmp_path, 0)
        assert (again.sizes == first.sizes).all()
        assert (again.reducible == first.reducible).all()

    @pytest.mark.parametrize("damage", [b"", b"no array", None])
    def test_damaged_record_is_read_again(self, mixed, tmp_path, damage):
        expected = read_header_table(mixed, tmp_path, 0)
        (record,) = tmp_path.glob("*.headers.npy")
        if damage is None:
            np.save(record, np.zeros((4, 3), np.int64))
        else:
            record.write_bytes(damage)
        assert (read_header_table(mixed, tmp_path, 0).sizes == expected.sizes).all()

    def test_record_of_a_file_that_changed_does_not_count(self, mixed, tmp_path):
        read_header_table(mixed, tmp_path, 0)
        mixed.path(0).replace(mixed.path(1))
        assert read_header_table(mixed, tmp_path, 0).sizes[1].tolist() == [400, 600]

    def test_directory_that_cannot_be_written_is_done_without(self, mixed, tmp_path):
        (tmp_path / "file").write_text("")
        assert read_header_table(mixed, tmp_path / "file", 0).sizes[0].tolist() == [400, 600]


class TestDenominators:
    @pytest.mark.parametrize(
        ("room", "most", "expected"),
        [
            (0.2, 8, 1),
            (1.99, 8, 1),
            (2.0, 8, 2),
            (3.99, 8, 2),
            (4.0, 8, 4),
            (7.9, 8, 4),
            (50, 8, 8),
            (50, 4, 4),
            (9, 1, 1),
        ],
    )
    def test_are_the_largest_that_there_is_room_for(self, room, most, expected):
        table = HeaderTable(np.array([[10, 10]]), np.array([True]))
        assert denominators(table, lambda sizes: np.full(len(sizes), room), most).tolist() == [expected]

    def test_are_each_images_own(self, mixed, tmp_path):
        table = read_header_table(mixed, tmp_path, 0)
        assert denominators(table, spare_by_shorter_side, 8).tolist() == [8, 2, 1, 4, 1]


class TestReducedImages:
    @pytest.fixture
    def reduced(self, mixed, tmp_path):
        images, _ = reduce_images(mixed, read_header_table(mixed, tmp_path, 0), spare_by_shorter_side, 8)
        assert isinstance(images, ReducedImages)
        return images

    def test_read_size_key_and_path_belong_together(self, reduced, mixed):
        expected = [(50, 75), (45, 68), (400, 600), (75, 51)]
        for position, size in enumerate(expected):
            assert reduced.read(position).shape == (*size, 3)
            assert reduced.size(position) == size
            assert reduced.key(position) == mixed.key(position)
            assert reduced.path(position) == mixed.path(position)
        with pytest.raises(ImageError, match="is empty"):
            reduced.read(4)
        assert len(reduced) == 5

    def test_sizes_are_known_beforehand(self, reduced, mixed, tmp_path):
        _, sizes = reduce_images(mixed, read_header_table(mixed, tmp_path, 0), spare_by_shorter_side, 8)
        assert sizes[:4].tolist() == [list(reduced.size(position)) for position in range(4)]

    def test_are_the_files_themselves_where_nothing_is_to_spare(self, mixed, tmp_path):
        images, sizes = reduce_images(mixed, read_header_table(mixed, tmp_path, 0), lambda all: np.ones(len(all)), 8)
        assert images is mixed
        assert sizes[0].tolist() == [400, 600]

    def test_have_fingerprint_and_content_hash_of_their_own(self, mixed, tmp_path):
        table, data = (
            read_header_table(mixed, tmp_path, 0),
            DataConfig(store="disk", store_dir=str(tmp_path / "stores")),
        )
        data = data.model_copy(update={"on_bad_image": "skip"})
        sets = [reduce_images(mixed, table, spare_by_shorter_side, most) for most in (1, 2, 4, 8)]
        stores = [open_store(images, data, 0, None, sizes) for images, sizes in sets]
        assert len({images.fingerprint() for images, _ in sets}) == 4
        assert len({store.content_hash for store in stores}) == 4
        assert [store.scale for store in stores] == [1, 2, 4, 8]
        assert len([path for path in (tmp_path / "stores").iterdir() if path.is_dir()]) == 4


class TestStores:
    @pytest.mark.parametrize("mode", ["auto", "memory", "disk", "off"])
    def test_full_images_beside_reduced_ones(self, class_folders, tmp_path, mode):
        images = files(class_folders)
        data = DataConfig(store=mode, store_dir=str(tmp_path / "stores"))
        small, sizes = reduce_images(images, read_header_table(images, tmp_path, 0), spare_by_shorter_side, 8)
        for _ in range(2):
            reduced = open_store(small, data, 2, None, sizes)
            full = full_store(images, reduced)
            assert len(full) == len(reduced) == 24
            assert reduced.scale == 4
            assert all((reduced[position] == small.read(position)).all() for position in range(24))
            assert all((full[position] == images.read(position)).all() for position in range(24))
            assert full.reason.startswith("off" if mode == "off" else "memory")
            assert full.content_hash == reduced.content_hash

    @pytest.mark.parametrize("share", [0.3, 0.9])
    def test_list_the_same_bad_images(self, class_folders, tmp_path, share):
        images = files(class_folders)
        for position in (3, 7):
            whole = images.path(position).read_bytes()
            images.path(position).write_bytes(whole[: int(len(whole) * share)])
        data = DataConfig(store="memory", store_dir=str(tmp_path / "stores"))
        small, sizes = reduce_images(images, read_header_table(images, tmp_path, 0), spare_by_shorter_side, 8)
        messages = []
        for some, known in ((images, None), (small, sizes)):
            with pytest.raises(DataError) as caught:
                open_store(some, data, 2, None, known)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
        assert messages[0].startswith("2 of 24 images can't be read")
