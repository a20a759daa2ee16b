"""Questions about the schema: which sections, kinds and fields there are, and what a field holds."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.root import Config

Place = tuple[str | int, ...]
"""Where a value is: `("augment", "train", 2, "degrees")`."""

SHORT_FORMS: Mapping[str, str] = {
    "data": "source",
    "model": "name",
    "model.algebra": "name",
    "optimizer": "name",
    "schedule": "name",
    "loss": "name",
    "train.ema": "decay",
    "track.mlflow": "uri",
    "scenario": "name",
}
"""Sections that take a bare value, and the field it is for."""

SHORT_ITEMS: Mapping[str, str] = {"dropout": "p", "linear": "features"}
"""Items of lists that take a bare value (`{dropout: 0.3}`), and the field it is for."""

WITH_CALLABLES = ("optimizer", "schedule", "loss")
"""Sections whose name may be `package.module:callable` instead of a kind."""

LISTS_WITH_CALLABLES = ("augment.train",)
"""Lists whose items may have `package.module:callable` for a name."""

DEFAULT_KINDS: Mapping[str, str] = {
    "optimizer": Config().optimizer.name,
    "schedule": Config().schedule.name,
    "loss": Config().loss.name,
}
"""The kind of a section whose `name` is not given."""


def dotted(place: Place) -> str:
    """`augment.train[2].degrees`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".")


def bare(annotation: Any) -> Any:
    """The type without what `Annotated` adds."""
    return bare(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union, each as annotated; a type that is no union is its only one."""
    if get_origin(bare(annotation)) in (Union, UnionType):
        return tuple(member for part in get_args(bare(annotation)) for member in members(part))
    return (annotation,)


def section_classes(annotation: Any) -> tuple[type[Section], ...]:
    """The sections that a field can hold."""
    classes = (bare(member) for member in members(annotation))
    return tuple(item for item in classes if isinstance(item, type) and issubclass(item, Section))


def item_type(annotation: Any) -> Any:
    """What a list of any length holds; None for everything that takes no such list."""
    for member in map(bare, members(annotation)):
        if get_origin(member) is tuple and get_args(member)[1:] == (Ellipsis,):
            return get_args(member)[0]
    return None


def kind_names(section: type[Section]) -> tuple[str, ...]:
    """The values of `name` that choose this section; none when `name` is free or missing."""
    field = section.model_fields.get("name")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return get_args(field.annotation)


def kinds(annotation: Any) -> dict[str, type[Section]]:
    """The sections that a field chooses from by `name`; empty when there is nothing to choose."""
    return {name: section for section in section_classes(annotation) for name in kind_names(section)}


@cache
def all_fields() -> Mapping[str, FieldInfo]:
    """Every field by its dotted key, sections included; fields of all kinds together, no list items."""
    return dict(_fields_below(Config, ""))


def _fields_below(section: type[Section], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        yield prefix + name, field
        for nested in section_classes(field.annotation):
            yield from _fields_below(nested, f"{prefix}{name}.")
