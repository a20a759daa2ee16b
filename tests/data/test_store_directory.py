import pytest

from vernier.data.store_directory import store_directory
from vernier.errors import DataError


def test_of_the_config_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_directory("~/stores") == tmp_path / "stores"


def test_of_the_environment_then_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("VERNIER_CACHE", str(tmp_path / "own"))
    assert store_directory("auto") == tmp_path / "own/stores"
    monkeypatch.delenv("VERNIER_CACHE")
    assert store_directory("auto") == tmp_path / "xdg/vernier/stores"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert store_directory("auto") == tmp_path / "home/.cache/vernier/stores"


def test_without_a_home(monkeypatch):
    monkeypatch.delenv("VERNIER_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda number: (_ for _ in ()).throw(KeyError(number)))
    with pytest.raises(DataError, match=r"set data\.store_dir or VERNIER_CACHE"):
        store_directory("auto")
