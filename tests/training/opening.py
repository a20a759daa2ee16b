"""A resolved config and its data set, as a training gets them."""

from vernier.config.loading import load_config
from vernier.config.root import Config
from vernier.training.parts import Dataset, open_dataset
from vernier.training.resolve import resolve

DIGITS = ("data=digits", "model=digits_cnn", "train.threads=1", "data.threads=1", "train.speed=off")


def opened(*settings: str) -> tuple[Config, Dataset]:
    config = load_config(None, settings).config
    dataset = open_dataset(config, None)
    return resolve(config, dataset.source, dataset.train_store, "trial").config, dataset
