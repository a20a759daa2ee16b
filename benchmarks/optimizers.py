"""What an optimizer's step costs: milliseconds, and as a multiple of plain SGD's in the same round.

python benchmarks/optimizers.py [--model resnet20_cifar] [--rounds 7] [--steps 20]

Gradients are random and stay; only `optimizer.step()` is timed, on one thread, the kinds one after the other in every
round.
"""

import argparse
import statistics
import time

import torch

from vernier.config.loading import load_config
from vernier.models.providers import build_model, make_architecture
from vernier.optim.optimizers import make_optimizer
from vernier.versions import versions

KINDS = (
    ("sgd", ()),
    ("sgd + lookahead", ("optimizer=sgd", "optimizer.lookahead.sync_period=6")),
    *(
        (name, ())
        for name in ("rmsprop", "adagrad", "adadelta", "adam", "adamw", "amsgrad", "adamax", "nadam", "radam")
    ),
    *((name, ()) for name in ("adabelief", "lamb", "lion", "muon")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet20_cifar")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optimizers = {name: _optimizer(options.model, settings or (f"optimizer={name}",)) for name, settings in KINDS}
    rows: dict[str, list[float]] = {name: [] for name in optimizers}
    for _ in range(options.rounds):
        for name, optimizer in optimizers.items():
            rows[name].append(_milliseconds(optimizer, options.steps))
    print(f"{options.model}, n = {options.rounds} rounds of {options.steps} steps, torch {versions()['torch']}")
    print("| optimizer | ms a step | times sgd (range) |\n|---|---|---|")
    for name, times in rows.items():
        ratios = [time / base for time, base in zip(times, rows["sgd"], strict=True)]
        spread = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"| {name} | {statistics.median(times):.2f} | {spread} |")


def _optimizer(model: str, settings: tuple[str, ...]) -> torch.optim.Optimizer:
    config = load_config(None, ("data=digits", f"model={model}", *settings)).config
    torch.manual_seed(0)
    architecture = make_architecture(config.model, num_outputs=10, channels=3, input_size=(32, 32))
    module = build_model(architecture, pretrained=False)
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3
    return make_optimizer(module, config.optimizer)


def _milliseconds(optimizer: torch.optim.Optimizer, steps: int) -> float:
    optimizer.step()
    begin = time.perf_counter()
    for _ in range(steps):
        optimizer.step()
    return 1000 * (time.perf_counter() - begin) / steps


if __name__ == "__main__":
    main()
