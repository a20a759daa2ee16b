"""What a config's scenario overrides, each with the config's own where it overrides nothing."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import nn

from vernier.config.data import DataConfig
from vernier.config.loss import LossConfig
from vernier.config.model import ModelConfig
from vernier.config.root import Config
from vernier.config.scenario import ScenarioConfig
from vernier.data.source import Source
from vernier.data.sources import open_source
from vernier.errors import ConfigError, ConfigProblem
from vernier.evaluation.evaluators import Evaluated, Evaluator, make_evaluators
from vernier.losses.custom import checked_loss
from vernier.losses.loss import Loss
from vernier.models.task import Task
from vernier.scenario.finding import find_scenario
from vernier.scenario.params import make_parameters
from vernier.scenario.returned import require, wrong
from vernier.scenario.returned_source import require_source
from vernier.scenario.scenario import Metric, Scenario, model_arguments

_BESIDE_THE_LOSS = ("l2", "distillation")
"""Fields of `loss` that hold with any loss."""


def make_scenario(config: ScenarioConfig) -> Scenario:
    """A new object of the scenario's class, with its parameters.

    Raises:
        ConfigError: the class or a parameter is not what it was when the config was read.
    """
    scenario = find_scenario(config.name)
    return scenario(make_parameters(scenario, config.parameters))


def open_data(config: Config, data: DataConfig | None = None) -> Source:
    """The scenario's images and labels, else what the config's `data` names.

    Args:
        data: Instead of the config's.

    Raises:
        ConfigError, DataError: as `open_source`; the scenario returns something else.
    """
    data = config.data if data is None else data
    if config.scenario is None:
        return open_source(data)
    made = make_scenario(config.scenario).source(data)
    return open_source(data) if made is None else require_source(made, f"{config.scenario.name}.source")


def model_with_parameters(config: Config) -> ModelConfig:
    """`config.model`, where it is the scenario's with the parameters that it takes as arguments."""
    scenario = config.scenario
    if scenario is None or config.model.name != f"{scenario.name}.model":
        return config.model
    taken = model_arguments(find_scenario(scenario.name))
    given = {name: value for name, value in scenario.parameters.items() if name in taken}
    return config.model.model_copy(update={"kwargs": {**config.model.kwargs, **given}})


def own_loss(config: Config, task: Task, counts: np.ndarray) -> Loss | None:
    """The scenario's loss; None when it has none.

    Args:
        counts: int64 (C,), training images of each class, as an epoch draws them.

    Raises:
        ConfigError: it does not give a loss for each image, or fields of `loss` are set that it replaces.
    """
    if config.scenario is None:
        return None
    compute = make_scenario(config.scenario).loss(task, counts)
    if compute is None:
        return None
    _refuse_replaced(config.loss, config.scenario.name)
    method = f"{config.scenario.name}.loss"
    if not callable(compute):
        raise wrong(method, f"must return a function of logits and targets, or None; got {type(compute).__name__}")
    try:
        return checked_loss(compute, task)
    except ConfigError as error:
        raise wrong(f"what {method} returns", error.problems[0].message) from None


def _refuse_replaced(loss: LossConfig, scenario: str) -> None:
    """Refuse settings of the loss that the scenario's own would ignore."""
    given = loss.model_dump(exclude_defaults=True)
    ignored = [key for key in given if key not in ("name", *_BESIDE_THE_LOSS)]
    if ignored:
        message = f"has no effect: {scenario} has a loss of its own; leave it out"
        raise ConfigError([ConfigProblem(f"loss.{key}", message) for key in ignored])


def all_evaluators(config: Config) -> tuple[Evaluator, ...]:
    """`evaluate.evaluators` and the scenario's."""
    return (*make_evaluators(config.evaluate.evaluators), *own_evaluators(config))


def own_evaluators(config: Config) -> tuple[Evaluator, ...]:
    """The scenario's evaluators, its metrics as one of them."""
    if config.scenario is None:
        return ()
    scenario, name = make_scenario(config.scenario), config.scenario.name
    metrics = _metrics(scenario, name)
    evaluators = tuple(require(scenario.evaluators(), Sequence, f"{name}.evaluators"))
    if not all(map(callable, evaluators)):
        raise wrong(f"{name}.evaluators", "must return functions of an Evaluated")
    return (_evaluator_of(metrics), *evaluators) if metrics else evaluators


def _metrics(scenario: Scenario, name: str) -> Mapping[str, Metric]:
    metrics: Mapping[str, Metric] = require(scenario.metrics(), Mapping, f"{name}.metrics")
    wrong_names = [key for key, metric in metrics.items() if not isinstance(key, str) or not callable(metric)]
    if wrong_names:
        raise wrong(f"{name}.metrics", f"must return functions by name; {wrong_names[0]!r} is none")
    return metrics


def _evaluator_of(metrics: Mapping[str, Metric]) -> Callable[[Evaluated], Mapping[str, float]]:
    def scenario_metrics(evaluated: Evaluated) -> dict[str, float]:
        return {name: metric(evaluated.probabilities, evaluated.targets) for name, metric in metrics.items()}

    return scenario_metrics


def export_outputs(config: Config, model: nn.Module) -> Mapping[str, nn.Module]:
    """The further graphs that the scenario adds to an export, by name."""
    if config.scenario is None:
        return {}
    method = f"{config.scenario.name}.export_outputs"
    outputs: Mapping[str, nn.Module] = require(make_scenario(config.scenario).export_outputs(model), Mapping, method)
    for name, graph in outputs.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise wrong(method, f"must name each graph by a plain word; got {name!r}")
        require(graph, nn.Module, f"{method}, under {name!r},")
    return outputs
