"""Durations with a unit, converted to steps in one place."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Unit = Literal["s", "ep", "st", "%"]

PATTERN = r"\s*([0-9]{1,15}(?:\.[0-9]+)?)\s*(s|m|h|ep|st|%)\s*"
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Duration:
    """A length of time (`s`), epochs (`ep`), optimizer steps (`st`) or a percentage of the training (`%`)."""

    value: float
    unit: Unit

    @staticmethod
    def parse(text: Any) -> "Duration":
        """Read `60s`, `10m`, `2h`, `5ep`, `300st` or `10%`; a Duration passes through.

        Raises:
            ValueError: anything else, with the units that are allowed.
        """
        if isinstance(text, Duration):
            return text
        match = re.fullmatch(PATTERN, str(text))
        if match is None:
            raise ValueError("write a number and its unit: 60s, 10m, 2h, 5ep (epochs), 300st (steps) or 10%")
        value, unit = float(match[1]), match[2]
        if unit in _SECONDS:
            return Duration(value * _SECONDS[unit], "s")
        return Duration(value, unit)  # type: ignore[arg-type]

    def __str__(self) -> str:
        number = f"{Decimal(repr(self.value)):f}".removesuffix(".0")
        return f"{number}{self.unit}"

    def steps(self, steps_per_epoch: int, total_steps: int) -> int:
        """The duration as a whole number of optimizer steps.

        Raises:
            ValueError: a duration in time has no number of steps.
        """
        match self.unit:
            case "st":
                return round(self.value)
            case "ep":
                return round(self.value * steps_per_epoch)
            case "%":
                return round(self.value / 100 * total_steps)
        raise ValueError(f"{self} is a time; write it in ep, st or %")
