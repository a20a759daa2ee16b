"""How many flipped labels of MNIST `vernier check --labels` finds.

python benchmarks/label_errors.py MNIST [SEED] [FOLDS] [EPOCHS] [OUTPUT]

MNIST is the directory of the idx files. 3 % of the 60,000 training labels, drawn by SEED (0), are changed to another
digit, each equally likely, in a copy of the files. Then the labels are checked with FOLDS (5) networks of EPOCHS (2)
epochs, and the list is compared with what was flipped. The same command with an OUTPUT goes on where it was stopped.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vernier import api
from vernier.data.sources.mnist import read_idx

SHARE, CLASSES = 0.03, 10
SETTINGS = (
    "data=mnist",
    "data.batch_size=128",
    "model=st_mnist",
    "optimizer=adamw",
    "optimizer.lr=0.01",
    "schedule=one_cycle",
    "augment.train=[Normalize]",
    "train.threads=1",
    "train.speed=off",
)


def flip_labels(mnist: Path, root: Path, seed: int) -> dict[str, str]:
    """A copy of the files in which some training labels are wrong; the true label of each of these images."""
    root.mkdir(parents=True, exist_ok=True)
    for file in mnist.glob("*-ubyte*"):
        (root / file.name).unlink(missing_ok=True)
        if not file.name.startswith("train-labels"):
            (root / file.name).symlink_to(file.resolve())
    labels = read_idx(next(mnist.glob("train-labels-idx1-ubyte*")), 1)
    rng = np.random.default_rng(seed)
    flipped = np.sort(rng.choice(len(labels), round(SHARE * len(labels)), replace=False))
    changed = labels.copy()
    changed[flipped] = (labels[flipped] + rng.integers(1, CLASSES, len(flipped))) % CLASSES
    header = bytes([0, 0, 8, 1]) + len(labels).to_bytes(4, "big")
    (root / "train-labels-idx1-ubyte").write_bytes(header + changed.tobytes())
    return {f"train/{index:05d}": str(labels[index]) for index in flipped}


def measure(mnist: Path, output: Path, seed: int, folds: int, epochs: int) -> None:
    flipped = flip_labels(mnist, output / "mnist", seed)
    begin, processor = time.perf_counter(), time.process_time()
    settings = (*SETTINGS, f"data.root={output / 'mnist'}", f"train.epochs={epochs}")
    report = api.check_labels(None, *settings, folds=folds, output=output / "label_check").report
    seconds, processor = time.perf_counter() - begin, time.process_time() - processor
    if report is None:
        sys.exit("stopped; the same command with an OUTPUT goes on")
    verdicts = list(report.verdicts())
    hits = np.array([verdict.path in flipped for verdict in verdicts])
    suspects = sum(verdict.suspect for verdict in verdicts)
    right = sum(flipped[v.path] == v.suggested for v in verdicts if v.suspect and v.path in flipped)
    print(f"seed {seed}: {len(flipped)} of {len(verdicts)} labels flipped, {folds} folds of {epochs} epochs")
    for share in (0.03, 0.05, 0.1):
        top = hits[: round(share * len(verdicts))].sum()
        print(f"in the top {share:.0%}: {top} of the flipped, {top / len(flipped):.2%}")
    found = hits[:suspects].sum()
    print(f"suspects: {suspects}, {found / suspects:.2%} of them flipped; {found / len(flipped):.2%} of the flipped")
    print(f"suggested label right: {right / found:.2%} of the flipped suspects")
    print(f"estimated noise: {report.errors.noise_rate:.2%}; labels that the networks give: {report.agreement:.2%}")
    print(f"time: {seconds:.0f} s, {processor:.0f} s of CPU")


def main() -> None:
    mnist, *words = sys.argv[1:]
    numbers = [int(word) for word in words[:3]]
    seed, folds, epochs = [*numbers, *(0, 5, 2)[len(numbers) :]]
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(mnist), Path(words[3] if words[3:] else directory), seed, folds, epochs)


if __name__ == "__main__":
    main()
