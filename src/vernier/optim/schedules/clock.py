"""The steps of a training, and durations in them."""

from dataclasses import dataclass
from typing import final

from vernier.config.checks.schedule import TrainingLength, schedule_problems
from vernier.config.duration import Duration
from vernier.config.schedule import ScheduleConfig
from vernier.errors import ConfigError, ConfigProblem


@final
@dataclass(frozen=True)
class Clock:
    """How many optimizer steps a training has, and an epoch."""

    total: int
    per_epoch: int

    def steps(self, duration: Duration) -> int:
        """A duration in whole steps, which may be none."""
        return duration.steps(self.per_epoch, self.total)

    def some_steps(self, duration: Duration) -> int:
        """A duration in whole steps, at least one."""
        return max(1, self.steps(duration))

    def warmup(self, config: ScheduleConfig) -> int:
        """Steps of the warm-up; whatever rounding says, one step is left for what comes after it."""
        return min(self.steps(config.warmup), self.total - 1)

    def start(self, config: ScheduleConfig) -> int:
        """The first step after warm-up and hold."""
        return min(self.warmup(config) + self.steps(config.hold), self.total - 1)

    def rest(self, config: ScheduleConfig) -> int:
        """Steps after warm-up and hold."""
        return self.total - self.start(config)

    def check(self, config: ScheduleConfig) -> None:
        """Compare all durations of a schedule with the training.

        Raises:
            ConfigError: with every problem.
        """
        words = f"optimizer steps: {self.total}, {self.per_epoch} an epoch"
        length = TrainingLength(self.total, self.per_epoch, 1.0, words)
        problems = [ConfigProblem(f"schedule.{name}", message) for name, message in schedule_problems(config, length)]
        if problems:
            raise ConfigError(problems)
