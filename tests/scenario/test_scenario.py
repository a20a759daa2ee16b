"""The tutorial's scenario is the one in examples/, and short."""

import re
from pathlib import Path

import numpy as np

from vernier.config.loading import config_from_mapping
from vernier.scenario.overriding import make_scenario, open_data
from vernier.scenario.scenario import Scenario, model_arguments

ROOT = Path(__file__).parents[2]


def tutorial():
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    return re.search(r"^```python\n# rotation\.py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]


def test_the_tutorial_is_the_example_and_takes_less_than_40_lines():
    example = (ROOT / "examples" / "scenarios" / "rotation.py").read_text(encoding="utf-8")
    assert example.endswith(tutorial())
    lines = [line for line in tutorial().splitlines() if line.strip()]
    assert len(lines) < 40


def test_its_pictures_are_turned_as_their_labels_say(workplace):
    (workplace.path / "rotation.py").write_text(tutorial())
    config = config_from_mapping({"scenario": "rotation", "model": "digits_cnn"}).config
    turned = open_data(config)
    upright = open_data(config.model_copy(update={"scenario": None}))
    assert turned.class_names == ("0", "90", "180", "270")
    for index in (0, 1, 2, 3):
        again = np.rot90(turned.images.read(index), -turned.targets[index])
        np.testing.assert_array_equal(again, upright.images.read(index))


def test_its_metric_takes_opposite_turns_for_the_same(workplace):
    (workplace.path / "rotation.py").write_text(tutorial())
    config = config_from_mapping({"scenario": "rotation"}).config
    metric = make_scenario(config.scenario).metrics()["axis_accuracy"]
    assert metric(np.eye(4)[[0, 2, 1, 3]], np.array([0, 0, 0, 1])) == 0.75


def test_a_scenario_without_a_model_takes_no_arguments():
    assert model_arguments(Scenario) == ()
