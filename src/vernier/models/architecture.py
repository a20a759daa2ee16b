"""What a network is, apart from its weights: enough to build it again from JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vernier.config.algebra import AlgebraConfig
from vernier.config.head import HeadLayer
from vernier.errors import ModelError

Provider = Literal["zoo", "timm", "torchvision", "python"]
"""Who builds the network; `python` is the user's own `package.module:callable`."""


@final
@dataclass(frozen=True)
class Architecture:
    """A network by name, fitted to its data.

    Attributes:
        provider: who builds it.
        name: a name of the provider, or `package.module:callable`.
        kwargs: further arguments of the network (`model.kwargs`); JSON values only.
        num_outputs: logits for each image.
        channels: channels of the input image.
        input_size: height and width of the input in pixels.
        dropout: probability of dropout before the head; None leaves the network's own.
        depth: number of layers, for families that come in several; None leaves the name's own.
        width_divisor: what the channels of every layer but the outputs are divided by.
        head: layers between the backbone and the classifier.
        head_name: dotted name of the classifier; None leaves it to be found.
        algebra: the numbers that the network computes with; None for real ones.
    """

    provider: Provider
    name: str
    kwargs: dict[str, Any]
    num_outputs: int
    channels: int
    input_size: tuple[int, int]
    dropout: float | None = None
    depth: int | None = None
    width_divisor: float = 1.0
    head: tuple[HeadLayer, ...] = ()
    head_name: str | None = None
    algebra: AlgebraConfig | None = None

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def to_json(self) -> dict[str, Any]:
        """The architecture as JSON values; `from_json` reads them back."""
        values: dict[str, Any] = _ADAPTER.dump_python(self)
        return {**values, "input_size": list(self.input_size), "head": list(values["head"])}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Architecture":
        """Read what `to_json` wrote.

        Raises:
            ModelError: a field is missing, unknown or of another type.
        """
        try:
            return _ADAPTER.validate_python(dict(values))
        except ValidationError as error:
            raise ModelError(f"the architecture can't be read: {describe_problems(error)}") from None


def describe_problems(error: ValidationError) -> str:
    """What pydantic found wrong, in one line: `field: message; ...`."""
    problems = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return "; ".join(problems)


_ADAPTER = TypeAdapter(Architecture)
