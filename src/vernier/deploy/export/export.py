"""A bundle written for other programs, and compared with the file that was written."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from torch import nn

from vernier.atomic import sync_directory
from vernier.augment.preprocess import Size
from vernier.config.export import ExportConfig, ExportFormat
from vernier.deploy.export.describe import describe_bundle
from vernier.deploy.export.files import make_directory, write_onnx
from vernier.deploy.export.network import export_network
from vernier.deploy.export.parity import Parity, ParityImages, compare, run_onnx, run_program
from vernier.deploy.export.pt2 import export_program, write_program
from vernier.deploy.export.wrap import wrap_network
from vernier.deploy.onnx_info import Kind, OnnxInfo
from vernier.deploy.places import default_file
from vernier.errors import RunError
from vernier.evaluation.classifier import Classifier
from vernier.models.bundle import bundle_directory, read_info


@final
@dataclass(frozen=True)
class ExportReport:
    """What an export made.

    Attributes:
        bundle: what was exported.
        file: where it is; it is not there when `passed` is false.
        format: onnx or pt2.
        kind: image takes uint8 images, network preprocessed ones.
        image_size: the only size of image that it takes; None for any.
        batch_size: the only number of images that it takes at once; None for any.
        size: of the file, in bytes.
        parity: against the bundle; None when that was not asked for.
        tolerance: the largest difference of a probability that is let through.
        outputs: further outputs by name.
    """

    bundle: Path
    file: Path
    format: ExportFormat
    kind: Kind
    image_size: Size | None
    batch_size: int | None
    size: int
    parity: Parity | None
    tolerance: float
    outputs: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the file says what the bundle says."""
        return self.parity is None or self.parity.max_difference <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        paths = {"bundle": str(self.bundle), "file": str(self.file) if self.passed else None}
        sizes = {"image_size": None if self.image_size is None else list(self.image_size)}
        return {**asdict(self), **paths, **sizes, "outputs": list(self.outputs), "passed": self.passed}

    def problem(self) -> str:
        """What is wrong with a file that did not pass, and what to do."""
        return (
            f"{self.file}: not written: {self.parity}, and export.tolerance is {self.tolerance:g}. Raise it if that is "
            "good enough, or try another export.opset"
        )


def export_bundle(
    path: Path,
    classifier: Classifier,
    settings: ExportConfig,
    *,
    format: ExportFormat,
    output: Path | None = None,
    images: ParityImages | None = None,
    further: Mapping[str, nn.Module] | None = None,
) -> ExportReport:
    """Write a model to a file, and compare the file with it.

    Args:
        path: A bundle, or a run directory for its best one.
        classifier: What `load_classifier` made of it.
        settings: What the file is to be.
        format: onnx or pt2.
        output: The file; `default_file` says where it is otherwise.
        images: What to compare on; None does not compare.
        further: Modules that take what the network takes, for further outputs (onnx).

    Raises:
        MissingExtraError: the packages of the extra `onnx` are missing.
        ModelError: the network can't be exported.
        RunError: the system refuses to write the file.
    """
    bundle = bundle_directory(path)
    kind: Kind = "network" if settings.raw else "image"
    info = describe_bundle(bundle, read_info(bundle), kind=kind, layout=settings.layout)
    file = default_file(bundle, f"{'_raw' if settings.raw else ''}.{format}") if output is None else output
    if file.is_dir():
        raise RunError(f"{file}: is a directory; name a file, such as {file / 'model'}.{format}")
    make_directory(file.parent)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write(temporary, classifier, info, settings, format, further or {})
        size = _image_size(classifier, info, settings, format)
        batch_size = _number(settings)
        run = run_onnx(temporary, info) if format == "onnx" else run_program(temporary, info)
        parity = images and compare(classifier, run, images, image_size=size, batch_size=batch_size)
        bytes_written = temporary.stat().st_size
        outputs = tuple(further or ()) if format == "onnx" else ()
        report = ExportReport(
            bundle, file, format, kind, size, batch_size, bytes_written, parity, settings.tolerance, outputs
        )
        if report.passed:
            temporary.replace(file)
            sync_directory(file.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return report


def _write(
    file: Path,
    classifier: Classifier,
    info: OnnxInfo,
    settings: ExportConfig,
    format: ExportFormat,
    further: Mapping[str, nn.Module],
) -> None:
    size, batch_size = _image_size(classifier, info, settings, format), _number(settings)
    if format == "pt2":
        input_size = size or classifier.preprocessing.input_size
        program = export_program(classifier.module, info, image_size=input_size, batch_size=batch_size)
        write_program(file, program, info, input_size)
        return
    channels, input_size = classifier.preprocessing.channels, classifier.preprocessing.input_size
    network = export_network(
        classifier.module, channels, input_size, opset=settings.opset, batch_size=batch_size, further=further
    )
    write_onnx(file, wrap_network(network, info, image_size=size, batch_size=batch_size))


def _number(settings: ExportConfig) -> int | None:
    return None if settings.batch_size == "dynamic" else settings.batch_size


def _image_size(classifier: Classifier, info: OnnxInfo, settings: ExportConfig, format: ExportFormat) -> Size | None:
    """The only size of image that the file takes; a `.pt2` file's resize is for one size."""
    if info.kind == "network":
        return None
    if settings.image_size != "dynamic":
        return settings.image_size[0], settings.image_size[1]
    return classifier.preprocessing.input_size if format == "pt2" else None
