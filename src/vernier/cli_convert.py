"""`vernier convert`: write a data set as TFRecord files, tar shards or a decoded store."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

from vernier.cli_words import UsageError, take_switch

_TEXTS = ("format", "preprocessing", "name", "description", "check")
_NUMBERS = ("shard_size", "num_shards", "seed", "quality")
_LISTS = ("image_size", "split_names", "split_percentages")
_FILES = ("annotations", "delimiter", "header")
_OPTIONS = frozenset({*_TEXTS, *_NUMBERS, *_LISTS, *_FILES})
_TRUTHS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
_ASSIGNMENT = re.compile(r"[^\s=/\\]+=")
_SPACES = {"tab": "\t", "\\t": "\t", "space": " "}


def convert(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    as_json, add = take_switch(words, "--json"), take_switch(words, "--add")
    given = _take_options(words)
    source, out = _take_places(words)
    _refuse_misspelt(words)
    settings = _read_options(given)
    from vernier import api
    from vernier.data.convert.settings import ConvertSettings

    with _ended_by_sigterm():
        conversion = api.convert(source, out, *words, settings=ConvertSettings(**settings), add=add)
    if as_json:
        print(json.dumps(conversion.to_json(), indent=1, ensure_ascii=False))
    else:
        print(conversion.to_text())
    return conversion.exit_status


def _take_places(words: list[str]) -> tuple[str, str]:
    """SOURCE and OUT, taken out: they stand alone, before any `--key` of the config."""
    alone = [word for word in takewhile(lambda word: not word.startswith("-"), words) if not _ASSIGNMENT.match(word)]
    if len(alone) < 2:
        raise UsageError("convert", "name the SOURCE and the directory OUT first")
    if len(alone) > 2:
        raise UsageError("convert", f"what is {alone[2]!r}? SOURCE and OUT are {alone[0]!r} and {alone[1]!r}")
    for word in alone:
        words.remove(word)
    return alone[0], alone[1]


def _refuse_misspelt(words: list[str]) -> None:
    for word in words:
        name = word.partition("=")[0]
        close = get_close_matches(name.removeprefix("--").replace("-", "_"), _OPTIONS, n=1)
        if name.startswith("--") and "." not in name and close:
            raise UsageError("convert", f"{name} is no option; did you mean --{close[0]}?")


def _take_options(words: list[str]) -> dict[str, list[str]]:
    """The options with their values as text, taken out."""
    given: dict[str, list[str]] = {}
    place = 0
    while place < len(words):
        name, equals, value = words[place].partition("=")
        option = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or option not in _OPTIONS:
            place += 1
            continue
        values = [value] if equals else _values(option, words[place + 1 :])
        if not values:
            raise UsageError("convert", f"{name} needs a value")
        del words[place : place + 1 + (0 if equals else len(values))]
        if option in given:
            raise UsageError("convert", f"{name} stands twice")
        given[option] = [part for text in values for part in _parts(option, text)]
    return given


def _values(option: str, rest: list[str]) -> list[str]:
    if option not in _LISTS:
        return rest[:1]
    values = list(takewhile(lambda word: not word.startswith("-") and "=" not in word, rest))
    return values[:2] if option == "image_size" and "," not in "".join(values[:1]) else _leading(option, values)


def _leading(option: str, values: list[str]) -> list[str]:
    """The values of a list: one `[a,b]`, or as many as there are; of shares all that are numbers."""
    if values and "," in values[0]:
        return values[:1]
    if option == "split_percentages":
        return list(takewhile(lambda word: word[:1].isdigit() or word.startswith("."), values))
    return values


def _parts(option: str, text: str) -> list[str]:
    if option not in _LISTS:
        return [text]
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


def _read_options(given: dict[str, list[str]]) -> dict[str, Any]:
    settings: dict[str, Any] = {name: given[name][0] for name in _TEXTS if name in given}
    settings |= {name: _whole(name, given[name][0]) for name in _NUMBERS if name in given}
    settings |= {name: tuple(given[name]) for name in ("split_names", "split_percentages") if name in given}
    if "image_size" in given:
        settings["image_size"] = _image_size(given["image_size"])
    if "annotations" in given:
        settings["annotations"] = Path(given["annotations"][0])
    elif unused := [name for name in ("delimiter", "header") if name in given]:
        raise UsageError("convert", f"--{unused[0]} goes with --annotations")
    if "delimiter" in given:
        settings["delimiter"] = _SPACES.get(given["delimiter"][0], given["delimiter"][0])
    if "header" in given:
        settings["header"] = _truth(given["header"][0])
    return settings


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError("convert", f"--{name} takes a whole number, not {text!r}") from None


def _image_size(texts: list[str]) -> tuple[int, int]:
    if len(texts) != 2:
        raise UsageError("convert", f"--image_size takes two whole numbers, height and width, not {' '.join(texts)!r}")
    return _whole("image_size", texts[0]), _whole("image_size", texts[1])


def _truth(text: str) -> bool:
    if text.casefold() not in _TRUTHS:
        raise UsageError("convert", f"--header takes 1 or 0, not {text!r}")
    return _TRUTHS[text.casefold()]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Clean up before SIGTERM ends the process."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
