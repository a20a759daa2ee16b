"""Models measured, and compared with each other."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vernier.api.configs import model_config
from vernier.deploy.predict import is_onnx
from vernier.evaluation.compare import Comparison
from vernier.evaluation.compare import compare as compare_files
from vernier.evaluation.evaluate import EvaluationReport, evaluate_bundle
from vernier.scenario.overriding import open_data, own_evaluators

if TYPE_CHECKING:
    pass


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
    config = model_config(path, overrides, trust=trust).config
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
