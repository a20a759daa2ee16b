"""Training state on disk: written whole or not at all, verified when read, the previous one kept."""

import hashlib
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vernier.atomic import write_atomically, write_text_atomically
from vernier.errors import RunError

_KEEP = 2


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run: `step-00000120.pt`, with its checksum in `step-00000120.json`."""

    directory: Path

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` and drop all but the newest two.

        Raises:
            RunError: the file can't be written; the earlier checkpoints stay.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getbuffer()
        write_atomically(self._data(step), lambda file: _write_all(file.write, data))
        summary = {"step": step, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        # The checksum comes last: data without it was never finished.
        write_text_atomically(self._summary(step), json.dumps(summary) + "\n")
        for old in self.steps()[_KEEP:]:
            self._summary(old).unlink(missing_ok=True)
            self._data(old).unlink(missing_ok=True)

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
                return self._load(step)
            except _DamagedError as damage:
                warn(f"checkpoint {self._data(step)} is damaged ({damage}); falling back to the one before it")
        if steps:
            raise RunError(
                f"all checkpoints in {self.directory} are damaged; "
                "start again with run.new=true, or delete that directory to train this run from its first step"
            )
        return None

    def steps(self) -> list[int]:
        """Steps of the finished checkpoints, newest first."""
        return sorted((int(path.stem.removeprefix("step-")) for path in self.directory.glob("step-*.json")), reverse=True)

    def _load(self, step: int) -> dict[str, Any]:
        try:
            expected = json.loads(self._summary(step).read_text(encoding="utf-8"))["sha256"]
            data = self._data(step).read_bytes()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _DamagedError(str(error)) from error
        if hashlib.sha256(data).hexdigest() != expected:
            raise _DamagedError("its checksum differs")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            raise _DamagedError(str(error)) from error
        return state

    def _data(self, step: int) -> Path:
        return self.directory / f"step-{step:08d}.pt"

    def _summary(self, step: int) -> Path:
        return self.directory / f"step-{step:08d}.json"


class _DamagedError(Exception):
    pass


def _write_all(write: Callable[[memoryview], int], data: memoryview) -> None:
    write(data)
