"""`vernier calibrate`: temperature and reject threshold."""

import json
import math
from typing import Any

from vernier.cli_words import UsageError, refuse_misspelt, take_path, take_switch, take_value

_PRECISION = "0.95"


def calibrate(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when no threshold reaches the precision."""
    as_json, classes, dry_run, confident, trust = (
        take_switch(words, name) for name in ("--json", "--classes", "--dry-run", "--confident", "--trust")
    )
    precision, split = _take_share(words, "--precision"), take_value(words, "--split") or "val"
    bundle = take_path(words, "calibrate", "BUNDLE or RUN")
    refuse_misspelt(words, "calibrate")
    from vernier import api

    report = api.calibrate(
        bundle, *words, precision=precision, confident=confident, split=split, dry_run=dry_run, trust=trust
    )
    if as_json:
        _print_json(report.to_json())
    else:
        print(report.to_text(classes=classes))
    return 0 if report.rejection.reached else 1


def _take_share(words: list[str], name: str) -> float:
    text = take_value(words, name) or _PRECISION
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise UsageError("calibrate", f"{name} takes a share above 0 and at most 1, such as 0.95, not {text!r}")
    return share


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))
