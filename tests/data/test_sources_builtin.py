import gzip
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_restricted_pickle import python2_array, python2_text

from vernier.config.data import DataConfig, SplitConfig
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.errors import ConfigError, DataError


def test_digits():
    from sklearn.datasets import load_digits

    source, bunch = open_source(DataConfig(source="digits")), load_digits()
    assert (source.name, source.native_size, source.root) == ("digits", (8, 8), None)
    assert source.class_names == tuple("0123456789")
    assert np.array_equal(source.targets, bunch.target)
    pixels = np.stack([source.images.read(index) for index in range(1797)])
    assert pixels.shape == (1797, 8, 8, 1)
    assert np.abs(pixels[..., 0] - bunch.images * 255 / 16).max() <= 0.5
    assert pixels.max() == 255


def test_digits_have_one_test_set_whatever_the_seed():
    splits = [
        split_source(open_source(data), data)
        for data in (DataConfig(source="digits", split=SplitConfig(seed=seed)) for seed in (0, 1))
    ]
    assert len(splits[0].test) == 359
    assert np.array_equal(splits[0].test, splits[1].test)
    assert not np.array_equal(splits[0].val, splits[1].val)


def test_digits_in_colour_with_two_classes():
    source = open_source(DataConfig(source="digits", channels=3, class_names=("7", "3")))
    assert source.images.read(0).shape == (8, 8, 3)
    assert source.images.key(0) == "0003"
    assert source.targets[0] == 1
    assert sum(source.skipped.values()) == 1797 - len(source.targets)
    with pytest.raises(DataError, match="only one class, '7'"):
        open_source(DataConfig(source="digits", class_names=("7",)))
    with pytest.raises(DataError, match="no class 'seven'"):
        open_source(DataConfig(source="digits", class_names=("7", "seven")))


def test_publisher_s_test_set_may_validate():
    source = open_source(DataConfig(source="digits", val_split="test"))
    assert set(source.split) == {"", "val"}
    with pytest.raises(DataError, match=r"data\.val_split=val: no such split in digits\. There are: test, train"):
        open_source(DataConfig(source="digits", val_split="val"))


def test_unknown_argument():
    with pytest.raises(ConfigError, match=r"data\.kwargs\.size: data\.source=digits has no such argument"):
        open_source(DataConfig(source="digits", kwargs={"size": 8}))


def write_mnist(folder: Path, train=20, test=10, size=28) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for prefix, count in (("train", train), ("t10k", test)):
        shape = np.array([count, size, size], ">u4").tobytes()
        pixels = generator.integers(0, 256, count * size * size, np.uint8).tobytes()
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + shape + pixels)
        labels = bytes(index % 10 for index in range(count))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + shape[:4] + labels)
    return folder


@pytest.mark.parametrize("folder", ["", "MNIST/raw", "raw"])
@pytest.mark.parametrize("compressed", [False, True])
def test_mnist(tmp_path, folder, compressed):
    write_mnist(tmp_path / folder)
    raw = (tmp_path / folder / "t10k-images-idx3-ubyte").read_bytes()[16:]
    if compressed:
        for path in (tmp_path / folder).iterdir():
            (path.parent / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    source = open_source(DataConfig(source="mnist", root=str(tmp_path)))
    assert source.split == ("",) * 20 + ("test",) * 10
    assert source.native_size == (28, 28)
    assert [source.images.key(index) for index in (0, 20)] == ["train/00000", "test/00000"]
    assert source.images.read(20).tobytes() == raw[:784]
    assert source.targets.tolist() == [*range(10), *range(10), *range(10)]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "holds less than the 15680 bytes"),
        ("train-images-idx3-ubyte", lambda b: b + b"x", "holds more than the 15680 bytes"),
        ("train-images-idx3-ubyte", lambda b: b"\0\0\x0d\x03" + b[4:], "starts with 00000d03 and not 00000803"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:6], "starts with 00000801"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-1] + b"\x0a", "a label of 10; the digits are 0 to 9"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:7] + b"\x09" + b[8:-1], "9 labels for 10 images"),
        ("train-images-idx3-ubyte", lambda b: b[:4] + b"\xff" * 12, "the file is damaged"),
    ],
)
def test_mnist_that_is_damaged(tmp_path, name, change, message):
    path = write_mnist(tmp_path) / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        open_source(DataConfig(source="mnist", root=str(tmp_path)))


def test_mnist_with_a_damaged_archive(tmp_path):
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte"
    whole = gzip.compress(path.read_bytes())
    path.unlink()
    for damaged in (whole[:-9], b"no archive", whole[:100] + b"\xff" * 100 + whole[200:]):
        (tmp_path / f"{path.name}.gz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: can't be read: .* Get the file again"):
            open_source(DataConfig(source="mnist", root=str(tmp_path)))


def test_mnist_of_two_sizes(tmp_path):
    write_mnist(tmp_path, size=20)
    write_mnist(tmp_path / "other")
    shutil.copy(tmp_path / "other/t10k-images-idx3-ubyte", tmp_path)
    with pytest.raises(DataError, match="training and test images differ in size"):
        open_source(DataConfig(source="mnist", root=str(tmp_path)))


def test_real_mnist(shared_data):
    source = open_source(DataConfig(source="mnist", root=str(shared_data / "mnist")))
    assert (len(source.images), source.split.count("test")) == (70000, 10000)
    assert source.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert source.targets[60000:60005].tolist() == [7, 2, 1, 0, 4]
    assert source.images.read(0)[14].any()


CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def python2_batch(pixels: np.ndarray, labels: list[int], key: str) -> bytes:
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + python2_text("data") + python2_array(pixels) + python2_text(key) + numbers + b"u."


def python3_batch(pixels: np.ndarray, labels: list[int], key: str) -> bytes:
    return pickle.dumps({"data": pixels, key: labels})


def write_cifar10(folder: Path, images: np.ndarray, labels: list[int], dump=python2_batch) -> Path:
    """The official layout: images, uint8 (N, 32, 32, 3), dealt out to five training batches and one of test."""
    folder.mkdir(parents=True)
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), 3072)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name, rows in zip(names, np.array_split(np.arange(len(images)), 6), strict=True):
        (folder / name).write_bytes(dump(planes[rows], [labels[row] for row in rows], "labels"))
    meta = b"\x80\x02}" + python2_text("label_names") + b"](" + b"".join(map(python2_text, CLASSES)) + b"es."
    python2 = dump is python2_batch
    (folder / "batches.meta").write_bytes(meta if python2 else pickle.dumps({"label_names": CLASSES}))
    return folder


@pytest.fixture
def tiny() -> tuple[np.ndarray, list[int]]:
    images = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), np.uint8)
    return images, [index % 10 for index in range(60)]


@pytest.mark.parametrize("dump", [python2_batch, python3_batch])
@pytest.mark.parametrize("inside", [True, False])
def test_cifar10(tmp_path, tiny, dump, inside):
    folder = write_cifar10(tmp_path / "cifar-10-batches-py", *tiny, dump)
    source = open_source(DataConfig(source="cifar10", root=str(folder if inside else tmp_path)))
    assert source.class_names == tuple(CLASSES)
    assert (source.native_size, source.images.channels) == ((32, 32), 3)
    assert source.split == ("",) * 50 + ("test",) * 10
    assert [source.images.key(index) for index in (0, 50)] == ["train/00000", "test/00000"]
    assert source.targets.tolist() == tiny[1]
    assert all(np.array_equal(source.images.read(index), tiny[0][index]) for index in range(60))


def test_cifar10_from_the_archive(tmp_path, tiny):
    folder = write_cifar10(tmp_path / "made/cifar-10-batches-py", *tiny)
    (tmp_path / "root").mkdir()
    with tarfile.open(tmp_path / "root/cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    source = open_source(DataConfig(source="cifar10", root=str(tmp_path / "root")))
    assert source.targets.tolist() == tiny[1]
    names = sorted(path.name for path in (tmp_path / "root").iterdir())
    assert names == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_torchvision_reads_what_the_tests_write(tmp_path, tiny):
    from torchvision.datasets import CIFAR10

    write_cifar10(tmp_path / "cifar-10-batches-py", *tiny)

    class Unchecked(CIFAR10):
        def _check_integrity(self):
            return True

        def _load_meta(self):
            self.classes = CLASSES

    oracle = Unchecked(str(tmp_path), train=False)
    assert np.array_equal(oracle.data, tiny[0][50:])


def test_grey_cifar10(tmp_path, tiny):
    write_cifar10(tmp_path / "cifar-10-batches-py", *tiny)
    source = open_source(DataConfig(source="cifar10", root=str(tmp_path), channels=1))
    assert source.images.read(0).shape == (32, 32, 1)


@pytest.mark.parametrize(("labels", "count"), [("fine", 100), ("coarse", 20)])
@pytest.mark.parametrize("dump", [python2_batch, python3_batch])
def test_cifar100(tmp_path, labels, count, dump):
    pixels = np.zeros((100, 3072), np.uint8)
    numbers = [index % count for index in range(100)]
    for name in ("train", "test"):
        (tmp_path / name).write_bytes(dump(pixels, numbers, f"{labels}_labels"))
    names = [f"name{index:02d}" for index in range(count)]
    (tmp_path / "meta").write_bytes(pickle.dumps({f"{labels}_label_names": names}))
    source = open_source(DataConfig(source="cifar100", root=str(tmp_path), kwargs={"labels": labels}))
    assert source.class_names == tuple(names)
    assert source.targets.tolist() == numbers * 2


def test_cifar100_labels_are_fine_or_coarse(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.kwargs\.labels: 'course': allowed are fine and coarse"):
        open_source(DataConfig(source="cifar100", root=str(tmp_path), kwargs={"labels": "course"}))


def test_cifar10_that_lacks_a_batch(tmp_path, tiny):
    folder = write_cifar10(tmp_path / "cifar-10-batches-py", *tiny)
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-py lacks data_batch_3; get them from https://www\.cs"):
        open_source(DataConfig(source="cifar10", root=str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [0]}, "has no entry 'data', only labels"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "has no entry 'labels'"),
        ([1], "holds no dict"),
        ({"data": np.zeros((1, 3072), np.float32), "labels": [0]}, "no uint8 array of N x 3072"),
        ({"data": np.zeros((1, 1024), np.uint8), "labels": [0]}, "no uint8 array of N x 3072"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [0, 1]}, "a whole number for each of 1 images"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]}, "a whole number for each of 1 images"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}, "a number that is none of the 10 classes"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": np.array([-1])}, "none of the 10 classes"),
        ({"data": np.array([{}]), "labels": [0]}, "refused as a pickle of plain arrays"),
    ],
)
def test_cifar10_batches_that_are_wrong(tmp_path, tiny, content, message):
    folder = write_cifar10(tmp_path / "cifar-10-batches-py", *tiny)
    (folder / "data_batch_2").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=f"data_batch_2: .*{message}"):
        open_source(DataConfig(source="cifar10", root=str(tmp_path)))


def test_cifar10_with_names_that_are_none(tmp_path, tiny):
    folder = write_cifar10(tmp_path / "cifar-10-batches-py", *tiny)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [1, 2]}))
    with pytest.raises(DataError, match=r"batches\.meta: 'label_names' is no list of names"):
        open_source(DataConfig(source="cifar10", root=str(tmp_path)))


def test_real_images_in_the_official_format(shared_data, tmp_path):
    images, labels = [], []
    with tarfile.open(shared_data / "cifar10.tar") as archive:
        for member in archive:
            if member.isfile() and member.name.startswith("cifar10/test/"):
                images.append(np.asarray(Image.open(archive.extractfile(member)).convert("RGB")))
                labels.append(CLASSES.index(Path(member.name).parent.name))
            if len(images) == 300:
                break
    write_cifar10(tmp_path / "cifar-10-batches-py", np.stack(images), labels)
    source = open_source(DataConfig(source="cifar10", root=str(tmp_path)))
    assert source.targets.tolist() == labels
    assert all(np.array_equal(source.images.read(index), image) for index, image in enumerate(images))
