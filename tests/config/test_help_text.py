"""What the command line says of the keys."""

import pytest

from vernier.cli import main
from vernier.config.fields import all_fields, section_classes
from vernier.config.help_text import details, overview
from vernier.config.root import Config
from vernier.errors import ConfigError

OPTIONAL = [
    key
    for key, field in all_fields().items()
    if section_classes(field.annotation)
    and field.default is None
    and "." in key
    and not key.startswith(("optimizer.", "loss."))
]
LEAVES = [key for key, field in all_fields().items() if not section_classes(field.annotation)]


def test_every_key_is_told_of_in_its_section():
    for section in Config.model_fields:
        text = details(section, 120)
        told = {line.strip().split("=")[0] for line in text.splitlines()}
        wanted = {key for key in LEAVES if key.split(".")[0] == section and not key.endswith(".name")}
        assert wanted <= told, section


@pytest.mark.parametrize("width", [80, 120])
def test_the_overview_has_a_line_for_each_key_that_all_kinds_have(width):
    lines = overview(width).splitlines()
    assert max(map(len, lines)) <= width
    told = [line.strip().split("=")[0] for line in lines if line.startswith("  ")]
    sections = ("optimizer.", "schedule.", "loss.", *(f"{key}." for key in OPTIONAL))
    assert {key for key in LEAVES if not key.startswith(sections)} | set(OPTIONAL) <= set(told)
    assert "  optimizer.lr=0.001 " in overview(width)
    assert "optimizer.momentum" not in told
    assert "optimizer: adamw unless you choose another: sgd, adam" in overview(width)


def test_an_unknown_section_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'optimizer'"):
        details("optimiser", 80)


def test_the_command_tells_an_overview_or_a_section(capsys):
    assert main(["train", "--help"]) == 0
    assert "data.batch_size=32" in capsys.readouterr().out
    assert main(["train", "schedule", "-h"]) == 0
    out = capsys.readouterr().out
    assert "schedule=cosine\n" in out
    assert "takes" in out
    assert main(["train", "--help", "scedule"]) == 2
