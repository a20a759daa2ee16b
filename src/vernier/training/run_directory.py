"""The directory of one training: its layout, its lock, and what was asked for."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vernier.atomic import write_text_atomically
from vernier.config.root import Config
from vernier.config.run import RunConfig
from vernier.errors import RunError
from vernier.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class Request:
    """What a run was started with.

    Attributes:
        given: Only the settings that the user gave.
        reasons: Dotted key of each automatic choice -> why.
        command: A line that starts the same training.
    """

    given: dict[str, Any]
    reasons: dict[str, str]
    command: str


@dataclass(frozen=True)
class RunDirectory:
    """Where everything that one training makes lies."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved, runnable config."""
        return self.path / "config.yaml"

    @property
    def result_file(self) -> Path:
        """The results in JSON."""
        return self.path / "result.json"

    @property
    def split_file(self) -> Path:
        """path,label,split of every sample."""
        return self.path / "split.csv"

    @property
    def report_file(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    def checkpoints(self, run: RunConfig) -> Checkpoints:
        """The training states."""
        return Checkpoints(Path(run.checkpoint_dir) if run.checkpoint_dir else self.path / "checkpoints")

    def bundle(self, run: RunConfig, name: str) -> Path:
        """The bundle `best` or `final`."""
        return (Path(run.export_dir) if run.export_dir else self.path) / name

    def events(self, run: RunConfig) -> Path:
        """The directory of TensorBoard's event files."""
        return Path(run.log_dir) if run.log_dir else self.path

    def write_request(self, request: Request) -> None:
        """Save what the run was started with."""
        text = json.dumps({"given": request.given, "reasons": request.reasons, "command": request.command}, indent=1)
        write_text_atomically(self.path / "request.json", text + "\n")

    def read_request(self) -> Request:
        """What the run was started with.

        Raises:
            RunError: the directory is not a run, or the file is damaged.
        """
        try:
            values = json.loads((self.path / "request.json").read_text(encoding="utf-8"))
            return Request(values["given"], values["reasons"], values["command"])
        except (OSError, ValueError, KeyError, TypeError):
            runs = sorted(run.name for run in self.path.glob("seed_*") if run.is_dir())
            inside = f"one of its runs: {', '.join(runs)}" if runs else "a directory that `vernier train` made"
            raise RunError(
                f"{self.path} is not a run directory: it has no readable request.json; name {inside}"
            ) from None

    def is_finished(self) -> bool:
        """Whether the training came to its end and its report was written."""
        result = self.read_result()
        return result is not None and result["status"] == "finished" and self.report_file.is_file()

    def read_result(self) -> dict[str, Any] | None:
        """result.json, or None when there is none yet."""
        try:
            result: dict[str, Any] = json.loads(self.result_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return result

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training in this directory; the system frees the lock when we die.

        Raises:
            RunError: another process is training here.
        """
        with (self.path / ".lock").open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"another process is training in {self.path}; wait for it, or start another run with run.new=true"
                ) from None
            yield


def run_name(config: Config, file: Path | None) -> str:
    """`run.name`, or the config file's name, or the scenario's, or the data's."""
    if config.run.name != "auto":
        return config.run.name
    if file is not None and file.name != "config.yaml":
        return file.stem
    if config.scenario is not None:
        return config.scenario.name.rpartition(":")[2].lower()
    data = config.data
    place = Path(data.source or data.train or (data.lists or ("run",))[0])
    return place.resolve().stem or "run"


def create_run(run: RunConfig, name: str) -> RunDirectory:
    """Make a new run directory.

    Raises:
        RunError: it can't be made.
    """
    if run.checkpoint_dir is not None and Checkpoints(Path(run.checkpoint_dir)).steps():
        raise RunError(
            f"run.checkpoint_dir={run.checkpoint_dir} holds checkpoints of another run; choose another directory"
        )
    if run.dir is not None:
        return RunDirectory(_make_empty(Path(run.dir)))
    stem = datetime.now().strftime(run.pattern)
    parent = Path(run.root) / name
    for number in range(1, 1000):
        path = parent / (stem if number == 1 else f"{stem}_{number}")
        with contextlib.suppress(FileExistsError):
            return RunDirectory(_make(path, exist_ok=False))
    raise RunError(f"run.pattern={run.pattern!r} gives the name {stem!r}, of which {parent} is full")


def _make_empty(path: Path) -> Path:
    if path.is_dir() and any(path.iterdir()):
        raise RunError(f"run.dir={path} holds files but is no run; name a run, or a new or empty directory")
    try:
        return _make(path, exist_ok=True)
    except FileExistsError:
        raise RunError(f"run.dir={path} is a file; name a directory") from None


def _make(path: Path, exist_ok: bool) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise RunError(f"can't make the run directory {path}: {error.strerror}; set run.root or run.dir") from None
    return path


def _started(path: Path) -> int:
    # The split is written once, when the run is made.
    return (path / "split.csv").stat().st_mtime_ns


def runs_of(run: RunConfig, name: str) -> list[RunDirectory]:
    """All runs of a name, newest first."""
    parent = Path(run.root) / name
    if not parent.is_dir():
        return []
    found = [path for path in parent.iterdir() if (path / "request.json").is_file()]
    return [RunDirectory(path) for path in sorted(found, key=_started, reverse=True)]
