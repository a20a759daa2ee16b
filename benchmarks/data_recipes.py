"""Run the recipes of docs/data.md's kinds of data, and compare what has to be equal.

python benchmarks/data_recipes.py --flowers DIR --cifar10 DIR --mnist DIR --weights mobilenetv2_100_imagenet.safetensors

1. flowers from folders, from TFRecord files and from tar shards: the same figures and the same weights;
2. MNIST from its idx files; 3. a multilabel CSV; 4. flowers streamed from a local HTTP server, undisturbed, and with
the server killed and restarted in the middle of an epoch: the same weights.
"""

import argparse
import hashlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


def vernier(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "vernier", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def train(recipe: str, run: Path, *words: object) -> dict[str, Any]:
    begin = time.perf_counter()
    vernier("train", EXAMPLES / f"{recipe}.yaml", f"run.dir={run}", *words)
    result: dict[str, Any] = json.loads((run / "result.json").read_text())
    return {
        "figures": {name: result[name] for name in ("best", "final", "test")},
        "weights": digest(run / "final" / "model.safetensors"),
        "split": digest(run / "predictions_val.csv"),
        "wall": time.perf_counter() - begin,
        "training": result["seconds"],
    }


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def report(name: str, outcome: dict[str, Any], *keys: str) -> None:
    best, test = outcome["figures"]["best"]["val"], outcome["figures"]["test"]
    shown = " ".join(f"val {key} {best[key]:.4f}" for key in keys)
    tested = "" if test is None else " " + " ".join(f"test {key} {test[key]:.4f}" for key in keys)
    n = f"n = {best['n']}" + ("" if test is None else f" / {test['n']}")
    print(f"{name}: {shown}{tested} ({n}), {outcome['training']:.0f} s of training, weights {outcome['weights']}")


def same(first: dict[str, Any], second: dict[str, Any]) -> str:
    keys = ("figures", "weights", "split")
    return "equal" if all(first[key] == second[key] for key in keys) else "DIFFERENT"


def flowers(options: argparse.Namespace) -> None:
    weights = f"model.weights={options.weights}"
    outcomes = {}
    for kind in ("folders", "tfrecord", "webdataset"):
        source = options.flowers if kind == "folders" else options.out / f"flowers-{kind}"
        if kind != "folders":
            vernier("convert", options.flowers, source, "--format", kind)
        outcomes[kind] = train("flowers_records", options.out / "runs" / kind, f"data={source}", weights)
        report(f"flowers, {kind}", outcomes[kind], "accuracy", "loss")
    for kind in ("tfrecord", "webdataset"):
        print(f"folders and {kind}: {same(outcomes['folders'], outcomes[kind])}")


def others(options: argparse.Namespace) -> None:
    runs = options.out / "runs"
    report("MNIST", train("mnist", runs / "mnist", "data=mnist", f"data.root={options.mnist}"), "accuracy", "loss")
    table = options.out / "attributes.csv"
    subprocess.run([sys.executable, EXAMPLES / "make_attributes_csv.py", options.cifar10, table], check=True)
    words = (f"data={table}", f"data.root={options.cifar10}")
    report("multilabel CSV", train("multilabel_csv", runs / "multilabel", *words), "f1_macro", "accuracy")


def streaming(options: argparse.Namespace) -> None:
    shards = options.out / "web" / "flowers"
    size = ("--preprocessing", "CENTER_CROP_THEN_SCALE", "--image_size", 48, 48, "--shard_size", 300)
    parts = ("--split_names", "train", "validation", "--split_percentages", 0.8, 0.2)
    vernier("convert", options.flowers, shards, "--format", "webdataset", *size, *parts)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source, runs = f"data=http://127.0.0.1:{port}/flowers", options.out / "runs"
    words = (source, "train.threads=1", "data.threads=1", "train.speed=off")
    server = serve(shards.parent, port)
    undisturbed = train("streaming", runs / "undisturbed", *words)
    report("streamed", undisturbed, "accuracy", "loss")
    disturbed = [sys.executable, "-m", "vernier", "train", EXAMPLES / "streaming.yaml"]
    process = subprocess.Popen([*map(str, disturbed), f"run.dir={runs / 'disturbed'}", *words])
    wait_for(runs / "disturbed" / "steps.csv")
    server.kill()
    server.wait()
    time.sleep(6)
    server = serve(shards.parent, port)
    status = process.wait()
    server.kill()
    again = json.loads((runs / "disturbed" / "result.json").read_text())
    second = digest(runs / "disturbed" / "final" / "model.safetensors")
    equal = second == undisturbed["weights"] and again["final"] == undisturbed["figures"]["final"]
    print(f"server killed for 6 s in an epoch: status {status}, {'equal' if equal else 'DIFFERENT'}")
    log = (runs / "disturbed" / "train.log").read_text()
    print("\n".join(line for line in log.splitlines() if "127.0.0.1" in line)[:1000])


def serve(directory: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(directory)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    raise SystemExit("the server did not come up")


def wait_for(file: Path) -> None:
    """Until a training has logged a second step."""
    while not file.is_file() or len(file.read_text().splitlines()) < 3:
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("flowers", "cifar10", "mnist", "weights"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/data_recipes"))
    parser.add_argument("--parts", nargs="+", default=["flowers", "others", "streaming"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        {"flowers": flowers, "others": others, "streaming": streaming}[part](options)


if __name__ == "__main__":
    main()
