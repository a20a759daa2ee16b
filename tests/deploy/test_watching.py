import itertools
from pathlib import Path

import pytest

from vernier.deploy import watching
from vernier.deploy.watching import arriving


@pytest.fixture
def looks(tmp_path, monkeypatch):
    """A function that looks once more and returns the names of what is given."""
    monkeypatch.setattr(watching.time, "sleep", lambda _: None)
    parts = arriving([tmp_path], 1.0, 2)
    return lambda: [Path(path).name for path in itertools.chain(*itertools.takewhile(bool, parts))]


def test_a_file_is_given_once_when_it_has_stayed_equal(looks, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_text("xx")
    assert looks() == []
    (tmp_path / "b.jpg").write_text("more than before")
    assert looks() == ["a.jpg", "c.jpg"]
    assert looks() == ["b.jpg"]
    assert looks() == []


def test_what_is_written_again_is_given_again(looks, tmp_path):
    (tmp_path / "a.jpg").write_text("half")
    assert [looks(), looks(), looks()] == [[], ["a.jpg"], []]
    (tmp_path / "a.jpg").write_text("half and the rest")
    assert [looks(), looks(), looks()] == [[], ["a.jpg"], []]


def test_files_and_directories_that_vanish_are_no_trouble(looks, tmp_path):
    (tmp_path / "sub").mkdir()
    for place in ("sub/a.jpg", "b.jpg"):
        (tmp_path / place).write_text("x")
    looks()
    (tmp_path / "sub" / "a.jpg").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "c.jpg").symlink_to(tmp_path / "absent")
    assert looks() == ["b.jpg"]
    (tmp_path / "b.jpg").unlink()
    assert looks() == []
    (tmp_path / "b.jpg").write_text("y")
    looks()
    assert looks() == ["b.jpg"]


def test_empty_files_are_waited_for(looks, tmp_path):
    (tmp_path / "a.jpg").touch()
    assert [looks(), looks(), looks()] == [[], [], []]
    (tmp_path / "a.jpg").write_text("x")
    assert [looks(), looks()] == [[], ["a.jpg"]]
