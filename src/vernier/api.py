"""The command line's verbs as Python functions.

Each takes what its verb takes: a config file or mapping, then overrides such as `"optimizer.lr=0.01"`.

    from vernier import api
    end = api.train({"data": "photos", "train": {"epochs": 3}})
    print(end.result["best"]["val"]["accuracy"])
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vernier.config.checks import CHECKS, Check
from vernier.config.checks.schedule import CHECKS as SCHEDULE_CHECKS
from vernier.config.loading import LoadedConfig, config_from_mapping, load_config, read_config_file
from vernier.config.normalise import nest
from vernier.config.overrides import parse_arguments
from vernier.config.root import Config
from vernier.config.words import show
from vernier.data.check.run import CheckReport, run_checks
from vernier.data.check.scan import Progress
from vernier.data.check.similar import NEAR_BITS
from vernier.data.convert.annotations import open_annotated
from vernier.data.convert.conversion import Conversion
from vernier.data.convert.run import convert_source
from vernier.data.convert.settings import ConvertSettings, check_settings
from vernier.data.sources import open_source
from vernier.deploy.predict import PredictResult
from vernier.deploy.predict import predict as predict_images
from vernier.errors import ConfigError, ConfigProblem, RunError
from vernier.evaluation.compare import Comparison
from vernier.evaluation.compare import compare as compare_files
from vernier.evaluation.evaluate import EvaluationReport, evaluate_bundle
from vernier.scenario.overriding import open_data, own_evaluators
from vernier.training import seeds
from vernier.training.benchmark import Timing
from vernier.training.benchmark import benchmark_pipeline as time_pipeline
from vernier.training.benchmark import benchmark_train as time_train
from vernier.training.devices import processors
from vernier.training.find_batch_size import BatchSizeFinding
from vernier.training.find_batch_size import find_batch_size as try_batch_sizes
from vernier.training.find_learning_rate import LearningRateFinding
from vernier.training.find_learning_rate import find_learning_rate as try_learning_rates
from vernier.training.label_errors import check_labels as check_labels
from vernier.training.log import logger, logging_to, make_display
from vernier.training.parts import Dataset, open_dataset
from vernier.training.plot_schedule import ScheduleCurve, count_steps, given_steps, schedule_curve
from vernier.training.prepare import prepare_resume
from vernier.training.preview import Preview
from vernier.training.preview import preview as write_preview
from vernier.training.resolve import resolve
from vernier.training.run_directory import RunDirectory, run_name
from vernier.training.seeds import SeedsEnd
from vernier.training.session import TrainingEnd, run_training, train_prepared
from vernier.training.tuning import tune

ConfigLike = str | Path | Mapping[str, Any] | LoadedConfig | None

_DATA_KEYS = ("data", "data.source", "data.train", "data.val", "data.test", "data.lists")

QUICKSTART: dict[str, Any] = {
    "data": {"source": "digits", "batch_size": 64},
    "model": {"name": "digits_cnn"},
    "optimizer": {"name": "adamw", "lr": 0.01},
    "schedule": {"name": "one_cycle"},
    # A training of seconds can win nothing by measuring.
    "train": {"epochs": 20, "threads": 1, "speed": "off"},
    "augment": {
        "train": [
            {"name": "Translate", "x": 0.1, "y": 0.1},
            {"name": "RandomRotate", "degrees": 10},
            {"name": "Normalize"},
        ]
    },
    "run": {"name": "quickstart", "new": True},
}
"""What `vernier quickstart` trains."""


def train(config: ConfigLike = None, *overrides: str) -> TrainingEnd:
    """Train, or go on with a training of the same config that is unfinished.

    Raises:
        VernierError: anything that the user can mend; `train.seeds`, for which there is `train_seeds`.
    """
    loaded = read_config(config, *overrides)
    if loaded.config.train.seeds is not None:
        raise ConfigError([ConfigProblem("train.seeds", "are several trainings; call api.train_seeds for them")])
    return run_training(loaded)


def train_seeds(config: ConfigLike = None, *overrides: str) -> SeedsEnd:
    """Train once for each seed of `train.seeds`.

    Raises:
        VernierError: anything that the user can mend.
    """
    return seeds.train_seeds(read_config(config, *overrides))


def quickstart(*overrides: str) -> TrainingEnd:
    """Train on the bundled digits, evaluate on their test split, write a report."""
    return train(QUICKSTART, *overrides)


def resume(run: str | Path, *overrides: str) -> TrainingEnd:
    """Go on with a training, with other settings where that makes sense.

    Raises:
        VernierError: not a run, or a setting that can't change.
    """
    directory = RunDirectory(Path(run))
    with logging_to(None):
        prepared = prepare_resume(directory, overrides, make_display())
    return train_prepared(prepared)


def evaluate(
    bundle: str | Path, *overrides: str, split: str | None = None, output: Path | None = None, trust: bool = False
) -> EvaluationReport:
    """Measure a bundle, or a run's best one, on data.

    Args:
        bundle: A bundle or a run directory.
        overrides: Such as `data=DIR`; a run's own data and settings when they name no data.
        split: train, val, test or all; the test set, else the validation set, else everything, when not given.
        output: A directory for predictions and tables.
        trust: Import the user's own code when the bundle or the run names it.
    """
    base = Path(bundle) / "config.yaml"
    other_data = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    file = base if base.is_file() and not other_data else None
    if file is not None and not trust:
        _refuse_code(file)
    config = load_config(file, overrides, checks=()).config
    return evaluate_bundle(
        Path(bundle),
        config.data,
        config.evaluate,
        split=split,
        output=output,
        trust=trust,
        metrics=config.metrics,
        open_data=partial(open_data, config),
        evaluators=own_evaluators(config),
    )


def compare(
    first: str | Path,
    second: str | Path,
    *overrides: str,
    split: str | None = None,
    seed: int = 0,
    trust: bool = False,
) -> Comparison:
    """Compare two models on the same images.

    Args:
        first: A run, its `best` bundle, a directory that `evaluate` wrote, or a file of predictions; with overrides
            any bundle or run.
        second: The same of the other model.
        overrides: Such as `data=DIR`: both are measured on this first.
        split: test, val, train or all.
        seed: Of the bootstrap.
        trust: Import the user's own code when a bundle names it.
    """
    if not overrides:
        return compare_files(Path(first), Path(second), split=split, seed=seed)
    with tempfile.TemporaryDirectory(prefix="vernier-") as directory:
        written = [Path(directory) / name for name in ("first", "second")]
        for bundle, output in zip((first, second), written, strict=True):
            evaluate(bundle, *overrides, split=split, output=output, trust=trust)
        comparison = compare_files(*written, split=split, seed=seed)
    return replace(comparison, first=Path(first), second=Path(second))


def _refuse_code(file: Path) -> None:
    """Stop before a run's config imports code of the user's own."""
    tree = nest(read_config_file(file).items()).data
    named = [tree.get("scenario"), (tree.get("evaluate") or {}).get("evaluators")]
    code = ", ".join(show(item) for item in named if item)
    if code:
        raise RunError(
            f"{file}: the run is measured by Python code, {code}, which evaluating would run. If you trust it, "
            "evaluate with --trust (in Python: trust=True); with data=DIR it is left out"
        )


def predict(
    bundle: str | Path, inputs: Sequence[str | Path], *, top_k: int = 1, batch_size: int = 32, trust: bool = False
) -> PredictResult:
    """Classify image files and directories of them; unreadable ones are listed in the result."""
    return predict_images(
        Path(bundle), [Path(item) for item in inputs], top_k=top_k, batch_size=batch_size, trust=trust
    )


def convert(
    source: str | Path, out: str | Path, *overrides: str, settings: ConvertSettings | None = None, add: bool = False
) -> Conversion:
    """Write a data set as TFRecord files, tar shards or decoded pixels; `data=OUT` reads it.

    Args:
        source: Anything that `data.source` names.
        out: A directory that is not there yet.
        overrides: Such as `data.class_names=[cat,dog]`.
        settings: The format and all else.
        add: Add splits to a set that is there.

    Raises:
        VernierError: anything that the user can mend; nothing is left behind then.
    """
    wanted = settings or ConvertSettings()
    check_settings(wanted)
    data = config_from_mapping({"data": {"source": str(source)}}, overrides, checks=()).config.data
    with logging_to(None):
        annotated = wanted.annotations is not None
        opened = open_annotated(Path(source), wanted, data) if annotated else open_source(data)
        if opened.skipped:
            logger.info("left out: %s", ", ".join(f"{count} {reason}" for reason, count in opened.skipped.items()))
        threads = processors() if data.threads == "auto" else data.threads
        display = make_display()
        display.begin("converting", len(opened.images))
        try:
            return convert_source(
                opened,
                data,
                wanted,
                Path(out),
                add=add,
                threads=threads,
                progress=lambda done, _: display.advance(done),
            )
        finally:
            display.end()


def check(
    what: ConfigLike = None,
    *overrides: str,
    near: int | None = None,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Look at every image of a data set, and say what is wrong with it.

    Args:
        what: A config file or mapping, a run, or anything that `data=` takes, such as a directory.
        overrides: Such as `data.val=DIR`.
        near: Bits of 64 in which the hashes of near duplicates may differ; 8 when not given.
        progress: Told how many images are done.

    Raises:
        VernierError: there is nothing to check, or it can't be opened.
    """
    config = _config_to_check(what, overrides)
    size = config.model.input_size
    return run_checks(
        config.data,
        processors() if config.data.threads == "auto" else max(1, config.data.threads),
        input_size=None if size == "auto" else (size[0], size[1]),
        near=NEAR_BITS if near is None else near,
        open_source=partial(open_data, config),
        progress=progress,
    )


def _config_to_check(what: ConfigLike, overrides: Sequence[str]) -> Config:
    """A run's config reads the split from its `split.csv`."""
    if not isinstance(what, str | Path):
        return read_config(what, *overrides, checks=()).config
    path = Path(what)
    if path.suffix.casefold() in (".yaml", ".yml"):
        return load_config(path, overrides, checks=()).config
    run = RunDirectory(path)
    if not run.config_file.is_file() or not run.split_file.is_file():
        return config_from_mapping({"data": {"source": str(what)}}, overrides, checks=()).config
    config = load_config(run.config_file, overrides, checks=()).config
    split = config.data.split.model_copy(update={"file": str(run.split_file)})
    return config.model_copy(update={"data": config.data.model_copy(update={"split": split})})


def benchmark_train(
    config: ConfigLike = None, *overrides: str, seconds: float = 10, end_to_end: bool = False
) -> Timing:
    """Time training steps on a batch that lies on the device, or with the loader (`end_to_end`)."""
    with logging_to(None):
        return time_train(read_config(config, *overrides), seconds, end_to_end)


def benchmark_pipeline(config: ConfigLike = None, *overrides: str, seconds: float = 10) -> Timing:
    """Time the input pipeline, from files or store to normalised float batches."""
    with logging_to(None):
        return time_pipeline(read_config(config, *overrides), seconds)


def preview(
    config: ConfigLike = None,
    *overrides: str,
    output: str | Path = "preview.png",
    images: int = 4,
    epoch: int = 0,
) -> Preview:
    """Write a picture of what `augment.train` does to some training images; see `vernier.training.preview`."""
    return write_preview(read_config(config, *overrides).config, Path(output), images, epoch)


def plot_schedule(
    config: ConfigLike = None, *overrides: str, images: int | None = None, steps_per_epoch: int | None = None
) -> ScheduleCurve:
    """The learning rate of every step of a training, without training it.

    Args:
        images: Training images of an epoch; the data is opened to count them when neither this nor
            `steps_per_epoch` is given.
        steps_per_epoch: Optimizer steps.

    Raises:
        ConfigError: the schedule does not fit into the training, or is not known ahead.
    """
    settings = read_config(config, *overrides, checks=SCHEDULE_CHECKS).config
    if steps_per_epoch is not None:
        return schedule_curve(settings, given_steps(settings, steps_per_epoch))
    return schedule_curve(settings, count_steps(settings, images))


def find_batch_size(config: ConfigLike = None, *overrides: str) -> BatchSizeFinding:
    """The largest power of two of images a step that fits the memory, by real steps.

    Raises:
        VernierError: anything that the user can mend; not even the smallest batch fits.
    """
    loaded = read_config(config, *overrides)
    with logging_to(None):
        resolved, dataset = _settle(loaded, {"data.batch_size": 32, "optimizer.lr": 0.0, "train.speed": "off"})
        return try_batch_sizes(resolved, dataset, logger.info)


def find_learning_rate(config: ConfigLike = None, *overrides: str) -> LearningRateFinding:
    """A learning rate for a config, by a range test of real steps.

    Raises:
        VernierError: anything that the user can mend; no learning rate lowers the loss.
    """
    loaded = read_config(config, *overrides)
    with logging_to(None):
        resolved, dataset = _settle(loaded, {"optimizer.lr": 0.0, "train.speed": "off"})
        return try_learning_rates(resolved, dataset, logger.info)


def _settle(loaded: LoadedConfig, not_measured: Mapping[str, Any]) -> tuple[Config, Dataset]:
    """A config without `auto` and its data set; what is `auto` is measured, except for some keys."""
    config = loaded.config
    dataset = open_dataset(config, None)
    resolved = resolve(config, dataset.source, dataset.train_store, run_name(config, loaded.file))
    for key, value in not_measured.items():
        section, name = key.split(".")
        changed = getattr(config, section).model_copy(update={name: value})
        config = config.model_copy(update={section: changed})
    return tune(config, resolved, dataset, logger.info)[0].config, dataset


def read_config(config: ConfigLike, *overrides: str, checks: Sequence[Check] = CHECKS) -> LoadedConfig:
    """Read a config file or mapping and overrides.

    Raises:
        ConfigError: all problems at once.
    """
    if isinstance(config, LoadedConfig):
        return config
    if isinstance(config, Mapping):
        return config_from_mapping(config, overrides, checks=checks)
    return load_config(None if config is None else Path(config), overrides, checks=checks)
