"""One optimizer step."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from vernier.config.train import TrainConfig
from vernier.data.loader import Batch
from vernier.losses.loss import Loss, Teacher
from vernier.models.task import Task
from vernier.optim.clipping import clip_global_norm_, clip_parameter_norms_, clip_value_
from vernier.optim.l2 import add_l2_gradients_
from vernier.training.fabric import Fabric
from vernier.training.parts import Parts
from vernier.training.sharding import clip_sharded_norm_, gradients_not_yet_exchanged
from vernier.training.sync_batchnorm import statistics_with


@dataclass(frozen=True)
class StepResult:
    """What one batch saw, in this process; on the device, so that nobody has to wait for it.

    Attributes:
        sums: float32 (3,): sum of the sample losses, samples whose most probable labels are right, samples.
        sample_losses: float32 (n,), each times its weight.
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

    The loss of a step is the sum of the sample losses, each times its sample's weight, over its images divided by
    their number, however many processes and batches share them.
    """

    fabric: Fabric
    module: nn.Module
    backward: Callable[[torch.Tensor], None]
    optimizer: torch.optim.Optimizer
    task: Task
    loss: Loss
    teacher: Teacher | None
    train: TrainConfig
    l2: float
    memory_format: torch.memory_format

    def forward_backward(self, batch: Batch) -> StepResult:
        """Compute the gradients of a batch, replacing earlier ones."""
        self.zero_gradients()
        return self.add_gradients(batch, batch.global_count)

    def zero_gradients(self) -> None:
        """Begin a step."""
        self.optimizer.zero_grad(set_to_none=True)

    def add_gradients(self, batch: Batch, images: int) -> StepResult:
        """Add the gradients of a batch, of a step over this many images in all its batches and processes."""
        pixels = batch.images.to(self.fabric.device, memory_format=self.memory_format, non_blocking=True)
        targets = batch.targets.to(self.fabric.device, non_blocking=True)
        weights = batch.weights.to(self.fabric.device, non_blocking=True)
        # An image that stands in for none must not count in statistics over all processes.
        has_samples = self.fabric.global_rank < batch.global_count
        with statistics_with(self.module, has_samples=has_samples):
            logits = self.module(pixels)
        losses = self._losses(pixels, logits, targets, batch) * weights
        loss_sum = losses.sum()
        # DDP averages over processes; the factor turns that average into a sum.
        self.backward(loss_sum * (self.fabric.world_size / images))
        with torch.no_grad():
            counted = torch.full_like(weights, float(has_samples))
            correct = (self.task.correct(logits, targets) * counted).sum()
            sums = torch.stack([loss_sum.detach(), correct, counted.sum()])
            return StepResult(sums, losses.detach())

    def _losses(self, pixels: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor, batch: Batch) -> torch.Tensor:
        losses = self.loss(logits, targets)
        if batch.mixed is not None:
            partners = batch.mixed.targets.to(self.fabric.device, non_blocking=True)
            losses = batch.mixed.share * losses + (1 - batch.mixed.share) * self.loss(logits, partners)
        return losses if self.teacher is None else self.teacher(pixels, logits, losses)

    def not_yet_exchanged(self) -> AbstractContextManager[None]:
        """Gradients that are added within stay in this process, because more are to come."""
        if self.fabric.world_size == 1:
            return nullcontext()
        if self.train.strategy == "fsdp":
            return gradients_not_yet_exchanged(self.module.module)  # type: ignore[arg-type]
        context: AbstractContextManager[None] = self.fabric.no_backward_sync(self.module)  # type: ignore[arg-type]
        return context

    def update(self) -> None:
        """Clip the gradients and move the weights."""
        train = self.train
        clips = train.gradient_clip_norm or train.gradient_clip_parameter_norm or train.gradient_clip_value
        if self.l2 or clips:
            self._change_gradients()
        self.optimizer.step()

    def _change_gradients(self) -> None:
        train, parameters = self.train, list(self.module.parameters())
        if train.precision == "16-mixed":
            self.fabric.strategy.precision.unscale_gradients(self.optimizer.optimizer)  # type: ignore[attr-defined]
        if self.l2:
            add_l2_gradients_(parameters, self.l2)
        if train.gradient_clip_value is not None:
            clip_value_(parameters, train.gradient_clip_value)
        if train.gradient_clip_parameter_norm is not None:
            clip_parameter_norms_(parameters, train.gradient_clip_parameter_norm)
        if train.gradient_clip_norm is not None:
            clip = clip_sharded_norm_ if train.strategy == "fsdp" else clip_global_norm_
            clip(parameters, train.gradient_clip_norm)


def make_train_step(
    fabric: Fabric,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: Parts,
    memory_format: torch.memory_format,
) -> TrainStep:
    """The step of a training.

    Args:
        module, optimizer: As Fabric has set them up.
        parts: With a resolved config.
        memory_format: Of the batches that the module takes.
    """
    train = parts.config.train
    # On one device in fp32 Fabric's wrapping has nothing to add, and costs 0.1 ms a step.
    plain = train.strategy == "single" and train.precision == "32-true"
    return TrainStep(
        fabric=fabric,
        module=module.module if plain else module,  # type: ignore[arg-type]
        backward=torch.Tensor.backward if plain else fabric.backward,
        optimizer=optimizer,
        task=parts.task,
        loss=parts.loss,
        teacher=parts.teacher,
        train=train,
        l2=parts.config.loss.l2,
        memory_format=memory_format,
    )
