"""Arithmetic, durations and the field types."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vernier.config.arithmetic import evaluate_number
from vernier.config.duration import Duration
from vernier.config.scalars import PlainBool, PlainInt, plain_value
from vernier.config.types import Count, Flag, Number, Seed, Size, Text


@pytest.mark.parametrize(
    ("text", "number"),
    [("1/127.5", 1 / 127.5), ("-(2+3)*4", -20), (" 1e-4 ", 1e-4), ("+1-2", -1), ("0.1", 0.1), (7, 7)],
)
def test_arithmetic(text, number):
    assert evaluate_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "a", "1+", "2**9", "1//2", "1/0", "(1).real", "f(1)", "1 if 1 else 2", "1j", "'1'", "1+True", "(" * 150],
)
def test_arithmetic_refuses_anything_else(text):
    with pytest.raises(ValueError, match=r"number|zero"):
        evaluate_number(text)


def test_bool_is_no_number():
    for value in (True, False, PlainBool(True, "true")):
        for kind in (Number, Count, Seed):
            with pytest.raises(ValidationError):
                TypeAdapter(kind).validate_python(value)


@given(st.recursive(
    st.integers(0, 99).map(str) | st.floats(0.01, 100).map(repr),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({''.join(parts)})"),
    max_leaves=6,
))  # fmt: skip
def test_arithmetic_agrees_with_python(text):
    try:
        expected = eval(compile(ast.parse(text, mode="eval"), "", "eval"), {"__builtins__": {}})
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="zero"):
            evaluate_number(text)
    else:
        assert evaluate_number(text) == expected


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("60s", Duration(60, "s")), ("10m", Duration(600, "s")), ("2h", Duration(7200, "s")),
        ("5ep", Duration(5, "ep")), ("0.5 ep", Duration(0.5, "ep")), ("300st", Duration(300, "st")),
        ("10%", Duration(10, "%")),
    ],
)  # fmt: skip
def test_durations(text, duration):
    assert Duration.parse(text) == duration


@pytest.mark.parametrize("text", ["", "10", 10, "5 epochs", "-1s", "1e3s", "s", None, True, "9" * 400 + "s"])
def test_durations_need_a_unit(text):
    with pytest.raises(ValueError, match="60s, 10m, 2h"):
        Duration.parse(text)


@given(st.floats(0, 1e15, exclude_max=True), st.sampled_from(["s", "ep", "st", "%"]))
def test_a_duration_reads_back_exactly(value, unit):
    assert Duration.parse(str(Duration(value, unit))) == Duration(value, unit)


def test_durations_in_steps():
    assert [Duration.parse(text).steps(23, 230) for text in ("7st", "2ep", "0.5ep", "10%")] == [7, 46, 12, 23]
    with pytest.raises(ValueError, match="write it in ep, st or %"):
        Duration.parse("60s").steps(23, 230)


def test_text_is_what_was_written():
    assert TypeAdapter(Text).validate_python(PlainInt(17, "017")) == "017"
    assert TypeAdapter(Text).validate_python(PlainBool(True, "True")) == "True"
    assert TypeAdapter(Text).validate_python(Path("a") / "b") == "a/b"
    for value in (True, None, ["a"]):
        with pytest.raises(ValidationError):
            TypeAdapter(Text).validate_python(value)


def test_only_true_and_false_are_flags():
    assert TypeAdapter(Flag).validate_python(PlainBool(False, "FALSE")) is False
    for value in ("yes", "true", 1, 0, "off", None):
        with pytest.raises(ValidationError):
            TypeAdapter(Flag).validate_python(value)


def test_sizes():
    assert TypeAdapter(Size).validate_python(96) == (96, 96)
    assert TypeAdapter(Size).validate_python([96, 64]) == (96, 64)


def test_values_for_other_code_are_plain_and_anything_else_is_refused():
    assert plain_value({"a": (PlainInt(17, "017"), PlainBool(True, "true"), None)}) == {"a": [17, True, None]}
    assert type(plain_value(PlainInt(17, "017"))) is int
    with pytest.raises(ValueError, match="expected null"):
        plain_value({"a": object()})
