"""Models in use: prediction, export, quantization, what they cost."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vernier.api.configs import ConfigLike, model_config, read_config
from vernier.api.evaluation import evaluate
from vernier.config.checks.quantize import CHECKS as QUANTIZE_CHECKS
from vernier.data.sources import open_source
from vernier.deploy.predict import PredictSettings, is_onnx, open_model
from vernier.deploy.predict import predict as predict_images
from vernier.deploy.predict import predict_stream as stream_predictions
from vernier.deploy.predictions import Answer, PredictResult
from vernier.errors import RunError
from vernier.scenario.overriding import open_data
from vernier.training.devices import processors
from vernier.training.log import logging_to
from vernier.training.prepare import find_finished
from vernier.training.session import run_training

if TYPE_CHECKING:
    from vernier.config.export import ExportFormat
    from vernier.deploy.calibrate.report import CalibrationReport
    from vernier.deploy.chain.end import ChainEnd
    from vernier.deploy.export.export import ExportReport
    from vernier.deploy.footprint.graph import Precision
    from vernier.deploy.footprint.report import FootprintReport
    from vernier.deploy.latency.benchmark import HostBenchmark
    from vernier.deploy.quantize.report import QuantizeReport


def predict(
    model: str | Path, inputs: Sequence[str | Path], *, top_k: int = 1, batch_size: int = 32, trust: bool = False
) -> PredictResult:
    """Classify image files and directories of them by a bundle, run or ONNX file; unreadable ones are listed."""
    return predict_images(Path(model), list(map(Path, inputs)), top_k=top_k, batch_size=batch_size, trust=trust)


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

    found = model_config(Path(bundle), overrides, trust=trust, checks=export_checks.CHECKS)
    number = None if parity == "all" else PARITY_IMAGES if parity is None else parity
    opener = open_source if found.names_data else partial(open_data, found.config)
    comparison = Comparison(found.config.data if found.has_data else None, found.names_data, number, opener)
    with logging_to(None):
        return export_model(
            Path(bundle),
            found.config,
            comparison,
            format=format,
            output=None if output is None else Path(output),
            trust=trust,
        )


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
    found = model_config(home, overrides, trust=trust, checks=QUANTIZE_CHECKS)
    request = Request(
        Path(model),
        home,
        found.config,
        own_config=found.is_runs,
        has_data=found.has_data,
        split=split,
        output=output,
        layers=layers,
        trust=trust,
        open_data=partial(open_data, found.config),
    )
    with logging_to(None):
        return quantize_model(request)


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

    config = model_config(Path(bundle), overrides, trust=trust).config
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
    from vernier.deploy.latency.models import OF_FILES, OF_NETWORKS, bundle_candidates, file_candidates

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
