"""`track`: where a training is recorded, besides the CSV files of its run."""

from typing import Annotated

from pydantic import Field

from vernier.config.base import Section
from vernier.config.types import Auto, Flag, Text


class TensorBoardConfig(Section):
    """What event files hold besides scalars."""

    images: Annotated[int, Field(ge=0, strict=True)] = 8
    """Images of the first batch, augmented as the model sees them; once, not with cached features."""
    worst: Annotated[int, Field(ge=0, strict=True)] = 0
    """Images of the validation errors with the highest losses, and a table of them; at every validation."""
    confusion: Flag = False
    """A picture of the confusion matrix, at every validation."""
    curves: Flag = False
    """Precision-recall and ROC curves, at every validation; of the first 20 classes."""
    histograms: Flag = False
    """Histograms of weights and of their last gradients, at every epoch's end."""
    graph: Flag = False
    """The network's operations, once."""


class MLflowConfig(Section):
    """A run of MLflow for every training, with links to its run directory; needs the extra `mlflow`."""

    uri: Text | Auto = "auto"
    """A database or server, such as `sqlite:///FILE` or `https://HOST`; names and passwords go into the environment as
    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. auto: MLFLOW_TRACKING_URI, else `mlflow.db` in `run.root`."""
    experiment: Text | Auto = "auto"
    """auto: `run.name`."""
    run_name: Text | None = None
    """none: the name of the run directory."""
    tags: dict[str, Text] = Field(default_factory=dict)
    """Tags of the run."""
    log_model: Flag = False
    """Copy the best bundle to MLflow as a model with a signature, from images to probabilities."""


class TrackConfig(Section):
    """Where a training is recorded, besides the CSV files of its run."""

    tensorboard: TensorBoardConfig = TensorBoardConfig()
    mlflow: MLflowConfig | None = None
