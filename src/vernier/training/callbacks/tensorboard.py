"""What event files hold besides scalars."""

from collections.abc import Iterator

from vernier.config.track import TensorBoardConfig
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback
from vernier.training.callbacks.confusion_images import ConfusionImages
from vernier.training.callbacks.curves import Curves
from vernier.training.callbacks.example_images import ExampleImages
from vernier.training.callbacks.graph import Graph
from vernier.training.callbacks.histograms import Histograms
from vernier.training.callbacks.learning_rate_monitor import LearningRateMonitor
from vernier.training.callbacks.worst_images import WorstImages


def tensorboard_callbacks(config: TensorBoardConfig, tracker: TensorBoardTracker) -> Iterator[Callback]:
    """The callbacks that `track.tensorboard` asks for; made in the process that writes, and only there."""
    yield LearningRateMonitor(tracker)
    if config.images:
        yield ExampleImages(tracker, config.images)
    if config.worst:
        yield WorstImages(tracker, config.worst)
    if config.confusion:
        yield ConfusionImages(tracker)
    if config.curves:
        yield Curves(tracker)
    if config.histograms:
        yield Histograms(tracker)
    if config.graph:
        yield Graph(tracker)
