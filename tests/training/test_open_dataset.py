import numpy as np
import pytest

from vernier.config.loading import config_from_mapping
from vernier.data.store import LazyStore
from vernier.errors import DataError
from vernier.training.parts import open_dataset
from vernier.training.resolve import resolve

CROP = {"name": "RandomResizedCrop", "scale": [0.5, 1.0]}


@pytest.fixture
def config(class_folders, tmp_path):
    def make(size=24, train=(CROP, "RandomHorizontalFlip", "Normalize"), **data):
        tree = {
            "data": {"source": str(class_folders), "store_dir": str(tmp_path / "stores"), "threads": 0, **data},
            "model": {"name": "resnet20_cifar", "input_size": [size, size]},
            "augment": {"train": list(train)},
        }
        return config_from_mapping(tree).config

    return make


def resolved(config):
    dataset = open_dataset(config, None)
    return dataset, resolve(config, dataset.source, dataset.train_store, "name")


class TestStoreScale:
    def test_is_the_most_that_leaves_every_crop_its_pixels(self, config):
        # Images are at least 160 high: half of the area at 3:4 is a window of 98, 4 times 24.
        dataset, result = resolved(config())
        assert result.config.data.store_scale == 4
        assert "augment.train" in result.reasons["data.store_scale"]
        for position in range(24):
            full, reduced = (store[position].shape[:2] for store in (dataset.store, dataset.train_store))
            assert full == dataset.source.images.size(position)
            assert reduced == tuple(-(-side // 4) for side in full)
        assert isinstance(dataset.store, LazyStore)

    @pytest.mark.parametrize(("size", "scale"), [(8, 8), (24, 4), (32, 2), (64, 1), (224, 1)])
    def test_follows_the_size_of_the_crops(self, config, size, scale):
        assert resolved(config(size))[1].config.data.store_scale == scale

    @pytest.mark.parametrize(
        "train", [["RandomCrop", "Normalize"], [{"name": "CentralCrop", "size": [96, 96]}, "Resize"]]
    )
    def test_stays_in_full_where_operations_count_pixels(self, config, train):
        dataset, result = resolved(config(train=train))
        assert result.config.data.store_scale == 1
        assert dataset.store is dataset.train_store

    def test_is_no_more_than_what_is_asked_for(self, config):
        dataset, result = resolved(config(store_scale=2))
        assert result.config.data.store_scale == dataset.train_store.scale == 2
        dataset, result = resolved(config(store_scale=1))
        assert result.config.data.store_scale == 1
        assert dataset.store is dataset.train_store

    @pytest.mark.parametrize("asked", ["auto", 8])
    def test_of_a_resolved_config_gives_the_same_images_again(self, config, asked):
        first, result = resolved(config(store_scale=asked))
        again, same = resolved(result.config)
        assert same.config == result.config
        assert again.store.content_hash == first.store.content_hash
        assert all(np.array_equal(again.train_store[place], first.train_store[place]) for place in range(24))

    def test_of_images_in_memory(self, tmp_path):
        tree = {"data": {"source": "digits"}, "model": {"input_size": [8, 8]}}
        dataset, result = resolved(config_from_mapping(tree).config)
        assert result.config.data.store_scale == 1
        assert dataset.store is dataset.train_store


def test_resolved_store_is_that_of_the_training_images(config):
    for store in ("memory", "off", "disk"):
        assert resolved(config(store="auto" if store == "memory" else store))[1].config.data.store == store


def test_images_that_cannot_be_read_are_listed_though_reduced(config, class_folders):
    for name in ("china/china_03.jpg", "flower/flower_05.jpg"):
        whole = (class_folders / name).read_bytes()
        (class_folders / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"2 of 24 images can't be read") as caught:
        open_dataset(config(), None)
    assert "china_03.jpg: is truncated" in str(caught.value)
    dataset = open_dataset(config(on_bad_image="skip"), None)
    assert [bad.position for bad in dataset.store.bad] == [bad.position for bad in dataset.train_store.bad] == [3, 17]
    assert not set(dataset.split.train.tolist()) & {3, 17}
