"""The ratios that Vernier means to reach, and whether it did."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rounds import Results
from table import ratio
from works import STEP_MODELS

Measured = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """A floor and an aim for one figure; `at_most` turns the floor into a ceiling."""

    work: str
    against: str
    floor: float
    aim: float | None
    measured: Measured
    at_most: bool = False

    def verdict(self, value: float | None) -> str:
        """In words, whether the value is where it should be."""
        if value is None:
            return "not measured"
        if not (value <= self.floor if self.at_most else value >= self.floor):
            return "NOT MET"
        return "aim met" if self.aim is not None and value >= self.aim else "met"


def _ratio_of(work: str, own: str, other: str, measure: str = "images_per_second") -> Measured:
    return lambda results: ratio(results, work, own, other, measure)


def _geometric_mean(results: Results) -> float | None:
    ratios = [ratio(results, f"step/{model}", "vernier", "pytorch") for model in STEP_MODELS]
    found = [value for value in ratios if value is not None]
    return statistics.geometric_mean(found) if len(found) == len(STEP_MODELS) else None


def _overhead_ms(results: Results) -> float | None:
    """Median over rounds of the difference of two measurements that were made side by side."""
    ours = results.of("overhead/step of digits_cnn", "vernier", "seconds")
    bare = results.of("overhead/step of digits_cnn", "bare loop", "seconds")
    return statistics.median(1000 * (a - b) for a, b in zip(ours, bare, strict=False)) if ours and bare else None


def _wait_percent(results: Results) -> float | None:
    shares = results.of("waiting/mobilenetv2_100", "vernier", "wait_share")
    return 100 * statistics.median(shares) if shares else None


def make_targets(epochs: int) -> tuple[Target, ...]:
    """All targets; `epochs` of the transfer as measured."""
    heavy, small, transfer = "pipeline/heavy list", "pipeline/32x32", f"transfer/{epochs} epochs"
    decoding, store, cached = "vernier, decoding", "vernier, store", "vernier, cached"
    torch_loader, end = "torchvision DataLoader, 2 workers", "epoch/mobilenetv2_100"
    step = {name: _ratio_of(f"step/{name}", "vernier", "pytorch") for name in STEP_MODELS}
    keras = {name: _ratio_of(f"step/{name}", "vernier", "keras") for name in STEP_MODELS}
    uncached = _ratio_of(transfer, cached, "vernier, not cached", "seconds")
    return (
        Target("step, 5 models, geometric mean", "plain PyTorch", 2.0, 2.5, _geometric_mean),
        Target("mobilenetv2_100 step", "plain PyTorch", 2.5, 3.5, step["mobilenetv2_100"]),
        Target("resnet50 step", "plain PyTorch", 2.5, 3.5, step["resnet50"]),
        Target("MobileNetV2 step", "Keras", 1.25, 2, keras["mobilenetv2_100"]),
        Target("ResNet50 step", "Keras", 2.1, 3, keras["resnet50"]),
        Target("EfficientNetB0 step", "Keras", 1.0, 1.3, keras["efficientnet_b0"]),
        Target("pipeline, heavy list, decoding", torch_loader, 2.2, 3, _ratio_of(heavy, decoding, "pytorch")),
        Target("pipeline, heavy list, from the store", torch_loader, 10, 15, _ratio_of(heavy, store, "pytorch")),
        Target("pipeline, 32x32", torch_loader, 20, 40, _ratio_of(small, store, "pytorch")),
        Target(f"transfer, {epochs} epochs", "the same without the cache", 12, 20, uncached),
        Target(f"transfer, {epochs} epochs", "Keras", 20, 40, _ratio_of(transfer, cached, "keras", "seconds")),
        Target("epoch end to end, heavy list", "plain PyTorch", 2.5, 3.5, _ratio_of(end, "vernier", "pytorch")),
        Target("epoch end to end, heavy list", "Keras", 1.4, 2, _ratio_of(end, "vernier", "keras")),
        Target("overhead of a tiny step, ms", "a bare PyTorch loop", 0.15, None, _overhead_ms, at_most=True),
        Target("waiting for data on flowers, %", "the whole step", 3, None, _wait_percent, at_most=True),
    )


def targets_table(results: Results, epochs: int) -> str:
    """Each target with its figure and whether it is met."""
    head = ["| work | against | at least | aim | measured | |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(target, results) for target in make_targets(epochs))])


def _row(target: Target, results: Results) -> str:
    value = target.measured(results)
    floor = f"at most {target.floor:g}" if target.at_most else f"{target.floor:g}"
    aim = "" if target.aim is None else f"{target.aim:g}"
    shown = "" if value is None else f"{value:.2f}"
    return f"| {target.work} | {target.against} | {floor} | {aim} | {shown} | {target.verdict(value)} |"
