"""Parameters are read as the config's own keys are, with the same messages."""

import pytest

from vernier.config.loading import config_from_mapping, load_config
from vernier.config.overrides import split_config_argument
from vernier.config.writing import config_text
from vernier.errors import ConfigError

PARAMS = """
class Inner(Section):
    depth: int = 2
    tags: tuple[str, ...] = ()

class Tried(Scenario):
    class Params(Section):
        alpha: float = 0.3
        count: Annotated[int, Field(ge=1)] = 1
        quick: bool = False
        label: str = "x"
        kind: Literal["soft", "hard"] = "soft"
        sizes: tuple[int, ...] = (1, 2)
        pair: tuple[float, float] = (0.0, 1.0)
        scale: float | None = None
        weights: dict[str, float] = {}
        inner: Inner = Inner()
        share: Probability = 0.5
        every: DurationField = Duration(1, "ep")
        anything: Any = None
"""
IMPORTS = (
    "from typing import Annotated, Any, Literal",
    "from pydantic import Field",
    "from vernier.config.duration import Duration",
    "from vernier.config.types import DurationField, Probability",
)


@pytest.fixture
def tried(workplace):
    workplace.write("tried.py", *IMPORTS, PARAMS)
    return workplace


def scenario(*arguments):
    file, overrides = split_config_argument(["tried", "data=digits", *arguments])
    return load_config(file, overrides).config.scenario


def message(*arguments):
    with pytest.raises(ConfigError) as caught:
        scenario(*arguments)
    return "\n".join(map(str, caught.value.problems))


def test_defaults_are_filled_in_and_the_name_is_in_full(tried):
    assert scenario().name == "tried:Tried"
    assert scenario().parameters == {
        "alpha": 0.3, "count": 1, "quick": False, "label": "x", "kind": "soft", "sizes": [1, 2], "pair": [0.0, 1.0],
        "scale": None, "weights": {}, "inner": {"depth": 2, "tags": []}, "share": 0.5, "every": "1ep", "anything": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        {
            "alpha=1/4": 0.25,
            "count=3": 3,
            "quick=true": True,
            "label=017": "017",
            "kind=hard": "hard",
            "sizes=[3, 4]": [3, 4],
            "scale=1e-4": 1e-4,
            "weights={a: 1/2}": {"a": 0.5},
            "inner.depth=5": {"depth": 5, "tags": []},
            "every=300st": "300st",
            "anything=[1, {a: b}]": [1, {"a": "b"}],
        },
        {
            "alpha=2": 2.0,
            "label=off": "off",
            "sizes=3": [3],
            "scale=null": None,
            "weights.a=2": {"a": 2.0},
            "inner={tags: [017]}": {"depth": 2, "tags": ["017"]},
        },
        {"label=${ENV:PLACE}": "here", "alpha=${scenario.share}": 0.5},
    ],
    ids=["plain", "short", "references"],
)
def test_values_are_read_by_the_configs_rules(tried, monkeypatch, written):
    monkeypatch.setenv("PLACE", "here")
    parted = [argument.partition("=") for argument in written]
    expected = {key.split(".")[0]: value for (key, _, _), value in zip(parted, written.values(), strict=True)}
    joined = [f"scenario.{argument}" for argument in written]
    apart = [word for key, _, text in parted for word in (f"--scenario.{key}", text)]
    for words in (joined, apart):
        found = scenario(*words).parameters
        assert {name: found[name] for name in expected} == expected


def test_a_file_and_the_command_line_are_one_tree(tried):
    (tried.path / "c.yaml").write_text("data: digits\nscenario: {name: tried, alpha: 0.1, count: 2}\n")
    file, overrides = split_config_argument(["--scenario.alpha", "0.2", "c.yaml"])
    made = load_config(file, overrides).config.scenario
    assert (made.parameters["alpha"], made.parameters["count"]) == (0.2, 2)
    file, overrides = split_config_argument(["tried.py", "c.yaml"])
    assert load_config(file, overrides).config.scenario.parameters["count"] == 2


def test_another_scenario_on_the_command_line_drops_the_files_parameters(tried):
    (tried.path / "c.yaml").write_text("data: digits\nscenario: {name: tried, alpha: 0.1}\n")
    tried.write("plain.py", "class Plain(Scenario): pass")
    loaded = load_config(tried.path / "c.yaml", ["scenario=plain"])
    assert loaded.config.scenario.parameters == {}
    assert loaded.notes == (
        "scenario: plain:Plain instead of the file's tried:Tried; dropped from the file: scenario.alpha",
    )


def test_the_resolved_config_is_runnable(tried):
    config = load_config(None, ["scenario=tried", "data=digits", "scenario.alpha=1/8", "scenario.label=$${x}"]).config
    (tried.path / "again.yaml").write_text(config_text(config, {}))
    assert load_config(tried.path / "again.yaml", []).config == config


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("scenario.alpah=1", "scenario.alpah: unknown key, set to 1; did you mean 'scenario.alpha'?"),
        ("scenario.inner.dept=1", "scenario.inner.dept: unknown key, set to 1; did you mean"),
        ("scenario.alpha=high", "scenario.alpha: must be a number; got 'high'"),
        ("scenario.alpha=true", "scenario.alpha: must be a number; got true"),
        ("scenario.count=0", "scenario.count: must be a whole number, at least 1; got 0"),
        ("scenario.count=1.5", "scenario.count: must be a whole number, at least 1; got 1.5"),
        ("scenario.quick=yes", "scenario.quick: must be true or false; got 'yes'"),
        ("scenario.kind=sotf", "scenario.kind: must be soft or hard; got 'sotf'; did you mean 'soft'?"),
        ("scenario.sizes=[1, x]", "scenario.sizes[1]: must be a whole number; got 'x'"),
        ("scenario.pair=[1]", "scenario.pair: must be a list of 2 (each a number); got [1]"),
        ("scenario.scale=x", "scenario.scale: must be a number or null; got 'x'"),
        ("scenario.share=2", "scenario.share: must be a number from 0 to 1; got 2"),
        ("scenario.every=5", "scenario.every: must be a number and its unit"),
        ("scenario.inner=3", "scenario.inner: must be a mapping with fields such as depth, tags; got 3"),
    ],
)
def test_messages_are_the_configs(tried, argument, text):
    assert text in message(argument)


def test_all_problems_come_at_once(tried):
    text = message("scenario.alpha=x", "scenario.cuont=3", "train.epochs=0", "optimizer.lr=-1")
    assert len(text.splitlines()) == 4


def test_what_the_class_itself_checks_is_said_too(workplace):
    workplace.write(
        "picky.py",
        "from pydantic import field_validator, model_validator",
        "class Picky(Scenario):",
        "    class Params(Section):",
        "        size: int = 2",
        "        step: int = 1",
        "        @field_validator('size')",
        "        @classmethod",
        "        def even(cls, value):",
        "            if value % 2: raise ValueError('must be even; 4 is usual')",
        "            return value",
        "        @model_validator(mode='after')",
        "        def fits(self):",
        "            if self.step > self.size: raise ValueError('step is at most size')",
        "            return self",
    )
    with pytest.raises(ConfigError, match=r"scenario.size: must be even; 4 is usual"):
        config_from_mapping({"scenario": "picky", "data": "digits", "scenario.size": 3})
    with pytest.raises(ConfigError, match="scenario: step is at most size"):
        config_from_mapping({"scenario": "picky", "data": "digits", "scenario.step": 3})


def test_a_parameter_without_default_is_asked_for(workplace):
    workplace.write("asks.py", "class Asks(Scenario):", "    class Params(Section):", "        size: int")
    with pytest.raises(ConfigError, match=r"scenario.size: is missing; it must be a whole number"):
        config_from_mapping({"scenario": "asks", "data": "digits"})


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["sizes: list[int] = []"], "Params.sizes has the type list.int., which no config holds; .*write tuple"),
        (["place: Path = Path()"], "Params.place has the type .*Path"),
        (["name: str = ''"], "Params.name: `scenario.name` is the scenario itself"),
    ],
)
def test_parameters_that_no_config_holds_are_refused(workplace, lines, text):
    body = [f"        {line}" for line in lines]
    workplace.write("odd.py", "from pathlib import Path", "class Odd(Scenario):", "    class Params(Section):", *body)
    with pytest.raises(ConfigError, match=text):
        config_from_mapping({"scenario": "odd", "data": "digits"})


def test_params_has_to_be_a_section(workplace):
    workplace.write("loose.py", "class Loose(Scenario):", "    class Params:", "        alpha = 1")
    with pytest.raises(ConfigError, match=r"Params must be a class derived from vernier.scenario.Section"):
        config_from_mapping({"scenario": "loose", "data": "digits"})


def test_parameters_are_inherited(workplace):
    workplace.write("parent.py", "class Parent(Scenario):", "    class Params(Section):", "        alpha: float = 0.5")
    workplace.write(
        "child.py",
        "from parent import Parent",
        "class Same(Parent): pass",
        "class More(Parent):",
        "    class Params(Parent.Params):",
        "        beta: int = 2",
    )
    same = config_from_mapping({"scenario": "child:Same", "data": "digits"}).config.scenario
    more = config_from_mapping({"scenario": "child:More", "data": "digits"}).config.scenario
    assert same.parameters == {"alpha": 0.5}
    assert more.parameters == {"alpha": 0.5, "beta": 2}


def test_parameters_without_a_scenario_ask_for_its_name():
    with pytest.raises(ConfigError, match=r"scenario.name: is missing"):
        config_from_mapping({"scenario.alpha": 1, "data": "digits"})
