"""Schedules of the user's own."""

import inspect
import math
from collections.abc import Callable

from vernier.callables import check_arguments, import_callable
from vernier.config.schedule import CustomScheduleConfig
from vernier.errors import ConfigError, ConfigProblem, TrainingError

_TORCH = "torch.optim.lr_scheduler."
_OURS = {
    "ConstantLR": "constant",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "cosine_restarts",
    "ExponentialLR": "exponential",
    "LinearLR": "linear",
    "MultiStepLR": "multi_step",
    "OneCycleLR": "one_cycle",
    "PolynomialLR": "polynomial",
    "ReduceLROnPlateau": "reduce_on_plateau",
    "StepLR": "step",
}


def custom(config: CustomScheduleConfig) -> Callable[[float], float]:
    """The user's function of progress.

    Raises:
        ConfigError: it can't be imported, takes other arguments, or gives no factor at the beginning.
    """
    _refuse_torchs(config.callable)
    made = import_callable(config.callable, "schedule.callable")
    _check_progress(made, config.callable)
    check_arguments(made, config.kwargs, "schedule.kwargs", given=("progress",))

    def factor(progress: float) -> float:
        value = made(progress=progress, **config.kwargs)
        if not _is_factor(value):
            message = f"schedule.callable={config.callable} gave {value!r} at progress {progress:g}"
            raise TrainingError(f"{message}; it must give a number, at least 0")
        return float(value)

    if not _is_factor(first := made(progress=0.0, **config.kwargs)):
        raise _error(f"must give a number, at least 0; {config.callable} gave {first!r} at progress 0")
    return factor


def _is_factor(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _refuse_torchs(name: str) -> None:
    if name.startswith(_TORCH):
        ours = _OURS.get(name.removeprefix(_TORCH))
        remedy = f"use schedule={ours}" if ours else f"use one of {', '.join(_OURS.values())}, or a function"
        raise _error(f"must be a function of progress, and {name} is a scheduler of torch; {remedy}")


def _check_progress(made: Callable[..., float], name: str) -> None:
    parameters = inspect.signature(made).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    if "progress" not in parameters and not takes_any:
        raise _error(f"must take an argument progress (0 to 1); {name} takes {', '.join(parameters) or 'none'}")


def _error(message: str) -> ConfigError:
    return ConfigError([ConfigProblem("schedule.callable", message)])
