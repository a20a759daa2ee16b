"""From a running training to a checkpoint and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vernier.training.log import logger
from vernier.training.run_directory import RunDirectory
from vernier.training.setup import Setup
from vernier.training.sharding import load_model_state, load_optimizer_state, model_state, optimizer_state
from vernier.training.state import TrainState
from vernier.training.unfreezing import unfrozen_for


def save_state(setup: Setup, run: RunDirectory, state: TrainState, callbacks: Mapping[str, Any]) -> None:
    """Write a checkpoint. Every process calls this; the first one writes.

    Args:
        callbacks: State of each callback by its name.
    """
    loss_sum, correct, count = setup.group.sum(state.loss_sum, state.correct, state.count)
    model, optimizer = model_state(setup.model), optimizer_state(setup.optimizer)
    if setup.group.rank == 0:
        totals = {"loss_sum": loss_sum, "correct": correct, "count": int(count)}
        run.checkpoints(setup.config.run).save(
            state.step,
            {
                "model": model,
                "optimizer": optimizer,
                "state": state.to_dict() | totals,
                "callbacks": dict(callbacks),
            },
        )
    setup.group.barrier()


@dataclass(frozen=True)
class Restored:
    """Where a training stands.

    Attributes:
        callbacks: State of each callback by its name.
    """

    setup: Setup
    state: TrainState
    callbacks: Mapping[str, Any]


def restore(setup: Setup, run: RunDirectory) -> Restored:
    """Put model and optimizer back to the newest checkpoint; a fresh state when there is none.

    Layers that had begun to train do so again. That a training was stopped early is for its callbacks to say again.
    """
    warn = logger.warning if setup.group.rank == 0 else _nowhere
    saved = run.checkpoints(setup.config.run).load_newest(warn)
    if saved is None:
        return Restored(setup, TrainState(), {})
    state = TrainState.from_dict(saved["state"] | {"stopped_early": None})
    setup = unfrozen_for(setup, state.epoch)
    load_model_state(setup.model, saved["model"])
    _restore_optimizer(setup.optimizer, saved["optimizer"])
    if setup.group.rank != 0:
        state.loss_sum = state.correct = 0.0
        state.count = 0
    else:
        logger.info("resuming at step %d (epoch %d, batch %d)", state.step, state.epoch + 1, state.batch)
    return Restored(setup, state, saved["callbacks"])


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load the optimizer's state but keep the settings of the config, which may have changed."""
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    load_optimizer_state(optimizer, saved)
    for group, wanted in zip(optimizer.param_groups, settings, strict=True):
        group.update(wanted)


def _nowhere(_text: str) -> None:
    pass
