"""Choices for the settings that are `auto`, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vernier.config.root import Config


@dataclass(frozen=True)
class Resolved:
    """A config without `auto`, and the reason of each choice by dotted key."""

    config: Config
    reasons: Mapping[str, str]

    def with_settings(self, settings: Mapping[str, Any], reasons: Mapping[str, str]) -> "Resolved":
        """With other values of some dotted keys, and their reasons."""
        return Resolved(_changed(self.config, settings), {**self.reasons, **reasons})


@dataclass
class Choices:
    """What has been chosen so far for what the user left open."""

    config: Config
    reasons: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def choose(self, key: str, value: Any, reason: str) -> None:
        """Take `value` for `key` if the user left it to us."""
        if self.current(key) in ("auto", None):
            self.values[key] = value
            self.reasons[key] = reason

    def override(self, key: str, value: Any, reason: str) -> None:
        """Take `value` for `key` whatever the user said."""
        if self.current(key) != value:
            self.values[key] = value
            self.reasons[key] = reason

    def current(self, key: str) -> Any:
        """The choice for a key so far, else what the user said."""
        if key in self.values:
            return self.values[key]
        value: Any = self.config
        for part in key.split("."):
            value = getattr(value, part)
        return value

    def finish(self) -> Resolved:
        """The config with all choices."""
        return Resolved(_changed(self.config, self.values), dict(self.reasons))


def _changed(config: Config, settings: Mapping[str, Any]) -> Config:
    tree = config.model_dump()
    for key, value in settings.items():
        *sections, name = key.split(".")
        place = tree
        for section in sections:
            place = place[section]
        place[name] = value
    return Config.model_validate(tree)
