"""The scenario as first word, its defaults below everything, and how it goes with the rest of a config."""

import subprocess
import sys

import pytest

from vernier.config.loading import config_from_mapping, load_config
from vernier.config.overrides import split_config_argument
from vernier.errors import ConfigError

PLAIN = "class Plain(Scenario): pass"


def load(*words, **keywords):
    file, overrides = split_config_argument(words)
    return load_config(file, overrides, **keywords)


def message(*words):
    with pytest.raises(ConfigError) as caught:
        load(*words)
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    "word", ["plain", "plain.py", "plain:Plain", "./plain.py", "sub/deep", "sub.deep:Plain", "pack"]
)
def test_the_first_word_may_be_a_scenario(workplace, word):
    for name in ("plain.py", "sub/deep.py", "pack/scenario.py"):
        workplace.write(name, PLAIN)
    (workplace.path / "c.yaml").write_text("data: digits\ntrain: {epochs: 7}\n")
    for words in ((word, "c.yaml", "seed=1"), ("seed=1", "c.yaml", word), ("c.yaml", "--seed", "1", word)):
        config = load(*words).config
        assert config.scenario.name.endswith(":Plain")
        assert (config.train.epochs, config.seed) == (7, 1)


def test_other_stray_words_are_what_they_were(workplace):
    (workplace.path / "photos").mkdir()
    assert "is a directory; for images in it write data=photos" in message("photos")
    assert "has no value; write train.epochs=..." in message("train.epochs", "data=digits")
    assert "is neither key=value nor a config file" in message("fotos")
    assert "is neither key=value nor a config file" in message("train.epoch")
    workplace.write("plain.py", PLAIN)
    assert "is neither key=value nor a config file" in message("plain", "more", "data=digits")


def test_a_module_that_is_not_there_is_blamed_as_it_was_written(workplace):
    workplace.write("pkg/scenario.py", PLAIN)
    assert message("pkgg.scenario").startswith("scenario: there is no Python module 'pkgg'")
    assert message("scenario=nothing").startswith("scenario: there is no Python module 'nothing'")
    assert message("scenario.name=nothing").startswith("scenario.name: there is no Python module 'nothing'")


def test_a_scenario_that_is_not_there_hides_no_other_problem_and_adds_none(workplace):
    lines = message("scenario=nothing", "scenario.alpha=1", "train.epochs=0").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["scenario", "train.epochs"]


DEFAULTS = """
class Big(Scenario):
    class Params(Section):
        alpha: float = 0.5

    @classmethod
    def defaults(cls):
        return {"data": "digits", "optimizer": {"name": "adamw", "lr": 0.25}, "train.epochs": 3, "seed": 5}
"""


def test_defaults_lie_below_the_file_and_the_command_line(workplace):
    workplace.write("big.py", DEFAULTS)
    (workplace.path / "c.yaml").write_text("train: {epochs: 4}\nseed: 6\n")
    config = load("big", "c.yaml", "seed=7").config
    assert (config.data.source, config.optimizer.lr, config.train.epochs, config.seed) == ("digits", 0.25, 4, 7)


def test_another_kind_than_the_defaults_drops_their_fields_and_says_so(workplace):
    workplace.write("big.py", DEFAULTS)
    loaded = load("big", "optimizer=sgd")
    assert (loaded.config.optimizer.name, loaded.config.seed) == ("sgd", 5)
    assert loaded.notes == ("optimizer: sgd instead of the scenario's adamw; dropped from the scenario: optimizer.lr",)


def test_defaults_are_inherited_and_changed(workplace):
    workplace.write("big.py", DEFAULTS)
    workplace.write(
        "bigger.py",
        "from big import Big",
        "class Bigger(Big):",
        "    @classmethod",
        "    def defaults(cls): return {**super().defaults(), 'seed': 8}",
    )
    config = load("bigger").config
    assert (config.seed, config.train.epochs, config.scenario.parameters) == (8, 3, {"alpha": 0.5})


def test_wrong_defaults_are_blamed_on_the_scenario(workplace):
    workplace.write(
        "off.py",
        "class Off(Scenario):",
        "    @classmethod",
        "    def defaults(cls): return {'seeed': 1, 'train.epochs': 0}",
    )
    text = message("off", "data=digits")
    assert "seeed (in off:Off.defaults): unknown key, set to 1; did you mean 'seed'?" in text
    assert "train.epochs (in off:Off.defaults): must be a whole number, at least 1; got 0" in text
    workplace.write("listed.py", "class Listed(Scenario):", "    @classmethod", "    def defaults(cls): return []")
    assert "listed:Listed.defaults must return a Mapping; got list" in message("listed", "data=digits")


MODEL = """
from torch import nn
class Own(Scenario):
    class Params(Section):
        width: int = 4
        dropout: float = 0.0
    @staticmethod
    def model(num_classes, in_channels, width, ARGUMENTS):
        return nn.Linear(1, num_classes)
"""


def test_its_model_is_the_default_of_the_models_name(workplace):
    workplace.write("own.py", MODEL.replace(", ARGUMENTS", ""))
    assert load("own", "data=digits").config.model.name == "own:Own.model"
    assert load("own", "data=digits", "model=resnet18").config.model.name == "resnet18"


def test_parameters_of_its_model_are_set_in_one_place(workplace):
    workplace.write("own.py", MODEL.replace(", ARGUMENTS", ""))
    assert "model.kwargs.width: is scenario.width; set that instead" in message(
        "own", "data=digits", "model.kwargs.width=3"
    )
    workplace.write("own2.py", MODEL.replace("ARGUMENTS", "dropout"))
    assert "scenario.dropout: model gets dropout as model.dropout" in message("own2", "data=digits")


def test_its_model_is_no_plain_method(workplace):
    workplace.write("own.py", "class Own(Scenario):", "    def model(self, num_classes, in_channels): pass")
    assert "own:Own.model must be a static or class method" in message("own", "data=digits")


def test_images_come_from_the_scenario_or_from_data(workplace):
    workplace.write("plain.py", PLAIN)
    workplace.write("images.py", "class Images(Scenario):", "    def source(self, data): pass")
    assert "data.source: is missing, and plain:Plain has no `source`" in message("plain")
    assert load("images").config.data.source is None


def test_a_config_without_scenario_imports_nothing_of_the_kind(workplace):
    workplace.write("plain.py", PLAIN)
    code = (
        "import sys\nfrom vernier.config.loading import config_from_mapping\nconfig_from_mapping({'data': 'x'})\n"
        "assert not {'torch', 'plain'} & set(sys.modules)\n"
        "config_from_mapping({'data': 'x', 'scenario': 'plain'})\n"
        "assert 'plain' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_mapping_names_a_scenario_too(workplace):
    workplace.write("plain.py", PLAIN)
    assert config_from_mapping({"scenario": "plain", "data": "digits"}).config.scenario.name == "plain:Plain"
    assert config_from_mapping({"scenario": None, "data": "digits"}).config.scenario is None
