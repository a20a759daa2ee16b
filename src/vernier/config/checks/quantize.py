"""What has to hold for `quantize`. One function a rule."""

import re
from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def excluded_layers_are_patterns(config: Config) -> Iterator[Finding]:
    """Each entry is a regular expression."""
    for pattern in config.quantize.exclude:
        try:
            re.compile(pattern)
        except re.error as error:
            yield Finding("quantize.exclude", f"{pattern!r} is no regular expression: {error}; mend it")


def integer_input_meets_integers(config: Config) -> Iterator[Finding]:
    """A first layer in float takes float."""
    settings = config.quantize
    if settings.input != "float" and settings.first_layer_float:
        message = (
            f"{settings.input} needs a first layer of integers; set it to float, or quantize.first_layer_float=false"
        )
        yield Finding("quantize.input", message, ("quantize.first_layer_float",))


def budget_is_a_time(config: Config) -> Iterator[Finding]:
    """A search lasts seconds."""
    budget = config.quantize.budget
    if budget.unit != "s" or budget.value == 0:
        yield Finding("quantize.budget", f"must be a time above 0, such as 90s or 10m; got {budget}")


CHECKS: tuple[Check, ...] = (excluded_layers_are_patterns, integer_input_meets_integers, budget_is_a_time)
