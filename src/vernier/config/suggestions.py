"""What a key that does not exist may have meant."""

from typing import Any

from vernier.config.base import Section
from vernier.config.fields import Place, all_fields, dotted, kind_names, kinds
from vernier.config.words import closest, did_you_mean, join_or, show

ALIASES = ("image_size", "change_rate")
"""Keys besides the schema's: for `model.input_size`, written in `data`, and for an operation's `p`."""

_OTHER_WORDS = {
    "learning_rate": "optimizer.lr",
    "num_workers": "data.threads",
    "workers": "data.threads",
    "gpus": "train.devices",
    "image_size": "data.image_size",
}


def guess_key(section: type[Section], name: str, place: Place) -> tuple[str, ...]:
    """Dotted keys that `name`, which `section` at `place` does not have, may stand for; the likeliest first."""
    here = closest(name, [*section.model_fields, *_aliases(section)])
    guesses = [_same_name_elsewhere(name), dotted((*place, here)) if here else None]
    found = tuple(guess for guess in guesses if guess)
    return found or _similar_elsewhere(name)


def unknown_key(section: type[Section], name: str, value: Any, place: Place) -> str:
    """The message for a key that `section` at `place` does not have."""
    start = f"unknown key, set to {show(value)}"
    owners = [kind for kind, other in _siblings(section, place).items() if name in other.model_fields]
    if owners:
        return f"{start}; it belongs to {join_or(owners)}; {_title(section, place)} takes {_takes(section)}"
    guesses = guess_key(section, name, place)
    return start + (did_you_mean(*guesses) or f"; {_title(section, place)} takes {_takes(section)}")


def some_fields(section: type[Section]) -> str:
    """The first fields of a section, for a message."""
    return ", ".join(list(section.model_fields)[:3])


def _takes(section: type[Section]) -> str:
    return ", ".join([*(name for name in section.model_fields if name != "name"), *_aliases(section)])


def _title(section: type[Section], place: Place) -> str:
    return kind_names(section)[0] if kind_names(section) else dotted(place) or "the config"


def _siblings(section: type[Section], place: Place) -> dict[str, type[Section]]:
    """The kinds that could stand in the section's place, when it is a section of the whole config."""
    return kinds(all_fields()[dotted(place)].annotation) if dotted(place) in all_fields() else {}


def _aliases(section: type[Section]) -> tuple[str, ...]:
    has = {"image_size": "batch_size", "change_rate": "p"}
    return tuple(alias for alias in ALIASES if has[alias] in section.model_fields)


def _same_name_elsewhere(name: str) -> str | None:
    word = name.lower().replace("-", "_")
    keys = [key for key in all_fields() if key.rpartition(".")[2] == word]
    return min(keys, key=lambda key: key.count("."), default=_OTHER_WORDS.get(word))


def _similar_elsewhere(name: str) -> tuple[str, ...]:
    """A key of any section, for a name that is both misspelt and in the wrong place."""
    by_name = {key.rpartition(".")[2]: key for key in reversed(list(all_fields()))}
    found = closest(name, by_name)
    return (by_name[found],) if found else ()
