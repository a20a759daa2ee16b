from collections import Counter

import numpy as np
import pytest

from vernier.config.data import ColumnsConfig, DataConfig, SplitConfig
from vernier.data.sampling import ClassSampler
from vernier.data.sources import open_source
from vernier.data.splits import split_source
from vernier.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1.png", "cat/my cat.png", "dog/1.png", "dog/2.png", "dog/3", "dog/x y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def opened(folder, text, **data):
    (folder / "all.txt").write_text(text)
    return open_source(DataConfig(source=str(folder / "all.txt"), **data))


def labelled(source):
    return dict(zip(source.keys(), source.labels(), strict=True))


def test_labels_are_given_or_the_folders(folder):
    text = (
        "# all of them\n\ncat/1.png\ncat/my cat.png\r\n  dog/1.png poodle\ndog/2.png\tblack poodle\ndog/3\ndog/x y\tcat"
    )
    source = opened(folder, text)
    assert source.name == "all"
    assert labelled(source) == {
        "cat/1.png": "cat",
        "cat/my cat.png": "cat",
        "dog/1.png": "poodle",
        "dog/2.png": "black poodle",
        "dog/3": "dog",
        "dog/x y": "cat",
    }


def test_a_label_after_spaces_in_a_path(folder):
    assert labelled(opened(folder, "cat/my cat.png tabby\ndog/1.png"))["cat/my cat.png"] == "tabby"


def test_paths_are_relative_to_the_root(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("lists") / "l.lst"
    elsewhere.write_text(f"cat/1.png\n{folder}/dog/1.png\n")
    source = open_source(DataConfig(source=str(elsewhere), root=str(folder)))
    assert source.keys() == ["cat/1.png", "dog/1.png"]


def test_several_labels(folder):
    source = opened(folder, "cat/1.png cat|small\ndog/1.png small\n")
    assert source.targets.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat/1.png\n\ncat/9.png\n#\ncat/8.png cat\n", r"data\.source=.*all\.txt: lines 3, 5: files that are not in"),
        ("cat/1.png\ndog/1.png\n./cat/1.png x\n", r"lines 1, 3: paths that occur twice .* \(1\): cat/1\.png"),
        ("# nothing\n", "no images in"),
        ("cat/1.png\ncat/my cat.png\n", "only one class, 'cat'"),
    ],
)
def test_lists_that_are_wrong(folder, text, message):
    with pytest.raises(DataError, match=message):
        opened(folder, text)


def test_latin_1_is_named_by_line_and_byte(folder):
    (folder / "all.txt").write_bytes("cat/1.png\ndog/1.png café\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 2: the byte 0xE9 is not UTF-8 text"):
        open_source(DataConfig(source=str(folder / "all.txt")))


def two_lists(folder, **data):
    (folder / "a.txt").write_text("".join(f"a/{number}.png {'xy'[number % 2]}\n" for number in range(40)))
    (folder / "b.txt").write_text("".join(f"b/{number}.png {'xy'[number % 2]}\n" for number in range(10)))
    for name, count in (("a", 40), ("b", 10)):
        (folder / name).mkdir(exist_ok=True)
        for number in range(count):
            (folder / name / f"{number}.png").touch()
    return DataConfig(lists=(str(folder / "a.txt"), str(folder / "b.txt")), **data)


def test_several_lists_are_one_source(folder):
    data = two_lists(folder)
    source = open_source(data)
    assert [source.images.key(index).split("/")[0] for index in range(50)] == ["a"] * 40 + ["b"] * 10
    assert source.list_numbers.tolist() == [0] * 40 + [1] * 10
    split = split_source(source, data)
    assert (len(split.train), len(split.val)) == (40, 10)


def test_lists_beside_a_validation_list(folder):
    (folder / "val.txt").write_text("cat/1.png x\ndog/1.png y\n")
    data = two_lists(folder, val=str(folder / "val.txt"), split=SplitConfig())
    source = open_source(data)
    split = split_source(source, data)
    assert (len(split.train), len(split.val)) == (50, 2)
    assert set(source.list_numbers[split.train]) == {0, 1}
    assert set(source.list_numbers[split.val]) == {-1}


def test_an_image_in_two_lists(folder):
    data = two_lists(folder)
    (folder / "b.txt").write_text("a/0.png x\nb/1.png y\n")
    with pytest.raises(DataError, match=r"data\.lists\[0\], data\.lists\[1\]: the same images .*: a/0\.png"):
        open_source(data)
    (folder / "b.txt").write_text("b/77.png x\n")
    with pytest.raises(DataError, match=r"data\.lists\[1\]=.*b\.txt: line 1: files that are not in"):
        open_source(data)


@pytest.mark.parametrize(("ratios", "drawn"), [((1.0, 1.0), (25, 25)), ((3.0, 1.0), (38, 12)), ((0.5, 2.0), (10, 40))])
def test_an_epoch_draws_from_each_list_its_share(ratios, drawn):
    sampler = ClassSampler("list_ratios", np.repeat([0, 1], [40, 10]), 3, ratios)
    for epoch in range(3):
        places = Counter(sampler.epoch(epoch).places.tolist())
        assert sum(places[place] for place in range(40)) == drawn[0]
        assert sum(places.values()) == 50
        # All images of a list come before any a second time.
        assert max(places[place] for place in range(40, 50)) - min(places[place] for place in range(40, 50)) <= 1
    assert not np.array_equal(sampler.epoch(0).places, sampler.epoch(1).places)
    assert f"draws {drawn[0]}, {drawn[1]} images of the 2 lists" in sampler.description


def test_a_list_without_training_images_is_left_out():
    sampler = ClassSampler("list_ratios", np.array([1] * 6), 0, (3.0, 1.0, 1.0))
    assert sampler.quotas.tolist() == [0, 6, 0]


def test_columns_belong_to_tables(folder):
    with pytest.raises(ConfigError, match=r"data\.columns\.weight: goes with CSV, TSV and Parquet files"):
        opened(folder, "cat/1.png\ndog/1.png\n", columns=ColumnsConfig(weight="w"))
    with pytest.raises(ConfigError, match=r"data\.columns\.group: goes with"):
        open_source(DataConfig(source="digits", columns=ColumnsConfig(group="w")))
