"""The learning rate found trains; a much higher one does not; nothing else is moved by looking for it."""

import math

import pytest
import torch

from training.opening import DIGITS, opened
from vernier import api
from vernier.errors import TrainingError
from vernier.training import find_learning_rate as module
from vernier.training.find_learning_rate import LearningRatePoint, find_learning_rate


def quiet(text: str) -> None:
    pass


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_rate_found_trains_and_thirty_times_as_much_is_worse(optimizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = (*DIGITS, f"optimizer={optimizer}", "data.batch_size=64")
    found = find_learning_rate(*opened(*settings), quiet)

    def final_loss(lr: float) -> float:
        try:
            end = api.train(None, *settings, f"optimizer.lr={lr}", "train.epochs=2", "schedule=constant")
        except TrainingError:
            return math.inf
        return end.result["final"]["val"]["loss"]

    loss = final_loss(found.lr)
    assert loss < 0.6 * math.log(10)
    assert final_loss(30 * found.lr) > 1.2 * loss
    assert found.lr == float(f"{found.lr:.1e}")


def test_few_images_are_seen_again_and_again_and_nothing_is_left_behind(class_folders):
    settings = (f"data={class_folders}", "data.batch_size=8", "model=resnet20_cifar", "model.input_size=16")
    config, dataset = opened(*settings, "train.threads=1", "data.threads=0", "optimizer=sgd")
    torch.set_num_threads(2)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    said: list[str] = []
    found = find_learning_rate(config, dataset, said.append)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[1:]
    assert len(found.curve) > 3 * len(dataset.split.train) // 8
    assert said
    assert find_learning_rate(config, dataset, quiet) == found


def test_a_rate_that_is_too_high_is_lowered_until_it_trains():
    config, dataset = opened(*DIGITS, "optimizer=sgd")
    said: list[str] = []
    lr = module._confirm(lambda: module._Trial(config, dataset), 8.0, said.append)
    assert lr < 8.0
    assert len(said) > 1


def test_no_rate_at_all():
    class Stuck:
        def batches(self):
            return iter([_Batch()] * 100)

        def loss(self, batch, number):
            return 1.0

        def move(self, lr):
            pass

    class _Batch:
        global_count = 1

    with pytest.raises(TrainingError, match=r"optimizer\.lr=auto: 20 steps lower the loss at none of 0\.1"):
        module._confirm(Stuck, 0.1, quiet)


def test_a_loss_that_is_no_number_from_the_start():
    with pytest.raises(TrainingError, match=r"optimizer\.lr=auto.*first batch"):
        module._choose(())


def test_a_tenth_of_the_lowest():
    curve = tuple(LearningRatePoint(10.0**-n, abs(n - 2.5)) for n in range(6, 0, -1))
    assert module._choose(curve) == pytest.approx(1e-4)
