"""`train.seeds`: the same training once for each seed, and what it comes to."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from vernier.atomic import write_text_atomically
from vernier.config.loading import LoadedConfig
from vernier.config.root import Config
from vernier.errors import ConfigError, ConfigProblem
from vernier.training.run_directory import run_name
from vernier.training.session import TrainingEnd, run_training

_LIMIT = 2**63


@final
@dataclass(frozen=True)
class SeedsEnd:
    """How the trainings ended.

    Attributes:
        seeds: In the order of the trainings.
        ends: Of each training; fewer than seeds when a signal stopped one.
        file: The summary, written when all are done.
    """

    seeds: tuple[int, ...]
    ends: tuple[TrainingEnd, ...]
    file: Path

    @property
    def exit_status(self) -> int:
        """Of the last training: 0, or 128 + the signal's number."""
        return self.ends[-1].exit_status

    @property
    def result(self) -> dict[str, Any]:
        """Seeds, runs, and mean, sample standard deviation and number of each measure."""
        results = [end.result for end in self.ends]
        return {
            "seeds": list(self.seeds),
            "runs": [str(end.run.path) for end in self.ends],
            "val": summarise([(result["best"] or result["final"])["val"] for result in results]),
            "test": summarise([result["test"] for result in results]),
        }


def train_seeds(loaded: LoadedConfig) -> SeedsEnd:
    """Train for each seed of `train.seeds`, each a run of its own that goes on where it was interrupted.

    Raises:
        ConfigError: a seed twice, or directories that all runs would share.
        VernierError: as of any training.
    """
    seeds = seeds_of(loaded.config)
    _check(loaded.config, seeds)
    ends: list[TrainingEnd] = []
    for seed in seeds:
        ends.append(run_training(_with_seed(loaded, seed)))
        if ends[-1].signal_number:
            break
    end = SeedsEnd(seeds, tuple(ends), _summary_file(loaded, seeds))
    if len(ends) == len(seeds) and not ends[-1].signal_number:
        write_text_atomically(end.file, json.dumps(end.result, indent=1, allow_nan=False) + "\n")
    return end


def seeds_of(config: Config) -> tuple[int, ...]:
    """The seeds of a config; a number stands for as many from `seed` on."""
    seeds = config.train.seeds
    if isinstance(seeds, int):
        return tuple((config.seed + number) % _LIMIT for number in range(seeds))
    return (config.seed,) if seeds is None else seeds


def summarise(measured: Sequence[Mapping[str, Any] | None]) -> dict[str, dict[str, float | int | None]] | None:
    """Mean and sample standard deviation of each measure over runs; None where a run has none.

    The deviation of a single run is None.
    """
    rows = [row for row in measured if row is not None]
    if len(rows) < len(measured) or not rows:
        return None
    names = [name for name in rows[0] if name != "n" and all(_is_number(row.get(name)) for row in rows)]
    return {name: _spread([float(row[name]) for row in rows]) for name in names}


def summary_table(result: Mapping[str, Any]) -> str:
    """Mean ± standard deviation of each measure, in lines."""
    lines = [f"{len(result['runs'])} runs, seeds {', '.join(map(str, result['seeds']))}"]
    for part in ("val", "test"):
        for name, spread in (result[part] or {}).items():
            deviation = "" if spread["std"] is None else f" ± {spread['std']:.4f}"
            lines.append(f"  {part} {name:<20} {spread['mean']:.4f}{deviation}")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> dict[str, float | int | None]:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": deviation, "n": len(values)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check(config: Config, seeds: Sequence[int]) -> None:
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    problems = [ConfigProblem("train.seeds", f"holds {seed} twice; name each seed once") for seed in twice]
    for name in ("checkpoint_dir", "export_dir", "log_dir"):
        if getattr(config.run, name) is not None:
            message = "would be shared by the runs of train.seeds; leave it out"
            problems.append(ConfigProblem(f"run.{name}", message))
    if problems:
        raise ConfigError(problems)


def _with_seed(loaded: LoadedConfig, seed: int) -> LoadedConfig:
    """The config of one training: as if the user had asked for this seed alone."""
    config, given = loaded.config, dict(loaded.given)
    run = config.run
    if run.dir is not None:
        run = run.model_copy(update={"dir": str(Path(run.dir) / f"seed_{seed}")})
        given["run"] = {**given["run"], "dir": run.dir}
    train = config.train.model_copy(update={"seeds": None})
    given["train"] = {key: value for key, value in given["train"].items() if key != "seeds"}
    given["seed"] = seed
    return replace(loaded, config=config.model_copy(update={"seed": seed, "train": train, "run": run}), given=given)


def _summary_file(loaded: LoadedConfig, seeds: Sequence[int]) -> Path:
    run = loaded.config.run
    place = Path(run.root) / run_name(loaded.config, loaded.file) if run.dir is None else Path(run.dir)
    return place / f"seeds_{'-'.join(map(str, seeds))}.json"
