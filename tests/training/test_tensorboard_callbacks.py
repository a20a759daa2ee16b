"""What each callback writes, read back from the event files."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from opening import DIGITS, opened
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.nn.functional import cross_entropy

from vernier import api
from vernier.config.track import TensorBoardConfig
from vernier.data.loader import Batch
from vernier.errors import ConfigError
from vernier.evaluation.metrics import measure
from vernier.track.csv_tracker import read_rows
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Training
from vernier.training.callbacks.confusion_images import ConfusionImages
from vernier.training.callbacks.curves import Curves
from vernier.training.callbacks.example_images import ExampleImages
from vernier.training.callbacks.graph import Graph
from vernier.training.callbacks.histograms import Histograms
from vernier.training.callbacks.learning_rate_monitor import LearningRateMonitor, optimizer_values
from vernier.training.callbacks.per_class_records import PerClassRecords
from vernier.training.callbacks.tensorboard import tensorboard_callbacks
from vernier.training.callbacks.worst_images import WorstImages
from vernier.training.log import LineDisplay
from vernier.training.parts import build_parts
from vernier.training.run_directory import RunDirectory
from vernier.training.runtime import make_fabric
from vernier.training.setup import Setup, build_setup
from vernier.training.state import TrainState
from vernier.training.step import StepResult
from vernier.training.validate import split_positions, validate

RESULT = StepResult(torch.zeros(3), torch.zeros(0))


@pytest.fixture(scope="module")
def setup() -> Setup:
    """A network for the digits whose gradients are those of one batch."""
    config, dataset = opened(*DIGITS, "data.batch_size=16", "optimizer.lr=0.01")
    fabric = make_fabric(config.train)
    fabric.launch()
    joined = build_setup(build_parts(config, dataset, print), fabric)
    batch = first_batch(joined)
    cross_entropy(joined.module(batch.images), batch.targets).backward()
    return joined


def first_batch(setup: Setup) -> Batch:
    batches = setup.loader.epoch(0, 0)
    batch = next(iter(batches))
    batches.close()
    return batch


def training(setup: Setup, path: Path, step: int = 1) -> Training:
    return Training(setup, RunDirectory(path), TrainState(step=step), LineDisplay())


class Written:
    """A tracker, and what its event files hold once it is closed."""

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        self.tracker = TensorBoardTracker(path, step)

    def read(self) -> EventAccumulator:
        self.tracker.close()
        everything = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0, "compressedHistograms": 0}
        return EventAccumulator(str(self.path), size_guidance=everything).Reload()


@pytest.fixture
def written(tmp_path) -> Written:
    return Written(tmp_path)


def picture(read: EventAccumulator, tag: str) -> np.ndarray:
    (event,) = read.Images(tag)
    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))


def test_the_first_batch_is_shown_once_with_its_pixels(setup, written, tmp_path):
    callback = ExampleImages(written.tracker, 4)
    batch = first_batch(setup)
    for step in (1, 2):
        callback.step_end(training(setup, tmp_path, step), batch, RESULT)
    shown = picture(written.read(), "images/first_batch")
    height, width = setup.parts.preprocessing.input_size
    assert shown.shape == (height, 4 * width, 3)
    scale, offset = setup.parts.preprocessing.scale[0], setup.parts.preprocessing.offset[0]
    expected = (batch.images[3, 0].numpy() - offset) / scale
    np.testing.assert_allclose(shown[:, 3 * width :, 0], expected.clip(0, 255), atol=0.51)


def test_cached_features_are_no_images(setup, written, tmp_path):
    with_features = replace(setup, features=object())
    ExampleImages(written.tracker, 4).step_end(training(with_features, tmp_path), first_batch(setup), RESULT)
    assert written.read().Tags()["images"] == []


def test_the_worst_errors_come_first_with_their_labels(setup, written, tmp_path):
    measures = validate(setup, "val")
    WorstImages(written.tracker, 3).validation_end(training(setup, tmp_path, 7), measures)
    read = written.read()
    assert picture(read, "images/worst").shape == (128 + 28, 3 * 128, 3)
    (event,) = read.Tensors("worst/text_summary")
    lines = event.tensor_proto.string_val[0].decode().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    losses = cross_entropy(torch.from_numpy(measures.logits), torch.from_numpy(measures.targets), reduction="none")
    wrong = np.flatnonzero(measures.logits.argmax(1) != measures.targets)
    worst = wrong[np.argsort(-losses.numpy()[wrong])][:3]
    images, names = setup.dataset.source.images, setup.task.class_names
    positions = split_positions(setup, "val")
    assert cells == [
        [
            images.key(int(positions[row])),
            names[measures.targets[row]],
            names[measures.logits[row].argmax()],
            f"{losses[row]:.4f}",
        ]
        for row in worst
    ]


def test_without_errors_there_is_nothing_to_show(setup, written, tmp_path):
    measures = validate(setup, "val")
    logits = 9 * np.eye(10, dtype=np.float32)[measures.targets]
    right = measure(logits, measures.targets, setup.task, setup.config.evaluate)
    WorstImages(written.tracker, 3).validation_end(training(setup, tmp_path), right)
    assert written.read().Tags()["images"] == []


def test_the_confusion_matrix_is_a_picture_of_each_validation(setup, written, tmp_path):
    callback = ConfusionImages(written.tracker)
    for step in (3, 6):
        callback.validation_end(training(setup, tmp_path, step), validate(setup, "val"))
    events = written.read().Images("confusion_matrix")
    assert [event.step for event in events] == [3, 6]
    assert min(Image.open(io.BytesIO(events[0].encoded_image_string)).size) > 200


def test_curves_of_each_class_that_has_images_and_others(setup, written, tmp_path):
    measures = validate(setup, "val")
    kept = measures.targets != 4
    fewer = measure(measures.logits[kept], measures.targets[kept], setup.task, setup.config.evaluate)
    Curves(written.tracker).validation_end(training(setup, tmp_path, 5), fewer)
    read = written.read()
    curves = [tag for tag in read.Tags()["tensors"] if tag.startswith("precision_recall/")]
    assert curves == [f"precision_recall/{name}" for name in setup.task.class_names if name != "4"]
    # Rows: true and false positives, true and false negatives, precision, recall; a column a threshold.
    values = np.array(read.Tensors(curves[0])[0].tensor_proto.float_val).reshape(6, -1)
    assert values[0, 0] == (fewer.targets == 0).sum()
    assert values[1, 0] == (fewer.targets != 0).sum()
    assert picture(read, "roc").shape[2] == 3


def test_histograms_hold_every_weight_and_gradient(setup, written, tmp_path):
    Histograms(written.tracker).epoch_end(training(setup, tmp_path, 11), {})
    read = written.read()
    for name, parameter in setup.model.named_parameters():
        for group, values in (("weights", parameter.detach()), ("gradients", parameter.grad)):
            (event,) = read.Histograms(f"{group}/{name}")
            assert event.step == 11
            assert event.histogram_value.num == parameter.numel()
            assert event.histogram_value.min == pytest.approx(float(values.min()))


def test_gradients_that_are_not_finite_are_left_out(setup, written, tmp_path):
    parameter = next(setup.model.parameters())
    before = parameter.grad.clone()
    parameter.grad.view(-1)[0] = float("nan")
    Histograms(written.tracker).epoch_end(training(setup, tmp_path), {})
    name = next(iter(dict(setup.model.named_parameters())))
    assert written.read().Histograms(f"gradients/{name}")[0].histogram_value.num == parameter.numel() - 1
    parameter.grad.copy_(before)


def test_the_graph_is_that_of_the_network_and_leaves_it_alone(setup, written, tmp_path, capsys):
    before = {name: value.clone() for name, value in setup.model.state_dict().items()}
    state = torch.get_rng_state()
    Graph(written.tracker).begin(training(setup, tmp_path, 0))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in setup.model.state_dict().items())
    read = written.read()
    assert read.Tags()["graph"]
    assert any("conv" in node.op.lower() for node in read.Graph().node)
    assert capsys.readouterr().out == ""


def test_a_training_that_goes_on_has_its_graph_already(setup, written, tmp_path):
    Graph(written.tracker).begin(training(setup, tmp_path, 3))
    assert not written.read().Tags()["graph"]


class TakesTwo(nn.Module):
    """Can't be traced on one image: the result depends on the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) < 2:
            raise RuntimeError("two images at least\nsaid in a second line")
        return images.mean((1, 2, 3)) * self.scale


def test_a_network_that_can_not_be_traced_is_said(setup, written, tmp_path, caplog, capsys):
    other = replace(setup, parts=replace(setup.parts, model=TakesTwo()))
    Graph(written.tracker).begin(training(other, tmp_path, 0))
    (record,) = caplog.records
    assert record.getMessage().endswith("there is no graph: two images at least")
    assert capsys.readouterr().out == ""


def with_optimizer(setup: Setup, optimizer: torch.optim.Optimizer) -> Setup:
    rates = tuple(group["lr"] for group in optimizer.param_groups)
    return replace(setup, optimizer=optimizer, base_learning_rates=rates)


def test_rates_are_shown_where_groups_have_their_own(setup, written, tmp_path):
    weights = [nn.Parameter(torch.ones(1)) for _ in range(3)]
    groups = [{"params": [weight], "lr": lr} for weight, lr in zip(weights, (0.1, 0.2, 0.2), strict=True)]
    other = with_optimizer(setup, torch.optim.SGD([{**groups[0], "name": "head"}, *groups[1:]], momentum=0.8))
    callback = LearningRateMonitor(written.tracker)
    callback.step_logged(training(setup, tmp_path, 2), {"lr": 0.01})
    callback.step_logged(training(other, tmp_path, 3), {"lr": 0.1})
    read = written.read()
    shown = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert shown == {
        "step/momentum": [(2, pytest.approx(0.9)), (3, pytest.approx(0.8))],
        "step/lr/head": [(3, pytest.approx(0.1))],
        "step/lr/1": [(3, pytest.approx(0.2))],
        "step/lr/2": [(3, pytest.approx(0.2))],
    }


def test_an_optimizer_without_momentum_shows_none(setup):
    assert optimizer_values(with_optimizer(setup, torch.optim.Adagrad([nn.Parameter(torch.ones(1))]))) == {}


def test_rows_of_classes_are_cut_back_to_the_checkpoint(setup, written, tmp_path):
    measures = validate(setup, "val")
    callback = PerClassRecords(tmp_path, written.tracker)
    at = training(setup, tmp_path, 4)
    callback.begin(at)
    callback.validation_end(at, measures)
    checkpoint, text = callback.state_dict(), (tmp_path / "metrics_per_class.csv").read_text()
    callback.validation_end(training(setup, tmp_path, 8), measures)
    with (tmp_path / "metrics_per_class.csv").open("a") as file:
        file.write("1,8,3,1")
    again = PerClassRecords(tmp_path, written.tracker)
    again.load_state_dict(checkpoint)
    again.begin(at)
    assert (tmp_path / "metrics_per_class.csv").read_text() == text
    rows = read_rows(tmp_path / "metrics_per_class.csv")
    assert [row["class"] for row in rows] == list(setup.task.class_names)
    first = measures.per_class[0]
    assert rows[0] == {
        "epoch": "1", "step": "4", "class": "0", "n": str(first.n),
        "precision": str(first.precision), "recall": str(first.recall), "f1": str(first.f1),
    }  # fmt: skip
    shown = written.read().Scalars("class_recall/0")
    assert [event.step for event in shown] == [4, 8]
    assert shown[0].value == pytest.approx(first.recall)


def test_rows_of_a_training_that_begins_anew_are_gone(setup, written, tmp_path):
    (tmp_path / "metrics_per_class.csv").write_text("of a training that was killed before its first checkpoint\n")
    PerClassRecords(tmp_path, written.tracker).begin(training(setup, tmp_path, 0))
    assert (tmp_path / "metrics_per_class.csv").read_text() == ""
    written.tracker.close()


def test_what_is_cheap_is_on_and_the_rest_is_asked_for(written):
    def names(config: TensorBoardConfig) -> list[str]:
        return [type(callback).__name__ for callback in tensorboard_callbacks(config, written.tracker)]

    assert names(TensorBoardConfig()) == ["LearningRateMonitor", "ExampleImages"]
    assert names(TensorBoardConfig(images=0)) == ["LearningRateMonitor"]
    everything = TensorBoardConfig(worst=3, confusion=True, curves=True, histograms=True, graph=True)
    assert names(everything)[2:] == ["WorstImages", "ConfusionImages", "Curves", "Histograms", "Graph"]
    written.tracker.close()


TRAINING = {
    "data": {"source": "digits", "batch_size": 64, "threads": 1},
    "model": "digits_cnn",
    "optimizer": {"name": "adamw", "lr": 0.01},
    "metrics": {"missed": "hamming_distance", "found": {"name": "recall", "average": "none"}},
    "train": {"epochs": 2, "threads": 1, "speed": "off", "monitor": "missed"},
    "evaluate": {"per_class": True},
}


def test_a_training_follows_a_measure_of_torchmetrics(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    end = api.train(TRAINING)
    epochs = [float(row["val_missed"]) for row in read_rows(end.run.path / "metrics.csv")]
    best = end.result["best"]
    assert best["val"]["missed"] == min(epochs) == epochs[best["epoch"] - 1]
    assert best["val"]["missed"] == pytest.approx(1 - best["val"]["accuracy"])
    api.resume(end.run.path, "train.epochs=3")
    rows = read_rows(end.run.path / "metrics_per_class.csv")
    assert [(row["epoch"], row["class"]) for row in rows] == [(str(e), str(c)) for e in (1, 2, 3) for c in range(10)]
    shown = EventAccumulator(str(end.run.path), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in shown.Scalars("class_f1/7")] == [18, 36, 54]
    assert len(shown.Images("images/first_batch")) == 1
    report = api.evaluate(end.run.path, split="val")
    assert report.measures.values["found_3"] == report.measures.per_class[3].recall


def test_a_measure_that_can_not_be_had_leaves_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"metrics\.missed: 'hamming_distanc' .* Did you mean 'hamming_distance'\?"):
        api.train(TRAINING, "metrics.missed=hamming_distanc")
    with pytest.raises(ConfigError, match=r"train\.monitor: .*'mised'.* Did you mean 'missed'\?"):
        api.train(TRAINING, "train.monitor=mised")
    assert not (tmp_path / "runs").exists()
