import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vernier.config.data import DataConfig
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.errors import ConfigError, DataError


def make(root: Path, *paths: str) -> Path:
    """Files without content; a path that ends in a slash is a directory."""
    for path in paths:
        target = root / path
        (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            target.touch()
    return root


def data(source: Path | None = None, **keys) -> DataConfig:
    return DataConfig(source=None if source is None else str(source), **keys)


def test_class_folders(class_folders):
    source = open_source(data(class_folders))
    assert source.name == "photos"
    assert source.class_names == ("china", "flower")
    assert source.targets.tolist() == [0] * 12 + [1] * 12
    assert source.targets.dtype == np.int64
    assert set(source.split) == {""}
    assert source.images.key(0) == "china/china_00.jpg"
    assert source.images.path(0) == class_folders / "china/china_00.jpg"
    assert source.images.read(0).shape == (160, 200, 3)
    assert (source.skipped, source.native_size, source.root) == ({}, None, class_folders)


def test_relative_path_is_not_doubled_and_outlives_a_change_of_directory(class_folders, tmp_path):
    os.chdir(class_folders.parent)
    for text in ("photos", "./photos/", "photos/../photos"):
        source = open_source(DataConfig(source=text))
        assert source.name == "photos"
        os.chdir("/")
        assert source.images.read(23).shape == (204, 200, 3)
        os.chdir(class_folders.parent)


def test_grey_images_when_asked_for(class_folders):
    assert open_source(data(class_folders, channels=1)).images.read(0).shape == (160, 200, 1)


def test_any_depth_and_extension_in_the_order_of_keys(tmp_path):
    make(tmp_path, "b/1.JPG", "b/x/y/2.jpeg", "b/x.png", "a/1.TIFF", "a/2.jpe", "a/3.webp", "a/4.bmp")
    make(tmp_path, "a/5.gif", "a/6.tif", "b/10.png", "b/9.png")
    source = open_source(data(tmp_path))
    keys = [f"a/{name}" for name in ("1.TIFF", "2.jpe", "3.webp", "4.bmp", "5.gif", "6.tif")]
    keys += [f"b/{name}" for name in ("1.JPG", "10.png", "9.png", "x.png", "x/y/2.jpeg")]
    assert source.keys() == keys


def test_what_is_skipped_is_counted(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png", "a/notes.TXT", "b/.hidden.png", "b/.git/1.png", "b/Thumbs.db")
    make(tmp_path, "__MACOSX/a/1.png", ".DS_Store", "loose.png", "README", "c.zip", "b/x/desktop.ini")
    (tmp_path / "a/broken.png").symlink_to("nowhere")
    (tmp_path / "a/self.png").symlink_to("self.png")
    source = open_source(data(tmp_path))
    assert source.keys() == ["a/1.png", "b/1.png"]
    assert source.skipped == {
        "hidden": 6,
        "not an image file (.txt)": 1,
        "not an image file (.zip)": 1,
        "not an image file (no extension)": 1,
        "an image outside the class folders": 1,
        "a broken link or a special file": 2,
    }


def test_links_are_followed_once(tmp_path):
    root = make(tmp_path / "root", "a/1.png", "b/1.png")
    elsewhere = make(tmp_path / "elsewhere", "deep/2.png")
    (root / "a/more").symlink_to(elsewhere)
    (elsewhere / "up").symlink_to(elsewhere)
    (root / "b/parent").symlink_to(root / "b")
    (root / "c").symlink_to(elsewhere / "deep")
    source = open_source(data(root))
    assert source.keys() == ["a/1.png", "a/more/deep/2.png", "b/1.png", "c/2.png"]
    assert source.skipped == {"a link to a folder above it": 2}


@pytest.mark.parametrize("val", ["val", "validation", "Valid"])
def test_split_folders(tmp_path, val):
    for split in ("Train", val, "test"):
        make(tmp_path, f"{split}/a/1.png", f"{split}/b/1.png", f"{split}/a/2.png")
    source = open_source(data(tmp_path))
    names = {key.split("/")[0]: split for key, split in zip(source.keys(), source.split, strict=True)}
    assert names == {"Train": "train", val: "val", "test": "test"}
    assert source.class_names == ("a", "b")
    split = split_source(source, data(tmp_path))
    assert [len(split.train), len(split.val), len(split.test)] == [3, 3, 3]


def test_validation_set_is_drawn_when_there_is_no_folder_for_it(tmp_path):
    make(tmp_path, *(f"train/{name}/{number}.png" for name in "ab" for number in range(10)), "loose.png")
    make(tmp_path, "test/a/1.png", "test/b/1.png")
    source = open_source(data(tmp_path))
    split = split_source(source, data(tmp_path))
    assert [len(split.train), len(split.val), len(split.test)] == [16, 4, 2]
    assert source.skipped == {"an image outside the class folders": 1}


def test_splits_by_name(tmp_path):
    for split in ("fold1", "fold2", "fold3", "test"):
        make(tmp_path, f"{split}/a/1.png", f"{split}/b/1.png")
    source = open_source(data(tmp_path, train_split="fold2", val_split="fold1"))
    assert source.keys()[::2] == ["fold1/a/1.png", "fold2/a/1.png", "test/a/1.png"]
    assert source.split == ("val", "val", "train", "train", "test", "test")
    assert source.skipped == {"in a folder beside the splits": 2}
    with pytest.raises(DataError, match=r"data\.train_split=fold: no such split .*mean 'fold3'.*fold3, test"):
        open_source(data(tmp_path, train_split="fold"))
    with pytest.raises(ConfigError, match=r"data\.train_split: 'fold1' is data\.val_split too"):
        open_source(data(tmp_path, train_split="fold1", val_split="fold1"))
    with pytest.raises(DataError, match=r"no folder train .* name the folder to train on with data\.train_split"):
        open_source(data(tmp_path, val_split="fold1"))


def test_test_images_may_validate_and_validation_may_be_left_out(tmp_path):
    for split in ("train", "val", "test"):
        make(tmp_path, f"{split}/a/1.png", f"{split}/b/1.png")
    assert open_source(data(tmp_path, val_split="test")).split == ("val", "val", "train", "train")
    keys = data(tmp_path, val_split="none")
    source = open_source(keys)
    assert source.split == ("test", "test", "train", "train")
    assert len(split_source(source, keys).val) == 0
    with pytest.raises(DataError, match=r"data\.val_split=vall: no such split.* Did you mean 'val'\?"):
        open_source(data(tmp_path, val_split="vall"))


def test_split_by_name_of_folders_without_splits(class_folders):
    with pytest.raises(DataError, match=r"data\.train_split=fold1: no such split .* It has no splits of its own"):
        open_source(data(class_folders, train_split="fold1"))


@pytest.mark.parametrize("missing", ["train", "val"])
def test_class_missing_from_a_split(tmp_path, missing):
    make(tmp_path, *(f"{split}/{name}/1.png" for split in ("train", "val") for name in "abc"))
    shutil.rmtree(tmp_path / missing / "c")
    with pytest.raises(DataError, match=rf"class 'c' has no images in {missing}.* data\.class_names"):
        open_source(data(tmp_path))
    assert len(open_source(data(tmp_path, class_names=["a", "b"])).images) == 4


def test_class_names_select_and_order(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png", "b/2.png", "017/1.png", "empty/")
    source = open_source(data(tmp_path, class_names=("b", "017")))
    assert source.class_names == ("b", "017")
    assert list(zip(source.keys(), source.targets.tolist(), strict=True)) == [
        ("017/1.png", 1),
        ("b/1.png", 0),
        ("b/2.png", 0),
    ]
    assert source.skipped == {"of a class that is not in data.class_names": 1}
    assert source.labels() == ["017", "b", "b"]


def test_class_names_that_do_not_exist(class_folders):
    with pytest.raises(DataError, match=r"no class 'flowr'\. Did you mean 'flower'\? There are: china, flower"):
        open_source(data(class_folders, class_names=("china", "flowr")))
    with pytest.raises(DataError, match="china more than once"):
        open_source(data(class_folders, class_names=("china", "china")))


def test_folders_as_multilabel(class_folders):
    source = open_source(data(class_folders, task="multilabel"))
    assert source.targets.dtype == np.uint8
    assert source.targets.tolist() == [[1, 0]] * 12 + [[0, 1]] * 12


def test_empty_class_folder(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png", "c/x/", "d/notes.txt")
    with pytest.raises(DataError, match=r"no images of 'c', 'd' in .*remove what is empty.*data\.class_names"):
        open_source(data(tmp_path))


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a/1.png"], "only one class, 'a'; training needs two or more"),
        (["a/", "b/x.txt"], r"no images in .*1 not an image file \(\.txt\)"),
        (["1.png", "2.png"], "no class folders, 2 images lie directly in it"),
        (["x/"], "no images in "),
        ([".x/1.png"], "no class folders, no images in it"),
        (["train/1.png", "val/1.png"], "train, val are named like splits, not classes"),
        (["train/a/1.png", "bus/1.png", "plane/1.png"], "can't tell splits from classes: train .* bus, plane"),
        (["cat/1.png", "dog/1.png", "test/cat/1.png"], "can't tell splits from classes: test .* cat, dog"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "val, valid mean the same split"),
    ],
)
def test_directories_that_are_no_source(tmp_path, paths, message):
    make(tmp_path, *paths)
    with pytest.raises(DataError, match=message):
        open_source(data(tmp_path))


def test_folder_beside_splits_is_left_out(tmp_path):
    make(tmp_path, *(f"{split}/{name}/1.png" for split in ("train", "val") for name in "ab"), "spare/a/1.png")
    source = open_source(data(tmp_path))
    assert source.class_names == ("a", "b")
    assert source.skipped == {"in a folder beside the splits": 1}


def test_names_that_are_nothing(tmp_path):
    os.chdir(tmp_path)
    names = r"\(digits, mnist, cifar10, cifar100, emnist, svhn\)"
    expected = rf"data\.source=cifar_10: no built-in source {names}, and there is no "
    with pytest.raises(DataError, match=expected + rf"{tmp_path}/cifar_10\. Did you mean 'cifar10'\?"):
        open_source(DataConfig(source="cifar_10"))
    make(tmp_path, "images.zip")
    with pytest.raises(DataError, match=r"data\.source=images\.zip: is a file; give a directory"):
        open_source(DataConfig(source="images.zip"))
    with pytest.raises(DataError, match=r"data\.val=.*nowhere: no such directory"):
        open_source(DataConfig(train=str(make(tmp_path / "t", "a/1.png")), val="nowhere"))


def test_built_in_name_wins_over_a_directory(tmp_path):
    make(tmp_path, "digits/a/1.png", "digits/b/1.png")
    os.chdir(tmp_path)
    assert open_source(DataConfig(source="digits")).native_size == (8, 8)
    assert open_source(DataConfig(source="./digits")).class_names == ("a", "b")


def test_directory_without_permission(tmp_path):
    root = make(tmp_path / "root", "a/1.png", "b/x/1.png")
    (root / "b/x").chmod(0)
    try:
        with pytest.raises(DataError, match=r"data\.source: the directory .*root/b/x can't be read: Permission"):
            _as_nobody(tmp_path, lambda: open_source(data(root)))
    finally:
        (root / "b/x").chmod(0o755)


def _as_nobody(directory: Path, function):
    """Call a function without the superuser's rights to read everything."""
    if os.geteuid() != 0:
        return function()
    modes = {parent: parent.stat().st_mode for parent in (directory, *directory.parents[:3])}
    for parent, mode in modes.items():
        parent.chmod(mode | 0o011)
    os.seteuid(65534)
    try:
        return function()
    finally:
        os.seteuid(0)
        for parent, mode in modes.items():
            parent.chmod(mode)


def test_separate_directories(tmp_path, class_folders):
    for part, path in (("train", "x/train"), ("val", "y/val"), ("test", "y/test")):
        shutil.copytree(class_folders, tmp_path / path)
        assert part in path
    os.chdir(tmp_path)
    keys = DataConfig(train="x/train", val="./y/val", test=str(tmp_path / "y/test"))
    source = open_source(keys)
    assert source.root == tmp_path
    assert source.name == "x"
    assert source.keys()[::24] == [
        "x/train/china/china_00.jpg",
        "y/test/china/china_00.jpg",
        "y/val/china/china_00.jpg",
    ]
    assert source.split[::24] == ("train", "test", "val")
    assert source.images.read(71).shape == (204, 200, 3)
    assert [len(part) for part in vars(split_source(source, keys)).values()] == [24, 24, 24]


def test_one_separate_directory(class_folders):
    source = open_source(data(train=str(class_folders)))
    assert source.keys()[0] == "china/china_00.jpg"
    assert (source.name, set(source.split)) == ("photos", {"train"})
    assert len(split_source(source, data(train=str(class_folders))).val) == 5
    assert set(open_source(data(test=str(class_folders))).split) == {"test"}


def test_separate_directories_that_overlap(class_folders):
    with pytest.raises(DataError, match=r"data\.train, data\.val: the same images .* and 4 more"):
        open_source(data(train=str(class_folders), val=f"{class_folders}/../photos"))


def test_directory_of_splits_as_a_part(tmp_path):
    make(tmp_path, "train/a/1.png", "val/a/1.png")
    with pytest.raises(DataError, match=r"data\.train=.*: train, val are named like splits"):
        open_source(data(train=str(tmp_path)))


def test_keys_that_exclude_each_other(class_folders):
    for nothing in (None, ""):
        with pytest.raises(ConfigError, match=r"data\.source: missing"):
            open_source(DataConfig(source=nothing))
    with pytest.raises(ConfigError, match=r"(?s)excludes data\.val.*data\.kwargs\.labels: .*data\.root: goes with"):
        open_source(data(class_folders, val="x", kwargs={"labels": "fine"}, root="y"))
