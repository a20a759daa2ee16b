"""One optimizer step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from vernier.config.train import TrainConfig
from vernier.data.loader import Batch
from vernier.models.task import Task
from vernier.training.fabric import Fabric


@dataclass(frozen=True)
class StepResult:
    """What one step saw, in this process; on the device, so that nobody has to wait for it.

    Attributes:
        sums: float32 (3,): sum of the sample losses, samples whose most probable labels are right, samples.
        sample_losses: float32 (n,).
    """

    sums: torch.Tensor
    sample_losses: torch.Tensor

    @property
    def loss_sum(self) -> float:
        """Sum of the sample losses; waits for the device."""
        return float(self.sums[0])


@dataclass(frozen=True)
class TrainStep:
    """Forward, backward, clip, step.

    The loss of a step is the sum of the sample losses over the global batch divided by its size, however many
    processes share the batch.
    """

    fabric: Fabric
    module: nn.Module
    backward: Callable[[torch.Tensor], None]
    optimizer: torch.optim.Optimizer
    task: Task
    clip_norm: float | None
    clip_value: float | None
    memory_format: torch.memory_format

    def forward_backward(self, batch: Batch) -> StepResult:
        """Compute the gradients of a batch, replacing earlier ones."""
        images = batch.images.to(self.fabric.device, memory_format=self.memory_format, non_blocking=True)
        targets = batch.targets.to(self.fabric.device, non_blocking=True)
        weights = batch.weights.to(self.fabric.device, non_blocking=True)
        logits = self.module(images)
        losses = self.task.loss(logits, targets) * weights
        # DDP averages over processes; the factor turns that average into a sum.
        self.optimizer.zero_grad(set_to_none=True)
        loss_sum = losses.sum()
        self.backward(loss_sum * (self.fabric.world_size / batch.global_count))
        with torch.no_grad():
            correct = (self.task.correct(logits, targets) * weights).sum()
            sums = torch.stack([loss_sum.detach(), correct, weights.sum()])
            return StepResult(sums, losses.detach())

    def update(self) -> None:
        """Clip the gradients and move the weights."""
        if self.clip_norm is not None:
            self.fabric.clip_gradients(self.module, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)
        if self.clip_value is not None:
            self.fabric.clip_gradients(self.module, self.optimizer, clip_val=self.clip_value)
        self.optimizer.step()


def make_train_step(
    fabric: Fabric,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    task: Task,
    train: TrainConfig,
    memory_format: torch.memory_format,
) -> TrainStep:
    """The step of a training.

    Args:
        module, optimizer: As Fabric has set them up.
        train: Resolved.
        memory_format: Of the batches that the module takes.
    """
    # On one device in fp32 Fabric's wrapping has nothing to add, and costs 0.1 ms a step.
    plain = train.strategy == "single" and train.precision == "32-true"
    return TrainStep(
        fabric=fabric,
        module=module.module if plain else module,  # type: ignore[arg-type]
        backward=torch.Tensor.backward if plain else fabric.backward,
        optimizer=optimizer,
        task=task,
        clip_norm=train.gradient_clip_norm,
        clip_value=train.gradient_clip_value,
        memory_format=memory_format,
    )
