"""What every section of the config is made of."""

from collections.abc import Sequence
from typing import final

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the config that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )


@final
class FieldConflict(ValueError):
    """Fields of one section that are each right but do not go together; the first one is blamed."""

    def __init__(self, fields: Sequence[str], message: str) -> None:
        self.fields = tuple(fields)
        self.message = message
        super().__init__(f"{self.fields[0]}: {message}")
