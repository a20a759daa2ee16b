"""How many optimizer steps a training has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """Batches and optimizer steps: `accumulate` batches make one step, an epoch's last step may have fewer.

    Attributes:
        batches_per_epoch: Of all processes together.
        accumulate: `train.accumulate`.
        epochs: `train.epochs`.
        limit: `train.max_steps`.
    """

    batches_per_epoch: int
    accumulate: int
    epochs: int
    limit: int | None = None

    @property
    def per_epoch(self) -> int:
        """Optimizer steps of one epoch."""
        return -(-self.batches_per_epoch // self.accumulate)

    @property
    def total(self) -> int:
        """Optimizer steps of the whole training."""
        steps = self.epochs * self.per_epoch
        return steps if self.limit is None else min(steps, self.limit)

    @property
    def total_batches(self) -> int:
        """Batches of the whole training."""
        epochs, steps = divmod(self.total, self.per_epoch)
        return epochs * self.batches_per_epoch + steps * self.accumulate

    @property
    def epochs_begun(self) -> int:
        """Epochs that the training has, of the last one perhaps a part."""
        return -(-self.total // self.per_epoch)

    def batches_of_step(self, batch: int) -> range:
        """The numbers of the batches of an epoch that make a step together with this one."""
        first = batch - batch % self.accumulate
        return range(first, min(first + self.accumulate, self.batches_per_epoch))
