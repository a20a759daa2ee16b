"""A written config reads back equal; differences and what is undecided."""

import json
import os
import stat

import pytest
import yaml
from config_strategies import configs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vernier.config.loading import config_from_mapping, load_config
from vernier.config.reading import read_yaml
from vernier.config.root import Config
from vernier.config.writing import Change, config_diff, config_text, unresolved, write_config
from vernier.errors import RunError

slow = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def loaded(**fields):
    return config_from_mapping({key.replace("__", "."): value for key, value in fields.items()}, checks=()).config


@slow
@given(configs(), st.text(max_size=20))
def test_what_is_written_reads_back_equal(config, reason):
    text = config_text(config, {"train.epochs": reason, "model": reason, "augment.train[0].p": reason})
    assert config_from_mapping(read_yaml(text, "f"), checks=()).config == config


@slow
@given(configs())
def test_the_plain_data_of_a_config_is_json(config):
    again = json.loads(json.dumps(config_from_mapping(read_yaml(config_text(config, {}), "f"), checks=()).given))
    assert Config.model_validate(again) == config


def test_the_file_is_readable_and_reasons_stand_behind_their_values(tmp_path):
    config = loaded(
        data="017", data__class_names=["off", "b"], augment__train=["Zoom", "Normalize"], train__checkpoint_every="2h",
        model__kwargs={"drop_rate": 0.5},
    )  # fmt: skip
    reasons = {"train.threads": "all\nprocessors", "augment.train": "as given", "augment.train[0].scale": "the default"}
    lines = config_text(config, reasons).splitlines()
    for line in (
        "  source: '017'",
        '  class_names: ["off", b]',
        "  threads: auto  # all processors",
        "  train:  # as given",
        "    - name: Zoom",
        "      scale: [0.9, 1.1]  # the default",
        "    - name: Normalize",
        "  kwargs:",
        "    drop_rate: 0.5",
        "  checkpoint_every: 7200s",
        "seed: 0",
    ):
        assert line in lines
    assert max(map(len, lines)) < 100


def test_any_yaml_reader_can_read_it():
    assert yaml.safe_load(config_text(Config(), {}))["train"]["epochs"] == 10


def test_the_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "config.yaml"
    write_config(path, loaded(seed=1), {})
    os.umask(umask := os.umask(0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    write_config(path, loaded(seed=2), {"seed": "why"})
    assert load_config(path, [], checks=()).config.seed == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(RunError, match="not written"):
        write_config(tmp_path / "none" / "config.yaml", Config(), {})


def test_differences_name_key_and_both_values():
    old = loaded(data="x", train__epochs=3, augment__train=["Zoom"])
    new = loaded(data="x", train__epochs=5, augment__train=["Normalize"], schedule="one_cycle", train__log_every="1ep")
    changes = {change.key: change for change in config_diff(old, new)}
    assert changes["train.epochs"] == Change("train.epochs", 3, 5)
    assert str(changes["train.epochs"]) == "train.epochs: 3 -> 5"
    assert str(changes["train.log_every"]) == "train.log_every: '50st' -> '1ep'"
    assert changes["schedule.name"] == Change("schedule.name", "cosine", "one_cycle")
    assert changes["schedule.final_factor"] == Change("schedule.final_factor", 0.0, None)
    assert changes["schedule.rise"] == Change("schedule.rise", None, 0.3)
    assert changes["augment.train"].new[0]["name"] == "Normalize"
    assert list(changes) == sorted(changes, key=lambda key: list(Config.model_fields).index(key.split(".")[0]))
    assert config_diff(old, old) == ()


def test_a_section_that_comes_or_goes_is_a_difference():
    old, new = loaded(), loaded(callbacks__early_stopping__patience=3)
    assert Change("callbacks.early_stopping.patience", None, 3) in config_diff(old, new)
    assert Change("callbacks.early_stopping.patience", 3, None) in config_diff(new, old)


def test_what_is_undecided():
    keys = unresolved(loaded(data="auto", augment__train=["Resize", {"Normalize": {"mean": 0, "std": 1}}]))
    assert {"train.threads", "model.input_size", "augment.eval", "augment.train[0].size", "run.name"} <= set(keys)
    assert not {"train.speed", "data.source", "augment.train", "augment.train[1].mean"} & set(keys)
    assert "callbacks.early_stopping.mode" in unresolved(loaded(callbacks__early_stopping__patience=3))
