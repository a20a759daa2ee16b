"""Which tensors of a file are taken, and under which names: `model.warm_start`, on names alone."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from vernier.config.model import WarmStartConfig
from vernier.errors import ModelError
from vernier.models.provider import did_you_mean

_KEY = "model.warm_start"
_LISTED = 10
_SYNTAX = re.compile(r"[\\^$*+?()\[\]{}|]")


@final
@dataclass(frozen=True)
class Selection:
    """The names that `include` and `exclude` leave; each pattern has to match a whole name."""

    include: tuple[re.Pattern[str], ...]
    exclude: tuple[re.Pattern[str], ...]

    def takes(self, name: str) -> bool:
        """Whether some `include` matches, if there is one, and no `exclude`."""
        included = not self.include or any(pattern.fullmatch(name) for pattern in self.include)
        return included and not any(pattern.fullmatch(name) for pattern in self.exclude)


def rename(names: Collection[str], rules: Mapping[str, str], origin: str) -> dict[str, str]:
    """Each name and what it becomes: `re.sub` of every rule in turn.

    Args:
        names: of the tensors in the file.
        rules: regular expression to replacement.
        origin: the file, for errors.

    Raises:
        ModelError: a rule that is no regular expression or finds nothing; two names that become one.
    """
    renamed = {name: name for name in names}
    for pattern, replacement in rules.items():
        key = f"{_KEY}.rename[{pattern}]"
        compiled = _compile(pattern, key)
        if not any(compiled.search(name) for name in renamed.values()):
            raise ModelError(f"{key}: {origin}: found in no name.{_closest(pattern, renamed.values())}")
        renamed = {old: _substitute(compiled, replacement, name, key) for old, name in renamed.items()}
    _require_distinct(renamed, origin)
    return renamed


def select(warm_start: WarmStartConfig, names: Collection[str], origin: str) -> Selection:
    """The patterns of `include` and `exclude`, ready to be asked.

    Args:
        warm_start: whose `include` and `exclude` count.
        names: of the tensors in the file, after renaming.
        origin: the file, for errors.

    Raises:
        ModelError: a pattern that is no regular expression, or matches none of the names.
    """
    return Selection(
        include=_patterns("include", warm_start.include, names, origin),
        exclude=_patterns("exclude", warm_start.exclude, names, origin),
    )


def _patterns(field: str, patterns: Sequence[str], names: Collection[str], origin: str) -> tuple[re.Pattern[str], ...]:
    keys = [f"{_KEY}.{field}[{index}]={pattern}" for index, pattern in enumerate(patterns)]
    compiled = tuple(_compile(pattern, key) for pattern, key in zip(patterns, keys, strict=True))
    for key, pattern in zip(keys, compiled, strict=True):
        if not any(pattern.fullmatch(name) for name in names):
            raise ModelError(f"{key}: {origin}: matches no name.{_remedy(pattern, names)}")
    return compiled


def _compile(pattern: str, key: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ModelError(
            f"{key}: not a regular expression: {error}; write a backslash before a character that stands for itself"
        ) from None


def _substitute(pattern: re.Pattern[str], replacement: str, name: str, key: str) -> str:
    try:
        return pattern.sub(replacement, name)
    except (re.error, IndexError) as error:
        raise ModelError(
            f"{key}={replacement}: not a replacement: {error}; \\1 is the first group in parentheses of {key}"
        ) from None


def _require_distinct(renamed: Mapping[str, str], origin: str) -> None:
    origins = defaultdict(list)
    for old, new in renamed.items():
        origins[new].append(old)
    collisions = [f"{' and '.join(old)} become {new!r}" for new, old in origins.items() if len(old) > 1]
    if collisions:
        more = f" and {len(collisions) - _LISTED} more" if len(collisions) > _LISTED else ""
        raise ModelError(
            f"{_KEY}.rename: {origin}: names must stay different, but {'; '.join(collisions[:_LISTED])}{more}; "
            "make the regular expressions match less, such as ^module\\. for the start of a name"
        )


def _remedy(pattern: re.Pattern[str], names: Collection[str]) -> str:
    if any(pattern.search(name) for name in names):
        return f" It has to match the whole name; write .*{pattern.pattern}.* for names that contain it."
    return _closest(pattern.pattern, names)


def _closest(pattern: str, names: Collection[str]) -> str:
    """Names and modules that look like the pattern, and how names begin."""
    modules = dict.fromkeys(name.rpartition(".")[0] for name in names if "." in name)
    first = list(dict.fromkeys(name.partition(".")[0] for name in names))
    more = ", ..." if len(first) > _LISTED else ""
    suggestion = did_you_mean(_SYNTAX.sub("", pattern).strip("."), [*first, *modules, *names])
    return f"{suggestion} Names begin with {', '.join(first[:_LISTED])}{more}"
