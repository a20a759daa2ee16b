import numpy as np
import pytest
from made_sources import config, made_source

from vernier.config.data import DataConfig, SplitConfig
from vernier.data.device_zoo_split import draw_device_zoo
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.errors import DataError

SIX = ["a/0.jpg", "a/1.jpg", "a/2.jpg", "b/0.jpg", "b/1.jpg", "b/2.jpg"]
GOLDEN = ["a/1.jpg", "b/0.jpg", "b/1.jpg", "a/0.jpg", "a/2.jpg", "b/2.jpg"]
"""The order in which the zoo's loader (3.0) gives these files with seed 123."""


@pytest.mark.parametrize(("share", "trained"), [(0.2, 4), (0.5, 3), (0.1, 5), (0.9, 0)])
def test_the_last_of_the_zoos_order_validate(share, trained):
    drawn = draw_device_zoo(SIX, [key[0] for key in SIX], share, 123)
    assert [key for key, is_drawn in zip(SIX, drawn, strict=True) if is_drawn] == sorted(GOLDEN[trained:])


def test_classes_come_in_the_order_of_their_names():
    # By whole paths the images of `rose-hip` come first.
    keys = ["rose-hip/0.jpg", "rose-hip/1.jpg", "rose-hip/2.jpg", "rose/0.jpg", "rose/1.jpg", "rose/2.jpg"]
    assert keys == sorted(keys)
    drawn = draw_device_zoo(keys, [key.split("/")[0] for key in keys], 0.2, 123)
    renamed = {"a": "rose", "b": "rose-hip"}
    expected = sorted(renamed[key[0]] + key[1:] for key in GOLDEN[4:])
    assert [key for key, is_drawn in zip(keys, drawn, strict=True) if is_drawn] == expected


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()[1].tolist()
    draw_device_zoo(SIX, [key[0] for key in SIX], 0.2, 0)
    assert np.random.get_state()[1].tolist() == before


@pytest.mark.parametrize(("share", "trained", "validated"), [(0.2, 2936, 734), (0.15, 3119, 551)])
def test_counts_of_3670_images(share, trained, validated):
    keys = [f"{'abcde'[index % 5]}/{index:04d}.jpg" for index in range(3670)]
    drawn = draw_device_zoo(keys, [key[0] for key in keys], share, 123)
    assert (np.count_nonzero(~drawn), np.count_nonzero(drawn)) == (trained, validated)


def test_as_a_method_of_data_split():
    source = made_source([0, 0, 0, 1, 1, 1], names=("a", "b"), keys=SIX)
    split = split_source(source, config(method="device_zoo", val=0.4, seed=123))
    assert [SIX[index] for index in split.train] == sorted(GOLDEN[:3])
    tested = made_source([0, 0, 0, 1, 1, 1, 0, 1], [""] * 6 + ["test"] * 2, ("a", "b"), [*SIX, "t/a.jpg", "t/b.jpg"])
    split = split_source(tested, config(method="device_zoo", val=0.4, seed=123))
    assert [SIX[index] for index in split.train] == sorted(GOLDEN[:3])
    assert split.test.tolist() == [6, 7]


def test_several_labels():
    source = made_source(np.eye(3, dtype=np.uint8)[[0, 1, 2] * 3])
    with pytest.raises(DataError, match=r"data\.split\.method=device_zoo: the zoo's images have one label"):
        split_source(source, config(method="device_zoo"))


def test_flowers(unpacked, tmp_path):
    """The zoo's counts on all 3670 files, which lie in split folders in the archive."""
    for path in unpacked("flowers").glob("*/*/*.jpg"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).symlink_to(path)
    for share, trained, validated in ((0.2, 2936, 734), (0.15, 3119, 551)):
        data = DataConfig(source=str(tmp_path), split=SplitConfig(method="device_zoo", val=share, seed=123))
        split = split_source(open_source(data), data)
        assert (len(split.train), len(split.val), len(split.test)) == (trained, validated, 0)
