"""Writing the report of a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vernier.atomic import write_text_atomically
from vernier.evaluation.plots import plot_confusion, plot_curves
from vernier.evaluation.report import charts
from vernier.evaluation.report.pictures import png_uri
from vernier.evaluation.report.run_data import read_run
from vernier.evaluation.report.sections import Page, make_page
from vernier.evaluation.report.templates import render, verbatim


def write_report(run: Path, picture: Callable[[str], np.ndarray | None]) -> Path:
    """Write report.html, curves.png and, where there is a confusion matrix, confusion_matrix.png into a run.

    The same files give the same report, byte for byte.

    Args:
        run: A run directory with result.json, config.yaml and metrics.csv; per_class.csv, confusion_matrix.csv
            and the predictions are shown where they are.
        picture: From a path in the predictions to its image, uint8 (H, W, 1 or 3), or None when it can't be had.

    Returns:
        The path of report.html.

    Raises:
        RunError: a file of the run is missing or damaged, or the report can't be written.
    """
    page = make_page(read_run(run), picture)
    plot_curves(run / "metrics.csv", run / "curves.png")
    if page.matrix is not None:
        plot_confusion(run / "confusion_matrix.csv", run / "confusion_matrix.png")
    report = run / "report.html"
    write_text_atomically(report, render_page(page, _matrix_picture(page, run)))
    return report


def render_page(page: Page, matrix_picture: str) -> str:
    """The HTML of a page; `matrix_picture` is the confusion matrix as a data URI, for runs of many classes."""
    return render(
        "report.html.j2",
        page=page,
        matrix_picture=matrix_picture,
        plot=charts,
        style=verbatim("report.css"),
        script=verbatim("report.js"),
    )


def _matrix_picture(page: Page, run: Path) -> str:
    if page.matrix is None or page.matrix.rows:
        return ""
    return png_uri((run / "confusion_matrix.png").read_bytes())
