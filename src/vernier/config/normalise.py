"""From what users may write to the one form that is validated: short forms, aliases, merging.

Three ways to write the same thing, `optimizer: adamw`, `optimizer.name: adamw` and `optimizer: {name: adamw}`,
become the last one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from vernier.config.channels import COLOR_MODES
from vernier.config.fields import (
    DEFAULT_KINDS,
    LISTS_WITH_CALLABLES,
    SHORT_FORMS,
    SHORT_ITEMS,
    WITH_CALLABLES,
    Place,
    all_fields,
    bare,
    dotted,
    item_type,
    members,
    section_classes,
)
from vernier.config.words import literal_words

_TORCHVISION = "torchvision.transforms.v2."
_KIND_SECTIONS = ("model", "optimizer", "schedule", "loss", "scenario")


@final
@dataclass(frozen=True)
class Nested:
    """Nested data, how the user named places that have another name now, and what was wrong on the way."""

    data: dict[str, Any]
    written: dict[Place, str] = field(default_factory=dict)
    problems: tuple[tuple[Place, str], ...] = ()


def nest(assignments: Iterable[tuple[str, Any]]) -> Nested:
    """Nested data of dotted keys and their values; later ones win, mappings merge, short forms are spelt out."""
    data: dict[str, Any] = {}
    written: dict[Place, str] = {}
    for key, value in assignments:
        data = merge(data, _spelt_out(_at(tuple(key.split(".")), value), written))
    return _channels(_input_size(Nested(data, written)))


def _at(place: Place, value: Any) -> dict[str, Any]:
    """A mapping that holds `value` at `place`."""
    for part in reversed(place):
        value = {str(part): value}
    return dict(value)


def _spelt_out(data: Mapping[str, Any], written: dict[Place, str]) -> dict[str, Any]:
    """The data with the bare values of sections in their fields; how they were written is noted."""
    spelt = dict(data)
    for key, name in SHORT_FORMS.items():
        *sections, last = key.split(".")
        holder = _mapping_at(spelt, sections)
        value = None if holder is None else holder.get(last)
        if value is not None and not isinstance(value, Mapping):
            place: Place = (*key.split("."), name)
            written[place] = key
            spelt = merge(spelt, _at(place, value))
    return _callables(spelt, written)


def _callables(data: dict[str, Any], written: dict[Place, str]) -> dict[str, Any]:
    """The data with `{name: package.module:callable}` spelt out as the kind `custom` and its callable."""
    for section in WITH_CALLABLES:
        name = (data.get(section) or {}).get("name") if isinstance(data.get(section), Mapping) else None
        if isinstance(name, str) and ("." in name or ":" in name):
            written[(section, "callable")] = written.pop((section, "name"), f"{section}.name")
            data = merge(data, {section: {"name": "custom", "callable": name}})
    return data


def _mapping_at(data: Mapping[str, Any], sections: Sequence[str]) -> Mapping[str, Any] | None:
    for section in sections:
        inner = data.get(section)
        if not isinstance(inner, Mapping):
            return None
        data = inner
    return data


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, with `above` winning; mappings on both sides are merged, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _input_size(nested: Nested) -> Nested:
    """The data with `data.image_size` where it belongs, in `model.input_size`."""
    section = nested.data.get("data")
    if not isinstance(section, Mapping) or "image_size" not in section:
        return nested
    if "input_size" in (nested.data.get("model") or {}):
        problem = (("data", "image_size"), "is another name of model.input_size, which is set too; leave one out")
        return Nested(_without_image_size(nested.data), nested.written, (problem,))
    size = _at(("model", "input_size"), section["image_size"])
    written = {**nested.written, ("model", "input_size"): "data.image_size"}
    return Nested(merge(_without_image_size(nested.data), size), written)


def _channels(nested: Nested) -> Nested:
    """The data with `data.color_mode` as the number of channels that it stands for, in `data.channels`."""
    section = nested.data.get("data")
    if not isinstance(section, Mapping) or "color_mode" not in section:
        return nested
    place: Place = ("data", "color_mode")
    mode, rest = section["color_mode"], {key: value for key, value in section.items() if key != "color_mode"}
    problem = None
    if "channels" in section:
        problem = "is another name of data.channels, which is set too; leave one out"
    elif not isinstance(mode, str) or mode not in COLOR_MODES:
        problem = f"must be one of {', '.join(COLOR_MODES)}; got {mode!r}; or set data.channels to a number"
    if problem is not None:
        return Nested({**nested.data, "data": rest}, nested.written, (*nested.problems, (place, problem)))
    written = {**nested.written, ("data", "channels"): "data.color_mode"}
    return Nested({**nested.data, "data": {**rest, "channels": COLOR_MODES[mode]}}, written, nested.problems)


def _without_image_size(data: Mapping[str, Any]) -> dict[str, Any]:
    section = {key: value for key, value in data["data"].items() if key != "image_size"}
    return {**data, "data": section}


def override(file: Nested, command: Nested, owner: str = "the file") -> tuple[Nested, tuple[str, ...]]:
    """The file's data with the command line's on top, and notes on what of the file was dropped.

    Fields of one kind mean nothing to another: where the command line names another optimizer, schedule or model
    than the file, the file's section goes as a whole. `owner` is what the notes call the file.
    """
    below, notes = dict(file.data), []
    for section in _KIND_SECTIONS:
        old, new = _kind(file, section), (command.data.get(section) or {}).get("name")
        if old is None or new is None or str(old) == str(new):
            continue
        dropped = [key for key in below.pop(section, None) or {} if key != "name"]
        if dropped:
            keys = ", ".join(f"{section}.{key}" for key in dropped)
            notes.append(f"{section}: {new} instead of {owner}'s {old}; dropped from {owner}: {keys}")
    kept = {place: name for place, name in file.written.items() if not _given(command.data, place)}
    return Nested(merge(below, command.data), {**kept, **command.written}, file.problems + command.problems), tuple(
        notes
    )


def _kind(file: Nested, section: str) -> Any:
    """The kind that the file means; None when it says nothing that belongs to a kind."""
    given = file.data.get(section) or {}
    return given.get("name", DEFAULT_KINDS.get(section)) if given else None


def _given(data: Any, place: Place) -> bool:
    for part in place:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True


def spell_out_lists(nested: Nested) -> Nested:
    """The data with lists in their full form: one value becomes a list, an operation a mapping with a name."""
    for key, schema in all_fields().items():
        section, _, name = key.rpartition(".")
        given = nested.data.get(section)
        if item_type(schema.annotation) is not None and isinstance(given, Mapping) and name in given:
            nested = _spell_out(nested, section, name)
    return nested


def _spell_out(nested: Nested, section: str, name: str) -> Nested:
    annotation = all_fields()[f"{section}.{name}"].annotation
    value = nested.data[section][name]
    of_sections = bool(section_classes(item_type(annotation)))
    if _is_no_item(value, annotation) or (isinstance(value, Mapping) and not of_sections):
        return nested
    items = list(value) if isinstance(value, list | tuple) else [value]
    if of_sections:
        return _operations(nested, section, name, items)
    return Nested(merge(nested.data, _at((section, name), items)), nested.written, nested.problems)


def _is_no_item(value: Any, annotation: Any) -> bool:
    """Whether a single value stands for itself: null, a fixed word spelt right or wrong, unreadable brackets."""
    if isinstance(value, str):
        words = literal_words(annotation)
        misspelt = bool(words) and bare(item_type(annotation)) in (int, float)
        return value in words or misspelt or value.startswith(("[", "{"))
    # A count where a field takes a count or a list of numbers.
    return value is None or (isinstance(value, int) and int in map(bare, members(annotation)))


def _operations(nested: Nested, section: str, name: str, items: Sequence[Any]) -> Nested:
    written, problems, full = dict(nested.written), list(nested.problems), []
    for index, item in enumerate(map(_operation, items)):
        if isinstance(item, Mapping) and "change_rate" in item:
            place = (section, name, index)
            if "p" in item:
                problems.append(((*place, "change_rate"), "is another name of p, which is set too; leave one out"))
            else:
                written[*place, "p"] = f"{dotted(place)}.change_rate"
            item = {"p" if key == "change_rate" else key: value for key, value in item.items()}
        if not (isinstance(items[index], Mapping) and "name" in items[index]):
            written[section, name, index, "name"] = dotted((section, name, index))
        if f"{section}.{name}" in LISTS_WITH_CALLABLES and isinstance(item, Mapping):
            item = _own_operation(item)
        full.append(item)
    return Nested(merge(nested.data, _at((section, name), full)), written, tuple(problems))


def _operation(item: Any) -> Any:
    """`Name`, `{Name: value}` and `{Name: {fields}}` as `{name: Name, fields}`."""
    if isinstance(item, str):
        return {"name": item}
    if isinstance(item, Mapping) and len(item) == 1:
        name, fields = next(iter(item.items()))
        if name in SHORT_ITEMS and fields is not None and not isinstance(fields, Mapping):
            return {"name": name, SHORT_ITEMS[name]: fields}
        if name != "name" and (fields is None or isinstance(fields, Mapping)):
            return {"name": name, **(fields or {})}
    return item


def _own_operation(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{name: package.module:callable, fields}` as the operation that calls it, with the fields for its arguments."""
    name = item.get("name")
    if not isinstance(name, str) or not ("." in name or ":" in name):
        return item
    ours = {key: item[key] for key in ("p", "p_from") if key in item}
    arguments = {key: value for key, value in item.items() if key not in ("name", *ours)}
    if not name.startswith(_TORCHVISION):
        return {"name": "custom", "callable": name, "arguments": arguments, **ours}
    # A probability that is given takes the place of the transform's own.
    own = {"p": 1} if ours else {}
    return {
        "name": "torchvision",
        "transform": name.removeprefix(_TORCHVISION),
        "arguments": {**own, **arguments},
        **ours,
    }
