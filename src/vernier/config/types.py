"""Field types shared by the sections: text, numbers, fractions, durations, sizes, `auto`."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from vernier.config.arithmetic import evaluate_number
from vernier.config.duration import Duration
from vernier.config.scalars import plain_value, source_text, truth


@final
@dataclass(frozen=True)
class Words:
    """What a type takes, in plain words, for messages and for the reference."""

    text: str


Auto = Literal["auto"]
"""A value that Vernier chooses before the first step; the resolved config holds the choice and its reason."""

Flag = Annotated[bool, BeforeValidator(truth), Field(strict=True), Words("true or false")]
"""`true` or `false`, and nothing that looks like them."""

Text = Annotated[str, BeforeValidator(source_text), Words("text")]
"""Text as it was written: `017` and `10` stay text where text is meant."""

Number = Annotated[float, BeforeValidator(evaluate_number), Words("a number")]
"""A number, or arithmetic on numbers such as `1/127.5`."""

Anything = Annotated[Any, BeforeValidator(plain_value), Words("null, true, false, a number, text, a list or a mapping")]
"""A value handed on to other code as it is: null, true, numbers, text, lists, mappings."""

Probability = Annotated[Number, Field(ge=0, le=1)]
"""A number from 0 to 1."""

Count = Annotated[int, Field(ge=1, strict=True)]
"""A whole number, at least 1."""

Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True), Words("a whole number below 2^63")]
"""A whole number from 0; 0 is a seed like any other."""


def _one_or_two(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Size = Annotated[
    tuple[Count, Count],
    BeforeValidator(_one_or_two),
    Words("a size in pixels: one whole number for a square, or [height, width], each at least 1"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""Height and width in pixels; one number stands for a square."""


def in_order(value: tuple[float, float]) -> tuple[float, float]:
    """The range itself.

    Raises:
        ValueError: its first number is above its second.
    """
    if value[0] > value[1]:
        raise ValueError("the smaller number comes first")
    return value


DurationField = Annotated[
    Duration,
    BeforeValidator(Duration.parse),
    PlainSerializer(str, return_type=str),
    Words("a number and its unit: 60s, 10m, 2h, 5ep (epochs), 300st (steps) or 10%"),
    WithJsonSchema({"type": "string", "examples": ["60s", "2h", "5ep", "300st", "10%"]}),
]
"""A duration with its unit: `60s`, `10m`, `2h` of time, `5ep` epochs, `300st` steps, `10%` of training."""
