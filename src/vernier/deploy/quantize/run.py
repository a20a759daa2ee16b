"""`vernier quantize`: from a float model to an int8 file that has been measured."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from torch import nn

from vernier.atomic import write_text_atomically
from vernier.config.data import DataConfig
from vernier.config.quantize import QuantizeConfig
from vernier.config.root import Config
from vernier.data.source import Source
from vernier.deploy.export.files import read_onnx, write_onnx
from vernier.deploy.export.wrap import read_info, wrap_network
from vernier.deploy.onnx_classifier import load_onnx
from vernier.deploy.onnx_info import OnnxInfo
from vernier.deploy.places import default_file
from vernier.deploy.quantize.calibration import Calibration, open_calibration
from vernier.deploy.quantize.conversion import Conversion, Converted, with_float_ends
from vernier.deploy.quantize.cost import measure_costs
from vernier.deploy.quantize.gate import Measured, Model, open_images, run_models
from vernier.deploy.quantize.noise import LayerNoise, measure_noise
from vernier.deploy.quantize.report import QuantizeReport
from vernier.deploy.quantize.search import SearchResult, allowed, search, with_way
from vernier.deploy.quantize.selection import Selection, network_classifier
from vernier.deploy.quantize.subject import Subject, fixed_batch, load_subject
from vernier.errors import ConfigError, ConfigProblem, DataError, ModelError, RunError
from vernier.evaluation.part import Part
from vernier.evaluation.words import several
from vernier.training.log import logger

if TYPE_CHECKING:
    from onnx import ModelProto


@final
@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        model: A bundle, a run or a float ONNX file.
        home: Where a `split.csv` may lie: the run, or the model itself.
        config: Its own, or made of what was given.
        own_config: Whether it is the run's own.
        has_data: Whether it names data.
        split: The images that decide, test or val; None for the first that there is.
        output: The int8 file; None for the usual place.
        layers: Tell the noise of all layers.
        trust: Import the user's own code when the bundle names it.
        open_data: What opens the data.
    """

    model: Path
    home: Path
    config: Config
    own_config: bool
    has_data: bool
    split: str | None
    output: Path | None
    layers: bool
    trust: bool
    open_data: Callable[[DataConfig], Source]

    @property
    def split_file(self) -> Path | None:
        """The run's split; None where it was not saved."""
        files = (self.home / "split.csv", self.home.parent / "split.csv")
        return next((file for file in files if file.is_file()), None)

    @property
    def int8_file(self) -> Path:
        """Where what passes goes."""
        return default_file(self.model, "_int8.onnx") if self.output is None else self.output

    @property
    def float_file(self) -> Path:
        """The float model as an ONNX file."""
        if self.model.is_file():
            return self.model
        if self.output is None:
            return default_file(self.model, ".onnx")
        return self.output.with_name(f"{self.output.stem}_float.onnx")


def quantize_model(request: Request) -> QuantizeReport:
    """Quantize, measure, and write what came of it.

    What loses more than it may is written as `NAME.failed.onnx`, never under the name asked for.

    Raises:
        ConfigError: settings that don't fit the model or the data.
        DataError: no such data.
        ModelError: no float model there.
        RunError: the output can't be written; nothing is then.
    """
    _require_writable(request.int8_file)
    _require_data(request)
    subject = load_subject(request.model, request.config, trust=request.trust)
    settings, notes = settle(request.config.quantize, subject)
    part = _deciding_part(request, subject)
    calibration = open_calibration(request.home, request.config, subject.preprocessing, subject.task)
    logger.info("calibrating on %s", calibration.description)
    conversion = Conversion(subject, request.config, calibration.batches, partial(_train_on, request))
    settings, found = _choose(request, subject, settings, conversion, calibration)
    converted = conversion.convert(settings)
    made = {**converted.quantized.quantization, "calibration": calibration.to_json()}
    info = replace(subject.info, quantization=made)
    report = _measure(request, subject, settings, converted, info, part)
    notes = (f"Calibrated on {calibration.description}.", *notes, *_found_notes(found), *converted.notes)
    report = replace(report, notes=(*notes, *report.notes), search=found)
    if request.layers or not report.passed:
        report = replace(report, layers=_noise(conversion, settings, calibration))
    return _write(request, subject, converted, info, report)


def settle(settings: QuantizeConfig, subject: Subject) -> tuple[QuantizeConfig, tuple[str, ...]]:
    """Settings without null for equalisation and bias correction, and what was chosen in words.

    An ONNX file can't be equalised or trained on. A model with its preprocessing takes images and gives probabilities.
    """
    notes = []
    if subject.module is None:
        if settings.equalize or settings.finetune or settings.granularity == "per_tensor":
            notes.append("An ONNX file is neither equalised nor trained on; quantize the bundle for that.")
        settings = settings.model_copy(update={"equalize": False, "finetune": None})
    if subject.info.kind == "image" and with_float_ends(settings) != settings:
        notes.append("quantize.input and quantize.output are of raw networks (export.raw=true); this one takes images.")
        settings = with_float_ends(settings)
    if settings.mode == "auto":
        return settings, tuple(notes)
    settled = with_way(settings, settings.granularity, settings.method)
    for name in ("equalize", "bias_correction"):
        if getattr(settings, name) is None and getattr(settled, name):
            notes.append(f"quantize.{name}=true: with {settings.granularity} it helps.")
    return settled, tuple(notes)


def _require_writable(file: Path) -> None:
    """Stop before the work when its result can't be written."""
    if file.is_dir():
        raise RunError(f"{file}: is a directory; name a file, such as {file / 'model_int8.onnx'}")
    if file.suffix != ".onnx":
        raise RunError(f"{file}: an int8 model is an ONNX file; give it a name that ends in .onnx")
    there = next(parent for parent in file.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise RunError(f"{file}: can't be written: {there} is no directory that you can write to. Choose another one")


def _require_data(request: Request) -> None:
    settings = request.config.quantize
    if settings.finetune is not None and not request.own_config and not request.model.is_file():
        message = "trains on as the run was trained; name the run, and leave data=... out"
        raise ConfigError([ConfigProblem("quantize.finetune", message)])
    if request.has_data:
        return
    if settings.mode == "auto" or settings.max_drop is not None:
        raise ConfigError(
            [ConfigProblem("data", f"{request.model} has no data of its own to measure on; name it: data=DIR")]
        )
    if not isinstance(settings.calibration, str):
        remedy = "name it, data=DIR, or calibrate on noise, quantize.calibration=random, and measure nothing"
        raise ConfigError([ConfigProblem("data", f"{request.model} has no data of its own to calibrate on; {remedy}")])


def _deciding_part(request: Request, subject: Subject) -> Part | None:
    if not request.has_data:
        return None
    return open_images(
        request.home,
        request.config.data,
        subject.task,
        subject.preprocessing,
        split=request.split,
        open_data=request.open_data,
    )


def _train_on(request: Request, module: nn.Module, settings: QuantizeConfig) -> tuple[nn.Module, tuple[str, ...]]:
    """Train on with rounding, on the run's own images."""
    from vernier.deploy.quantize.finetune import finetune

    assert settings.finetune is not None, "asked for"
    finetuned = finetune(module, request.config, request.split_file, settings, settings.finetune, logger.info)
    return finetuned.module, finetuned.notes


def _choose(
    request: Request, subject: Subject, settings: QuantizeConfig, conversion: Conversion, calibration: Calibration
) -> tuple[QuantizeConfig, SearchResult | None]:
    """The settings themselves, or what a search of `mode=auto` found."""
    if settings.mode == "static":
        return settings, None
    reference = subject.classifier or network_classifier(subject.network, subject.info)
    part = _selecting_part(request, subject)
    selection = Selection(conversion, subject.info, reference, part, request.config, calibration.batches)
    found = search(selection, settings, log=logger.info)
    return found.best.settings.model_copy(update={"mode": "static"}), found


def _found_notes(found: SearchResult | None) -> tuple[str, ...]:
    """What a search came to, in sentences."""
    if found is None:
        return ()
    best = f"Of {several(len(found.trials), 'trial')} the best is {found.best.to_text()}, on validation images."
    return (best,) if found.left_out is None else (best, f"Not all was tried: {found.left_out}.")


def _selecting_part(request: Request, subject: Subject) -> Part:
    """Validation images; the test set never chooses anything."""
    data, task = request.config.data, subject.task
    try:
        return open_images(request.home, data, task, subject.preprocessing, split="val", open_data=request.open_data)
    except DataError as error:
        message = f"auto chooses by validation images, and there are none: {error}"
        raise ConfigError([ConfigProblem("quantize.mode", message)]) from None


def _measure(
    request: Request,
    subject: Subject,
    settings: QuantizeConfig,
    converted: Converted,
    info: OnnxInfo,
    part: Part | None,
) -> QuantizeReport:
    with tempfile.TemporaryDirectory(prefix="vernier-") as directory:
        files = {name: Path(directory) / f"{name}.onnx" for name in ("onnx", "int8")}
        write_onnx(files["onnx"], _wrapped(subject.network, subject.info, request.config))
        write_onnx(files["int8"], _wrapped(converted.quantized.model, info, request.config))
        measured = None if part is None else _run(request, subject, files, part)
        networks = {"onnx": subject.network, "int8": converted.quantized.model}
        costs = measure_costs(subject, networks, files, fixed_batch(request.config) or 1)
    max_drop = allowed(settings) if request.config.quantize.mode == "auto" else settings.max_drop
    return QuantizeReport(
        request.model,
        request.int8_file,
        request.float_file,
        settings,
        converted.quantized.float_layers,
        measured,
        costs,
        max_drop,
        _measuring_notes(request, measured),
    )


def _run(request: Request, subject: Subject, files: Mapping[str, Path], part: Part) -> Measured:
    models: dict[str, Model] = {} if subject.classifier is None else {"float": subject.classifier}
    models |= {name: load_onnx(file) for name, file in files.items()}
    return run_models(models, part, subject.task, request.config.data, request.config.evaluate)


def _measuring_notes(request: Request, measured: Measured | None) -> tuple[str, ...]:
    if measured is None or measured.part == "test":
        return ()
    notes: tuple[str, ...] = () if request.split else ("There is no test set: the validation images decide.",)
    if request.config.quantize.mode == "auto":
        notes += ("They have chosen the settings too, so what is lost may look a little smaller than it is.",)
    return notes


def _wrapped(network: "ModelProto", info: OnnxInfo, config: Config) -> "ModelProto":
    size = None if config.export.image_size == "dynamic" else config.export.image_size
    return wrap_network(network, info, image_size=size, batch_size=fixed_batch(config))


def _noise(conversion: Conversion, settings: QuantizeConfig, calibration: Calibration) -> tuple[LayerNoise, ...]:
    converted = conversion.convert(with_float_ends(settings))
    return measure_noise(converted.network, converted.quantized.model, calibration.batches)


def _write(
    request: Request, subject: Subject, converted: Converted, info: OnnxInfo, report: QuantizeReport
) -> QuantizeReport:
    """Write the models and the report; what failed has another name, and what passed replaces it."""
    passed = request.int8_file
    failed = passed.with_name(f"{passed.stem}.failed.onnx")
    report = replace(report, file=passed if report.passed else failed)
    if subject.module is not None and not _is_of(request.float_file, subject.info):
        write_onnx(request.float_file, _wrapped(subject.network, subject.info, request.config))
    info = replace(info, quantization={**(info.quantization or {}), "gate": report.gate()})
    write_onnx(report.file, _wrapped(converted.quantized.model, info, request.config))
    size = replace(report.costs["int8"], bytes=report.file.stat().st_size)
    report = replace(report, costs={**report.costs, "int8": size})
    text = json.dumps(report.to_json(), indent=1, ensure_ascii=False)
    write_text_atomically(report.file.with_suffix(".json"), f"{text}\n")
    if report.passed:
        failed.unlink(missing_ok=True)
        failed.with_suffix(".json").unlink(missing_ok=True)
    return report


def _is_of(file: Path, info: OnnxInfo) -> bool:
    """Whether a file holds this very float model already: weights, preprocessing, temperature and all."""
    try:
        there = read_info(read_onnx(file), file) if file.is_file() else None
    except ModelError:
        return False
    return there is not None and there == replace(info, quantization=None)
