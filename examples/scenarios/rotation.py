# ruff: noqa: ANN001, ANN201, ANN202, ANN205, ANN206
"""Tell how far a picture was turned: a task that needs no labels (Gidaris et al. 2018, RotNet).

command: vernier train examples/scenarios/rotation.py scenario.width=32
"""

from dataclasses import replace

import numpy as np
from torch import nn
from torch.nn import functional

from vernier.data.images import ArrayImages
from vernier.data.sources import open_source
from vernier.scenario import Scenario, Section


class Rotation(Scenario):
    class Params(Section):
        width: int = 16
        gamma: float = 0.0

    @classmethod
    def defaults(cls):
        return {"data": "digits", "augment.train": ["Normalize"], "optimizer.lr": 0.01, "train.epochs": 20}

    def source(self, data):
        upright = open_source(data)
        turns = np.arange(len(upright.targets)) % 4
        pictures = [np.rot90(upright.images.read(index), turn) for index, turn in enumerate(turns)]
        images = ArrayImages(np.stack(pictures), upright.keys(), upright.images.channels)
        return replace(upright, name="rotation", images=images, targets=turns, class_names=("0", "90", "180", "270"))

    @staticmethod
    def model(num_classes, in_channels, width):
        convolutions = [nn.Conv2d(in_channels, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU()]
        return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(16 * width, num_classes))

    def loss(self, task, counts):
        def focal(logits, targets):
            losses = functional.cross_entropy(logits, targets, reduction="none")
            return (1 - (-losses).exp()) ** self.params.gamma * losses

        return focal

    def metrics(self):
        return {"axis_accuracy": lambda probabilities, turns: np.mean(probabilities.argmax(1) % 2 == turns % 2)}

    def export_outputs(self, model):
        return {"features": model[:-1]}
