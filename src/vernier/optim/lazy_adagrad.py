"""torch's Adagrad with its state made when it is needed."""

from typing import Any

import torch


def make_lazy(optimizer: torch.optim.Adagrad) -> None:
    """Make the sums of squares before the first step of each parameter instead of at once.

    torch makes them where the parameters are when the optimizer is made, but a module moves to its device later, and
    before torch 2.15 a group that is added gets none.
    """
    optimizer.state.clear()
    optimizer.register_step_pre_hook(_fill)


def _fill(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
    if len(optimizer.state) < sum(len(group["params"]) for group in optimizer.param_groups):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if not optimizer.state[parameter]:
                    start = torch.full_like(parameter, group["initial_accumulator_value"], requires_grad=False)
                    optimizer.state[parameter] = {"step": torch.tensor(0.0), "sum": start}
