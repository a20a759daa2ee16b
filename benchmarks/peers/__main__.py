"""Vernier beside the tools that one would use instead: the same images, model, batch size and epochs, in one run.

python benchmarks/peers --flowers DIR --cifar10 DIR --weights mobilenetv2_100_imagenet.safetensors

Each peer is installed into an environment of its own, outside the project. One measurement of each a round, in turning
order, every one a process of its own. DIRs hold train/ and val/ (or test/) with one folder a class.
"""

import argparse
import json
import os
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from environments import ENVIRONMENT_OF, Environments, InstallError
from machine import processor, threads, versions_lines
from methods import METHODS
from photos import count, linked
from rounds import Results, run_rounds
from table import failures, results_table
from targets import targets_table
from works import PARTS, PEERS, STEP_MODELS, Work, make_works

_CACHE = Path.home() / ".cache" / "vernier-peers"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/peers", description=__doc__)
    add = parser.add_argument
    add("--flowers", type=_directory, required=True)
    add("--cifar10", type=_directory, required=True)
    add("--weights", type=Path, required=True, help="mobilenetv2_100 for ImageNet, with pad_type same")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    add("--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER", help=", ".join(PEERS))
    add("--models", nargs="+", choices=STEP_MODELS, default=list(STEP_MODELS), metavar="MODEL", help="of part step")
    add("--rounds", type=_at_least_one, default=3)
    add("--seconds", type=float, default=8.0, help="of measuring in parts step, pipeline and waiting")
    add("--epoch-images", type=_at_least_one, help="train part epoch on so many images; all by default")
    add("--epochs", type=_at_least_one, default=30, help="of part transfer")
    add("--transfer-epochs", type=_at_least_one, help="measure so many of the slow ones, extrapolate the rest")
    add("--feature-views", type=_at_least_one, default=1, help="train.feature_views of part transfer")
    add("--target", type=float, default=0.85, help="validation accuracy of part accuracy")
    add("--timeout", type=float, default=3600.0, help="seconds that one measurement may take")
    add("--vernier", type=Path, default=Path(sys.executable), help="Python that has Vernier; this one by default")
    add("--environments", type=Path, default=_CACHE, help="where the peers are installed")
    add("--environment", nargs="*", type=_named_python, default=[], metavar="NAME=PYTHON", help="use this instead")
    add("--work", type=Path, default=_CACHE / "work", help="decoded images and links")
    add("--output", type=Path, help="FILE.md; the raw figures go to FILE.json beside it")
    options = parser.parse_args(arguments)
    options.transfer_epochs = options.transfer_epochs or options.epochs
    if options.transfer_epochs < 2:
        parser.error("--transfer-epochs is at least 2: the pace is that of the later ones")
    return options


def _directory(text: str) -> Path:
    path = Path(text).resolve()
    if not (path / "train").is_dir():
        raise argparse.ArgumentTypeError(f"{text} has no train/ with class folders")
    return path


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number, at least 1, not {text!r}")
    return int(text)


def _named_python(text: str) -> tuple[str, Path]:
    name, _, python = text.partition("=")
    if name not in ENVIRONMENT_OF.values() or not Path(python).is_file():
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=PYTHON, NAME one of {set(ENVIRONMENT_OF.values())}")
    return name, Path(python)


def main() -> None:
    options = parse()
    options.weights = options.weights.resolve()
    options.epoch_data = linked(options.flowers, options.epoch_images, options.work.absolute())
    options.epoch_count = count(options.epoch_data / "train")
    pythons, missing = interpreters(options)
    options.peers = [peer for peer in options.peers if peer in pythons]
    os.environ["VERNIER_CACHE"] = str(options.work.resolve() / "vernier-cache")
    works = make_works(options)
    begin = datetime.now(UTC)

    def save(results: Results) -> None:
        if options.output is not None:
            write(options.output, report(options, works, results, pythons, begin), results)

    results = run_rounds(works, options.rounds, pythons, options.timeout, save)
    results.failed.update(missing)
    save(results)
    print(report(options, works, results, pythons, begin))


def interpreters(options: argparse.Namespace) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreter of each script, and why a peer has none."""
    # Not resolved: a virtual environment is found by where its link to the interpreter lies.
    pythons = {"vernier": options.vernier.absolute(), "bare": options.vernier.absolute()}
    environments, missing = Environments(options.environments.absolute(), dict(options.environment)), {}
    for peer in options.peers:
        try:
            pythons[peer] = environments.python(ENVIRONMENT_OF[peer])
        except InstallError as error:
            missing[peer] = str(error)
            print(f"{peer} is skipped: {error}", file=sys.stderr)
    return pythons, missing


def report(
    options: argparse.Namespace, works: list[Work], results: Results, pythons: dict[str, Path], begin: datetime
) -> str:
    """The whole page."""
    minutes = (datetime.now(UTC) - begin).total_seconds() / 60
    command = shlex.join(["python", "benchmarks/peers", *_shown_arguments()])
    return f"""\
# Vernier beside its peers, {begin:%Y-%m-%d}

Machine: {processor()}. Compute threads: {threads()}. Rounds: {options.rounds}, in {minutes:.0f} minutes.
Images an epoch in part epoch: {options.epoch_count}. Views in part transfer: {options.feature_views}.

`{command}`

{versions_lines(pythons)}

## Targets

{targets_table(results, options.epochs)}

## Measurements

Median, smallest and largest over the rounds; n is rounds. A ratio is that of the medians, in brackets the range of the
ratios of single rounds.

{results_table(works, results)}

## Not measured

{failures(results)}

{METHODS}"""


def _shown_arguments() -> list[str]:
    """The command line with directories by their last name, since where they lie says nothing."""
    return [Path(word).name if "/" in word else word for word in sys.argv[1:]]


def write(file: Path, page: str, results: Results) -> None:
    """Write the page and, beside it, what was measured."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page)
    file.with_suffix(".json").write_text(json.dumps(asdict(results), indent=1) + "\n")


if __name__ == "__main__":
    main()
