"""What has to hold for `data.split`. One function a rule."""

import re
from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.data import SplitConfig
from vernier.config.root import Config


def fold_is_one_of_the_folds(config: Config) -> Iterator[Finding]:
    """Folds are counted from 0."""
    folds, fold = config.data.split.folds, config.data.split.fold
    if folds is None and fold != 0:
        yield Finding("data.split.fold", f"{fold} of how many? Set data.split.folds=5, say, too", ("data.split.folds",))
    if folds is not None and fold >= folds:
        message = f"must be below data.split.folds={folds}, since folds are counted from 0; got {fold}"
        yield Finding("data.split.fold", message, ("data.split.folds",))


def folds_are_the_validation(config: Config) -> Iterator[Finding]:
    """With folds one of them is the validation set."""
    split = config.data.split
    if split.folds is None:
        return
    if split.val != SplitConfig().val:
        message = f"excludes data.split.val ({split.val:g}): fold {split.fold} is the validation set; leave one out"
        yield Finding("data.split.folds", message, ("data.split.val",))
    if split.file is not None:
        message = "excludes data.split.file, which says who validates; leave one out"
        yield Finding("data.split.folds", message, ("data.split.file",))
    if config.data.val is not None:
        message = f"excludes data.val ({config.data.val!r}), which is a validation set already; leave one out"
        yield Finding("data.split.folds", message, ("data.val",))


def group_is_an_expression(config: Config) -> Iterator[Finding]:
    """A regular expression with a group, unless a column says it."""
    expression = config.data.split.group
    if expression is None:
        return
    if config.data.columns.group is not None:
        message = f"excludes data.columns.group ({config.data.columns.group!r}); leave one out"
        yield Finding("data.split.group", message, ("data.columns.group",))
    try:
        groups = re.compile(expression).groups
    except re.error as error:
        yield Finding("data.split.group", f"must be a regular expression; got {expression!r}: {error}")
        return
    if groups == 0:
        message = f"must have a group, in (), for what images share, such as '(.*)_frame\\d+'; got {expression!r}"
        yield Finding("data.split.group", message)


def device_zoo_draws_alone(config: Config) -> Iterator[Finding]:
    """The zoo's split knows two parts, no groups, and 32 bits of seed."""
    split = config.data.split
    if split.method != "device_zoo":
        return
    for name in ("folds", "file", "group", "test"):
        if getattr(split, name):
            message = f"device_zoo excludes data.split.{name}, which the zoo does not have; leave one out"
            yield Finding("data.split.method", message, (f"data.split.{name}",))
    if config.data.columns.group is not None:
        message = "device_zoo excludes data.columns.group, which the zoo does not have; leave one out"
        yield Finding("data.split.method", message, ("data.columns.group",))
    if split.seed >= 2**32:
        message = f"must be below 2^32 for data.split.method=device_zoo; got {split.seed}"
        yield Finding("data.split.seed", message, ("data.split.method",))


CHECKS: tuple[Check, ...] = (
    fold_is_one_of_the_folds,
    folds_are_the_validation,
    group_is_an_expression,
    device_zoo_draws_alone,
)
