"""What MLflow gets of a training, once only however often the training is interrupted."""

import importlib.util
import logging
import math

import numpy as np
import pytest

from training.test_train import BASE
from vernier import api
from vernier.config.loading import config_from_mapping
from vernier.config.track import MLflowConfig
from vernier.errors import ConfigError, MissingExtraError, RunError
from vernier.models.bundle import load_bundle
from vernier.track.mlflow_tracker import MLflowRun, MLflowTracker, record_result

IS_THERE = importlib.util.find_spec("mlflow") is not None
needs_mlflow = pytest.mark.skipif(not IS_THERE, reason="needs the extra mlflow: pip install 'vernier[mlflow]'")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A database with MLflow's tables, which take seconds to make."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def uri(empty_store, tmp_path):
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def run_directory(tmp_path):
    directory = tmp_path / "runs" / "digits" / "2026-01-01"
    directory.mkdir(parents=True)
    return directory


def tracker_of(directory, uri, **more) -> MLflowTracker:
    return MLflowTracker(directory, MLflowConfig(uri=uri, experiment="digits", **more))


def client_of(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def recorded(uri, directory):
    run = MLflowRun.read(directory)
    assert run is not None
    return client_of(uri).get_run(run.run_id)


def history(uri, directory, name):
    points = client_of(uri).get_metric_history(MLflowRun.read(directory).run_id, name)
    return [(point.step, point.value) for point in points]


@needs_mlflow
def test_a_run_of_mlflow_has_parameters_metrics_and_links(uri, run_directory):
    tracker = tracker_of(run_directory, uri, run_name="first", tags={"team": "a"})
    tracker.start({"train.epochs": 2, "model.kwargs.a&b": [1, "x"], "data.val": None, "many": "v" * 7000})
    tracker.log_step(1, {"loss": 2.5})
    tracker.log_validation(1, 10, {"accuracy": 0.5, "roc_auc": math.nan})
    tracker.log_epoch(1, 10, {"val_accuracy": 0.5})
    tracker.close()
    run = recorded(uri, run_directory)
    assert run.info.run_name == "first"
    assert run.info.status == "KILLED"
    assert run.data.params["train.epochs"] == "2"
    assert run.data.params["model.kwargs.a_b"] == '[1, "x"]'
    assert "data.val" not in run.data.params
    assert len(run.data.params["many"]) == 6000
    assert run.data.tags["team"] == "a"
    assert run.data.tags["vernier.run_directory"] == str(run_directory)
    assert run.data.tags["vernier.report"] == str(run_directory / "report.html")
    assert history(uri, run_directory, "step/loss") == [(1, 2.5)]
    assert (
        history(uri, run_directory, "val/accuracy") == history(uri, run_directory, "epoch/val_accuracy") == [(10, 0.5)]
    )
    assert math.isnan(history(uri, run_directory, "val/roc_auc")[0][1])
    assert not list(run_directory.parents[1].glob("mlruns"))


@needs_mlflow
def test_a_training_that_goes_on_continues_its_run_and_repeats_nothing(uri, run_directory):
    first = tracker_of(run_directory, uri)
    first.start({"train.epochs": 2})
    for step in range(1, 8):
        first.log_step(step, {"loss": 1 / step})
    run_id = recorded(uri, run_directory).info.run_id
    second = tracker_of(run_directory, uri)
    second.start({"train.epochs": 3, "train.threads": 1})
    assert recorded(uri, run_directory).info.status == "RUNNING"
    for step in range(5, 11):
        second.log_step(step, {"loss": 1 / step})
    second.close()
    run = recorded(uri, run_directory)
    assert run.info.run_id == run_id
    assert history(uri, run_directory, "step/loss") == [(step, 1 / step) for step in range(1, 11)]
    assert run.data.params == {"train.epochs": "2", "train.threads": "1"}
    assert run.data.tags["changed.train.epochs"] == "3"


@needs_mlflow
def test_results_finish_the_run(uri, run_directory):
    tracker = tracker_of(run_directory, uri)
    tracker.start({})
    tracker.close()
    result = {
        "steps": 20,
        "best": {"epoch": 1, "val": {"accuracy": 0.75, "roc_auc": None}},
        "final": {"epoch": 2, "val": {"accuracy": 0.5}},
        "test": None,
    }
    record_result(MLflowRun.read(run_directory), result)
    run = recorded(uri, run_directory)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"best/accuracy": 0.75, "final/accuracy": 0.5}
    assert history(uri, run_directory, "best/accuracy") == [(20, 0.75)]


@needs_mlflow
def test_a_lost_run_is_replaced_and_a_store_that_fails_only_warns(uri, empty_store, run_directory, caplog):
    tracker = tracker_of(run_directory, uri)
    tracker.start({})
    lost = recorded(uri, run_directory).info.run_id
    client_of(uri).delete_run(lost)
    with caplog.at_level(logging.WARNING, logger="vernier"):
        tracker.log_step(1, {"loss": 1.0})
        tracker.log_step(2, {"loss": 1.0})
        tracker.close()
    assert [record.message.startswith("MLflow fails") for record in caplog.records] == [True]
    MLflowRun(uri, "0" * 32).write(run_directory)
    tracker_of(run_directory, uri).start({})
    assert recorded(uri, run_directory).info.run_id not in (lost, "0" * 32)


@needs_mlflow
def test_a_store_that_can_not_be_used_is_an_error_at_the_start(run_directory):
    with pytest.raises(RunError, match=r"track\.mlflow\.uri=sqlite:////proc/no/mlflow\.db can't be used"):
        tracker_of(run_directory, "sqlite:////proc/no/mlflow.db").start({})


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:///tmp/mlruns", "/abs/mlruns"])
def test_file_stores_are_refused(uri):
    with pytest.raises(ConfigError, match=r"track\.mlflow\.uri: must be a database or a server, .* sqlite:///mlflow"):
        config_from_mapping({"data": "x", "track": {"mlflow": {"uri": uri}}})


@pytest.mark.parametrize("uri", ["auto", "sqlite:///x.db", "https://host:5000", "postgresql://h/db", "databricks"])
def test_databases_and_servers_are_taken(uri):
    assert config_from_mapping({"data": "x", "track": {"mlflow": {"uri": uri}}}).config.track.mlflow.uri == uri


def test_without_mlflow_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mlflow" else find_spec(name, *rest)
    )
    with pytest.raises(MissingExtraError, match=r"track\.mlflow needs an extra: pip install 'vernier\[mlflow\]'"):
        api.train(BASE, "track.mlflow.uri=auto")
    assert not (tmp_path / "runs").exists()


@needs_mlflow
def test_a_training_is_tracked_from_start_to_end(uri, tmp_path, monkeypatch):
    from mlflow import pyfunc

    monkeypatch.chdir(tmp_path)
    end = api.train(BASE, f"track.mlflow={{uri: '{uri}', log_model: true}}")
    run = recorded(uri, end.run.path)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == end.run.path.name
    assert run.data.params["optimizer.lr"] == "0.01"
    assert run.data.metrics["test/accuracy"] == end.result["test"]["accuracy"]
    assert len(history(uri, end.run.path, "epoch/val_accuracy")) == 2
    assert f"mlflow ui --backend-store-uri {uri}" in (end.run.path / "train.log").read_text()
    (model_id,) = (output.model_id for output in run.outputs.model_outputs)
    model = pyfunc.load_model(client_of(uri).get_logged_model(model_id).artifact_location)
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 1), dtype=np.uint8)
    probabilities = model.predict(images)
    assert probabilities.shape == (3, 10)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert len(load_bundle(end.run.path / "best")[1].class_names) == model.metadata.signature.outputs.inputs[0].shape[1]
