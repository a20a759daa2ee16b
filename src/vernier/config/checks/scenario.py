"""What has to hold for `scenario`. One function a rule."""

import inspect
from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config
from vernier.scenario.finding import KEY, find_scenario
from vernier.scenario.scenario import Scenario, model_arguments

_FROM_THE_CONFIG = {
    "num_classes": "from the data's classes",
    "in_channels": "as data.channels",
    "input_size": "as model.input_size",
    "dropout": "as model.dropout",
    "depth": "as model.depth",
    "width_divisor": "as model.width_divisor",
}
"""Arguments that every model of the user's own is given if it names them, and where they come from."""


def scenario_or_data_gives_images(config: Config) -> Iterator[Finding]:
    """Images come from the scenario or from `data`."""
    data = config.data
    if config.scenario is None or data.source is not None or data.train is not None or data.lists is not None:
        return
    if find_scenario(config.scenario.name).source is Scenario.source:
        message = f"is missing, and {config.scenario.name} has no `source`; write data=DIR or data=digits"
        yield Finding("data.source", message, ("data.train", "scenario"))


def model_needs_no_scenario(config: Config) -> Iterator[Finding]:
    """A saved model is built from the arguments of the scenario's `model` alone."""
    if config.scenario is None or find_scenario(config.scenario.name).model is None:
        return
    kind = inspect.getattr_static(find_scenario(config.scenario.name), "model")
    if not isinstance(kind, staticmethod | classmethod):
        message = "must be a static or class method, whose arguments are all that a saved model is built from"
        yield Finding(KEY, f"{config.scenario.name}.model {message}")


def parameters_are_given_once(config: Config) -> Iterator[Finding]:
    """A parameter that the scenario's `model` takes is set in `scenario`, and is no argument that it gets anyway."""
    scenario = config.scenario
    if scenario is None or config.model.name != f"{scenario.name}.model":
        return
    taken = model_arguments(find_scenario(scenario.name))
    for name in (name for name in scenario.parameters if name in taken):
        if name in config.model.kwargs:
            yield Finding(f"model.kwargs.{name}", f"is scenario.{name}; set that instead", ("scenario",))
        if name in _FROM_THE_CONFIG:
            message = f"model gets {name} {_FROM_THE_CONFIG[name]}; give the parameter another name"
            yield Finding(f"scenario.{name}", message)


CHECKS: tuple[Check, ...] = (
    scenario_or_data_gives_images,
    model_needs_no_scenario,
    parameters_are_given_once,
)
