import csv
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.data import DataConfig, SplitConfig
from vernier.data.images import ArrayImages
from vernier.data.source import Source
from vernier.data.splits import class_counts, save_split, split_source
from vernier.errors import DataError


def source_of(targets, split=None, names=("ant", "bee", "cat")) -> Source:
    targets = np.asarray(targets)
    keys = [f"{index:03d}.png" for index in range(len(targets))]
    images = ArrayImages(np.zeros((len(keys), 1, 1, 1), np.uint8), keys, 1)
    return Source("made", images, targets, names, tuple(split or [""] * len(keys)), {}, None, None)


def config(**split) -> DataConfig:
    return DataConfig(source="made", split=SplitConfig(**split))


EVEN = [0, 1, 2] * 10


def parts(split):
    return split.train.tolist(), split.val.tolist(), split.test.tolist()


@given(
    st.lists(st.integers(0, 2), max_size=40),
    st.sampled_from([0, 0.1, 0.5, 0.9]),
    st.sampled_from([None, 0, 0.1, 0.5]),
    st.integers(0, 2**63 - 1),
)
def test_parts_are_a_partition(targets, val, test, seed):
    targets = [0, 1, 2] * 3 + targets
    split = split_source(source_of(targets), config(val=val, test=test, seed=seed))
    assert sorted(np.concatenate(parts(split))) == list(range(len(targets)))
    assert bool(len(split.val)) == (val > 0)
    assert bool(len(split.test)) == bool(test)
    for part in (split.train, split.val, split.test):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert not len(part) or set(np.array(targets)[part]) == {0, 1, 2}


def test_a_second_call_gives_the_same_split():
    source, data = source_of(EVEN), config(test=0.2)
    assert parts(split_source(source, data)) == parts(split_source(source, data))


def test_another_process_gives_the_same_split():
    code = (
        "import numpy as np; from vernier.data.stratify import draw_stratified as d;"
        "keys = [f'{i:03d}.png' for i in range(30)];"
        "print(np.flatnonzero(d(keys, np.array([0, 1, 2] * 10), 0.2, 0, 'val')).tolist())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(split_source(source_of(EVEN), config()).val.tolist())


def test_seeds_differ_and_zero_is_one_of_them():
    draws = {tuple(split_source(source_of(EVEN), config(seed=seed)).val) for seed in range(4)}
    assert len(draws) == 4


def test_test_set_does_not_depend_on_the_validation_share():
    draws = {tuple(split_source(source_of(EVEN), config(test=0.2, val=val)).test) for val in (0.1, 0.2, 0.5)}
    assert len(draws) == 1


def test_no_validation_set():
    for data in (config(val=0), config().model_copy(update={"val_split": "none"})):
        split = split_source(source_of(EVEN), data)
        assert (len(split.train), len(split.val), len(split.test)) == (30, 0, 0)


def test_given_splits_are_kept():
    names = ["train"] * 12 + ["val"] * 9 + ["test"] * 9
    split = split_source(source_of(EVEN, names), config())
    assert parts(split) == (list(range(12)), list(range(12, 21)), list(range(21, 30)))


def test_validation_set_is_drawn_beside_a_given_test_set():
    names = ["train"] * 15 + [""] * 6 + ["test"] * 9
    split = split_source(source_of(EVEN, names), config())
    assert split.test.tolist() == list(range(21, 30))
    assert len(split.val) == 4
    assert len(split.train) == 17


def test_test_set_asked_for_twice():
    names = ["train"] * 21 + ["test"] * 9
    with pytest.raises(DataError, match=r"data\.split\.test=0\.1: the source has a test set already"):
        split_source(source_of(EVEN, names), config(test=0.1))


def test_test_set_alone():
    split = split_source(source_of(EVEN, ["test"] * 30), config())
    assert parts(split) == ([], [], list(range(30)))


def test_class_of_one_image():
    targets = [0] * 10 + [1] * 10 + [2]
    with pytest.raises(DataError, match=r"train, val, which takes 2 of each class: 'cat' \(1\)"):
        split_source(source_of(targets), config())
    assert len(split_source(source_of(targets), config(val=0)).train) == 21


def test_class_of_two_images_and_three_parts():
    targets = [0] * 10 + [1] * 10 + [2] * 2
    with pytest.raises(DataError, match=r"train, val and test, which takes 3 of each class: 'cat' \(2\)"):
        split_source(source_of(targets), config(test=0.2))


def test_class_missing_from_val():
    names = ["train"] * 27 + ["val"] * 2 + ["train"]
    with pytest.raises(DataError, match=r"class 'cat' has no images in val: .* data\.class_names"):
        split_source(source_of(EVEN, names), config())


def test_class_missing_from_train():
    source = source_of([0, 1] * 5 + [0, 1, 2], ["train"] * 10 + ["val"] * 3)
    with pytest.raises(DataError, match="class 'cat' has no images in train but in val"):
        split_source(source, config())


def test_multilabel_may_miss_a_label_in_val():
    targets = np.zeros((20, 3), np.uint8)
    targets[np.arange(20), np.arange(20) % 2] = 1
    targets[0, 2] = 1
    split = split_source(source_of(targets), config())
    assert 3 <= len(split.val) <= 5
    assert class_counts(source_of(targets), split)["train"]["cat"] in (0, 1)


def test_class_counts_leave_out_empty_parts():
    source = source_of(EVEN)
    counts = class_counts(source, split_source(source, config(val=0.3)))
    assert counts == {"train": dict.fromkeys(source.class_names, 7), "val": dict.fromkeys(source.class_names, 3)}


def test_saved_split_is_read_again(tmp_path):
    path, source = tmp_path / "split.csv", source_of(EVEN)
    split = split_source(source, config(test=0.2, seed=5))
    save_split(path, source, split)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[:2] == [["path", "label", "split"], ["000.png", "ant", rows[1][2]]]
    assert len(rows) == 31
    assert parts(split_source(source, config(file=str(path)))) == parts(split)


def test_saved_split_keeps_any_file_name(tmp_path):
    keys = ["a,b.png", 'q".png', "new\nline.png", "\udcff.png", "é.png", "plain.png"]
    source = source_of([0, 1, 2] * 2)
    source = replace(source, images=ArrayImages(np.zeros((6, 1, 1, 1), np.uint8), keys, 1))
    split = split_source(source, config(val=0.5))
    save_split(tmp_path / "split.csv", source, split)
    assert parts(split_source(source, config(file=str(tmp_path / "split.csv")))) == parts(split)


def test_multilabel_split_is_read_again(tmp_path):
    targets = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]] * 5, np.uint8)
    source, path = source_of(targets), tmp_path / "split.csv"
    split = split_source(source, config())
    save_split(path, source, split)
    assert "000.png,ant|bee," in path.read_text()
    assert parts(split_source(source, config(file=str(path)))) == parts(split)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("003.png", "other.png"), r"paths that the source does not have \(1\): other"),
        (lambda text: text[: text.index("029.png")], r"no row for images of the source \(1\): 029"),
        (lambda text: text.replace("003.png,ant", "003.png,bee"), r"labels .* \(1\): 003\.png \(bee, now ant\)"),
        (lambda text: text.replace("path,label", "file,label"), "the first line has to be path,label,split"),
        (lambda text: text + "000.png,ant,train\n", r"paths that occur twice \(1\): 000"),
        (lambda text: text.replace(",train", ",fold1"), r"rows that are not path,label,split .* and 4 more"),
        (lambda text: "", "the first line has to be"),
        (lambda text: text + "\0", "is no CSV file|rows that are not"),
    ],
)
def test_split_file_that_does_not_fit(tmp_path, change, message):
    path, source = tmp_path / "split.csv", source_of(EVEN)
    save_split(path, source, split_source(source, config()))
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        split_source(source, config(file=str(path)))


def test_split_file_that_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"data\.split\.file=.*nowhere\.csv: can't be read: No such file"):
        split_source(source_of(EVEN), config(file=str(tmp_path / "nowhere.csv")))
