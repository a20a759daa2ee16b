"""Which classes and splits of a source are used: what `data.class_names` and `data.*_split` ask for."""

from collections.abc import Collection, Sequence

from vernier.config.data import DataConfig
from vernier.data.split_names import SPLIT_NAMES
from vernier.data.wording import did_you_mean, listed
from vernier.errors import ConfigError, ConfigProblem, DataError


def select_classes(found: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The classes to use in their order: `data.class_names`, else all that were found.

    Raises:
        DataError: a name that was not found, or one that stands twice.
    """
    if wanted is None:
        return tuple(found)
    for name in wanted:
        if name not in found:
            raise DataError(
                f"data.class_names: no class '{name}'.{did_you_mean(name, found)} There are: {listed(found)}"
            )
    if twice := sorted({name for name in wanted if list(wanted).count(name) > 1}):
        raise DataError(f"data.class_names: {listed(twice)} more than once; name each class once")
    return tuple(wanted)


def split_roles(names: Collection[str], data: DataConfig, where: str) -> dict[str, str]:
    """For each split of a source that is used: `train`, `val`, `test`, or empty for "not given".

    Args:
        names: As the source names its splits; empty for samples without one.
        data: `train_split` and `val_split` choose by name, otherwise `SPLIT_NAMES` holds.
        where: The source, for messages.

    Raises:
        ConfigError: train and validation are to be one split.
        DataError: a split that is asked for does not exist, or one that no rule knows.
    """
    roles = {name: SPLIT_NAMES[name.casefold()] for name in names if name.casefold() in SPLIT_NAMES}
    if data.train_split is None and data.val_split in (None, "none"):
        _refuse_unknown(sorted(set(names) - set(roles)), where)
    train = None if data.train_split is None else _find(data.train_split, names, "data.train_split", where)
    val = None
    if data.val_split is not None:
        roles = {name: role for name, role in roles.items() if role != "val"}
        val = None if data.val_split == "none" else _find(data.val_split, names, "data.val_split", where)
    if train is not None:
        if train == val:
            message = f"'{train}' is data.val_split too; the same images can't do both"
            raise ConfigError([ConfigProblem("data.train_split", message)])
        roles = {name: role for name, role in roles.items() if role not in ("train", "")}
        roles[train] = "train"
    return roles if val is None else {**roles, val: "val"}


def _find(wanted: str, names: Collection[str], key: str, where: str) -> str:
    """The split of that name: as written, else in another letter case, else one that means the same."""
    named = sorted(name for name in names if name)
    meaning = SPLIT_NAMES.get(wanted.casefold())
    for fits in (
        lambda name: name == wanted,
        lambda name: name.casefold() == wanted.casefold(),
        lambda name: meaning is not None and SPLIT_NAMES.get(name.casefold()) == meaning,
    ):
        if found := [name for name in named if fits(name)]:
            return found[0]
    there = f"There are: {listed(named)}" if named else "It has no splits of its own"
    raise DataError(f"{key}={wanted}: no such split in {where}.{did_you_mean(wanted, named)} {there}")


def _refuse_unknown(unknown: Collection[str], where: str) -> None:
    if unknown:
        raise DataError(
            f"{where}: can't tell what the splits {listed(unknown)} are for; use train, val and test, or choose "
            "with data.train_split and data.val_split"
        )
