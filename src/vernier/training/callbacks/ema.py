"""An exponential moving average of the weights (`train.ema`): what is validated, and saved in bundles."""

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.loader import Batch
from vernier.evaluation.metrics import Measures
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.runtime import Group
from vernier.training.step import StepResult


@final
class EMA(Callback):
    """After every optimizer step, average <- d average + (1 - d) weight (Polyak & Juditsky 1992).

    Over what trains and over BatchNorm's running statistics; integer buffers stay the model's own. The averages are in
    the model while it is validated and once training is over. It has to be the last callback, so that bundles which
    other callbacks save after a validation hold the averages too.

    Args:
        decay: d.
        warmup: d is at most (1 + t) / (10 + t) at step t, from 0.
    """

    def __init__(self, decay: float, warmup: bool) -> None:
        self._decay, self._warmup = decay, warmup
        self._updates = 0
        self._weights: dict[str, Tensor] = {}
        self._averages: dict[str, Tensor] = {}
        self._raw: list[Tensor] = []

    @property
    def averages(self) -> Mapping[str, Tensor]:
        """The averages by the names of parameters and buffers, float32 or as precise as the weights."""
        return self._averages

    def attach(self, model: nn.Module, later: bool = False) -> None:
        """Average this model from now on. What has no average yet starts with its present value.

        Args:
            later: Frozen parameters may begin to train, so they are averaged too.
        """
        self._weights = _averaged(model, later)
        self._averages = {name: _average_of(weight, self._averages.get(name)) for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take a step's weights into the averages."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._warmup else self._decay
        averages = list(self._averages.values())
        weights = [weight.to(average.dtype) for weight, average in zip(self._weights.values(), averages, strict=True)]
        # Exact where both are equal, which d average + (1 - d) weight is not.
        torch._foreach_lerp_(averages, weights, 1 - decay)
        self._updates += 1

    @torch.no_grad()
    def use_averages(self) -> None:
        """Put the averages into the model and keep what was there."""
        self._raw = [weight.clone() for weight in self._weights.values()]
        torch._foreach_copy_(list(self._weights.values()), list(self._averages.values()))

    @torch.no_grad()
    def use_weights(self) -> None:
        """Put the weights back to the bit; nothing if they are there."""
        if self._raw:
            torch._foreach_copy_(list(self._weights.values()), self._raw)
            self._raw = []

    def begin(self, training: Training) -> None:
        """Start with the weights, or go on with the averages of a checkpoint."""
        self.attach(training.setup.model, later=bool(training.setup.config.train.unfreeze))

    def step_end(self, training: Training, batch: Batch, result: StepResult) -> None:
        """Average."""
        self.update()

    def validation_begin(self, training: Training) -> None:
        """The averages are what is measured."""
        self._agree(training.setup.group)
        self.use_averages()

    def validation_end(self, training: Training, measures: Measures) -> None:
        """Training goes on with the weights."""
        self.use_weights()

    def end(self, training: Training) -> None:
        """Leave the averages in the model if training is over, else the weights."""
        if training.is_over:
            self._agree(training.setup.group)
            self.use_averages()
            self._raw = []
        else:
            self.use_weights()

    def state_dict(self) -> dict[str, Any]:
        """The averages and how many steps they have seen."""
        return {"updates": self._updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._updates, self._averages = state["updates"], dict(state["averages"])

    def _agree(self, group: Group) -> None:
        """Take over the first process's averages of buffers: each process has statistics of its own images."""
        if group.world_size == 1:
            return
        for name, weight in self._weights.items():
            if not isinstance(weight, nn.Parameter):
                torch.distributed.broadcast(self._averages[name], 0)


def make_ema(config: Config) -> EMA | None:
    """The average that a resolved config asks for."""
    ema = config.train.ema
    return None if ema is None else EMA(settled(ema.decay), ema.warmup)


def _averaged(model: nn.Module, later: bool) -> dict[str, Tensor]:
    """What is averaged, by name: parameters that train, and floating-point buffers that are saved."""
    saved = model.state_dict().keys()
    parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad or later}
    buffers = {name: weight for name, weight in model.named_buffers() if name in saved}
    return {name: weight for name, weight in (parameters | buffers).items() if weight.is_floating_point()}


def _average_of(weight: Tensor, saved: Tensor | None) -> Tensor:
    """A saved average, or one that starts now: in the weight's memory order, in float32 or better."""
    dtype = torch.promote_types(weight.dtype, torch.float32)
    return torch.empty_like(weight, dtype=dtype, requires_grad=False).copy_(weight.detach() if saved is None else saved)
