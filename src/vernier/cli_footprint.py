"""`vernier footprint`: what a network costs on a device."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vernier.cli_words import UsageError, refuse_misspelt, take_count, take_switch, take_value

if TYPE_CHECKING:
    from vernier.deploy.footprint.report import FootprintReport

_PRECISIONS = ("int8", "float32")


def footprint(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when the network does not fit the board."""
    as_json, layers = take_switch(words, "--json"), take_switch(words, "--layers")
    if take_switch(words, "--boards"):
        return _list_boards(as_json)
    picture, csv = take_value(words, "--picture"), take_value(words, "--csv")
    options = _options(words)
    what = words.pop(0) if words and "=" not in words[0] and not words[0].startswith("-") else None
    if what is None and not words:
        raise UsageError("footprint", "name a bundle, a run, an ONNX file, a config or model=NAME")
    refuse_misspelt(words, "footprint")
    from vernier import api

    report = api.footprint(what, *words, **options)
    written = _write(report, picture, csv)
    if as_json:
        print(json.dumps({**report.to_json(), **written}, indent=1, ensure_ascii=False))
    else:
        print(report.to_text(layers=layers))
        for kind, file in written.items():
            if file:
                print(f"{kind}: {file}")
    return 0 if report.fits else 1


def _options(words: list[str]) -> dict[str, Any]:
    return {
        "board": take_value(words, "--board"),
        "precision": _take_precision(words),
        "classes": take_count(words, "footprint", "--classes", 0) or None,
        "st_tool": not take_switch(words, "--no-st-tool"),
        "trust": take_switch(words, "--trust"),
    }


def _take_precision(words: list[str]) -> Literal["float32", "int8"] | None:
    given = take_value(words, "--precision")
    if given is None or given in _PRECISIONS:
        return given  # type: ignore[return-value]
    raise UsageError("footprint", f"--precision takes {' or '.join(_PRECISIONS)}, not {given!r}")


def _write(report: "FootprintReport", picture: str | None, csv: str | None) -> dict[str, str | None]:
    if picture:
        report.write_picture(Path(picture))
    if csv:
        report.write_csv(Path(csv))
    return {"picture": picture, "csv": csv}


def _list_boards(as_json: bool) -> int:
    from dataclasses import asdict

    from vernier.deploy.footprint.boards import BOARDS, boards_table

    if as_json:
        print(json.dumps([asdict(board) for board in BOARDS.values()], indent=1))
    else:
        print(boards_table())
    return 0
