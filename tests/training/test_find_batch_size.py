"""What is returned has been run within the margin; what is not returned did not fit."""

import resource
import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.opening import DIGITS, opened
from vernier.errors import TrainingError
from vernier.training import find_batch_size as module
from vernier.training.find_batch_size import CEILING, MARGIN, BatchSizeTrial, find_batch_size
from vernier.training.find_batch_size_trial import process_memory

MEGABYTE = 10**6


@pytest.fixture(scope="module")
def digits():
    return opened(*DIGITS)


class Machine:
    """Trials on a machine where a batch of n takes `fixed + slope * n` bytes and `seconds * n`."""

    def __init__(self, available: int, fixed: int, slope: int, seconds: float = 0.0) -> None:
        self.available, self.fixed, self.slope, self.seconds = available, fixed, slope, seconds
        self.ran: list[int] = []

    def run(self, search, sizes) -> list[BatchSizeTrial]:
        self.ran += sizes
        return [self.trial(size) for size in sizes]

    def trial(self, size: int) -> BatchSizeTrial:
        taken, limit = self.fixed + self.slope * size, int(self.available * MARGIN)
        if taken > self.available:
            return BatchSizeTrial(size, None, None, limit)
        return BatchSizeTrial(size, self.seconds * size, taken, limit)


def find_on(machine: Machine, digits, **more):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._Search, "run", lambda search, sizes: machine.run(search, sizes))
        return find_batch_size(*digits, lambda text: None, available=machine.available, **more)


@given(st.integers(10**6, 10**10), st.integers(0, 10**8), st.integers(10**3, 10**8))
def test_the_largest_power_of_two_that_fits(digits, available, fixed, slope):
    machine = Machine(available, fixed, slope)
    largest = 1 << len(digits[1].split.train).bit_length() - 1
    fitting = [2**n for n in range(1, 20) if machine.trial(2**n).fits and 2**n <= min(CEILING, largest)]
    if not fitting:
        with pytest.raises(TrainingError, match=r"data\.batch_size=auto: not even 2 "):
            find_on(machine, digits)
        return
    found = find_on(machine, digits)
    assert found.batch_size == max(fitting)
    assert any(trial.batch_size == found.batch_size and trial.fits for trial in found.trials)
    # Apart from the first two, no trial is begun that would not fit.
    assert all(machine.trial(size).fits for size in machine.ran[2:] if size > 16)


def test_the_training_images_bound_it(digits):
    config, dataset = digits
    few = replace(dataset, drawn=replace(dataset.drawn, train=dataset.drawn.train[:100]))
    found = find_on(Machine(10**12, 0, 1), (config, few))
    assert found.batch_size == 64
    assert "100 training images" in found.reason


def test_time_bounds_it_and_it_is_said(digits):
    found = find_on(Machine(10**12, 0, 10**6, seconds=0.5), digits, seconds=60)
    assert found.batch_size == 32
    assert "time was up" in found.reason


def test_every_process_gets_images(digits):
    config, dataset = digits
    train = config.train.model_copy(update={"devices": 3, "strategy": "ddp"})
    machine = Machine(10**9, 0, 10**6)
    find_on(machine, (config.model_copy(update={"train": train}), dataset))
    assert min(machine.ran) == 16


def test_the_limit_of_this_process_counts(digits):
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (process_memory("VmSize") + 50 * MEGABYTE, hard))
    try:
        assert 0 < module._room(digits[0]) <= 50 * MEGABYTE
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert module._room(digits[0]) > 50 * MEGABYTE


@pytest.mark.slow
def test_real_steps_within_a_low_limit_and_beyond_it():
    config, dataset = opened(*DIGITS, "model=resnet20_cifar", "model.input_size=64")
    state, said = torch.get_rng_state(), []
    found = find_batch_size(config, dataset, said.append, available=330 * MEGABYTE)
    trials = {trial.batch_size: trial for trial in found.trials}
    assert trials[found.batch_size].memory <= MARGIN * 330 * MEGABYTE
    assert trials[found.batch_size].step_seconds > 0
    assert len(said) == len(found.trials)
    assert torch.equal(torch.get_rng_state(), state)
    # Far from the border: 16 images take about 225 MB, 32 about 410, of 264 that are usable.
    assert found.batch_size == 16
    # The next one is beyond the limit, and one that is far too large ends its own process only.
    search = module._Search(config, dataset, 1, 330 * MEGABYTE, end=time.perf_counter() + 60)
    double, huge = search.run([2 * found.batch_size, 1024])
    assert double.memory is None or double.memory > double.limit
    assert huge.memory is None


def test_what_goes_wrong_in_a_trial_is_shown():
    config, dataset = opened("data=digits", "model=training.plain_net:BrokenNet", "train.threads=1")
    with pytest.raises(TrainingError, match="a bug in the network"):
        find_batch_size(config, dataset, lambda text: None)
