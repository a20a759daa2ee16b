"""`quantize.mode=auto`: the smallest int8 network that is good enough, within a time."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

from vernier.config.quantize import QuantizeConfig
from vernier.evaluation.words import several

DEFAULT_MAX_DROP = 1.0
"""Points of % that the search lets go, where nobody says."""

_METHODS = ("minmax", "percentile", "entropy", "moving_average")
_AS_SMALL = 1.01
"""Networks within 1 % of the smallest count as small as it."""


@final
@dataclass(frozen=True)
class Score:
    """What an int8 network reaches.

    Attributes:
        drop: Points of % lost to float on the images that select.
        loss: There.
        bytes: Of the network.
    """

    drop: float
    loss: float
    bytes: int


@final
@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes:
        settings: What it was quantized with.
        score: What came of it.
        seconds: How long it took.
    """

    settings: QuantizeConfig
    score: Score
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        settings = {
            name: getattr(self.settings, name) for name in ("granularity", "method", "equalize", "first_layer_float")
        }
        return {
            **settings,
            "exclude": list(self.settings.exclude),
            "drop_points": self.score.drop,
            "loss": self.score.loss,
            "bytes": self.score.bytes,
            "seconds": round(self.seconds, 1),
        }

    def to_text(self) -> str:
        """A line for the log."""
        left = len(self.settings.exclude) + self.settings.first_layer_float
        floats = f", {several(left, 'layer')} in float" if left else ""
        score = f"loses {self.score.drop:.2f} points, {self.score.bytes / 1e6:.2f} MB"
        return f"{self.settings.granularity}, {self.settings.method}{floats}: {score} ({self.seconds:.0f} s)"


@final
@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        best: The smallest one that passes; the one that loses least where none does.
        trials: All, in order.
        passed: Whether it loses no more than allowed.
        left_out: Why the list was not tried to its end; None when it was.
    """

    best: Trial
    trials: tuple[Trial, ...]
    passed: bool
    left_out: str | None


class Quantizer(Protocol):
    """What the search asks of the model."""

    def score(self, settings: QuantizeConfig, /) -> Score:
        """Quantize, and measure."""
        ...

    def noisiest(self, settings: QuantizeConfig, /) -> Sequence[str]:
        """Names of the layers that settings make most noise in, the worst first."""
        ...


def search(
    quantizer: Quantizer,
    settings: QuantizeConfig,
    *,
    log: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Try granularity and calibration, then layers left in float where nothing passes.

    The order is fixed and depends on results only, so the time cuts the list and changes nothing else. At least one
    setting is tried.

    Args:
        quantizer: The model.
        settings: What is not searched; `max_drop` (1 without) and `budget`.
        log: Takes a line a trial.
        clock: Seconds.
    """
    end = clock() + settings.budget.value
    trials: list[Trial] = []
    left_out = None
    for candidate in _candidates(quantizer, settings, trials):
        start = clock()
        if trials and start + trials[-1].seconds > end:
            left_out = f"the time of quantize.budget={settings.budget} was up after {several(len(trials), 'trial')}"
            break
        score = quantizer.score(candidate)
        trials.append(Trial(candidate, score, clock() - start))
        log(f"trial {len(trials)}: {trials[-1].to_text()}")
    best = choose(trials, allowed(settings))
    return SearchResult(best, tuple(trials), passes(best, allowed(settings)), left_out)


def allowed(settings: QuantizeConfig) -> float:
    """Points of % that may be lost."""
    return DEFAULT_MAX_DROP if settings.max_drop is None else settings.max_drop


def passes(trial: Trial, max_drop: float) -> bool:
    """Whether a trial loses no more than some points."""
    return trial.score.drop <= max_drop + 1e-9


def choose(trials: Sequence[Trial], max_drop: float) -> Trial:
    """The smallest that passes, else the one that loses least; of equal ones the lower loss."""
    good = [trial for trial in trials if passes(trial, max_drop)]
    if not good:
        return min(trials, key=_quality)
    smallest = min(trial.score.bytes for trial in good)
    return min((trial for trial in good if trial.score.bytes <= _AS_SMALL * smallest), key=_quality)


def _quality(trial: Trial) -> tuple[float, float, int]:
    return trial.score.drop, trial.score.loss, trial.score.bytes


def _candidates(quantizer: Quantizer, settings: QuantizeConfig, trials: Sequence[Trial]) -> Iterator[QuantizeConfig]:
    """Settings in the order of the trials; `trials` grows while they are asked for.

    The one that passes most often comes first, so even a short time has something to give.
    """
    ways = [("per_channel", "minmax"), *(("per_tensor", method) for method in _METHODS)]
    ways += [("per_channel", method) for method in _METHODS[1:]]
    for granularity, method in ways:
        yield with_way(settings, granularity, method)
    if not _any_passes(trials, settings):
        yield from _with_float_layers(quantizer, settings, trials)


def with_way(settings: QuantizeConfig, granularity: str, method: str) -> QuantizeConfig:
    """Settings with a granularity and a calibration; what is null follows the granularity."""
    tensors = granularity == "per_tensor"
    chosen = {
        name: tensors if getattr(settings, name) is None else getattr(settings, name)
        for name in ("equalize", "bias_correction")
    }
    return settings.model_copy(update={"granularity": granularity, "method": method, **chosen})


def _any_passes(trials: Sequence[Trial], settings: QuantizeConfig) -> bool:
    return any(passes(trial, allowed(settings)) for trial in trials)


def _with_float_layers(
    quantizer: Quantizer, settings: QuantizeConfig, trials: Sequence[Trial]
) -> Iterator[QuantizeConfig]:
    """The best way so far with layers in float, until one passes.

    First the first convolution, then 1, 2, 4, ... of the noisiest ones, up to half of all.
    """
    best = choose(trials, allowed(settings)).settings
    if not settings.first_layer_float:
        yield best.model_copy(update={"first_layer_float": True})
    layers = quantizer.noisiest(best)
    count = 1
    while 2 * count <= len(layers) and not _any_passes(trials, settings):
        names = tuple(re.escape(name) for name in layers[:count])
        yield best.model_copy(update={"exclude": (*settings.exclude, *names)})
        count *= 2
