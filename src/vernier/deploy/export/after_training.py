"""`export.after_training`: the files that a training leaves behind."""

from functools import partial
from pathlib import Path
from typing import Any

from vernier.config.root import Config
from vernier.deploy.export.run import PARITY_IMAGES, Comparison, export_model
from vernier.errors import VernierError
from vernier.scenario.overriding import open_data
from vernier.training.log import logger
from vernier.training.run_directory import RunDirectory

_BUNDLES = ("best", "final")


def export_after_training(run: RunDirectory, config: Config) -> list[dict[str, Any]]:
    """Write `best` and `final` in the formats of `export.after_training` to `RUN/export`.

    What goes wrong is logged and told in the result: the training is done, and its bundles are there.

    Returns:
        What each export made, as JSON values: `ExportReport.to_json`, or the bundle, the format and an `error`.
    """
    found = [(name, run.bundle(config.run, name)) for name in _BUNDLES]
    bundles = [(name, bundle) for name, bundle in found if bundle.is_dir()]
    formats = dict.fromkeys(config.export.after_training)
    return [_export(run, config, name, bundle, format) for name, bundle in bundles for format in formats]


def _export(run: RunDirectory, config: Config, name: str, bundle: Path, format: Any) -> dict[str, Any]:
    split = config.data.split.model_copy(update={"file": str(run.split_file)})
    data = config.data.model_copy(update={"split": split})
    comparison = Comparison(data, False, PARITY_IMAGES, partial(open_data, config))
    output = run.path / "export" / f"{name}{'_raw' if config.export.raw else ''}.{format}"
    try:
        # The network of a run is the user's own, and so is its code.
        report = export_model(bundle, config, comparison, format=format, output=output, trust=True)
    except VernierError as error:
        logger.error("%s: not exported: %s", output, error)
        return {"bundle": str(bundle), "format": format, "error": str(error)}
    if not report.passed:
        logger.error("%s", report.problem())
        return {**report.to_json(), "error": report.problem()}
    logger.info("exported: %s, %.1f MB; %s", report.file, report.size / 1e6, report.parity)
    return report.to_json()
