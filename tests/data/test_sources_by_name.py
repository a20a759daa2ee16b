"""Data sets of other libraries, from tiny local copies."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from vernier.config.data import DataConfig
from vernier.data.sources import open_source
from vernier.data.sources.by_name import OLD_NAMES
from vernier.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("VERNIER_OFFLINE", "1")


def _picture(number, kind="JPEG"):
    pixels = np.random.default_rng(number).integers(0, 256, (12, 10 + number % 3, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def _open(source, root, **keys):
    return open_source(DataConfig(source=source, root=None if root is None else str(root), **keys))


@pytest.fixture
def fashion(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        header = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + labels.tobytes())
    return tmp_path


@pytest.mark.parametrize("source", ["torchvision:FashionMNIST", "fashion_mnist"])
def test_images_in_memory_stay_an_array(fashion, source):
    found = _open(source, fashion)
    assert found.native_size == (28, 28)
    assert found.images.channels == 1
    assert found.class_names[0] == "T-shirt/top"
    assert found.split.count("test") == 10
    np.testing.assert_array_equal(found.targets[:10], np.arange(10))


def test_splits_and_files_of_food101(tmp_path):
    base = tmp_path / "food-101"
    (base / "meta").mkdir(parents=True)
    for number, split in enumerate(("train", "test")):
        names = {name: [f"{name}/{number}{k}" for k in range(3)] for name in ("pie", "soup")}
        (base / "meta" / f"{split}.json").write_text(json.dumps(names))
        for name, paths in names.items():
            (base / "images" / name).mkdir(parents=True, exist_ok=True)
            for path in paths:
                (base / "images" / f"{path}.jpg").write_bytes(_picture(int(path[-2:])))
    found = _open("food101", tmp_path)
    assert found.class_names == ("pie", "soup")
    assert sorted(found.split) == ["test"] * 6 + ["train"] * 6
    index = found.keys().index("train/0000001")
    assert found.images.content(index) == (base / "images" / "pie" / "01.jpg").read_bytes()
    assert found.images.size(index) == (12, 11)


def test_a_set_without_splits(tmp_path):
    for name in ("crops", "sea"):
        folder = tmp_path / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.jpg").write_bytes(_picture(number))
    found = _open("torchvision:EuroSAT", tmp_path)
    assert set(found.split) == {""}
    assert found.labels() == ["crops"] * 3 + ["sea"] * 3


def test_names_and_arguments_are_checked(tmp_path):
    with pytest.raises(DataError, match="Did you mean torchvision:Flowers102"):
        _open("torchvision:flowers102", tmp_path)
    with pytest.raises(DataError, match="Did you mean torchvision:Food101"):
        _open("torchvision:Foods101", tmp_path)
    with pytest.raises(ConfigError, match=r"data.kwargs.partitions.*partition"):
        _open("torchvision:DTD", tmp_path, kwargs={"partitions": 2})
    with pytest.raises(DataError, match=r"not found in .*VERNIER_OFFLINE is set"):
        _open("torchvision:Flowers102", tmp_path)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    for library, extra in (("datasets", "hf"), ("tensorflow_datasets", "tfds")):
        monkeypatch.setitem(__import__("sys").modules, library, None)
        with pytest.raises(DataError, match=rf"pip install 'vernier\[{extra}\]'"):
            _open(f"{extra}:something", tmp_path)


def test_a_directory_of_an_old_name_comes_first(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / "food101" / name).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "food101" / name / f"{number}.jpg").write_bytes(_picture(number))
    monkeypatch.chdir(tmp_path)
    assert _open("food101", None).class_names == ("a", "b")


def test_old_names_lead_somewhere():
    from torchvision import datasets

    for new in OLD_NAMES.values():
        library, _, name = new.partition(":")
        assert library == "tfds" or name in datasets.__all__


def test_a_directory_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra hf is not installed")
    features = datasets.Features(
        {"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"]), "id": datasets.Value("int64")}
    )
    files = [_picture(number) for number in range(8)]
    rows = {"picture": [{"bytes": file, "path": None} for file in files], "kind": [0, 1] * 4, "id": list(range(8))}
    whole = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": whole.select(range(6)), "validation": whole.select([6, 7])}).save_to_disk(
        str(tmp_path / "pets")
    )
    found = _open(f"hf:{tmp_path / 'pets'}", None)
    assert found.class_names == ("cat", "dog")
    assert found.name == "hf-pets"
    assert sorted(found.split) == ["train"] * 6 + ["val"] * 2
    assert found.images.content(3) == files[3]
    with pytest.raises(ConfigError, match=r"no column 'pictures'.*picture"):
        _open(f"hf:{tmp_path / 'pets'}", None, kwargs={"image": "pictures"})
    with pytest.raises(DataError, match="not found here"):
        _open("hf:nobody/nothing", tmp_path)


def test_several_labels_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra hf is not installed")
    kinds = datasets.Sequence(datasets.ClassLabel(names=["red", "round", "soft"]))
    features = datasets.Features({"image": datasets.Image(), "tags": kinds})
    rows = {"image": [{"bytes": _picture(n), "path": None} for n in range(4)], "tags": [[0, 1], [2], [], [0]]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "things"))
    found = _open(f"hf:{tmp_path / 'things'}", None)
    np.testing.assert_array_equal(found.targets, [[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]])


def test_a_prepared_set_of_tensorflow_datasets(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    files = [_picture(number) for number in range(6)]

    class TinyThings(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=["cup", "pen"])}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(range(4)), "test": self._generate_examples(range(4, 6))}

        def _generate_examples(self, numbers):
            for number in numbers:
                yield number, {"image": io.BytesIO(files[number]), "label": number % 2}

    TinyThings(data_dir=str(tmp_path), file_format="array_record").download_and_prepare(file_format="array_record")
    found = _open("tfds:tiny_things", tmp_path)
    assert found.class_names == ("cup", "pen")
    assert sorted(found.split) == ["test"] * 2 + ["train"] * 4
    assert {found.images.content(index) for index in range(6)} == set(files)
    with pytest.raises(DataError, match="not found in"):
        _open("tfds:no_such_set", tmp_path)
