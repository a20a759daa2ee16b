"""`train.profile=true`: a trace of a few training steps, for TensorBoard or Perfetto."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from vernier.atomic import write_text_atomically
from vernier.config.root import Config
from vernier.errors import RunError
from vernier.training.log import logger

_WAIT: Final = 2
_WARM_UP: Final = 1
_ACTIVE: Final = 5
_ROWS: Final = 30

TRACE_SUFFIX: Final = ".pt.trace.json.gz"
"""What TensorBoard's profiler plugin looks for; Perfetto (ui.perfetto.dev) opens it too."""


class StepProfiler(ABC):
    """Watches training steps."""

    @abstractmethod
    def step(self) -> None:
        """A training step is done."""

    @abstractmethod
    def close(self) -> None:
        """No more steps come; what was traced is written."""


@final
class NoProfiler(StepProfiler):
    """Watches nothing."""

    def step(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@final
@dataclass(frozen=True)
class TracedSteps:
    """Which steps of a training are traced: from `first` (from 0) to before `stop`, after one unrecorded step."""

    first: int
    stop: int

    @property
    def begin(self) -> int:
        """The step that warms the profiler up."""
        return max(0, self.first - _WARM_UP)


def traced_steps(epochs: int, steps_per_epoch: int) -> TracedSteps:
    """Some steps of the second epoch, of the first if there is one only: after three others where there are as many."""
    start = steps_per_epoch if epochs > 1 else 0
    skipped = min(_WAIT + _WARM_UP, max(0, steps_per_epoch - _ACTIVE))
    first = start + skipped
    return TracedSteps(first, min(first + _ACTIVE, start + steps_per_epoch))


@final
class TraceProfiler(StepProfiler):
    """Records steps with `torch.profiler` and writes `steps_A-B.pt.trace.json.gz` and `summary.txt`.

    Outside of those steps it only counts. A training that goes on after they began records nothing.
    """

    def __init__(self, directory: Path, traced: TracedSteps, start_step: int) -> None:
        self._directory = directory
        self._traced = traced
        self._step = start_step
        self._profile: profile | None = None
        self._begin_if_due()

    def step(self) -> None:
        """See `StepProfiler.step`."""
        self._step += 1
        if self._profile is None:
            self._begin_if_due()
        elif self._step == self._traced.stop:
            self.close()
        else:
            self._profile.step()

    def close(self) -> None:
        """See `StepProfiler.close`; a training that ended within the steps leaves those that it did."""
        if self._profile is not None:
            running, self._profile = self._profile, None
            running.stop()

    def _begin_if_due(self) -> None:
        if self._step != self._traced.begin:
            return
        # Otherwise the profiler's library writes to standard error that it starts and stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        warm_up = self._traced.first - self._traced.begin
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=0, warmup=warm_up, active=_ACTIVE, repeat=1) if warm_up else None,
            on_trace_ready=self._write,
        )
        self._profile.start()

    def _write(self, recorded: profile) -> None:
        first, last = self._traced.first + 1, self._step
        trace = self._directory / f"steps_{first}-{last}{TRACE_SUFFIX}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            recorded.export_chrome_trace(str(trace))
        except OSError as error:
            raise RunError(
                f"{trace}: not written: {error.strerror or error}; train.profile=false goes without"
            ) from error
        write_text_atomically(self._directory / "summary.txt", _summary(recorded, last - first + 1))
        logger.info("profile of %d steps: %s; open it with ui.perfetto.dev or TensorBoard", last - first + 1, trace)


def make_profiler(config: Config, directory: Path, start_step: int, steps_per_epoch: int) -> StepProfiler:
    """What a training calls after every step.

    Args:
        config: Resolved; without `train.profile` nothing is watched.
        directory: The run's; files go to `profile/` in it.
        start_step: Steps done already, when the training goes on.
        steps_per_epoch: Of this training.
    """
    if not config.train.profile:
        return NoProfiler()
    traced = traced_steps(config.train.epochs, steps_per_epoch)
    return TraceProfiler(directory / "profile", traced, start_step)


def _summary(recorded: profile, steps: int) -> str:
    """The operators that took most, over all traced steps."""
    on_device = ProfilerActivity.CUDA in recorded.activities
    order = "self_device_time_total" if on_device else "self_cpu_time_total"
    table = recorded.key_averages().table(sort_by=order, row_limit=_ROWS, max_name_column_width=60)
    return f"{steps} training steps, operators by their own time\n{table}\n"
