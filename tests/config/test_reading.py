"""YAML 1.2 core: what plain scalars are, and what is refused."""

import math
import re

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vernier.config.reading import parse_value, read_yaml
from vernier.config.scalars import plain_value, source_text
from vernier.errors import ConfigError

PLAIN = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None,
    "0": 0, "-3": -3, "+3": 3, "017": 17, "0o17": 15, "0x1F": 31,
    "1e-4": 1e-4, "1E5": 1e5, ".5": 0.5, "1.": 1.0, "-1.5e+3": -1500.0, ".inf": math.inf, "-.INF": -math.inf,
}  # fmt: skip
TEXT = [
    "off", "Off", "NO", "no", "yes", "on", "y", "N", "tRUE", "10:20", "1:30:00", "2024-01-01", "1_000", "0b11",
    "0O17", "-x", "1e", "e5", ".", "+", "nan", "inf", "nULL", "=", "0x", "0o8", "1.2.3",
]  # fmt: skip


def of_file(text: str):
    return read_yaml(f"key: {text}", "f.yaml")["key"]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_scalars_have_the_types_of_the_core_schema(text):
    for value in (of_file(text), parse_value(text)):
        assert plain_value(value) == PLAIN[text]
        assert type(plain_value(value)) is type(PLAIN[text])


@pytest.mark.parametrize("text", TEXT)
def test_everything_else_is_text(text):
    assert of_file(text) == parse_value(text) == text
    assert type(of_file(text)) is str


def test_not_a_number_is_a_number():
    assert math.isnan(of_file(".nan"))
    assert math.isnan(parse_value(".NaN"))


@pytest.mark.parametrize("text", ["017", "0x1F", "1e-4", "1.50", "True", "-0"])
def test_scalars_remember_how_they_were_written(text):
    assert source_text(of_file(text)) == text
    assert source_text(parse_value(text)) == text


def test_quotes_make_text():
    assert of_file("'017'") == "017"
    assert of_file('"true"') == parse_value('"true"') == "true"
    assert of_file("!!str 017") == "017"


def test_nothing_is_null_in_a_value_and_an_empty_mapping_in_a_file():
    assert of_file("") is None
    assert parse_value("") is None
    assert read_yaml("", "f") == read_yaml("# only a comment\n", "f") == {}


def test_block_flow_and_alias():
    text = "a: &x [1, {b: c}]\nd: *x\ne: |\n  two\n  lines\n"
    value = plain_value(read_yaml(text, "f"))
    assert value == {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}], "e": "two\nlines\n"}


def test_keys_are_text_as_written():
    assert list(read_yaml("017: a\ntrue: b\nnull: c\n1e-4: d", "f")) == ["017", "true", "null", "1e-4"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1", "'a' stands here a second time"),
        ("a:\n  b: 1\n  'b': 2", "line 3, column 3", "'b' stands here a second time"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4", "!!python/object/apply:os.system"),
        ("a: !mine x", "line 1, column 4", "the tag !mine"),
        ("a: !!timestamp 2024-01-01", "line 1, column 4", "the tag !!timestamp"),
        ("a: !!int x", "line 1, column 4", "'x' is no int"),
        ("a: {<<: {b: 1}}", "line 1, column 5", "write the fields out"),
        ("[a]: b", "line 1, column 1", "a key must be text"),
        ("a: &x [*x]", "line 1, column 4", "an alias stands for itself"),
        ("a: [1, 2", "line 1, column 4", "close every ["),
        ("a:\n\tb: 1", "line 2, column 1", "indent with spaces"),
        ("a: b: c", "line 1, column 5", "in quotes"),
        ("a: 1\n---\nb: 2", "line 2, column 1", "one document"),
    ],
)
def test_what_is_refused_has_its_place_and_remedy(text, place, words):
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.key == f"f.yaml, {place}"
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b", "not a list"),
        ("hello", "not the single value 'hello'"),
        ("a: \x01", "#x0001 at position 3"),
        ("[" * 600, "nested too deeply"),
        (
            "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20))]),
            "expand",
        ),
    ],
)
def test_documents_that_are_no_config(text, words):
    with pytest.raises(ConfigError, match=r"f\.yaml") as caught:
        read_yaml(text, "f.yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[96,96]", [96, 96]),
        ("[96, 1e-4, off, '5']", [96, 1e-4, "off", "5"]),
        ("{name: X, p: 0.5}", {"name": "X", "p": 0.5}),
        ("a: b", "a: b"),
        ("C:\\data\\x", "C:\\data\\x"),
        ("x #1", "x #1"),
        ("*.jpg", "*.jpg"),
        ("&x", "&x"),
        ("!x", "!x"),
        ("~/data", "~/data"),
        ("[half", "[half"),
        ("[a] b", "[a] b"),
        ("'tis", "'tis"),
        ('"a": b', '"a": b'),
        ("- a", "- a"),
        ("-", "-"),
        (" padded ", " padded "),
        ("1/127.5", "1/127.5"),
        ("${ENV:X}", "${ENV:X}"),
    ],
)
def test_one_value_of_the_command_line(text, value):
    assert plain_value(parse_value(text)) == value


@settings(deadline=None)
@given(st.text(max_size=30))
@example("0" * 5000)
@example("[" * 600)
def test_a_value_is_always_read(text):
    parse_value(text)


# YAML 1.2, section 10.3.2: text that only 1.2 takes for a number is written plain by 1.1, and rightly read as one.
NUMBER_1_2 = re.compile(r"0o[0-7]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@pytest.mark.parametrize(("written", "value"), [("0E0", 0.0), ("1e-4", 1e-4), ("0o17", 15), ("2e3", 2000.0)])
def test_numbers_of_yaml_1_2_that_1_1_takes_for_text(written, value):
    assert yaml.safe_load(written) == written
    assert plain_value(read_yaml(f"key: {written}", "f")["key"]) == value


@settings(deadline=None)
@given(
    st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
    | st.text().filter(lambda text: NUMBER_1_2.fullmatch(text) is None or not isinstance(yaml.safe_load(text), str))
)
def test_scalars_that_yaml_1_1_writes_in_quotes_or_plain_come_back(value):
    written = yaml.safe_dump({"key": value})
    assert plain_value(read_yaml(written, "f")["key"]) == value
