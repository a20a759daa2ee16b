"""Sources without pixels that the tests of splits share."""

import numpy as np

from vernier.config.data import DataConfig, SplitConfig
from vernier.data.images import ArrayImages
from vernier.data.source import Source


def made_source(targets, split=None, names=("ant", "bee", "cat"), keys=None) -> Source:
    targets = np.asarray(targets)
    keys = keys or [f"{index:03d}.png" for index in range(len(targets))]
    images = ArrayImages(np.zeros((len(keys), 1, 1, 1), np.uint8), keys, 1)
    return Source("made", images, targets, names, tuple(split or [""] * len(keys)), {}, None, None)


def config(**split) -> DataConfig:
    return DataConfig(source="made", split=SplitConfig(**split))
