"""The whole config."""

from pydantic import Field

from vernier.config.augment import AugmentConfig
from vernier.config.base import Section
from vernier.config.callbacks import CallbacksConfig
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.config.export import ExportConfig
from vernier.config.loss import AutoLossConfig, LossConfig
from vernier.config.model import ModelConfig
from vernier.config.optimizer import AdamWConfig, OptimizerConfig
from vernier.config.quantize import QuantizeConfig
from vernier.config.run import RunConfig
from vernier.config.scenario import ScenarioConfig
from vernier.config.schedule import CosineConfig, ScheduleConfig
from vernier.config.track import TrackConfig
from vernier.config.train import TrainConfig
from vernier.config.types import Anything, Seed


class Config(Section):
    """One training, from the images to the report."""

    seed: Seed = 0
    """Order, augmentation, initial weights and dropout are functions of it; 0 is a seed like any other."""
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = Field(default_factory=AdamWConfig)
    schedule: ScheduleConfig = Field(default_factory=CosineConfig)
    train: TrainConfig = TrainConfig()
    callbacks: CallbacksConfig = CallbacksConfig()
    loss: LossConfig = Field(default_factory=AutoLossConfig)
    metrics: dict[str, Anything] = Field(default_factory=dict)
    """More measures, each a class of torchmetrics and its arguments under a name of your own:
    `{top3: {name: multiclass_accuracy, top_k: 3, average: micro}}`."""
    evaluate: EvaluateConfig = EvaluateConfig()
    track: TrackConfig = TrackConfig()
    export: ExportConfig = ExportConfig()
    quantize: QuantizeConfig = QuantizeConfig()
    scenario: ScenarioConfig | None = None
    run: RunConfig = RunConfig()
