"""Where files made from a model go when nobody says."""

import os
from pathlib import Path

from vernier.models.bundle import INFO_FILE

EXPORTS = "export"
"""The directory in a run."""


def default_file(model: Path, ending: str) -> Path:
    """`RUN/export/best.onnx` for a run and its bundles, `BUNDLE.onnx` beside another bundle, beside a file else.

    Args:
        model: A run directory, a bundle or a file.
        ending: Such as `.onnx` or `_int8.onnx`.
    """
    if model.name in ("", ".."):
        model = Path(os.path.abspath(model))  # noqa: PTH100 (a link keeps its name)
    if model.is_file():
        return model.with_name(model.stem + ending)
    directory, name = (model.parent, model.name) if (model / INFO_FILE).is_file() else (model, "best")
    if (directory / "config.yaml").is_file():
        return directory / EXPORTS / f"{name}{ending}"
    return directory / f"{name}{ending}"
