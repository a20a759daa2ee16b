"""Callbacks as users write them."""

import os
import signal

import torch

from vernier.training.callbacks.callback import Callback

SEEN: list[str] = []


class Recorder(Callback):
    """Notes every call."""

    def __init__(self, tag: str = "") -> None:
        self.tag, self.steps = tag, 0

    def begin(self, training):
        SEEN.append(f"{self.tag}begin {training.state.step} {self.steps}")

    def step_end(self, training, batch, result):
        self.steps += 1
        assert len(batch.positions) == len(result.sample_losses)

    def validation_begin(self, training):
        SEEN.append(f"{self.tag}validation_begin {training.state.step}")

    def validation_end(self, training, measures):
        SEEN.append(f"{self.tag}validation_end {measures.n}")

    def epoch_end(self, training, values):
        SEEN.append(f"{self.tag}epoch_end {training.epoch_number} {values['train_loss'] > 0}")

    def end(self, training):
        SEEN.append(f"{self.tag}end {self.steps} {training.is_over}")

    def state_dict(self):
        return {"steps": self.steps, "tensor": torch.tensor([self.steps])}

    def load_state_dict(self, state):
        assert int(state["tensor"]) == state["steps"]
        self.steps = state["steps"]


class Stopper(Callback):
    """Stops after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step_end(self, training, batch, result):
        if training.state.step == self.steps:
            training.stop_requested = f"{self.steps} steps are enough"


def share_of_zeros(evaluated):
    """An evaluator."""
    return {"share_of_zeros": float((evaluated.targets == 0).mean()), "classes": len(evaluated.class_names)}


def no_numbers(evaluated):
    """An evaluator that gives something else."""
    return {"paths": evaluated.paths}


class Terminator(Callback):
    """Has the process terminated after a step, as a scheduler would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def step_end(self, training, batch, result):
        if training.state.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


class Misspelt(Callback):
    """A hook that is never called."""

    def epoch_ended(self, training, values):
        SEEN.append("never")


class Short(Callback):
    """A hook without all of its arguments."""

    def epoch_end(self, training):
        SEEN.append("never")


class Opaque(Callback):
    """Keeps what no checkpoint can hold."""

    def state_dict(self):
        return {"kept": [object()]}


def two_arguments(evaluated, other):
    """No evaluator."""
    return {}
