"""What trackers get when a training is over, and how to look at what they have."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.deploy.mlflow_model import log_model
from vernier.models.bundle import bundle_directory
from vernier.track.mlflow_tracker import MLflowRun, prepare_mlflow, record_result
from vernier.training.log import logger
from vernier.training.run_directory import RunDirectory


def record_end(run: RunDirectory, config: Config, result: Mapping[str, Any]) -> None:
    """Hand the results of a finished training to MLflow if it is tracked there. Only the first process calls this.

    That MLflow does not take them is a warning: the run directory has them.
    """
    mlflow = config.track.mlflow
    tracked = None if mlflow is None else MLflowRun.read(run.path)
    if mlflow is None or tracked is None:
        return
    prepare_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        if mlflow.log_model:
            name = "final" if result["best"] is None else "best"
            log_model(tracked, bundle_directory(run.bundle(config.run, name)))
        record_result(tracked, result)
    except MlflowException as error:
        logger.warning("MLflow at %s does not take the results (%s); %s has them", tracked.uri, error, run.result_file)


def viewing_commands(run: RunDirectory, config: Config) -> Iterator[str]:
    """Command lines that show what was tracked."""
    yield shlex.join(["tensorboard", "--logdir", str(run.events(config.run))])
    mlflow = config.track.mlflow
    if mlflow is not None and settled(mlflow.uri).startswith("sqlite:"):
        yield shlex.join(["mlflow", "ui", "--backend-store-uri", settled(mlflow.uri)])
