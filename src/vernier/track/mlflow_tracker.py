"""MLflow: parameters, metrics and results of a training, with links to its run directory instead of copies."""

import importlib.util
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from vernier.atomic import write_text_atomically
from vernier.config.settled import settled
from vernier.config.track import MLflowConfig
from vernier.errors import MissingExtraError, RunError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FILE = "mlflow.json"
_PARAMS_AT_ONCE = 100
_logger = logging.getLogger("vernier")


@dataclass(frozen=True)
class MLflowRun:
    """The run of MLflow that belongs to a run directory, which remembers it in mlflow.json."""

    uri: str
    run_id: str

    def write(self, directory: Path) -> None:
        """Remember it."""
        write_text_atomically(directory / _FILE, json.dumps({"uri": self.uri, "run_id": self.run_id}) + "\n")

    @staticmethod
    def read(directory: Path) -> "MLflowRun | None":
        """What the directory remembers."""
        file = directory / _FILE
        return MLflowRun(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


@final
class MLflowTracker:
    """Metrics over optimizer steps, in the groups `step/`, `val/` and `epoch/`.

    A training that goes on continues its run of MLflow. MLflow forgets nothing: metrics of work that an interruption
    lost stay as they are, and are not recorded a second time. If MLflow fails while a training goes on, a warning says
    so and nothing more is sent; the CSV files have it all.

    Args:
        directory: The run directory.
        config: Resolved.
    """

    _client: "MlflowClient"
    _run_id: str

    def __init__(self, directory: Path, config: MLflowConfig) -> None:
        self._directory, self._config = directory.resolve(), config
        self._last_steps: dict[str, int] = {}
        self._failed = False

    def start(self, config: Mapping[str, object]) -> None:
        """Begin a run with the config as its parameters, or continue the one that the run directory remembers.

        What has changed since the run began becomes a tag, because parameters never change.

        Raises:
            MissingExtraError: MLflow is not installed.
            RunError: the store or server can't be used.
        """
        prepare_mlflow()
        from mlflow.exceptions import MlflowException

        try:
            self._client = _client(settled(self._config.uri))
            self._run_id = self._remembered() or self._begun()
            self._record_params({_name(key): _text(value) for key, value in config.items() if value is not None})
        except (MlflowException, OSError) as error:
            uri = self._config.uri
            raise RunError(f"track.mlflow.uri={uri} can't be used: {error}; name another, or leave it out") from None

    def log_step(self, step: int, values: Mapping[str, float]) -> None:
        """Record values under `step/`."""
        self._log("step", step, values)

    def log_validation(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Record measures under `val/`."""
        self._log("val", step, values)

    def log_epoch(self, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Record values under `epoch/`."""
        self._log("epoch", step, {"epoch": epoch, **values})

    def close(self) -> None:
        """The run counts as killed until its results are recorded."""
        self._tell(lambda: self._client.set_terminated(self._run_id, "KILLED"))

    def _remembered(self) -> str | None:
        from mlflow.exceptions import MlflowException

        known = MLflowRun.read(self._directory)
        if known is None or known.uri != self._config.uri:
            return None
        try:
            metrics = self._client.get_run(known.run_id).data.metrics
        except MlflowException as error:
            _logger.warning("MLflow has lost the run %s (%s); a new one begins", known.run_id, error)
            return None
        for name in metrics:
            self._last_steps[name] = max(point.step for point in self._client.get_metric_history(known.run_id, name))
        self._client.update_run(known.run_id, "RUNNING")
        return known.run_id

    def _begun(self) -> str:
        name, report = self._config.run_name or self._directory.name, self._directory / "report.html"
        links = {
            "vernier.run_directory": str(self._directory),
            "vernier.report": str(report),
            "mlflow.note.content": f"[run directory]({self._directory.as_uri()}), [report]({report.as_uri()})",
        }
        run = self._client.create_run(self._experiment(), run_name=name, tags={**links, **self._config.tags})
        run_id: str = run.info.run_id
        MLflowRun(settled(self._config.uri), run_id).write(self._directory)
        return run_id

    def _experiment(self) -> str:
        name, uri = settled(self._config.experiment), settled(self._config.uri)
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        # MLflow's own choice for a database is a folder of wherever the process happens to be.
        artifacts = Path(uri.removeprefix("sqlite:///")).with_name("mlartifacts").resolve()
        location = artifacts.as_uri() if uri.startswith("sqlite:///") else None
        return str(self._client.create_experiment(name, artifact_location=location))

    def _record_params(self, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self._run_id).data.params
        new = [Param(name, text) for name, text in params.items() if name not in known]
        for start in range(0, len(new), _PARAMS_AT_ONCE):
            self._client.log_batch(self._run_id, params=new[start : start + _PARAMS_AT_ONCE])
        for name, text in params.items():
            if name in known and known[name] != text:
                self._client.set_tag(self._run_id, f"changed.{name}", text)

    def _log(self, group: str, step: int, values: Mapping[str, float]) -> None:
        named = {_name(f"{group}/{name}"): value for name, value in values.items()}
        new = {name: value for name, value in named.items() if step > self._last_steps.get(name, -1)}
        self._tell(lambda: _log_metrics(self._client, self._run_id, step, new))

    def _tell(self, message: Callable[[], None]) -> None:
        """Tell MLflow something, unless it has failed before."""
        from mlflow.exceptions import MlflowException

        if self._failed:
            return
        try:
            message()
        except MlflowException as error:
            self._failed = True
            _logger.warning("MLflow fails (%s); it gets no more of this training, the CSV files do", error)


def require_mlflow() -> None:
    """Make sure that MLflow is there.

    Raises:
        MissingExtraError: it is not.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtraError("track.mlflow", "mlflow")


def prepare_mlflow() -> None:
    """Before MLflow is imported: it reports its use to nobody, and logs errors only.

    Raises:
        MissingExtraError: it is not there.
    """
    require_mlflow()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow  # noqa: F401 - sets levels of its own

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


def record_result(run: MLflowRun, result: Mapping[str, Any]) -> None:
    """Record the measures of the best, the last and the test model, and that the training is finished.

    Args:
        run: Of the training.
        result: The content of result.json.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    prepare_mlflow()
    measured = {
        "best": (result["best"] or {}).get("val"),
        "final": (result["final"] or {}).get("val"),
        "test": result["test"],
    }
    values = {
        _name(f"{group}/{name}"): float(value)
        for group, measures in measured.items()
        for name, value in (measures or {}).items()
        if value is not None
    }
    client = _client(run.uri)
    _log_metrics(client, run.run_id, result["steps"], values)
    client.set_terminated(run.run_id, "FINISHED")


def _client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _log_metrics(client: "MlflowClient", run_id: str, step: int, values: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = round(1000 * time.time())
    client.log_batch(run_id, metrics=[Metric(name, value, now, step) for name, value in values.items()])


def _name(text: str) -> str:
    """The name with `_` for what MLflow does not take in names."""
    return re.sub(r"[^\w\-./ :]", "_", text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
