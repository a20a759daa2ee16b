"""How the other functions read their settings."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from vernier.config.checks import CHECKS, Check
from vernier.config.loading import LoadedConfig, config_from_mapping, load_config, read_config_file
from vernier.config.normalise import nest
from vernier.config.overrides import parse_arguments
from vernier.config.root import Config
from vernier.config.words import show
from vernier.deploy.places import EXPORTS
from vernier.errors import RunError

ConfigLike = str | Path | Mapping[str, Any] | LoadedConfig | None

_DATA_KEYS = ("data", "data.source", "data.train", "data.val", "data.test", "data.lists")


@final
@dataclass(frozen=True)
class ModelConfig:
    """The config that a model is used with.

    Attributes:
        config: Its run's, or made of the overrides alone where these name data.
        names_data: Whether the overrides do.
        is_runs: Whether it is its run's.
    """

    config: Config
    names_data: bool
    is_runs: bool

    @property
    def has_data(self) -> bool:
        """Whether there are images to measure on."""
        return self.names_data or self.is_runs


def read_config(config: ConfigLike, *overrides: str, checks: Sequence[Check] = CHECKS) -> LoadedConfig:
    """Read a config file or mapping and overrides.

    Raises:
        ConfigError: all problems at once.
    """
    if isinstance(config, LoadedConfig):
        return config
    if isinstance(config, Mapping):
        return config_from_mapping(config, overrides, checks=checks)
    return load_config(None if config is None else Path(config), overrides, checks=checks)


def model_config(home: Path, overrides: Sequence[str], *, trust: bool, checks: Sequence[Check] = ()) -> ModelConfig:
    """The config that belongs to a model, with overrides.

    Args:
        home: A run, a bundle, or a file.
        overrides: Such as `data=DIR`: with other data nothing of the run's config counts.
        trust: Import the user's own code when the run is measured by it.
        checks: Of the whole config.

    Raises:
        ConfigError: The overrides are off.
        RunError: The run is measured by code, and there is no trust.
    """
    named = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    file = None if named else run_config(home)
    if file is not None and not trust:
        _refuse_code(file)
    return ModelConfig(load_config(file, overrides, checks=checks).config, named, file is not None)


def run_config(model: Path) -> Path | None:
    """The config of a run, or of the run that a bundle or an exported file lies in; None without."""
    place = Path(os.path.abspath(model))  # noqa: PTH100 (a link keeps its place)
    parents = [place, place.parent, *([place.parent.parent] if place.parent.name == EXPORTS else [])]
    return next((file for parent in parents if (file := parent / "config.yaml").is_file()), None)


def _refuse_code(file: Path) -> None:
    """Stop before a run's config imports code of the user's own."""
    tree = nest(read_config_file(file).items()).data
    named = [tree.get("scenario"), (tree.get("evaluate") or {}).get("evaluators")]
    code = ", ".join(show(item) for item in named if item)
    if code:
        raise RunError(
            f"{file}: the run is measured by Python code, {code}, which evaluating would run. If you trust it, "
            "evaluate with --trust (in Python: trust=True); with data=DIR it is left out"
        )
