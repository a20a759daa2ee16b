"""A directory of a person's scenarios, from which nothing stays behind."""

import importlib
import sys
from pathlib import Path

import pytest


class Workplace:
    """The working directory of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, *lines: str) -> Path:
        """A module of these lines below the usual import; one with a plain scenario of a name without lines."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["from vernier.scenario import Scenario, Section", *lines, ""]))
        return file

    def forget(self) -> None:
        """Let the modules be imported afresh, as another process would."""
        for name, module in list(sys.modules.items()):
            if str(self.path) in f"{vars(module).get('__file__')} {vars(module).get('__path__')}":
                del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Workplace(tmp_path)
    yield place
    place.forget()
