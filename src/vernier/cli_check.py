"""`vernier check`: look for what is wrong in a data set."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernier.cli_words import UsageError, take_switch, take_value

if TYPE_CHECKING:
    from vernier.data.check.run import CheckReport

_MOST_BITS = 16
"""Beyond this, hashes of unlike images are near each other too, and the search compares all with all."""


def check(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when a check fails."""
    if take_switch(words, "--labels"):
        from vernier.cli_labels import check_labels

        return check_labels(words)
    as_json = take_switch(words, "--json")
    html, clean, near = take_value(words, "--html"), take_value(words, "--fix"), _take_bits(words)
    if not words:
        raise UsageError("check", "name what to check: a directory, a config, a run or data=...")
    what = words.pop(0) if "=" not in words[0] and not words[0].startswith("-") else None
    from vernier import api
    from vernier.data.check.clean_list import refuse_existing

    if clean:
        refuse_existing(Path(clean))
    report = api.check(what, *words, near=near, progress=_show_progress if sys.stderr.isatty() else _show_nothing)
    written = _write(report, html, clean)
    if as_json:
        _print_json(report, written)
    else:
        _print_text(report, written)
    return 1 if report.status == "FAIL" else 0


def _take_bits(words: list[str]) -> int | None:
    text = take_value(words, "--near")
    if text is not None and not (text.isdecimal() and int(text) <= _MOST_BITS):
        raise UsageError("check", f"--near takes a whole number of bits, 0 to {_MOST_BITS}, not {text!r}")
    return None if text is None else int(text)


def _write(report: "CheckReport", html: str | None, clean: str | None) -> dict[str, Any]:
    """Write what was asked for; what is said about it."""
    from vernier.data.check.clean_list import write_clean_list

    written: dict[str, Any] = {"html": html, "fix": None}
    if clean:
        cleaned = write_clean_list(Path(clean), report.evidence)
        written["fix"] = {
            "file": str(cleaned.file),
            "root": str(cleaned.root),
            "kept": cleaned.kept,
            "left_out": {
                "unreadable": cleaned.unreadable,
                "copies": cleaned.copies,
                "conflicting": cleaned.conflicting,
            },
        }
    if html:
        from vernier.evaluation.report.check_page import write_check_page

        write_check_page(Path(html), report)
    return written


def _print_json(report: "CheckReport", written: dict[str, Any]) -> None:
    from vernier.data.check.report_json import report_json

    print(json.dumps({**report_json(report), **written}, indent=1, ensure_ascii=False))


def _print_text(report: "CheckReport", written: dict[str, Any]) -> None:
    from vernier.data.check.report_text import report_text

    print(report_text(report))
    if written["html"]:
        print(f"pictures: {written['html']}")
    if fix := written["fix"]:
        left_out = ", ".join(f"{count} {why}" for why, count in fix["left_out"].items())
        print(f"clean list: {fix['file']}, {fix['kept']} images; left out: {left_out}")
        print(f"  vernier train data={fix['file']} data.root={fix['root']}")


def _show_progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} images", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _show_nothing(done: int, total: int) -> None:
    pass
