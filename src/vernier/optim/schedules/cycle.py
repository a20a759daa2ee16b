"""The two phases of one cycle."""

from dataclasses import dataclass
from typing import final

from vernier.optim.schedules.curves import half_cosine


@final
@dataclass(frozen=True)
class Cycle:
    """A rise and a fall over some steps, timed as torch.optim.lr_scheduler.OneCycleLR does in two phases.

    The last step has the last value. With so few steps that the rise has none, the first step is the top.

    Attributes:
        rise: Share of the steps.
        steps: At least 1.
    """

    rise: float
    steps: int

    def between(self, step: int, start: float, top: float, end: float) -> float:
        """The value at a step, from `start` over `top` to `end` along half cosines."""
        last = self.steps - 1
        summit = max(self.rise * self.steps - 1, 0.0)
        if step < summit:
            return half_cosine(start, top, step / summit)
        if summit < last:
            return half_cosine(top, end, (min(step, last) - summit) / (last - summit))
        return top
