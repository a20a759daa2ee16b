"""Options and names taken out of the words of a command line."""

import re
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from vernier.cli_help import VERB_HELP
from vernier.errors import VernierError


class UsageError(VernierError):
    """A verb's words are off."""

    def __init__(self, verb: str, problem: str) -> None:
        super().__init__(f"{problem}\n{VERB_HELP[verb]}")


def take_switch(words: list[str], name: str) -> bool:
    """Whether a switch such as `--json` is there; it is taken out."""
    found = name in words
    while name in words:
        words.remove(name)
    return found


def take_value(words: list[str], name: str) -> str | None:
    """The value of `--name VALUE` or `--name=VALUE`, taken out; None without."""
    for place, word in enumerate(words):
        if word == name and place + 1 < len(words):
            del words[place]
            return words.pop(place)
        if word.startswith(f"{name}="):
            return words.pop(place).partition("=")[2]
    return None


def take_count(words: list[str], verb: str, name: str, default: int) -> int:
    """A whole number, at least 1, behind an option."""
    text = take_value(words, name)
    if text is not None and not (text.isdecimal() and int(text) > 0):
        raise UsageError(verb, f"{name} takes a whole number, at least 1, not {text!r}")
    return default if text is None else int(text)


def take_image_size(words: list[str]) -> tuple[int, int, int] | None:
    """`--input-size H W [C]`; three channels when they are not given."""
    if "--input-size" not in words:
        return None
    start = words.index("--input-size")
    numbers = list(takewhile(str.isdecimal, words[start + 1 : start + 4]))
    sizes = [int(number) for number in numbers]
    if len(sizes) < 2 or 0 in sizes:
        raise UsageError("models", f"--input-size takes two or three whole numbers, not {' '.join(numbers)!r}")
    del words[start : start + 1 + len(sizes)]
    height, width, channels = (*sizes, 3)[:3]
    return height, width, channels


def take_provider(words: list[str], choices: tuple[str, ...]) -> Any:
    """One of some providers behind `--provider`; None without."""
    given = take_value(words, "--provider")
    if given not in (None, *choices):
        raise UsageError("models", f"--provider takes {', '.join(choices)}, not {given!r}")
    return given


def only_word(words: list[str], verb: str, what: str) -> str:
    """The only word that is left."""
    if len(words) > 1 or words[0].startswith("-"):
        raise UsageError(verb, f"one {what} at a time, not {' '.join(words)}")
    return words[0]


def take_seconds(words: list[str]) -> float:
    """A number above 0 behind `--seconds`; 10 without."""
    text = take_value(words, "--seconds") or "10"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError("benchmark", f"--seconds takes a number above 0, not {text!r}")
    return seconds


def refuse_misspelt(words: list[str], verb: str) -> None:
    """Stop at a word that is nearly one of the verb's options, or one whose value is missing.

    Raises:
        VernierError: there is one.
    """
    known = re.findall(r"--[a-z][a-z-]+", VERB_HELP[verb])
    for word in words:
        name = word.partition("=")[0]
        if name in known:
            raise VernierError(f"vernier {verb}: {name} takes a value; see vernier {verb} --help")
        close = get_close_matches(name, known, n=1) if name.startswith("--") and "." not in name else []
        if close and not _is_key(name.removeprefix("--")):
            raise VernierError(f"vernier {verb}: there is no option {name}; did you mean {close[0]}?")


def _is_key(name: str) -> bool:
    from vernier.config.root import Config

    return name in Config.model_fields


def take_choice(words: list[str], verb: str, what: str, choices: tuple[str, ...]) -> str:
    """The first word, which must be one of some."""
    given = words.pop(0) if words else ""
    if given in choices:
        return given
    close = get_close_matches(given, choices, n=1)
    hint = f", not {given!r}{f'; did you mean {close[0]!r}?' if close else ''}" if given else ""
    raise UsageError(verb, f"say {what}: {' or '.join(choices)}{hint}")


def take_path(words: list[str], verb: str, what: str) -> str:
    """The first word, which is neither an option nor a setting."""
    if not words or "=" in words[0] or words[0].startswith("-"):
        raise UsageError(verb, f"name the {what} first")
    return words.pop(0)
