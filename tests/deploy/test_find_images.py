import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.deploy.find_images import find_images, image_paths, walk
from vernier.errors import DataError


@given(st.lists(st.lists(st.sampled_from(["a", "B", "a-", "a.", "b.jpg", "a.b"]), min_size=1, max_size=3), max_size=12))
def test_directories_are_walked_in_the_order_of_the_sorted_paths(tmp_path_factory, places):
    root = tmp_path_factory.mktemp("walk")
    for *folders, name in places:
        folder = root.joinpath(*(f"{folder}d" for folder in folders))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").touch()
    assert list(walk(root, lambda _: None)) == sorted(str(path) for path in root.rglob("*.png"))


def test_directories_are_read_as_files_are_asked_for(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "a.jpg").touch()
    paths = image_paths([tmp_path])
    first = next(paths)
    (tmp_path / "2" / "b.jpg").touch()
    assert [Path(path).name for path in (first, *paths)] == ["a.jpg", "a.jpg", "a.jpg", "b.jpg"]


def test_what_counts_as_an_image(tmp_path):
    for name in ("a.JPG", "b.jpeg", "jpg", "c.txt", ".hidden.jpg", "d.npy"):
        (tmp_path / name).touch()
    (tmp_path / "e.jpg").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    assert [Path(path).name for path in find_images([tmp_path])] == ["a.JPG", "b.jpeg", "d.npy"]


def test_lists_name_a_path_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_bytes(b"b.jpg\r\na.jpg\n\nb.jpg\n\xff.jpg")
    assert find_images([Path("@list.txt")]) == ["b.jpg", "a.jpg", os.fsdecode(b"\xff.jpg")]
    Path("@list.txt").touch()
    assert find_images([Path("@list.txt")]) == ["@list.txt"]
    with pytest.raises(DataError, match="no such list of images"):
        find_images([Path("@absent.txt")])


def test_wrong_inputs_are_told_before_the_first_path(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DataError, match=r"absent\.jpg: no such file"):
        image_paths([tmp_path, tmp_path / "absent.jpg"])


def test_each_path_once(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    paths = find_images([tmp_path / "b.jpg", tmp_path, tmp_path / "*.jpg"])
    assert [Path(path).stem for path in paths] == ["b", "a", "c"]
    assert all(one != other for one, other in itertools.combinations(paths, 2))
