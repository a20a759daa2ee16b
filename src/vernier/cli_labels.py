"""`vernier check --labels`: look for wrong labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernier.cli_words import UsageError, take_count, take_switch, take_value

if TYPE_CHECKING:
    from vernier.training.label_errors import LabelsEnd


def check_labels(words: list[str]) -> int:
    """Run `check` with `--labels`, which is taken out already; returns the exit status."""
    as_json, output, fix = take_switch(words, "--json"), take_value(words, "--output"), take_value(words, "--fix")
    folds, drop = take_count(words, "check", "--folds", 5), take_count(words, "check", "--drop", 0)
    epochs = take_count(words, "check", "--epochs", 0)
    if drop and not fix:
        raise UsageError("check", "--drop says what the list of --fix leaves out; name it with --fix LIST.csv")
    if not words:
        raise UsageError("check", "name whose labels to check: a run, a config or data=...")
    what = words.pop(0) if "=" not in words[0] and not words[0].startswith("-") else None
    overrides = [*words, f"train.epochs={epochs}"] if epochs else words
    from vernier import api

    end = api.check_labels(
        what,
        *overrides,
        folds=folds,
        output=Path(output) if output else None,
        fix=Path(fix) if fix else None,
        drop=drop or None,
    )
    _print(end, as_json)
    return end.exit_status


def _print(end: "LabelsEnd", as_json: bool) -> None:
    if end.report is None:
        return
    fixed: dict[str, Any] | None = end.fixed
    if as_json:
        print(json.dumps({**end.report.to_json(), "fix": fixed}, indent=1, ensure_ascii=False))
        return
    from vernier.evaluation.label_text import label_text

    print(label_text(end.report))
    if fixed:
        print(f"list: {fixed['file']}, {fixed['kept']} images; left out: {fixed['left_out']}")
        print(f"  vernier train data={fixed['file']} data.root={fixed['root']}")
