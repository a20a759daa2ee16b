"""References in values."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernier.config.expand import escape, expand
from vernier.config.reading import read_yaml
from vernier.config.scalars import plain_value

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DEFAULTS = {"seed": 0, "run": {"root": "runs"}, "model": {"input_size": "auto", "weights": None}}


def expanded(data, **environment):
    result = expand(data, DEFAULTS, environment, NOW)
    return plain_value(result.data), [(place, message) for place, message in result.problems]


def test_the_three_forms_inside_text_and_alone():
    data = {
        "data": {"source": "${ENV:HOME}/x", "batch_size": "${ENV:SIZE}"},
        "train": {"epochs": 3, "names": ["e${train.epochs}", {"deep": "${train.epochs}"}]},
        "run": {"name": "${now:%Y-%m-%d}_${seed}", "dir": "${run.root}", "pattern": "%Y-%m-%d"},
    }
    values, problems = expanded(data, HOME="/home/me", SIZE="64")
    assert problems == []
    assert values["data"] == {"source": "/home/me/x", "batch_size": 64}
    assert values["train"]["names"] == ["e3", {"deep": 3}]
    assert values["run"] == {"name": "2026-03-04_0", "dir": "runs", "pattern": "%Y-%m-%d"}


def test_a_reference_alone_keeps_type_and_spelling():
    data = read_yaml("a: {b: 017, c: [1, x], d: true}\ne: {f: '${a.b}', g: '${a.c}', h: '${a.d}', i: '<${a.b}>'}", "f")
    assert expanded(data)[0]["e"] == {"f": 17, "g": [1, "x"], "h": True, "i": "<017>"}


def test_references_lead_to_references_and_whole_sections():
    data = {"a": {"b": "${a.c}", "c": "${ENV:X}"}, "d": {"e": "${a}"}}
    assert expanded(data, X="1")[0] == {"a": {"b": 1, "c": 1}, "d": {"e": {"b": 1, "c": 1}}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${ENV:NOPE}", "environment variable NOPE, which is not set"),
        ("x${ENV:NOPE}", "environment variable NOPE"),
        ("${oc.env:HOME}", "unknown reference ${oc.env:HOME}; write ${ENV:NAME}"),
        ("${env:HOME}", "unknown reference"),
        ("${ENV:}", "unknown reference"),
        ("${}", "unknown reference ${}"),
        ("${run.rot}", "refers to run.rot, which does not exist; did you mean 'run.root'?"),
        ("${half", "without its }"),
        ("a${a.list}", "inside text"),
        ("a${model.weights}", "which is null, inside text"),
        ("a${model.input_size}", "which is auto and chosen later"),
        ("${a.key}", "refers to itself: a.key -> a.key"),
    ],
)
def test_problems_leave_the_value_out(value, words):
    values, problems = expanded({"a": {"key": value, "list": [1], "other": 2}})
    assert values == {"a": {"list": [1], "other": 2}}
    ((place, message),) = problems
    assert place == ("a", "key")
    assert words in message
    assert repr(value) in message


def test_cycles_are_found_however_long():
    values, problems = expanded({"a": {"x": "${a.y}", "y": "1${b}"}, "b": {"z": "${a.x}"}})
    assert len(problems) == 3
    assert all("refers to itself" in message for _, message in problems)
    assert values == {"a": {}, "b": {}}


def test_the_environment_is_not_expanded_again():
    assert expanded({"a": "${ENV:X}", "b": "-${ENV:X}"}, X="${seed}")[0] == {"a": "${seed}", "b": "-${seed}"}


@given(st.text(alphabet="${}a:.", max_size=12) | st.text())
def test_escaped_text_is_itself(text):
    assert expanded({"a": escape(text)}) == ({"a": text}, [])
