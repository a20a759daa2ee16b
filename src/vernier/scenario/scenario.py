"""The class that scenarios derive from."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from vernier.config.base import Section

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from vernier.config.data import DataConfig
    from vernier.data.source import Source
    from vernier.evaluation.evaluators import Evaluator
    from vernier.losses.loss import Loss
    from vernier.models.task import Task

Metric = Callable[..., float]
"""From probabilities, float32 (N, C), and targets as in `Source.targets`, of a whole set to a number."""


def model_arguments(scenario: "type[Scenario]") -> tuple[str, ...]:
    """What the scenario's `model` takes; nothing without one."""
    return () if scenario.model is None else tuple(inspect.signature(scenario.model).parameters)


class Scenario:
    """Overrides parts of a training; whatever a class does not override is the config's.

    An object is made wherever one is needed, in every process anew, so methods are functions of `params` and their
    arguments and nothing else.

    Attributes:
        Params: The parameters, `scenario.NAME` in the config. Their types may be bool, int, float, str, Literal, tuple,
            `dict[str, ...]`, other sections, and unions of these.
        params: Their values.
        model: Makes the network: a static or class method of `num_classes`, `in_channels`, and whatever parameters it
            names. A saved model is built by it again, from these alone. It is the default of `model.name`; None for
            no network of its own.
    """

    class Params(Section):
        """No parameters."""

    model: ClassVar["Callable[..., nn.Module] | None"] = None

    def __init__(self, params: Any) -> None:
        self.params = params

    @classmethod
    def defaults(cls) -> Mapping[str, Any]:
        """Config values under everything that the user gives, with nested or dotted keys."""
        return {}

    def source(self, data: "DataConfig") -> "Source | None":
        """The images and labels; None for what `data` names.

        The same every time: keys name the same images, in the same order.
        """
        return None

    def loss(self, task: "Task", counts: "np.ndarray") -> "Loss | None":
        """What training minimises, for each image; None for what `loss` says.

        Args:
            task: What the outputs mean.
            counts: int64 (C,), training images of each class.
        """
        return None

    def metrics(self) -> "Mapping[str, Metric]":
        """More measures of whole sets, by name; each may be monitored."""
        return {}

    def evaluators(self) -> "Sequence[Evaluator]":
        """More measures that need names of images or classes: from an `Evaluated` to numbers by name."""
        return ()

    def export_outputs(self, model: "nn.Module") -> "Mapping[str, nn.Module]":
        """More graphs to export beside the classifier, by name; each takes the batch that the model takes.

        Args:
            model: The trained network, in eval mode.
        """
        return {}
