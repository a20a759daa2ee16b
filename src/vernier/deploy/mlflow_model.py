"""A bundle as a model of MLflow: from uint8 images to probabilities."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from vernier import __version__
from vernier.augment.preprocess import Preprocessing
from vernier.evaluation.classifier import Classifier, load_classifier
from vernier.evaluation.metrics import probabilities_of
from vernier.models.bundle import read_info
from vernier.track.mlflow_tracker import MLflowRun, prepare_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_BATCH = 32


@final
class ImageModel:
    """What MLflow calls to predict."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def predict(self, images: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """float32 (n, C): probabilities of uint8 images (n, H, W, channels) of any size."""
        logits = self._classifier.logits(images, range(len(images)), batch_size=_BATCH, threads=0)
        return probabilities_of(logits, self._classifier.task)


def _load_pyfunc(path: str) -> ImageModel:
    """Load a copy of a bundle: the function of this name is what MLflow looks for."""
    return ImageModel(load_classifier(Path(path)))


def log_model(run: MLflowRun, bundle: Path) -> None:
    """Copy a bundle to MLflow as the model of a run. It holds weights and JSON, and needs Vernier to be loaded."""
    prepare_mlflow()
    with warnings.catch_warnings():
        # About type hints of its own, and about models that hold no example.
        warnings.simplefilter("ignore")
        import mlflow

        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(run.uri)
        try:
            with mlflow.start_run(run_id=run.run_id):
                _log_bundle(bundle)
        finally:
            mlflow.set_tracking_uri(before)


def _log_bundle(bundle: Path) -> None:
    import mlflow

    mlflow.pyfunc.log_model(
        name="model",
        loader_module=__name__,
        data_path=str(bundle),
        signature=_signature(bundle),
        pip_requirements=[f"vernier=={__version__}"],
    )


def _signature(bundle: Path) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    info = read_info(bundle)
    channels = Preprocessing.from_json(info.preprocessing).channels
    images = TensorSpec(np.dtype(np.uint8), (-1, -1, -1, channels))
    probabilities = TensorSpec(np.dtype(np.float32), (-1, len(info.class_names)))
    return ModelSignature(Schema([images]), Schema([probabilities]))
