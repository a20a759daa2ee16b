"""Hypothesis strategies for whole configs, made from the schema itself."""

from typing import Any, Literal, get_args, get_origin

import annotated_types
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from vernier.config.base import Section
from vernier.config.duration import Duration
from vernier.config.fields import bare, members
from vernier.config.operations.base import epochs_rise
from vernier.config.quantize import read_calibration
from vernier.config.root import Config
from vernier.config.types import in_order

TRICKY = [
    "017", "off", "NO", "true", "null", "~", "1e-4", ".5", "0x1F", "auto", "a: b", "a #b", "- a", "[", "{a}", "*x",
    "&x", "!x", "'", '"', "\\", "", " ", "\n", "a\n\nb", "\ufeff", "\x85", "\u2028", "\x00", "${seed}", "$${", "%Y",
    "=", "<<", "?", "|", ">", "é", "😀", "10:20", "C:\\x", "@", "`", "---", "...", "a" * 130,
]  # fmt: skip
text = st.sampled_from(TRICKY) | st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=4,
)
durations = st.builds(Duration, st.floats(0, 1e9), st.sampled_from(["s", "ep", "st", "%"]))


def sections(section: type[Section]) -> st.SearchStrategy[dict[str, Any]]:
    """Valid fields of a section, each there or not; `name` always, so that kinds can be told apart."""
    fields = {name: values(field.annotation, field.metadata) for name, field in section.model_fields.items()}
    needed = {
        name: fields.pop(name) for name, field in section.model_fields.items() if field.is_required() or name == "name"
    }
    return st.fixed_dictionaries(needed, optional=fields)


def configs() -> st.SearchStrategy[Config]:
    """Any valid config, apart from checks across sections."""
    return sections(Config).map(_settle).map(Config.model_validate)


def _settle(data: dict[str, Any]) -> dict[str, Any]:
    # A scenario has to be there to be imported.
    data.pop("scenario", None)
    if isinstance(data.get("train"), dict):
        data["train"].pop("gradient_clip_value", None)
        data["train"].pop("gradient_clip_parameter_norm", None)
    stopping = (data.get("callbacks") or {}).get("early_stopping")
    if isinstance(stopping, dict):
        stopping.pop("upper_threshold", None)
    if isinstance(data.get("model"), dict) and isinstance(data["model"].get("algebra"), dict):
        data["model"]["algebra"].pop("points", None)
        data["model"]["algebra"].pop("output", None)
    augment = data.get("augment")
    if isinstance(augment, dict) and isinstance(augment.get("eval"), list):
        fixed = ("Resize", "CentralCrop", "Normalize", "Rescale")
        augment["eval"] = [{**op, "p": 1.0, "p_from": []} for op in augment["eval"] if op["name"] in fixed]
    return data


def values(annotation: Any, metadata: Any = ()) -> st.SearchStrategy[Any]:
    """Valid values of a type."""
    if len(members(annotation)) > 1:
        return st.one_of([values(member) for member in members(annotation)])
    extras = [*getattr(annotation, "__metadata__", ()), *metadata]
    limits = [limit for extra in extras for limit in (extra.metadata if isinstance(extra, FieldInfo) else [extra])]
    checked_by = [getattr(limit, "func", None) for limit in limits]
    if read_calibration in checked_by:
        return st.integers(1) | st.floats(0, 1, exclude_min=True) | text.filter(bool)
    strategy = _bare(bare(annotation), limits)
    if epochs_rise in checked_by:
        return strategy.map(lambda pairs: [list(pair) for pair in sorted(dict(pairs).items())])
    return strategy.map(sorted) if in_order in checked_by else strategy


def _bare(kind: Any, limits: list[Any]) -> st.SearchStrategy[Any]:
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        if others == [...]:
            return st.lists(values(first), min_size=1, max_size=3)
        return st.tuples(*map(values, get_args(kind))).map(list)
    if get_origin(kind) is dict:
        held = get_args(kind)[1]
        return st.dictionaries(text, json_values if bare(held) is Any else values(held), max_size=3)
    if isinstance(kind, type) and issubclass(kind, Section):
        return _one_section(kind)
    simple = {str: text, bool: st.booleans(), type(None): st.none(), Duration: durations}
    return simple[kind] if kind in simple else _number(kind, limits)


@st.composite
def _one_section(draw: st.DrawFn, kind: type[Section]) -> dict[str, Any]:
    """`sections` under a short name: hypothesis writes down the strategies that it is given."""
    return draw(sections(kind))


def _number(kind: type[int | float], limits: list[Any]) -> st.SearchStrategy[Any]:
    bounds: dict[str, Any] = {"min_value": None, "max_value": None}
    step = 1 if kind is int else 0
    for limit in limits:
        match limit:
            case annotated_types.Ge(ge=value) | annotated_types.Gt(gt=value):
                bounds["min_value"] = value
            case annotated_types.Le(le=value):
                bounds["max_value"] = value
            case annotated_types.Lt(lt=value):
                bounds["max_value"] = value - step
    if kind is int:
        return st.integers(**bounds)
    open_below = any(isinstance(limit, annotated_types.Gt) for limit in limits)
    open_above = any(isinstance(limit, annotated_types.Lt) for limit in limits)
    return st.floats(**bounds, exclude_min=open_below, exclude_max=open_above, allow_nan=False, allow_infinity=False)
