"""Numbers that the config gives for each class."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem


def class_values(key: str, given: Mapping[str, float] | Sequence[float], names: Sequence[str]) -> np.ndarray:
    """Numbers by class name, or in the order of the classes, as float64 (C,) in that order.

    Args:
        key: The config key that holds them, for messages.

    Raises:
        ConfigError: a name that is no class, a class without a number, or another number of numbers.
    """
    if isinstance(given, Mapping):
        _check_names(key, given, names)
        return np.array([given[name] for name in names], dtype=np.float64)
    if len(given) != len(names):
        message = f"must be a number for each of the {len(names)} classes ({listed(names)}); got {len(given)}"
        raise ConfigError([ConfigProblem(key, message)])
    return np.array(given, dtype=np.float64)


def require_images(key: str, value: object, names: Sequence[str], counts: np.ndarray) -> None:
    """Every class has images to count.

    Raises:
        ConfigError: naming the classes without.
    """
    empty = [name for name, count in zip(names, counts, strict=True) if count == 0]
    if empty:
        message = f"{value} can't be computed: no training images of {listed(empty)}; give numbers, or leave it out"
        raise ConfigError([ConfigProblem(key, message)])


def _check_names(key: str, given: Collection[str], names: Sequence[str]) -> None:
    problems = [
        ConfigProblem(f"{key}.{name}", f"is no class.{did_you_mean(name, names)} The classes are {listed(names)}")
        for name in given
        if name not in names
    ]
    missing = [name for name in names if name not in given]
    if missing:
        problems.append(ConfigProblem(key, f"must name every class; {listed(missing)} missing"))
    if problems:
        raise ConfigError(problems)
