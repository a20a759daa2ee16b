"""The command line's verbs as Python functions.

Each takes what its verb takes: a config file or mapping, then overrides such as `"optimizer.lr=0.01"`.

    from vernier import api
    end = api.train({"data": "photos", "train": {"epochs": 3}})
    print(end.result["best"]["val"]["accuracy"])
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vernier.config.checks import CHECKS, Check
from vernier.config.checks.quantize import CHECKS as QUANTIZE_CHECKS
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
from vernier.deploy.predict import PredictSettings, is_onnx, open_model
from vernier.deploy.predict import predict as predict_images
from vernier.deploy.predict import predict_stream as stream_predictions
from vernier.deploy.predictions import Answer, PredictResult
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
from vernier.training.prepare import find_finished, prepare_resume
from vernier.training.preview import Preview
from vernier.training.preview import preview as write_preview
from vernier.training.resolve import resolve
from vernier.training.run_directory import RunDirectory, run_name
from vernier.training.seeds import SeedsEnd
from vernier.training.session import TrainingEnd, run_training, train_prepared
from vernier.training.tuning import tune

if TYPE_CHECKING:
    from vernier.config.export import ExportFormat
    from vernier.deploy.calibrate.report import CalibrationReport
    from vernier.deploy.chain.end import ChainEnd
    from vernier.deploy.export.export import ExportReport
    from vernier.deploy.footprint.graph import Precision
    from vernier.deploy.footprint.report import FootprintReport
    from vernier.deploy.latency.benchmark import HostBenchmark
    from vernier.deploy.quantize.report import QuantizeReport

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
    """Measure a bundle, a run's best one, or an ONNX file on data.

    Args:
        bundle: A bundle, a run directory, or an ONNX file.
        overrides: Such as `data=DIR`; a run's own data and settings when they name no data. For ONNX files of other
            programs also `data.class_names`, `augment.eval` and the like, see `describe_foreign`.
        split: train, val, test or all; the test set, else the validation set, else everything, when not given.
        output: A directory for predictions and tables.
        trust: Import the user's own code when the bundle or the run names it.
    """
    path = Path(bundle)
    exported = is_onnx(path)
    base = (path.absolute().parent.parent if exported else path) / "config.yaml"
    other_data = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    file = base if base.is_file() and not other_data else None
    if file is not None and not trust:
        _refuse_code(file)
    config = load_config(file, overrides, checks=()).config
    opener, evaluators = partial(open_data, config), own_evaluators(config)
    if exported:
        from vernier.deploy.evaluate_onnx import evaluate_onnx

        return evaluate_onnx(path, config, split=split, output=output, open_data=opener, evaluators=evaluators)
    return evaluate_bundle(
        path,
        config.data,
        config.evaluate,
        split=split,
        output=output,
        trust=trust,
        metrics=config.metrics,
        open_data=opener,
        evaluators=evaluators,
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
    model: str | Path, inputs: Sequence[str | Path], *, top_k: int = 1, batch_size: int = 32, trust: bool = False
) -> PredictResult:
    """Classify image files and directories of them by a bundle, run or ONNX file; unreadable ones are listed."""
    return predict_images(Path(model), list(map(Path, inputs)), top_k=top_k, batch_size=batch_size, trust=trust)


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


def benchmark_model(
    models: Sequence[str | Path],
    *,
    batch_sizes: Sequence[int] | None = None,
    threads: Sequence[int] | None = None,
    seconds: float = 2.0,
    image_size: tuple[int, int] | None = None,
    compiled: bool = False,
    trust: bool = False,
) -> "HostBenchmark":
    """Time a run or bundle, or ONNX files beside each other, on this machine.

    Args:
        models: A run directory, a bundle, or ONNX files.
        batch_sizes: Images a call; 1 and 32 when not given.
        threads: Threads a call; 1 and as many as there are processors when not given.
        seconds: For each network in each setting.
        image_size: Height and width of images for files that take any; the network's own when not given.
        compiled: Through torch.compile too, which takes a minute or more.
        trust: Import the user's own code when the bundle names it.
    """
    from vernier.deploy.latency.benchmark import benchmark_candidates
    from vernier.deploy.latency.energy import EnergyCounter
    from vernier.deploy.latency.models import OF_FILES, OF_NETWORKS, bundle_candidates, file_candidates, is_onnx

    paths = [Path(model) for model in models]
    alone = len(paths) == 1 and not is_onnx(paths[0])
    candidates = (
        bundle_candidates(paths[0], compiled=compiled, trust=trust) if alone else file_candidates(paths, image_size)
    )
    return benchmark_candidates(
        candidates,
        batch_sizes or (1, 32),
        threads or sorted({1, processors()}),
        seconds=seconds,
        timed=OF_NETWORKS if alone else OF_FILES,
        counter=EnergyCounter.find(),
    )


def calibrate(
    bundle: str | Path,
    *overrides: str,
    precision: float = 0.95,
    confident: bool = False,
    split: str = "val",
    dry_run: bool = False,
    trust: bool = False,
) -> "CalibrationReport":
    """Fit a bundle's temperature and choose the confidence below which an image is `unknown`; the bundle keeps both.

    Args:
        bundle: A bundle, or a run directory for its best one.
        overrides: Such as `data=DIR`; the run's own data and split when they name no data.
        precision: Share of the accepted answers that should be right.
        confident: The lower end of the 95 % interval of that share has to reach it.
        split: val, or train or all with a warning; never test.
        dry_run: Leave the bundle as it is.
        trust: Import the user's own code when the bundle or the run names it.

    Raises:
        VernierError: anything that the user can mend.
    """
    from vernier.deploy.calibrate.run import calibrate_bundle

    named = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    file = None if named else _run_config(Path(bundle))
    if file is not None and not trust:
        _refuse_code(file)
    config = load_config(file, overrides, checks=()).config
    return calibrate_bundle(
        Path(bundle),
        config.data,
        config.evaluate,
        precision=precision,
        confident=confident,
        split=split,
        dry_run=dry_run,
        trust=trust,
        open_data=partial(open_data, config),
    )


def _run_config(model: Path) -> Path | None:
    """The config of a run, or of the run that a bundle lies in; None without."""
    files = (model / "config.yaml", model.parent / "config.yaml")
    return next((file for file in files if file.is_file()), None)


def chain(
    letters: str,
    model: str | Path | None = None,
    *overrides: str,
    output: str | Path | None = None,
    trust: bool = False,
) -> "ChainEnd":
    """Train, evaluate, quantize and benchmark in the order of some letters; the same call goes on where it was left.

    Args:
        letters: Such as `tqeb`: t train, e evaluate, q quantize, b benchmark.
        model: A config file, for its run; without `t` also a run, a bundle or a float ONNX file.
        overrides: Such as `quantize.granularity=per_tensor`.
        output: Directory for chain.json, chain.html and tables; the run's own when not given.
        trust: Import the user's own code when the bundle or the run names it.

    Raises:
        VernierError: anything that the user can mend.
    """
    from vernier.deploy.chain.chaining import chain_model, deployment_overrides, is_config
    from vernier.deploy.chain.end import ChainEnd
    from vernier.deploy.chain.order import read_chain
    from vernier.deploy.chain.record import ChainRecord
    from vernier.deploy.chain.steps import Verbs

    steps = read_chain(letters)
    path = None if model is None else Path(model)
    trains = steps[0].letter == "t"
    if path is not None and trains and not is_config(path):
        raise RunError(f"{path}: chain {letters} begins with t (train), which takes a config; leave t out for a model")
    if path is None or is_config(path):
        loaded = read_config(path, *overrides)
        if trains:
            end = run_training(loaded)
            if end.exit_status:
                return ChainEnd(ChainRecord(letters), end.run.path, end.signal_number)
            path = end.run.path
        else:
            path = find_finished(loaded).path
        overrides = tuple(deployment_overrides(loaded))
    verbs = Verbs(
        evaluate=lambda target, tables: evaluate(target, *overrides, output=tables, trust=trust),
        quantize=lambda target: quantize(target, *overrides, trust=trust),
        benchmark=lambda targets: benchmark_model(targets, batch_sizes=[1], threads=[1], trust=trust),
        footprint=lambda target: footprint(
            target, precision=None if target.is_file() else "float32", st_tool=False, trust=trust
        ),
    )
    return chain_model(letters, path, overrides, verbs, None if output is None else Path(output))


def quantize(
    model: str | Path,
    *overrides: str,
    split: str | None = None,
    output: Path | None = None,
    layers: bool = False,
    trust: bool = False,
) -> "QuantizeReport":
    """Make a model of 8-bit integers of a float one, and compare both on the same images.

    Args:
        model: A bundle, a run directory for its best one, or a float ONNX file.
        overrides: Such as `quantize.granularity=per_tensor` or `data=DIR`; a run's own data when they name none.
        split: test or val; the test set, else the validation set, when not given.
        output: The int8 file; `RUN/export/best_int8.onnx`, or one beside the model, when not given.
        layers: Tell the noise of all layers.
        trust: Import the user's own code when the bundle or the run names it.

    Returns:
        What was measured; `passed` is False where int8 loses more than `quantize.max_drop`.

    Raises:
        VernierError: anything that the user can mend; nothing is written then.
    """
    from vernier.deploy.quantize.run import Request, quantize_model
    from vernier.deploy.quantize.subject import find_home

    home = find_home(Path(model))
    named = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    file = None if named else _run_config(home)
    if file is not None and not trust:
        _refuse_code(file)
    config = load_config(file, overrides, checks=QUANTIZE_CHECKS).config
    request = Request(
        Path(model),
        home,
        config,
        own_config=file is not None,
        has_data=named or file is not None,
        split=split,
        output=output,
        layers=layers,
        trust=trust,
        open_data=partial(open_data, config),
    )
    with logging_to(None):
        return quantize_model(request)


def footprint(
    model: ConfigLike = None,
    *overrides: str,
    board: str | None = None,
    precision: "Precision | None" = None,
    classes: int | None = None,
    st_tool: bool = True,
    trust: bool = False,
) -> "FootprintReport":
    """What a network costs on a device: flash, RAM and operations.

    Args:
        model: An ONNX file, a bundle, a run directory for its best one, or a config, whose network need not be trained.
        overrides: Of a config, such as `model=mobilenet_v2`.
        board: What it should fit; `fits` tells.
        precision: `int8` or `float32` for all of it. Without, a quantized graph is counted as it is, and a float one in
            8-bit integers.
        classes: Of a config, instead of counting those of its data; 1000 without data.
        st_tool: Call ST's command-line tool when it is installed, and put its figures beside.
        trust: Import the user's own code when the bundle names it.

    Raises:
        VernierError: anything that the user can mend.
    """
    from vernier.deploy.footprint.boards import find_board
    from vernier.deploy.footprint.report import report_on
    from vernier.deploy.footprint.st_tool import find_st_tool
    from vernier.deploy.footprint.subject import open_subject

    target = None if board is None else find_board(board)
    with logging_to(None):
        subject = open_subject(
            model,
            lambda: read_config(model, *overrides, checks=()).config,
            trust=trust,
            classes=classes,
            open_data=open_data,
        )
    return report_on(subject, precision=precision, board=target, st_tool=find_st_tool() if st_tool else None)


def predict_stream(
    model: str | Path,
    inputs: Sequence[str | Path],
    settings: PredictSettings | None = None,
    *,
    device: str = "cpu",
    trust: bool = False,
) -> Iterator[Answer]:
    """Classify any number of images in constant memory: predictions and failures one by one, in order.

    Args:
        model: Bundle, run or ONNX file.
        inputs: Files, directories, patterns, and `@FILE` for a list with a path a line.
        settings: Images at once, threads, top_k, what is rejected, levels.
        device: Where a bundle computes, as torch names it.
        trust: Import the user's own code when the bundle names it.

    Raises:
        VernierError: Anything that the user can mend.
    """
    opened = open_model(Path(model), device=device, trust=trust)
    return stream_predictions(opened, list(map(Path, inputs)), settings)


def export(
    bundle: str | Path,
    *overrides: str,
    format: "ExportFormat" = "onnx",
    output: str | Path | None = None,
    parity: "int | Literal['all'] | None" = None,
    trust: bool = False,
) -> "ExportReport":
    """Write a model to an ONNX or `.pt2` file, and compare the file with it on validation images.

    Args:
        bundle: A bundle, or a run directory for its best one.
        overrides: Such as `export.layout=nchw`, or `data=DIR` for other images than the run's own.
        format: onnx or pt2.
        output: The file; `RUN/export/best.onnx`, or one beside the bundle, when not given.
        parity: Images to compare on, or `all`; 0 does not compare. 256 when not given.
        trust: Import the user's own code when the bundle or the run names it.

    Returns:
        What was made; `passed` is False, and no file there, where it differs by more than `export.tolerance`.

    Raises:
        VernierError: anything that the user can mend; nothing is written then.
    """
    from vernier.config.checks import export as export_checks
    from vernier.deploy.export.run import PARITY_IMAGES, Comparison, export_model

    file = _run_config(Path(bundle))
    if file is not None and not trust:
        _refuse_code(file)
    config = load_config(file, overrides, checks=export_checks.CHECKS).config
    named = any(key in _DATA_KEYS for key, _ in parse_arguments(overrides))
    data = load_config(None, overrides, checks=()).config.data if named else config.data
    number = None if parity == "all" else PARITY_IMAGES if parity is None else parity
    comparison = Comparison(
        data if named or file is not None else None, named, number, open_source if named else partial(open_data, config)
    )
    with logging_to(None):
        return export_model(
            Path(bundle),
            config,
            comparison,
            format=format,
            output=None if output is None else Path(output),
            trust=trust,
        )


def card(bundle: str | Path, *, output: str | Path | None = None) -> Path:
    """Write the page that describes a bundle: what it answers, how well, how images are prepared, how to load it.

    Args:
        bundle: A bundle, or a run directory for its best one.
        output: The file; README.md in the bundle when not given.

    Returns:
        The file.

    Raises:
        VernierError: no bundle there, or a file that is no card in the way.
    """
    from vernier.deploy.card.card import write_card

    return write_card(Path(bundle), None if output is None else Path(output))
