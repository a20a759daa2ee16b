"""What each setting of a training step is worth on this machine, one after the other.

python benchmarks/choices.py DIR [MODEL ...] [--rounds N] [--compile]

DIR holds class folders. Every setting is tried in a process of its own, in turn, N times; steps are real ones (SGD) on
a batch of 32 images of 224 x 224 pixels that lies on the device. Prints a Markdown table: median and range of images/s.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence

MODELS = ("mobilenetv2_100", "resnet18", "resnet50", "efficientnet_b0", "mobilenetv3_small_100")
SLOW = "slow layers"


def settings(with_compile: bool) -> dict[str, dict[str, object]]:
    """Fields of `Speed` by the name of a column, each adding to the one before."""
    plain = {
        "precision": "32-true",
        "memory_format": "contiguous",
        "allocator": "system",
        "matmul_precision": "highest",
        "compile": False,
        "fp32_layers": (),
    }
    last = plain | {"memory_format": "channels_last"}
    kept = last | {"allocator": "keep"}
    half = kept | {"precision": "bf16-mixed"}
    mixed = half | {"fp32_layers": SLOW}
    columns = {
        "fp32, contiguous": plain,
        "channels_last": last,
        "memory kept": kept,
        "bf16": half,
        "bf16 but for slow layers": mixed,
    }
    return columns | ({"compiled": mixed | {"compile": True}} if with_compile else {})


def measure_here(directory: str, model: str, fields: dict[str, object]) -> None:
    """Print images/s of one setting as JSON."""
    from vernier.config.loading import load_config
    from vernier.training.autotune import _slow_layers, measure
    from vernier.training.parts import build_parts, open_dataset
    from vernier.training.resolve import resolve
    from vernier.training.runtime import process_settings
    from vernier.training.speed import Speed, with_train
    from vernier.training.tuning import _first_batch

    words = [f"data={directory}", f"model={model}", "model.input_size=224", "data.batch_size=32", "optimizer=sgd"]
    config = load_config(None, [*words, "train.speed=off"]).config
    dataset = open_dataset(config, None)
    resolved = resolve(config, dataset.source, dataset.train_store, "choices").config
    parts = build_parts(with_train(resolved, allocator=fields["allocator"]), dataset, print_nothing)
    with process_settings(parts.config):
        batch = _first_batch(parts)
        slow = _slow_layers(parts, batch) if fields["fp32_layers"] == SLOW else ()
    speed = Speed(**{**fields, "fp32_layers": slow})
    trials = [measure(parts, speed, batch) for _ in range(3)]
    print(json.dumps({"images_per_second": 32 / min(trial.seconds or math.inf for trial in trials)}))


def print_nothing(text: str) -> None:
    """Say nothing."""


def main() -> None:
    """Compare all settings, or measure one in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure_here(asked.directory, asked.models[0], json.loads(asked.one))
    else:
        compare(asked.directory, asked.models, asked.rounds, settings(asked.compile))


def compare(directory: str, models: Sequence[str], rounds: int, columns: dict[str, dict[str, object]]) -> None:
    """Print the table.

    Args:
        columns: Fields of `Speed` by title.
    """
    print("| model |", " | ".join(columns), "|")
    print("|---" * (1 + len(columns)) + "|")
    for model in models:
        rates: dict[str, list[float]] = {name: [] for name in columns}
        for _ in range(rounds):
            for name, fields in columns.items():
                command = [sys.executable, __file__, directory, model, "--one", json.dumps(fields)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                rates[name].append(json.loads(done.stdout.splitlines()[-1])["images_per_second"])
        cells = (f"{statistics.median(r):.1f} ({min(r):.1f} to {max(r):.1f})" for r in rates.values())
        print(f"| {model} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
