"""Training state on disk: written whole or not at all, verified when read, the previous one kept."""

import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from vernier.atomic import write_atomically
from vernier.errors import RunError

_KEEP = 2
_HASH_LENGTH = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run: `step-00000120.state`, a SHA-256 followed by what torch.save wrote."""

    directory: Path

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` and drop all but the newest two.

        Raises:
            RunError: the file can't be written; the earlier checkpoints stay.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(state, buffer)

        def write(file: BinaryIO) -> None:
            file.write(hashlib.sha256(buffer.getbuffer()).digest())
            file.write(buffer.getbuffer())

        write_atomically(self._path(step), write)
        for old in self.steps()[_KEEP:]:
            self._path(old).unlink(missing_ok=True)

    def load_newest(self, warn: Callable[[str], None]) -> dict[str, Any] | None:
        """The newest state that is intact, or None when there is none at all.

        Args:
            warn: Told about each damaged checkpoint that is passed over.

        Raises:
            RunError: there are checkpoints and all of them are damaged.
        """
        steps = self.steps()
        for step in steps:
            try:
                return _load(self._path(step))
            except _DamagedError as damage:
                warn(f"checkpoint {self._path(step)} is damaged ({damage}); falling back to the one before it")
        if steps:
            raise RunError(
                f"all checkpoints in {self.directory} are damaged; "
                "start again with run.new=true, or delete that directory to train this run from its first step"
            )
        return None

    def steps(self) -> list[int]:
        """Steps of the checkpoints, newest first."""
        names = (path.stem.removeprefix("step-") for path in self.directory.glob("step-*.state"))
        return sorted((int(name) for name in names), reverse=True)

    def _path(self, step: int) -> Path:
        return self.directory / f"step-{step:08d}.state"


class _DamagedError(Exception):
    pass


def _load(path: Path) -> dict[str, Any]:
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise _DamagedError(error.strerror) from error
    checksum, data = content[:_HASH_LENGTH], content[_HASH_LENGTH:]
    if hashlib.sha256(data).digest() != checksum:
        raise _DamagedError("its checksum differs")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise _DamagedError(str(error)) from error
    return state
