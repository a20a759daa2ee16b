"""`vernier quantize`."""

import json
import math
from pathlib import Path

from vernier.cli_words import UsageError, refuse_misspelt, take_path, take_switch, take_value

_MAX_DROP = "--max-drop"


def quantize(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when more is lost than may be."""
    as_json, trust, layers = (take_switch(words, name) for name in ("--json", "--trust", "--layers"))
    split, output, max_drop = (take_value(words, name) for name in ("--split", "--output", _MAX_DROP))
    model = take_path(words, "quantize", "BUNDLE, RUN or MODEL.onnx")
    refuse_misspelt(words, "quantize")
    from vernier import api

    overrides = words if max_drop is None else [*words, f"quantize.max_drop={_points(max_drop)}"]
    report = api.quantize(
        model, *overrides, split=split, output=Path(output) if output else None, layers=layers, trust=trust
    )
    print(json.dumps(report.to_json(), indent=1, ensure_ascii=False) if as_json else report.to_text())
    return 0 if report.passed else 1


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = -1.0
    if not 0 <= points < math.inf:
        raise UsageError("quantize", f"{_MAX_DROP} takes points of accuracy (%), a number from 0, not {text!r}")
    return points
