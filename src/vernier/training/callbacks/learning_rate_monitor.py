"""Learning rates and momentum as they are."""

from collections.abc import Mapping
from typing import Any, final

from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.setup import Setup


@final
class LearningRateMonitor(Callback):
    """Shows what `optimizer_values` says beside every row of a step."""

    def __init__(self, tracker: TensorBoardTracker) -> None:
        self._tracker = tracker

    def step_logged(self, training: Training, values: Mapping[str, float]) -> None:
        """See `Callback.step_logged`."""
        for name, value in optimizer_values(training.setup).items():
            self._tracker.writer.add_scalar(f"step/{name}", value, training.state.step)


def optimizer_values(setup: Setup) -> dict[str, float]:
    """`lr/<group>` of each parameter group if their learning rates differ, and `momentum` of the first if it has one.

    A group is called by its `name`, else by its number. The momentum of Adam and its kin is their first beta.
    """
    groups = setup.optimizer.param_groups
    momentum = _momentum(groups[0])
    if len(set(setup.base_learning_rates)) == 1:
        return momentum
    return {f"lr/{group.get('name', number)}": float(group["lr"]) for number, group in enumerate(groups)} | momentum


def _momentum(group: Mapping[str, Any]) -> dict[str, float]:
    momentum = group["betas"][0] if "betas" in group else group.get("momentum", 0.0)
    return {"momentum": float(momentum)} if momentum else {}
