import os

import numpy as np
import pytest
from PIL import Image

from vernier.data.images import ArrayImages, FileImages, ImageError

MAX_PIXELS = 178_956_970


def keys_of(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))


def open_files(root, keys=None, channels=3, max_pixels=MAX_PIXELS):
    return FileImages(root, keys_of(root) if keys is None else keys, channels, max_pixels)


class TestFileImages:
    def test_read_size_key_and_path_belong_together(self, class_folders):
        images = open_files(class_folders)
        assert len(images) == 24
        for position in (0, 5, 23):
            key = images.key(position)
            assert images.path(position) == class_folders / key
            expected = np.array(Image.open(class_folders / key))
            assert np.abs(images.read(position).astype(int) - expected).max() <= 2
            assert images.size(position) == expected.shape[:2]

    @pytest.mark.parametrize("channels", [1, 3])
    def test_channels(self, class_folders, channels):
        assert open_files(class_folders, channels=channels).read(0).shape == (160, 200, channels)

    def test_extension_does_not_matter(self, class_folders):
        path = class_folders / "china/china_00.jpg"
        Image.open(path).save(class_folders / "china/lies.jpg", "PNG")
        images = open_files(class_folders, ["china/china_00.jpg", "china/lies.jpg"])
        assert np.abs(images.read(0).astype(int) - images.read(1)).max() <= 2

    @pytest.mark.parametrize("method", ["read", "size"])
    def test_unreadable_files_are_named_with_their_reason(self, class_folders, method):
        keys = ["none.jpg", "china", "loop.jpg", "empty.jpg", "text.jpg"]
        (class_folders / "loop.jpg").symlink_to("loop.jpg")
        (class_folders / "empty.jpg").write_bytes(b"")
        (class_folders / "text.jpg").write_text("hello world, not an image")
        images = open_files(class_folders, keys)
        reasons = ["No such file", "Is a directory", "symbolic links", "is empty (0 bytes)", "is not an image"]
        for position, reason in enumerate(reasons):
            with pytest.raises(ImageError) as caught:
                getattr(images, method)(position)
            assert reason in caught.value.reason
            assert caught.value.path == str(class_folders / keys[position])

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_file_without_read_permission(self, class_folders):
        images = open_files(class_folders)
        images.path(0).chmod(0)
        with pytest.raises(ImageError, match="Permission denied"):
            images.read(0)

    def test_pixel_limit(self, class_folders):
        images = open_files(class_folders, max_pixels=160 * 200 - 1)
        for method in (images.read, images.size):
            with pytest.raises(ImageError, match=r"more than data\.max_pixels=31999"):
                method(0)

    def test_fingerprint_stays_the_same(self, class_folders):
        assert open_files(class_folders).fingerprint() == open_files(class_folders).fingerprint()

    def test_fingerprint_notices_every_change(self, class_folders):
        keys = keys_of(class_folders)
        path = class_folders / keys[0]
        seen = [
            open_files(class_folders).fingerprint(),
            open_files(class_folders, channels=1).fingerprint(),
            open_files(class_folders, max_pixels=100_000).fingerprint(),
            open_files(class_folders, keys[::-1]).fingerprint(),
            open_files(class_folders, keys[1:]).fingerprint(),
        ]
        status, content = path.stat(), path.read_bytes()
        path.write_bytes(content[::-1])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        seen.append(open_files(class_folders).fingerprint())
        path.unlink()
        seen.append(open_files(class_folders, keys).fingerprint())
        assert len(set(seen)) == len(seen)

    def test_same_names_elsewhere_are_other_images(self, class_folders):
        copy = class_folders.with_name("copy")
        before = open_files(class_folders).fingerprint()
        class_folders.rename(copy)
        assert open_files(copy).fingerprint() != before


class TestArrayImages:
    @pytest.fixture
    def colour(self, photos):
        return np.stack([photos["china"][:32, :48], photos["flower"][100:132, 100:148]])

    def test_is_a_read_only_view(self, colour):
        images = ArrayImages(colour, ["train/00000", "train/00001"], 3)
        assert len(images) == 2
        assert images.key(1) == "train/00001"
        assert images.path(1) is None
        assert images.size(1) == (32, 48)
        pixels = images.read(1)
        assert (pixels == colour[1]).all()
        assert np.shares_memory(pixels, colour)
        with pytest.raises(ValueError, match="read-only"):
            pixels[0, 0] = 0
        assert colour.flags.writeable

    def test_colour_becomes_grey(self, colour):
        grey = ArrayImages(colour, ["a", "b"], 1).read(0)
        assert grey.shape == (32, 48, 1)
        assert np.abs(grey[:, :, 0] - colour[0] @ np.array([0.299, 0.587, 0.114])).max() <= 1

    def test_grey_becomes_colour(self, colour):
        grey = colour[:, :, :, :1]
        assert (ArrayImages(grey, ["a", "b"], 3).read(1) == grey[1].repeat(3, axis=2)).all()

    def test_fingerprint_is_of_pixels_keys_and_channels(self, colour):
        prints = [
            ArrayImages(colour, ["a", "b"], 3).fingerprint(),
            ArrayImages(colour, ["a", "c"], 3).fingerprint(),
            ArrayImages(colour, ["a", "b"], 1).fingerprint(),
            ArrayImages(colour[::-1], ["a", "b"], 3).fingerprint(),
            ArrayImages(colour.reshape(2, 48, 32, 3), ["a", "b"], 3).fingerprint(),
        ]
        assert len(set(prints)) == len(prints)
        assert ArrayImages(colour.copy(), ["a", "b"], 3).fingerprint() == prints[0]
