"""`key=value`, `--key value ...` and the config file among them."""

from pathlib import Path

import pytest

from vernier.config.overrides import parse_arguments, split_config_argument
from vernier.config.scalars import plain_value
from vernier.errors import ConfigError


def parsed(*arguments: str) -> list:
    return [(key, plain_value(value)) for key, value in parse_arguments(arguments)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train.epochs=3"], [("train.epochs", 3)]),
        (["--train.epochs=3"], [("train.epochs", 3)]),
        (["--train.epochs", "3"], [("train.epochs", 3)]),
        (["--data.batch-size", "64"], [("data.batch_size", 64)]),
        (["model.kwargs.drop-rate=.2"], [("model.kwargs.drop_rate", 0.2)]),
        (["data=a=b"], [("data", "a=b")]),
        (["run.name="], [("run.name", None)]),
        (["--train.debug"], [("train.debug", True)]),
        (["--train.debug", "false", "seed=1"], [("train.debug", False), ("seed", 1)]),
        (["--train.debug", "data=x"], [("train.debug", True), ("data", "x")]),
        (["--train.debug", "--seed", "1"], [("train.debug", True), ("seed", 1)]),
        (["--augment.train", "Zoom", "Normalize"], [("augment.train", ["Zoom", "Normalize"])]),
        (["--model.input_size", "96", "64"], [("model.input_size", [96, 64])]),
        (["--augment.train", "A", "B", "data=x"], [("augment.train", ["A", "B"]), ("data", "x")]),
        (["--run.name", "lr=0.1"], [("run.name", "lr=0.1")]),
        (["--model.kwargs.x", "-1"], [("model.kwargs.x", -1)]),
        (["--model.kwargs.x", "-1e-3", "-.5"], [("model.kwargs.x", [-1e-3, -0.5])]),
        (["--model", "resnet18", "--optimizer", "adamw"], [("model", "resnet18"), ("optimizer", "adamw")]),
        (["--what.ever"], [("what.ever", True)]),
        (["seed=1", "seed=2"], [("seed", 1), ("seed", 2)]),
    ],
)  # fmt: skip
def test_assignments(arguments, expected):
    assert parsed(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "key", "words"),
    [
        (["+data=x"], "+data", "write data=..., without the +"),
        (["++data=x"], "++data", "write data=..., without the +"),
        (["~data=x"], "~data", "without the ~"),
        (["-x"], "-x", "no option"),
        (["stray"], "stray", "neither key=value nor a config file"),
        (["--train.epochs", "3", "4"], "4", "neither key=value"),
        (["augment.train[0].p=1"], "augment.train[0].p", "a list as a whole"),
        (["--train.epochs"], "train.epochs", "needs a value after it: a whole number"),
        (["--train.epochs", "--seed", "1"], "train.epochs", "needs a value after it"),
        (["--"], "", "is no key"),
    ],
)
def test_problems(arguments, key, words):
    with pytest.raises(ConfigError) as caught:
        parse_arguments(arguments)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in problem.message


def test_a_directory_alone_is_meant_as_data(tmp_path):
    with pytest.raises(ConfigError, match=f"write data={tmp_path}"):
        parse_arguments([str(tmp_path)])


def test_all_problems_come_at_once():
    with pytest.raises(ConfigError, match="3 problems"):
        parse_arguments(["+a=1", "b", "-c", "data=x"])


@pytest.mark.parametrize(
    ("arguments", "file", "rest"),
    [
        ([], None, ()),
        (["data=x"], None, ("data=x",)),
        (["c.yaml", "data=x"], "c.yaml", ("data=x",)),
        (["data=x", "dir/c.yml"], "dir/c.yml", ("data=x",)),
        (["--train.debug", "c.yaml"], "c.yaml", ("--train.debug",)),
        (["--train.epochs", "3", "c.yaml"], "c.yaml", ("--train.epochs", "3")),
        (["--data", "x.yaml"], None, ("--data", "x.yaml")),
        (["runs/lr=0.1/config.yaml"], "runs/lr=0.1/config.yaml", ()),
        (["data=x.yaml"], None, ("data=x.yaml",)),
        (["nothing"], None, ("nothing",)),
    ],
)
def test_the_config_file_is_found(arguments, file, rest):
    assert split_config_argument(arguments) == (Path(file) if file else None, rest)


def test_any_file_that_is_there_is_a_config_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("recipe", "lr=1.yaml"):
        Path(name).write_text("")
        assert split_config_argument([name, "data=x"]) == (Path(name), ("data=x",))


def test_two_config_files_are_refused():
    with pytest.raises(ConfigError, match=r"b\.yml: is a second config file beside a\.yaml"):
        split_config_argument(["a.yaml", "data=x", "b.yml"])
