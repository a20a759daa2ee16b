"""What weights of samples, and ratios of lists, do to a training."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from training.opening import opened
from vernier import api
from vernier.models.bundle import load_bundle
from vernier.training.parts import build_parts
from vernier.training.runtime import make_fabric
from vernier.training.setup import build_setup, make_step

COUNT = 24
SETTINGS = (
    "model=training.plain_net:plain_net",
    "model.input_size=8",
    "data.channels=1",
    "data.batch_size=4",
    "data.threads=1",
    "train.threads=1",
    "train.speed=off",
)
WEIGHTS = [0.0, 0.5, 2.0, 1.0] * (COUNT // 4)


@pytest.fixture
def images(tmp_path, monkeypatch) -> Path:
    """`images/<number>.png`, digits 0 and 1 in turn."""
    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    (tmp_path / "images").mkdir()
    places = np.stack([np.flatnonzero(digits.target == digit)[: COUNT // 2] for digit in (0, 1)], axis=1).ravel()
    for number, place in enumerate(places):
        cv2.imwrite(str(tmp_path / f"images/{number:02d}.png"), (digits.images[place] * 15).astype(np.uint8))
    return tmp_path


def write_list(folder: Path, name: str, weights) -> str:
    rows = [f"images/{number:02d}.png,{'ab'[number % 2]},{weight}\n" for number, weight in enumerate(weights)]
    (folder / name).write_text("path,label,importance\n" + "".join(rows))
    return f"data={folder / name}"


def trained(source: str, name: str, *settings: str):
    end = api.train(None, source, *SETTINGS, "train.epochs=2", "optimizer=sgd", f"run.root={name}", *settings)
    return load_bundle(end.run.path / "final", trust=True)[0].state_dict(), end


def same(one, other) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_step_is_the_weighted_sum_over_the_number_of_images(images):
    source = write_list(images, "list.csv", WEIGHTS)
    config, dataset = opened(source, *SETTINGS, "data.columns.weight=importance", "data.split.val=0")
    fabric = make_fabric(config.train)
    setup = build_setup(build_parts(config, dataset, lambda text: None), fabric)
    batch = setup.loader.batch(0, 0)
    result = make_step(setup).forward_backward(batch)
    gradients = [parameter.grad.clone() for parameter in setup.model.parameters()]

    setup.model.zero_grad()
    logits = setup.model(batch.images)
    losses = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
    weights = torch.tensor(WEIGHTS)[batch.positions]
    ((weights * losses).sum() / 4).backward()
    assert weights.sum() not in (0, 4)
    for parameter, gradient in zip(setup.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    # Images are counted, and counted as right, without their weights.
    assert result.sums.tolist()[1:] == [float((logits.argmax(1) == batch.targets).sum()), 4.0]
    assert result.loss_sum == pytest.approx(float((weights * losses).sum().detach()))


def test_weights_of_one_change_no_bit(images):
    more = ("train.accumulate=2", "augment.mix={mixup: 0.5}")
    one, _ = trained(write_list(images, "plain.csv", [1] * COUNT), "one", *more)
    other, _ = trained(
        write_list(images, "ones.csv", ["1.0"] * COUNT), "other", *more, "data.columns.weight=importance"
    )
    assert same(one, other)


def test_weights_are_a_factor_of_the_loss(images):
    named = ("data.columns.weight=importance", "optimizer.weight_decay=0")
    one, first = trained(write_list(images, "one.csv", [1] * COUNT), "one", *named, "optimizer.lr=0.02")
    two, second = trained(write_list(images, "two.csv", [2] * COUNT), "two", *named, "optimizer.lr=0.01")
    assert same(one, two)
    assert second.result["final"]["val"] == first.result["final"]["val"]


def test_lists_are_drawn_by_their_ratios(images):
    lines = [f"images/{number:02d}.png {'ab'[number % 2]}\n" for number in range(COUNT)]
    (images / "a.txt").write_text("".join(lines[:20]))
    (images / "b.txt").write_text("".join(lines[20:]))
    settings = ("data.lists=[a.txt,b.txt]", "data.list_ratios=[1,3]", "data.split.val=0")
    config, dataset = opened(*settings, *SETTINGS)
    order = build_parts(config, dataset, lambda text: None).order
    drawn = np.concatenate([order.batch(0, number) for number in range(order.batches_per_epoch)])
    assert len(drawn) == COUNT
    assert np.bincount(dataset.source.list_numbers[drawn]).tolist() == [6, 18]


@pytest.mark.slow
def test_two_processes_equal_one(images, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    source = write_list(images, "list.csv", WEIGHTS)
    # 19 training images: the last of 5 batches has 3, which two processes share unevenly.
    named = ("data.columns.weight=importance", "train.accelerator=cpu", "optimizer.lr=0.02", "train.accumulate=2")
    one, _ = trained(source, "one", *named)
    two, _ = trained(source, "two", *named, "train.devices=2")
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=1e-5)
