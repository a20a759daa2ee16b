"""The peers' own Python environments, made when they are missing or their requirements have changed."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENT_OF = {
    "pytorch": "torch",
    "timm": "torch",
    "lightning": "torch",
    "keras": "tf",
    "ultralytics": "ultralytics",
}
"""Which environment a peer runs in."""


class InstallError(Exception):
    """An environment could not be made."""


@dataclass(frozen=True)
class Environments:
    """Where the environments lie.

    Attributes:
        directory: Holds one virtual environment a name.
        given: Interpreters to use instead, by name of the environment.
    """

    directory: Path
    given: Mapping[str, Path]

    def python(self, name: str) -> Path:
        """The interpreter of an environment, installed first where needed.

        Raises:
            InstallError: uv is missing or could not install.
        """
        return self.given[name] if name in self.given else _install(name, self.directory / name)


def _install(name: str, directory: Path) -> Path:
    file, marker, python = REQUIREMENTS / f"{name}.txt", directory / "installed.txt", directory / "bin" / "python"
    if marker.is_file() and marker.read_text() == file.read_text():
        return python
    uv = shutil.which("uv")
    if uv is None:
        raise InstallError("uv is not on the PATH; `pip install uv`")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"installing {file.name} into {directory}", file=sys.stderr)
    _run([uv, "venv", "--quiet", "--clear", "--python", version, str(directory)])
    _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-r", str(file)])
    marker.write_text(file.read_text())
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise InstallError(f"{' '.join(command[1:3])}: {lines[-1]}")
