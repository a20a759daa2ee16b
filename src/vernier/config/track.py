"""`track`: where a training is recorded, besides the CSV files of its run."""

from vernier.config.base import Section
from vernier.config.types import Flag


class TensorBoardConfig(Section):
    """What event files hold besides scalars."""

    histograms: Flag = False
    """Histograms of weights and of their last gradients, at every epoch's end."""


class TrackConfig(Section):
    """Where a training is recorded, besides the CSV files of its run."""

    tensorboard: TensorBoardConfig = TensorBoardConfig()
