"""A curve in characters, for a terminal."""

from itertools import pairwise

import numpy as np

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ROWS = 8
_LEAST_WIDTH = 20


def text_plot(values: np.ndarray, width: int, last_label: str) -> list[str]:
    """Lines of a bar plot from 0 to the highest value.

    Args:
        values: float64 (n,), at least 0; each column shows the highest of the values that fall into it.
        width: Characters of a line, with the labels.
        last_label: Below the right end.
    """
    top = float(values.max())
    labels = [f"{top:.3g}", *[""] * (_ROWS - 2), "0"]
    margin = max(map(len, labels)) + 2
    columns = max(width - margin, _LEAST_WIDTH)
    heights = _column_values(values, columns) / (top or 1.0) * _ROWS
    rows = [_row(heights, row) for row in reversed(range(_ROWS))]
    lines = [f"{label:>{margin - 2}} ┤{line}" for label, line in zip(labels, rows, strict=True)]
    axis = f"{'epoch 1':<{max(columns - len(last_label), 8)}}{last_label}"
    return [*lines, " " * margin + axis]


def _column_values(values: np.ndarray, columns: int) -> np.ndarray:
    """The highest value of each column's share of the values, float64 (columns,)."""
    edges = np.arange(columns + 1) * len(values) // columns
    return np.array([values[a : max(b, a + 1)].max() for a, b in pairwise(edges)])


def _row(heights: np.ndarray, row: int) -> str:
    """One line of bars: what of each reaches into this row, in eighths."""
    eighths = np.clip(np.round((heights - row) * 8), 0, 8).astype(int)
    return "".join(_BLOCKS[part] for part in eighths)
