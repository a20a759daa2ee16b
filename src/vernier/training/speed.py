"""What can be chosen for speed in a training step, and which choices make sense on a machine."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, final

import torch

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.config.train import Precision, TrainConfig

_HALF: Final[tuple[Precision, ...]] = ("bf16-mixed", "bf16-true", "16-mixed")


@final
@dataclass(frozen=True)
class Speed:
    """The fields of `train` that change how a step runs; see there for what they mean."""

    precision: Precision
    memory_format: Literal["channels_last", "contiguous"]
    allocator: Literal["keep", "system"]
    matmul_precision: Literal["highest", "high"]
    compile: bool
    fp32_layers: tuple[str, ...] = ()

    @staticmethod
    def of(config: Config) -> "Speed":
        """What a resolved config says."""
        train = config.train
        return Speed(
            settled(train.precision),
            settled(train.memory_format),
            settled(train.allocator),
            settled(train.matmul_precision),
            settled(train.compile),
            settled(train.fp32_layers),
        )

    def settings(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @property
    def is_exact(self) -> bool:
        """Whether all arithmetic is fp32."""
        return self.precision not in _HALF and self.matmul_precision == "highest"

    def __str__(self) -> str:
        words = [self.precision, self.memory_format, f"allocator {self.allocator}"]
        words += [f"{len(self.fp32_layers)} layers fp32"] if self.fp32_layers else []
        words += ["TF32"] if self.matmul_precision == "high" else []
        return ", ".join([*words, "compiled"] if self.compile else words)


def with_train(config: Config, **settings: Any) -> Config:
    """The config with other fields of `train`."""
    return config.model_copy(update={"train": config.train.model_copy(update=settings)})


@final
@dataclass(frozen=True)
class Choice:
    """Values to try for one field, from what is surest to what is fastest as a rule."""

    field: str
    values: tuple[Any, ...]


def choices(asked: TrainConfig, accelerator: str) -> Iterator[Choice]:
    """What is left to Vernier, in the order in which it is worth trying."""
    for choice in _CPU if accelerator == "cpu" else _cuda():
        if getattr(asked, choice.field) == "auto":
            yield choice


_CPU: Final = (
    Choice("allocator", ("keep",)),
    Choice("precision", ("bf16-mixed",)),
    Choice("memory_format", ("contiguous",)),
    Choice("compile", (True,)),
)


def _cuda() -> tuple[Choice, ...]:
    half = "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "16-mixed"
    return (
        Choice("matmul_precision", ("high",)),
        Choice("precision", (half,)),
        Choice("memory_format", ("contiguous",)),
        Choice("compile", (True,)),
    )
