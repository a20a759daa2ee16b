"""Field types shared by the sections: text, numbers, fractions, durations, sizes, `auto`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from vernier.config.arithmetic import evaluate_number
from vernier.config.duration import Duration
from vernier.config.scalars import plain_value, source_text

Auto = Literal["auto"]
"""A value that Vernier chooses before the first step; the resolved config holds the choice and its reason."""

Text = Annotated[str, BeforeValidator(source_text)]
"""Text as it was written: `017` and `10` stay text where text is meant."""

Number = Annotated[float, BeforeValidator(evaluate_number)]
"""A number, or arithmetic on numbers such as `1/127.5`."""

Anything = Annotated[Any, BeforeValidator(plain_value)]
"""A value handed on to other code as it is: null, true, numbers, text, lists, mappings."""

Probability = Annotated[Number, Field(ge=0, le=1)]
"""A number from 0 to 1."""

Count = Annotated[int, Field(ge=1, strict=True)]
"""A whole number, at least 1."""

Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
"""A whole number from 0; 0 is a seed like any other."""


def _one_or_two(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Size = Annotated[
    tuple[Count, Count],
    BeforeValidator(_one_or_two),
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

DurationField = Annotated[
    Duration,
    BeforeValidator(Duration.parse),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["60s", "2h", "5ep", "300st", "10%"]}),
]
"""A duration with its unit: `60s`, `10m`, `2h` of time, `5ep` epochs, `300st` steps, `10%` of the training."""
