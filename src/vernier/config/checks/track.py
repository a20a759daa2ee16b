"""What has to hold for `track`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def mlflow_has_a_database(config: Config) -> Iterator[Finding]:
    """MLflow itself refuses to keep runs in plain files."""
    mlflow = config.track.mlflow
    if mlflow is None or mlflow.uri == "auto" or mlflow.uri.startswith("databricks"):
        return
    scheme, separator, _ = mlflow.uri.partition("://")
    if not separator or scheme == "file":
        message = f"must be a database or a server, which {mlflow.uri!r} is not; for a file write sqlite:///mlflow.db"
        yield Finding("track.mlflow.uri", message)


CHECKS: tuple[Check, ...] = (mlflow_has_a_database,)
