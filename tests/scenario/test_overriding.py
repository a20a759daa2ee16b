"""Whole trainings whose parts a scenario overrides, and what is said when it gives something else."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from vernier import api, cli
from vernier.config.loading import config_from_mapping
from vernier.data.sources import open_source
from vernier.errors import ConfigError, ModelError, RunError
from vernier.models.task import make_task
from vernier.scenario.overriding import (
    export_outputs,
    make_scenario,
    model_with_parameters,
    open_data,
    own_evaluators,
    own_loss,
)

EVERYTHING = """
from dataclasses import replace
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from vernier.data.images import ArrayImages
from vernier.data.sources import open_source


class Everything(Scenario):
    class Params(Section):
        width: int = 4
        factor: float = 1.0
        parity: bool = True

    @classmethod
    def defaults(cls):
        return {"data": "digits", "augment.train": ["Normalize"], "optimizer.lr": 0.01, "train.epochs": 2}

    def source(self, data):
        digits = open_source(data)
        if not self.params.parity:
            return None
        return replace(digits, name="parity", targets=digits.targets % 2, class_names=("even", "odd"))

    @staticmethod
    def model(num_classes, in_channels, width):
        convolution = nn.Conv2d(in_channels, width, 3)
        return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(36 * width, num_classes))

    def loss(self, task, counts):
        return lambda logits, targets: self.params.factor * functional.cross_entropy(logits, targets, reduction="none")

    def metrics(self):
        return {"odd_share": lambda probabilities, targets: float(probabilities[:, 1].mean())}

    def evaluators(self):
        return [lambda evaluated: {"images": len(evaluated.paths)}]

    def export_outputs(self, model):
        return {"features": model[:-1]}
"""
QUICK = ("train.threads=1", "data.threads=1", "train.speed=off")


@pytest.fixture
def everything(workplace):
    workplace.write("everything.py", EVERYTHING)
    return workplace


def config(**keys):
    return config_from_mapping({"scenario": "everything", **keys}).config


@pytest.fixture
def run(everything):
    return api.train({"scenario": "everything", "scenario.width": 3, "train.monitor": "val_odd_share"}, *QUICK)


def test_every_part_is_the_scenarios(run, everything):
    result = run.result
    assert run.run.path.parent.name == "everything"
    assert result["classes"] == ["even", "odd"]
    assert 0.3 < result["best"]["val"]["odd_share"] < 0.7
    assert result["best"]["val"]["images"] == result["best"]["val"]["n"]
    assert result["test"]["accuracy"] > 0.8
    bundle = json.loads((run.run.path / "best" / "bundle.json").read_text())
    assert bundle["architecture"]["name"] == "everything:Everything.model"
    assert bundle["architecture"]["kwargs"] == {"width": 3}

    _predicting_asks_for_trust(run.run.path, everything)
    _evaluating_asks_for_trust(run.run.path)
    _another_process_goes_on(run.run.path, everything)


def _predicting_asks_for_trust(path, place):
    picture = place.path / "digit.png"
    _save_digit(picture)
    with pytest.raises(ModelError, match=r"everything:Everything.model, which loading would run. .*--trust"):
        api.predict(path, [picture])
    assert api.predict(path, [picture], trust=True).rows[0].prediction in ("even", "odd")


def _evaluating_asks_for_trust(path):
    with pytest.raises(RunError, match=r"everything:Everything.*--trust"):
        api.evaluate(path)
    values = api.evaluate(path, trust=True).measures.values
    assert values["accuracy"] > 0.8
    assert {"odd_share", "images"} <= set(values)


def _another_process_goes_on(path, place):
    place.forget()
    again = api.resume(path, "train.epochs=3").result
    assert again["epochs"] == 3
    with pytest.raises(RunError, match=r"scenario.factor: .*its images, model and loss would be others"):
        api.resume(path, "scenario.factor=2", "train.epochs=4")


def _save_digit(path):
    from PIL import Image
    from sklearn.datasets import load_digits

    Image.fromarray((load_digits().images[3] * 15).astype(np.uint8)).save(path)


def test_the_resolved_config_gives_the_same_numbers(run, everything):
    everything.forget()
    again = api.train(run.run.config_file, "run.dir=again")
    assert again.result["best"]["val"] == run.result["best"]["val"]


def test_what_the_user_says_wins(everything):
    (everything.path / "own.yaml").write_text("model: digits_cnn\ntrain: {epochs: 1}\nscenario.parity: false\n")
    words = ["everything.py", "own.yaml", "optimizer=sgd", *QUICK, "run.dir=here", "--json"]
    assert cli.main(["train", *words]) == 0
    result = json.loads((everything.path / "here" / "result.json").read_text())
    assert (result["epochs"], len(result["classes"])) == (1, 10)
    assert json.loads((everything.path / "here/best/bundle.json").read_text())["architecture"]["name"] == "digits_cnn"
    # A network of Vernier's own needs no code of the user's.
    assert api.evaluate("here/best", "data=digits").measures.n == 359


def test_training_minimises_the_scenarios_loss(everything):
    end = api.train({"scenario": "everything", "scenario.factor": 0, "train.epochs": 1}, *QUICK)
    header, row = (end.run.path / "metrics.csv").read_text().splitlines()
    assert float(dict(zip(header.split(","), row.split(","), strict=True))["train_loss"]) == 0


def test_the_loss_is_the_scenarios_and_checked(everything):
    task = make_task("multiclass", ("a", "b"))
    made = own_loss(config(**{"scenario.factor": 3}), task, np.array([1, 1]))
    logits, targets = torch.randn(5, 2), torch.tensor([0, 1, 1, 0, 1])
    expected = 3 * functional.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(made(logits, targets), expected)


def test_settings_that_the_scenarios_loss_replaces_are_refused(everything):
    task = make_task("multiclass", ("a", "b"))
    with pytest.raises(ConfigError, match=r"loss.label_smoothing: has no effect: everything:Everything has a loss"):
        own_loss(config(**{"loss.label_smoothing": 0.1, "loss.l2": 0.1}), task, np.array([1, 1]))
    own_loss(config(**{"loss.l2": 0.1}), task, np.array([1, 1]))


def test_without_a_scenario_everything_is_the_configs():
    plain = config_from_mapping({"data": "digits"}).config
    assert own_loss(plain, make_task("multiclass", ("a", "b")), np.array([1, 1])) is None
    assert own_evaluators(plain) == ()
    assert export_outputs(plain, nn.Linear(1, 1)) == {}
    assert model_with_parameters(plain) is plain.model
    assert open_data(plain).keys() == open_source(plain.data).keys()


def test_a_plain_scenario_overrides_nothing(workplace):
    workplace.write("plain.py", "class Plain(Scenario): pass")
    plain = config_from_mapping({"data": "digits", "scenario": "plain"}).config
    assert own_loss(plain, make_task("multiclass", ("a", "b")), np.array([1, 1])) is None
    assert own_evaluators(plain) == ()
    assert export_outputs(plain, nn.Linear(1, 1)) == {}
    assert open_data(plain).class_names == tuple("0123456789")


def test_further_graphs_are_modules_by_name(everything):
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    outputs = export_outputs(config(), module)
    assert list(outputs) == ["features"]
    assert outputs["features"](torch.zeros(1, 2, 2)).shape == (1, 4)


def test_parameters_are_an_object_of_the_classs_own(everything):
    params = make_scenario(config(**{"scenario.width": 7}).scenario).params
    assert type(params).__qualname__ == "Everything.Params"
    assert (params.width, params.factor) == (7, 1.0)


SOURCES = """
from dataclasses import replace
import numpy as np
from vernier.data.images import ArrayImages
from vernier.data.sources import open_source


def changed(data, **fields):
    return replace(open_source(data), **fields)


def same():
    return ArrayImages(np.zeros((1797, 8, 8, 1), np.uint8), ["x"] * 1797, 1)
"""
METHODS = [
    ("def source(self, data): return []", "source must return a Source; got list"),
    ("def source(self, data): return changed(data, split=())", "and 0 names of splits; each image needs one"),
    ("def source(self, data): return changed(data, targets=np.ones(1797))", "targets that are not int64; got float64"),
    (
        "def source(self, data): return changed(data, class_names=('a', 'b'))",
        "from 0 to 9, but there are 2",
    ),
    (
        "def source(self, data): return changed(data, images=same())",
        "of the same key, such as 'x'; name",
    ),
    (
        "def source(self, data): return changed(data, targets=np.ones((1797, 3)))",
        "are not uint8 (images, 10); got",
    ),
    ("def loss(self, task, counts): return 3", "loss must return a function of logits and targets, or None; got int"),
    ("def loss(self, task, counts): return lambda a, b: a.mean()", "loss returns must give a loss for each image"),
    ("def metrics(self): return ['accuracy']", "metrics must return a Mapping; got list"),
    ("def metrics(self): return {'x': 3}", "metrics must return functions by name; 'x' is none"),
    ("def evaluators(self): return [3]", "evaluators must return functions of an Evaluated"),
    ("def evaluators(self): return lambda e: {}", "evaluators must return a Sequence; got function"),
    ("def export_outputs(self, model): return [model]", "export_outputs must return a Mapping; got list"),
    ("def export_outputs(self, model): return {'a b': model}", "must name each graph by a plain word; got 'a b'"),
    ("def export_outputs(self, model): return {'x': len}", "under 'x', must return a Module; got builtin_function"),
]


def use_everything(config):
    open_data(config)
    own_loss(config, make_task("multiclass", ("a", "b")), np.array([1, 1]))
    own_evaluators(config)
    export_outputs(config, nn.Linear(1, 1))


@pytest.mark.parametrize(("method", "text"), METHODS)
def test_what_a_method_returns_is_checked(workplace, method, text):
    workplace.write("wrong.py", SOURCES, "class Wrong(Scenario):", f"    {method}")
    made = config_from_mapping({"data": "digits", "scenario": "wrong"}).config
    with pytest.raises(ConfigError) as caught:
        use_everything(made)
    (problem,) = caught.value.problems
    assert problem.key == "scenario.name"
    assert "wrong:Wrong" in problem.message
    assert text in problem.message


def test_a_model_that_makes_no_module_is_named(workplace):
    workplace.write(
        "none.py", "class Nothing(Scenario):", "    @staticmethod", "    def model(num_classes, in_channels): pass"
    )
    with pytest.raises(ModelError, match=r"none:Nothing.model made no torch.nn.Module: NoneType"):
        api.train({"scenario": "none", "data": "digits", "run.dir": "x"}, *QUICK)
    assert not (workplace.path / "x").exists()


def test_an_inherited_model_is_built_by_the_class_that_was_named(everything):
    everything.write(
        "heir.py",
        "from everything import Everything",
        "class Heir(Everything):",
        "    class Params(Everything.Params):",
        "        width: int = 5",
        "    def loss(self, task, counts): return None",
    )
    made = config_from_mapping({"scenario": "heir"}).config
    assert made.model.name == "heir:Heir.model"
    assert model_with_parameters(made).kwargs == {"width": 5}
    assert own_loss(made, make_task("multiclass", ("a", "b")), np.array([1, 1])) is None


@pytest.mark.parametrize("line", ["scenario: evil", "scenario.name: evil", "evaluate.evaluators: [evil:run]"])
def test_code_that_a_run_names_is_not_imported_unasked(workplace, line):
    workplace.write("evil.py", "raise SystemExit('imported')")
    (workplace.path / "config.yaml").write_text(f"data: digits\n{line}\n")
    with pytest.raises(RunError, match=r"the run is measured by Python code, .*evil.*--trust"):
        api.evaluate(workplace.path)


@pytest.mark.slow
def test_several_processes_train_it(everything):
    words = ["everything", *QUICK, "train.devices=2", "train.accelerator=cpu", "run.dir=two"]
    assert cli.main(["train", *words]) == 0
    assert json.loads((everything.path / "two/result.json").read_text())["classes"] == ["even", "odd"]
    shutil.rmtree(everything.path / "two")
