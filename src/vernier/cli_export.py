"""`vernier export`: a model as a file for other programs."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vernier.cli_words import UsageError, refuse_misspelt, take_path, take_switch, take_value

if TYPE_CHECKING:
    from vernier.config.export import ExportFormat
    from vernier.deploy.export.export import ExportReport

_FORMATS = ("onnx", "pt2")
_BUNDLES = ("best", "final")


def export(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when the file's answers are too far from the model's."""
    as_json, trust = take_switch(words, "--json"), take_switch(words, "--trust")
    format = _take_one_of(words, "--format", _FORMATS)
    which = _take_one_of(words, "--which", _BUNDLES)
    output, parity = take_value(words, "--output"), _take_parity(words)
    model = Path(take_path(words, "export", "BUNDLE or RUN"))
    refuse_misspelt(words, "export")
    from vernier import api

    report = api.export(
        model / which if which else model,
        *words,
        format=format or _format_of(output),
        output=output,
        parity=parity,
        trust=trust,
    )
    if as_json:
        print(json.dumps(report.to_json(), indent=1, ensure_ascii=False))
    elif report.passed:
        print("\n".join(_lines(report)))
    if not report.passed:
        print(f"error: {report.problem()}", file=sys.stderr)
    return 0 if report.passed else 1


def _take_one_of(words: list[str], name: str, choices: tuple[str, ...]) -> Any:
    given = take_value(words, name)
    if given not in (None, *choices):
        raise UsageError("export", f"{name} takes {' or '.join(choices)}, not {given!r}")
    return given


def _take_parity(words: list[str]) -> "int | Literal['all'] | None":
    given = take_value(words, "--parity")
    if given is None or given == "all":
        return "all" if given else None
    if not given.isdecimal():
        raise UsageError("export", f"--parity takes a number of images, all, or 0, not {given!r}")
    return int(given)


def _format_of(output: str | None) -> "ExportFormat":
    """What the name of the file says; ONNX where it says nothing."""
    return "pt2" if output is not None and output.endswith(".pt2") else "onnx"


def _lines(report: "ExportReport") -> list[str]:
    """The file, how far it is from the model, and how to use it."""
    compared = "not compared with the bundle (--parity 0)" if report.parity is None else str(report.parity)
    lines = [f"{report.file}: {report.size / 1e6:.1f} MB, from {report.bundle}", compared]
    if report.image_size is not None:
        height, width = report.image_size
        lines.append(f"takes images of {height} x {width} pixels only (export.image_size)")
    if report.batch_size is not None:
        lines.append(f"takes {report.batch_size} images at once, no more and no fewer (export.batch_size)")
    if report.outputs:
        lines.append(f"further outputs: {', '.join(report.outputs)}")
    return [*lines, "to use it:", *(f"  {line}" for line in _usage(report))]


def _usage(report: "ExportReport") -> list[str]:
    if report.format == "pt2":
        results = "probabilities, logits" if report.kind == "image" else "logits"
        return ["import torch", f'model = torch.export.load("{report.file}").module()', f"{results} = model(images)"]
    name, result = ("image", "probabilities") if report.kind == "image" else ("input", "logits")
    return [
        "import onnxruntime",
        f'session = onnxruntime.InferenceSession("{report.file}")',
        f'{result} = session.run(["{result}"], {{"{name}": images}})[0]',
    ]
