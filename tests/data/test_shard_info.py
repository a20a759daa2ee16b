"""What `dataset_info.yaml` and the names of shards say."""

import pytest

from vernier.data.shards.info import DatasetInfo, SplitInfo, parse_info, read_info, write_info
from vernier.data.shards.shard_names import is_shard, is_tar, shard_splits
from vernier.errors import DataError


def test_information_is_written_and_read(tmp_path):
    splits = {"train": SplitInfo(("a/train_0.tfrecord",), 3), "x y": SplitInfo((), 0)}
    for format_ in ("tfrecord", "webdataset", "store"):
        info = DatasetInfo("n: o", "é\n'", format_, ("no", "017", "1e4", "a: b", "\udcff"), True, splits)
        write_info(tmp_path, info)
        assert read_info(tmp_path) == info
        key = "tfrecord_files" if format_ == "tfrecord" else "files"
        assert f"\n    {key}:\n    - a/train_0.tfrecord\n" in (tmp_path / "dataset_info.yaml").read_text()
    assert read_info(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: x", "dataset_info.yaml: class_names: Field required; splits: Field required. Mend it, or"),
        ("name: [", "dataset_info.yaml, line 1, column 8"),
        ("name: x\nclass_names: [a, a]\nsplits: {}", "dataset_info.yaml: class_names has a more than once"),
        (
            "name: x\nformat: tfrecord\nclass_names: [a]\nsplits: {t: {files: [b], num_examples: 1}, u: {files: [b], "
            "num_examples: 1}}",
            "dataset_info.yaml: splits has b more than once",
        ),
        (
            "name: x\nclass_names: [a]\nsplits: {t: {files: [b/../../c], num_examples: 1}}",
            "dataset_info.yaml: b/../../c lies outside the set's directory",
        ),
        (
            "name: x\nclass_names: [a]\nsplits: {t: {files: [b], num_examples: -1}}",
            "dataset_info.yaml: splits.t.num_examples: Input should be greater than or equal to 0",
        ),
    ],
)
def test_information_that_is_wrong(text, sentence):
    with pytest.raises(DataError) as caught:
        parse_info(text, "dataset_info.yaml")
    assert str(caught.value).startswith(sentence)


def test_keys_that_others_left_out_or_added():
    """As the UpStride API writes it."""
    text = (
        "name: 1\ndescription: null\nmore: 2\nclass_names: [a]\n"
        "splits: {t: {tfrecord_files: [t_0.tfrecord], num_examples: 3}}"
    )
    splits = {"t": SplitInfo(("t_0.tfrecord",), None)}
    assert parse_info(text, "") == DatasetInfo("1", "", "tfrecord", ("a",), False, splits)


def test_names_of_shards():
    splits = {
        "train_0.tfrecord": "train",
        "train_2_0.tfrecord": "train",
        "train.tfrecord": "train",
        "train-00000-of-00010": "train",
        "val-00000-of-00010.tfrecords": "val",
        "mnist-test.tfrecord-00000-of-00001": "test",
        "Validation-000012.tar": "Validation",
        "train_weights_0.tfrecord": "train_weights",
        "cifar10_train.tfrecord": "train",
        "0.tar": "",
        "x" * 5000 + "1" * 5000 + "x.tar": "x" * 5000 + "1" * 5000 + "x",
    }
    assert shard_splits(splits, False) == splits
    assert all(map(is_shard, splits))
    assert [file for file in splits if is_tar(file)] == [file for file in splits if file.endswith(".tar")]
    others = (
        "x.tfrecord.index.csv",
        ".x.tfrecord",
        ".x.tfrecord.0a.tmp",
        "x.tar.gz",
        "a-00-of-01",
        "dataset_info.yaml",
    )
    assert not any(map(is_shard, others))


def test_names_that_are_no_splits():
    files = ("shard-000000.tar", "extra-000000.tar")
    assert shard_splits(files, False) == dict.fromkeys(files, "")
    assert shard_splits(files, True) == {"shard-000000.tar": "shard", "extra-000000.tar": "extra"}
