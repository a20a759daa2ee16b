"""A directory of a person's scenarios, from which nothing stays behind."""

import sys
from pathlib import Path

import pytest

HEAD = "from vernier.scenario import Scenario, Section\n"


class Workplace:
    """The working directory of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, *lines: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + "\n".join(lines) + "\n")
        return file


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield Workplace(tmp_path)
    for name in set(sys.modules) - set(before):
        file = getattr(sys.modules[name], "__file__", None) or str(next(iter(getattr(sys.modules[name], "__path__", [""]))))
        if file.startswith(str(tmp_path)):
            del sys.modules[name]
