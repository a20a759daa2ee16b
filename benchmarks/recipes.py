"""Run the recipes of examples/ over several seeds and print their table.

python benchmarks/recipes.py --flowers DIR --cifar10 DIR --weights mobilenetv2_100_imagenet.safetensors [--seeds 3]

Interrupted, the same command goes on; finished runs are read, not trained again.
"""

import argparse
import platform
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vernier import api
from vernier.versions import versions

EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Recipe:
    name: str
    overrides: tuple[str, ...]
    scored: str


def recipes(options: argparse.Namespace, seed: int) -> Iterator[Recipe]:
    flowers = f"data={options.flowers}"
    yield Recipe("flowers_head", (flowers, f"model.weights={options.weights}"), "val")
    head = options.runs / f"flowers_head-{seed}"
    yield Recipe("flowers_finetune", (flowers, f"model.weights={head}"), "val")
    yield Recipe("cifar10_resnet20", (f"data={options.cifar10}",), "test")


def score(result: dict[str, Any], scored: str) -> dict[str, Any]:
    measures: dict[str, Any] = result["best"]["val"] if scored == "val" else result["test"]
    return measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flowers", type=Path, required=True)
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()
    found: dict[str, list[tuple[float, int, float]]] = {}
    for seed in range(options.seeds):
        for recipe in recipes(options, seed):
            run = options.runs / f"{recipe.name}-{seed}"
            end = api.train(EXAMPLES / f"{recipe.name}.yaml", *recipe.overrides, f"seed={seed}", f"run.dir={run}")
            measures = score(end.result, recipe.scored)
            found.setdefault(recipe.name, []).append((measures["accuracy"], measures["n"], end.result["seconds"]))
    print(f"{platform.processor() or platform.machine()}; {versions()}")
    print("| recipe | seeds | accuracy, %: mean ± standard deviation (each) | n | training time, s (median) |")
    print("|---|---|---|---|---|")
    for name, rows in found.items():
        values = [100 * accuracy for accuracy, _, _ in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = ", ".join(f"{value:.2f}" for value in values)
        seconds = statistics.median(seconds for _, _, seconds in rows)
        accuracy = f"{statistics.mean(values):.2f} ± {spread:.2f} ({each})"
        print(f"| {name} | {len(rows)} | {accuracy} | {rows[0][1]} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
