"""Lookahead (Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back")."""

from typing import Any, Final, final

import torch
from torch import Tensor

from vernier.config.optimizer import LookaheadConfig

_KEY: Final = "lookahead"


@final
class Lookahead:
    """Slow weights that follow the weights of an optimizer.

    Every `sync_period` steps slow <- slow + slow_step (w - slow), and the weights are put back to that. It hangs on the
    optimizer's hooks, so the optimizer stays what it is, and its `state_dict` holds the slow weights under a key of
    their own.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, config: LookaheadConfig) -> None:
        """Attach to `optimizer`, which keeps this object alive."""
        self._config = config
        self._steps = 0
        self._slow: dict[Tensor, Tensor] = {}
        optimizer.register_step_pre_hook(self._before_step)
        optimizer.register_step_post_hook(self._after_step)
        optimizer.register_state_dict_post_hook(self._add_state)
        optimizer.register_load_state_dict_pre_hook(self._take_state)

    def _before_step(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        """Remember where weights begin, also those of a group that was added later."""
        if len(self._slow) < sum(len(group["params"]) for group in optimizer.param_groups):
            for weight in _weights(optimizer):
                if weight not in self._slow:
                    self._slow[weight] = weight.detach().clone()

    @torch.no_grad()
    def _after_step(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        self._steps += 1
        if self._steps % self._config.sync_period == 0:
            weights, slow = list(self._slow), list(self._slow.values())
            torch._foreach_lerp_(slow, weights, self._config.slow_step)
            torch._foreach_copy_(weights, slow)

    def _add_state(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        slow = {index: self._slow[weight] for index, weight in enumerate(_weights(optimizer)) if weight in self._slow}
        return {**state, _KEY: {"steps": self._steps, "slow": slow}}

    def _take_state(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        weights, saved = _weights(optimizer), state[_KEY]
        self._steps = saved["steps"]
        self._slow = {
            weights[index]: torch.empty_like(weights[index]).copy_(slow).detach()
            for index, slow in saved["slow"].items()
        }
        return {key: value for key, value in state.items() if key != _KEY}


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]
