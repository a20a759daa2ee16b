"""EMNIST and SVHN, as MATLAB files that SciPy writes."""

import numpy as np
import pytest
from scipy.io import savemat

from vernier.config.data import DataConfig
from vernier.data.sources.matlab import load_emnist, load_svhn
from vernier.errors import ConfigError, DataError

MAPPING = np.array([[0, 48], [1, 65], [2, 97]])


def _emnist(path, images, labels, mapping=MAPPING):
    train = {"images": images[:-2], "labels": labels[:-2, None]}
    test = {"images": images[-2:], "labels": labels[-2:, None]}
    savemat(path, {"dataset": {"train": train, "test": test, "mapping": mapping}})


@pytest.fixture
def letters():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (6, 784)).astype(np.uint8), np.array([0, 1, 2, 1, 0, 2], np.uint8)


def test_emnist_is_read_column_by_column(tmp_path, letters):
    images, labels = letters
    _emnist(tmp_path / "emnist-byclass.mat", images, labels)
    whole = load_emnist(DataConfig(source="emnist", root=str(tmp_path)))
    assert whole.class_names == ("0", "A", "a")
    assert whole.array.shape == (6, 28, 28, 1)
    np.testing.assert_array_equal(whole.array[0, :, :, 0], images[0].reshape(28, 28, order="F"))
    np.testing.assert_array_equal(whole.labels, labels)
    assert whole.split == ["train"] * 4 + ["test"] * 2
    assert whole.keys[4] == "test/000000"


def test_labels_may_begin_anywhere(tmp_path, letters):
    images, labels = letters
    _emnist(tmp_path / "emnist-letters.mat", images, labels + 1, np.array([[1, 65, 97], [2, 66, 98], [3, 67, 99]]))
    whole = load_emnist(DataConfig(source="emnist", root=str(tmp_path)))
    assert whole.class_names == ("A", "B", "C")
    np.testing.assert_array_equal(whole.labels, labels)


def test_several_variants_have_to_be_chosen_from(tmp_path, letters):
    for name in ("digits", "letters"):
        _emnist(tmp_path / f"emnist-{name}.mat", *letters)
    with pytest.raises(DataError, match=r"several .mat files.*data.kwargs.variant"):
        load_emnist(DataConfig(source="emnist", root=str(tmp_path)))
    config = DataConfig(source="emnist", root=str(tmp_path), kwargs={"variant": "digit"})
    with pytest.raises(DataError, match=r"Did you mean 'digits'"):
        load_emnist(config)
    assert len(load_emnist(config.model_copy(update={"kwargs": {"variant": "digits"}})).array) == 6


def test_emnist_that_is_missing_or_something_else(tmp_path, letters):
    config = DataConfig(source="emnist", root=str(tmp_path))
    with pytest.raises(DataError, match=r"no .mat file in .*matlab.zip"):
        load_emnist(config)
    savemat(tmp_path / "x.mat", {"other": np.zeros(3)})
    with pytest.raises(DataError, match="is no EMNIST file"):
        load_emnist(config)
    (tmp_path / "x.mat").write_bytes(b"not a matlab file at all" * 20)
    with pytest.raises(DataError, match="can't be read as a MATLAB file"):
        load_emnist(config)
    _emnist(tmp_path / "x.mat", letters[0], letters[1] + 5)
    with pytest.raises(DataError, match="labels that are no class"):
        load_emnist(config)


def test_svhn_has_ten_for_nought(tmp_path):
    rng = np.random.default_rng(0)
    for name, labels in (("train", [10, 1, 9]), ("test", [10, 2]), ("extra", [3])):
        images = rng.integers(0, 256, (32, 32, 3, len(labels))).astype(np.uint8)
        savemat(tmp_path / f"{name}_32x32.mat", {"X": images, "y": np.array(labels)[:, None]})
    config = DataConfig(source="svhn", root=str(tmp_path))
    whole = load_svhn(config)
    np.testing.assert_array_equal(whole.labels, [0, 1, 9, 0, 2])
    assert whole.array.shape == (5, 32, 32, 3)
    assert len(load_svhn(config.model_copy(update={"kwargs": {"extra": True}})).array) == 6
    with pytest.raises(ConfigError, match=r"data.kwargs.extra"):
        load_svhn(config.model_copy(update={"kwargs": {"extra": "yes"}}))


def test_svhn_that_is_missing_is_not_fetched_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("VERNIER_OFFLINE", "1")
    with pytest.raises(DataError, match=r"VERNIER_OFFLINE.*train_32x32.mat"):
        load_svhn(DataConfig(source="svhn", root=str(tmp_path)))
