"""The exact text of what users get wrong: errors_expected.txt holds arguments, the file, and the message.

A case starts with `$ arguments`; lines after `| ` are the config file. What follows is the message.
"""

import re
import shlex
from pathlib import Path

import pytest

from vernier.config.loading import load_config
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
