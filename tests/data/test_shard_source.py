"""Sets of shards as sources: equal to the folders that they were made from, and clear about what is wrong."""

import gc
import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from tfrecord_bytes import example, frame, integers, texts

from vernier.config.data import DataConfig, RecordsConfig
from vernier.data.shards.entry import Entry, Shard, ShardSet
from vernier.data.shards.images import LocalShards
from vernier.data.shards.info import DatasetInfo, SplitInfo, read_info, write_info
from vernier.data.shards.tfrecord import TFRecordWriter
from vernier.data.shards.writer import ImageRecord
from vernier.data.sources import open_source
from vernier.data.sources.shards import source_from_shards
from vernier.data.splits import split_source
from vernier.data.store import open_store
from vernier.errors import ConfigError, DataError

CLASSES = ("china", "flower")


def data(source=None, **keys) -> DataConfig:
    return DataConfig(source=None if source is None else str(source), threads=1, **keys)


def write_shard(path: Path, folder: Path, keys, class_names=CLASSES) -> None:
    writer = TFRecordWriter(path, RecordsConfig())
    for key in keys:
        name = Path(key).parent.name
        content = (folder / key).read_bytes()
        writer.add(ImageRecord(key, content, ".jpg", (class_names.index(name),), (name,), (1, 1)))
    writer.close()


def convert(folder: Path, out: Path, shards: dict[str, list[str]], splits: dict[str, list[str]]) -> Path:
    """Shards of a folder's files by key, with a `dataset_info.yaml`."""
    out.mkdir()
    for file, keys in shards.items():
        write_shard(out / file, folder, keys)
    infos = {name: SplitInfo(tuple(files), sum(len(shards[file]) for file in files)) for name, files in splits.items()}
    write_info(out, DatasetInfo(folder.name, "", "tfrecord", CLASSES, False, infos))
    return out


def keys_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))


@pytest.fixture
def unsplit(class_folders, tmp_path):
    """The images of the class folders in three shards, dealt out in turn; no splits."""
    keys = keys_below(class_folders)
    shards = {f"all_{number}.tfrecord": keys[number::3] for number in range(3)}
    return convert(class_folders, tmp_path / "out", shards, {"": list(shards)})


@pytest.fixture
def split_folders(class_folders, tmp_path):
    """Folders train/ and val/ with class folders in them."""
    root = tmp_path / "split"
    for name in CLASSES:
        for number, path in enumerate(sorted((class_folders / name).iterdir())):
            target = root / ("val" if number % 4 == 3 else "train") / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return root


@pytest.fixture
def split_set(split_folders, tmp_path):
    """Its images in two shards of train and one of val."""
    keys = keys_below(split_folders)
    train, val = ([key for key in keys if key.startswith(name)] for name in ("train", "val"))
    shards = {"train_0.tfrecord": train[::2], "train_1.tfrecord": train[1::2], "val_0.tfrecord": val}
    splits = {"train": ["train_0.tfrecord", "train_1.tfrecord"], "val": ["val_0.tfrecord"]}
    return convert(split_folders, tmp_path / "out", shards, splits)


def assert_equal(first, second):
    assert first.keys() == second.keys()
    assert first.class_names == second.class_names
    assert first.split == second.split
    assert first.targets.dtype == second.targets.dtype
    assert np.array_equal(first.targets, second.targets)
    stores = [open_store(source.images, data(store="memory"), 0) for source in (first, second)]
    assert stores[0].content_hash == stores[1].content_hash
    assert all(np.array_equal(stores[0][place], stores[1][place]) for place in range(len(first.images)))


def test_a_set_is_equal_to_the_folders_it_was_made_from(class_folders, unsplit):
    folders, shards = open_source(data(class_folders)), open_source(data(unsplit))
    assert_equal(folders, shards)
    first, second = (split_source(source, data()) for source in (folders, shards))
    assert first.val.tolist() == second.val.tolist()
    assert (shards.name, shards.root, shards.skipped) == ("photos", None, {})


def test_splits_are_those_of_the_folders(split_folders, split_set):
    shards = open_source(data(split_set))
    assert_equal(open_source(data(split_folders)), shards)
    assert (shards.split.count("train"), shards.split.count("val")) == (18, 6)
    chosen = {"train_split": "val", "val_split": "none"}
    assert_equal(open_source(data(split_folders, **chosen)), open_source(data(split_set, **chosen)))


def test_without_information_names_say_what_is_there(split_folders, split_set):
    (split_set / "dataset_info.yaml").unlink()
    assert_equal(open_source(data(split_folders)), open_source(data(split_set)))
    (split_set / "train_0.tfrecord").rename(split_set / "train_weights_0.tfrecord")
    with pytest.raises(DataError, match="can't tell what the splits train_weights are for"):
        open_source(data(split_set))
    for number, path in enumerate(sorted(split_set.iterdir())):
        path.rename(split_set / f"photos-{number:05d}-of-00003")
    assert set(open_source(data(split_set)).split) == {""}


def test_one_shard_and_parts_apart(split_folders, split_set, tmp_path):
    one = open_source(data(split_set / "val_0.tfrecord"))
    assert (len(one.images), set(one.split), one.class_names) == (6, {"val"}, CLASSES)
    for split, files in (("train", ["train_0.tfrecord", "train_1.tfrecord"]), ("val", ["val_0.tfrecord"])):
        target = tmp_path / "parts" / split
        target.mkdir(parents=True)
        keys = [key.removeprefix(f"{split}/") for key in keys_below(split_folders) if key.startswith(split)]
        for number, file in enumerate(files):
            write_shard(target / file, split_folders / split, keys[number :: len(files)])
    parts = {split: str(tmp_path / "parts" / split) for split in ("train", "val")}
    assert_equal(open_source(data(split_folders)), open_source(data(**parts)))
    with pytest.raises(DataError, match=r"data\.train: .* has splits of its own: train, val; write data\.source="):
        open_source(data(train=str(split_set), val=parts["val"]))
    with pytest.raises(DataError, match=r"data\.train: are shards, data\.val not\."):
        open_source(data(train=parts["train"], val=str(split_folders / "val")))
    with pytest.raises(DataError, match="images with the same key"):
        open_source(data(train=str(split_set / "train_0.tfrecord"), val=str(split_set / "train_0.tfrecord")))


def test_classes_are_chosen_as_from_folders(class_folders, unsplit):
    chosen = {"class_names": ("flower", "china")}
    assert_equal(open_source(data(class_folders, **chosen)), open_source(data(unsplit, **chosen)))
    with pytest.raises(DataError, match=r"data\.class_names: no class 'flowers'\. Did you mean 'flower'\?"):
        open_source(data(unsplit, class_names=("flowers", "china")))


def test_several_labels(class_folders, tmp_path):
    content = (class_folders / "china/china_00.jpg").read_bytes()
    labels = ((0,), (0, 1), (), (1,))
    writer = TFRecordWriter(tmp_path / "photos.tfrecord", RecordsConfig())
    for number, row in enumerate(labels):
        writer.add(ImageRecord(f"{number}.jpg", content, ".jpg", row, tuple(CLASSES[label] for label in row), (1, 1)))
    writer.close()
    source = open_source(data(tmp_path / "photos.tfrecord"))
    assert source.targets.tolist() == [[1, 0], [1, 1], [0, 0], [0, 1]]
    assert source.labels() == ["china", "china|flower", "", "flower"]
    with pytest.raises(DataError, match=r"photos\.tfrecord: '1\.jpg' has 2 labels; an image has one, unless"):
        open_source(data(tmp_path / "photos.tfrecord", task="multiclass"))


def records(path: Path, *labels: int, **features: bytes) -> None:
    """A file as others write it: without keys."""
    image = texts(b"\xff\xd8\xff")
    path.write_bytes(b"".join(frame(example(label=integers(label), image=image, **features)) for label in labels))


def test_numbers_without_names_are_in_the_order_of_numbers(tmp_path):
    records(tmp_path / "train-00000-of-00001", *range(11), *range(11))
    source = open_source(data(tmp_path))
    assert source.class_names == tuple(f"class {number}" for number in range(11))
    assert source.targets.tolist() == [*range(11), *range(11)]
    assert source.keys()[12] == "train-00000-of-00001/000012"


def test_sets_of_the_upstride_api(tmp_path, caplog):
    """Its lists of files are those that begin with the split's name."""
    for name in ("train_0", "train_1_0", "train_weights_0", "validation_0", "train_old_0"):
        records(tmp_path / f"{name}.tfrecord", 0, 1, size=integers(3, 4))
    files = {
        "train": "[train_0.tfrecord, train_old_0.tfrecord, train_weights_0.tfrecord, train_1_0.tfrecord]",
        "train_weights": "[train_weights_0.tfrecord]",
        "validation": "[validation_0.tfrecord]",
    }
    splits = "".join(f"\n  {name}:\n    tfrecord_files: {list_}\n    num_examples: 9" for name, list_ in files.items())
    (tmp_path / "dataset_info.yaml").write_text(f"name: old\ndescription: x\nsplits:{splits}\nclass_names: [no, 017]\n")
    source = open_source(data(tmp_path, train_split="train"))
    assert source.class_names == ("no", "017")
    keys = source.keys()
    assert sorted({key.split("/")[0] for key in keys}) == [
        "train_0.tfrecord",
        "train_1_0.tfrecord",
        "validation_0.tfrecord",
    ]
    assert source.skipped == {"in split 'train_weights', which is not used": 2}
    assert "lists train_old_0.tfrecord in a split of another name; left out" in caplog.text


def test_information_that_is_no_text(tmp_path):
    (tmp_path / "dataset_info.yaml").write_bytes(b"name: \xff")
    with pytest.raises(DataError, match=r"dataset_info\.yaml: is no UTF-8 text"):
        open_source(data(tmp_path))


def test_missing_files_and_other_numbers_of_images(class_folders, unsplit):
    info = read_info(unsplit)
    write_info(unsplit, DatasetInfo("x", "", "tfrecord", CLASSES, False, {"": SplitInfo(("all_0.tfrecord",), 9)}))
    with pytest.raises(DataError, match=r"says that .* has 9 images, its files have 8\."):
        open_source(data(unsplit))
    write_info(unsplit, info)
    (unsplit / "all_1.tfrecord").unlink()
    with pytest.raises(DataError, match=r"lists files that are not there: all_1\.tfrecord\. Copy them"):
        open_source(data(unsplit))


def damaged(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_damaged_records_are_listed_all_at_once_or_left_out(unsplit, caplog):
    damaged(unsplit / "all_0.tfrecord", 5000)
    damaged(unsplit / "all_2.tfrecord", -1)
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            open_source(data(unsplit))
        last = last_record(unsplit / "all_2.tfrecord")
        assert str(caught.value) == (
            f"{unsplit}: 2 damaged places in the records, 2 images lost at least:\n"
            f"  {unsplit}/all_0.tfrecord: record 0 (from 0) at byte 0 is damaged: its checksum is another one\n"
            f"  {unsplit}/all_2.tfrecord: record 7 (from 0) at byte {last} is damaged: "
            "its checksum is another one\n"
            "Get the files again, or leave these images out with data.on_bad_image=skip."
        )
    with caplog.at_level(logging.WARNING):
        source = open_source(data(unsplit, on_bad_image="skip"))
    assert (len(source.images), source.skipped) == (22, {"damaged in its shard": 2})
    assert "2 damaged places in the records; left out: 2 images at least\n  " in caplog.text
    assert len(open_source(data(unsplit, records=RecordsConfig(check=False))).images) == 24


def test_what_a_damaged_length_takes_with_it_is_counted(unsplit, caplog):
    damaged(unsplit / "all_1.tfrecord", 0)
    with caplog.at_level(logging.WARNING):
        source = open_source(data(unsplit, on_bad_image="skip"))
    assert (len(source.images), source.skipped) == (16, {"damaged in its shard": 8})
    assert "1 damaged place in the records; left out: 8 images at least" in caplog.text


def last_record(path: Path) -> int:
    content, position = path.read_bytes(), 0
    while (end := position + 16 + int.from_bytes(content[position : position + 8], "little")) < len(content):
        position = end
    return position


def test_keys_that_occur_twice(unsplit):
    (unsplit / "dataset_info.yaml").unlink()
    (unsplit / "all_3.tfrecord").write_bytes((unsplit / "all_0.tfrecord").read_bytes())
    with pytest.raises(DataError) as caught:
        open_source(data(unsplit))
    assert "'china/china_00.jpg' (all_0.tfrecord, all_3.tfrecord), " in str(caught.value)
    assert "data.records.key" in str(caught.value)


def test_a_wrong_feature_name_is_no_damage(unsplit):
    for on_bad_image in ("error", "skip"):
        with pytest.raises(DataError, match=r"has no feature 'lable' .* Did you mean 'label'\?"):
            open_source(data(unsplit, records=RecordsConfig(label="lable"), on_bad_image=on_bad_image))


def test_the_second_opening_reads_what_was_remembered(unsplit, tmp_path):
    store = tmp_path / "store"
    first = open_source(data(unsplit, store_dir=str(store)))
    remembered = list((store / "shards").iterdir())
    assert len(remembered) == 3
    values = json.loads(remembered[0].read_text())
    values["entries"][0][0] = "renamed"
    remembered[0].write_text(json.dumps(values))
    keys = open_source(data(unsplit, store_dir=str(store))).keys()
    assert "renamed" in keys
    for path in unsplit.glob("*.tfrecord"):
        os.utime(path, (1, 1))
    assert open_source(data(unsplit, store_dir=str(store))).keys() == first.keys()


def test_directories_of_shards_and_others(tmp_path, class_folders, unsplit):
    (class_folders / "backup.tar").touch()
    assert len(open_source(data(class_folders)).images) == 24
    (unsplit / ".cache").mkdir()
    (unsplit / "logs").mkdir()
    assert len(open_source(data(unsplit)).images) == 24
    (unsplit / "dataset_info.yaml").unlink()
    with pytest.raises(DataError, match=r"no images in .* 3 not an image file"):
        open_source(data(unsplit))
    (tmp_path / "store").mkdir()
    write_info(tmp_path / "store", DatasetInfo("x", "", "webdataset", CLASSES, False, {}))
    with pytest.raises(DataError, match=r"dataset_info\.yaml: lists no files"):
        open_source(data(tmp_path / "store"))


def test_keys_that_exclude_each_other(unsplit, class_folders):
    with pytest.raises(
        ConfigError, match=r"data\.records\.label: goes with TFRecord files and tar shards; leave it out"
    ):
        open_source(data(class_folders, records=RecordsConfig(label="y")))
    with pytest.raises(ConfigError, match="excludes"):
        open_source(data(unsplit, train=str(unsplit)))


def test_an_image_that_is_gone_since(unsplit):
    source = open_source(data(unsplit))
    path = unsplit / "all_0.tfrecord"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"24 images can't be read:\n  .*all_0\.tfrecord: china/china_00\.jpg"):
        open_store(source.images, data(store="memory"), 0)


def test_a_set_from_anywhere(tmp_path):
    """What reads sets that are elsewhere starts from the entries."""
    entries = tuple(Entry(f"{number}.jpg", (CLASSES[number % 2],), number, 1) for number in range(4))
    (tmp_path / "x.tar").write_bytes(b"abcd")
    shards = ShardSet("https://host/set", "set", (Shard("x.tar", "", entries),), CLASSES, False)
    source = source_from_shards(shards, LocalShards([tmp_path / "x.tar"]), data())
    assert [source.images.content(place) for place in range(4)] == [b"a", b"b", b"c", b"d"]
    assert source.targets.tolist() == [0, 1, 0, 1]


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_more_shards_than_files_may_be_open(tmp_path):
    paths = [tmp_path / f"{number}.tar" for number in range(300)]
    for number, path in enumerate(paths):
        path.write_bytes(f"{number:03d}".encode())
    before = open_files()
    reader = LocalShards(paths)
    for _ in range(2):
        assert [reader.read(number, 1, 2) for number in range(300)] == [f"{n:03d}"[1:].encode() for n in range(300)]
    assert open_files() - before == 256
    with pytest.raises(OSError, match="is shorter than it was"):
        reader.read(299, 1, 3)
    del reader
    assert open_files() == before


def test_labels_that_are_no_classes(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"a")
    shards = ShardSet("set", "set", (Shard("x.tar", "", (Entry("1.jpg", ("flowers",), 0, 1),)),), CLASSES, False)
    with pytest.raises(DataError, match=r"no classes of the set: flowers\. Did you mean 'flower'\?"):
        source_from_shards(shards, LocalShards([tmp_path / "x.tar"]), data())
