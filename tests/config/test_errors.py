"""The exact text of what users get wrong: errors_expected.txt holds arguments, the file, and the message.

A case starts with `$ arguments`; lines after `| ` are the config file. What follows is the message.
"""

import re
import shlex
from pathlib import Path

import pytest
from config_strategies import json_values
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vernier.config.fields import all_fields
from vernier.config.loading import config_from_mapping, load_config
from vernier.config.reading import parse_value
from vernier.errors import ConfigError

CASES = re.split(r"^(?=\$ )", (Path(__file__).parent / "errors_expected.txt").read_text(), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.splitlines()[0])
def test_the_message_is_exactly_this(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, *lines = case.strip().splitlines()
    yaml = [line[2:] for line in lines if line.startswith("| ")]
    expected = "\n".join(line for line in lines if not line.startswith("| "))
    file = Path("c.yaml") if yaml else None
    if file is not None:
        file.write_text("\n".join(yaml))
    with pytest.raises(ConfigError) as caught:
        load_config(file, shlex.split(first[2:]))
    assert str(caught.value) == expected


KEYS = [
    *all_fields(),
    "data.image_size",
    "augment.train",
    "model.kwargs.x",
    "foo",
    "train.foo",
    "data.split.val.x",
    "a.b",
]
OPERATIONS = st.lists(
    st.dictionaries(st.sampled_from(["name", "p", "change_rate", "size", "scale", "Zoom"]), json_values, max_size=3)
    | json_values
    | st.sampled_from(["Zoom", "Normalize"]),
    max_size=3,
)
ANY_VALUES = json_values | st.text("0123456789.-+e/%stp{}[],: ", max_size=9).map(parse_value) | OPERATIONS


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), ANY_VALUES, max_size=4))
@example({"augment.progressive.sizes": [[]]})
def test_whatever_is_wrong_is_said_in_plain_words(mapping):
    try:
        config_from_mapping(mapping)
    except ConfigError as error:
        for problem in error.problems:
            assert problem.key
            assert not re.search(
                r"Input should|validat|function-|Value error|pydantic|Annotated|NoneType", problem.message
            )
