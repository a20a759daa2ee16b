"""What is measured is what happened, within the time that was given."""

import time

import pytest

from training.opening import DIGITS
from vernier.config.loading import load_config
from vernier.training import benchmark
from vernier.training.benchmark import benchmark_pipeline, benchmark_train


@pytest.fixture(scope="module")
def loaded():
    return load_config(None, DIGITS)


@pytest.fixture(scope="module")
def setup(loaded):
    with benchmark._opened(benchmark._tuned(loaded)) as setup:
        yield setup


def test_training_steps_and_their_stages(loaded):
    timing = benchmark_train(loaded, 0.5, end_to_end=False)
    assert timing.steps.n > 10
    assert timing.steps.step_ms_p50 <= timing.steps.step_ms_p95
    assert timing.steps.wait_share is None
    assert list(timing.stages) == ["host_to_device", "forward", "loss_and_backward", "optimizer"]
    assert all(milliseconds >= 0 for milliseconds in timing.stages.values())
    assert sum(timing.stages.values()) == pytest.approx(timing.steps.step_ms_p50, rel=0.6)
    assert timing.settings["train.precision"] == "32-true"
    assert timing.memory_peak_mb > 50


def test_end_to_end_tells_the_waiting_and_compares(loaded):
    timing = benchmark_train(loaded, 0.6, end_to_end=True)
    assert 0 <= timing.steps.wait_share < 1
    assert timing.resident.images_per_second > 0.8 * timing.steps.images_per_second
    text = timing.to_text()
    assert "waiting" in text
    assert "without data" in text


def test_the_pipeline_from_store_and_from_files(class_folders):
    settings = ("model=resnet20_cifar", "model.input_size=32", "data.batch_size=4", "train.speed=off")
    for store in ("memory", "off"):
        loaded = load_config(None, (f"data={class_folders}", f"data.store={store}", *settings))
        timing = benchmark_pipeline(loaded, 0.3)
        assert list(timing.stages) == ["read", "draws", "warp_colour_and_batch"]
        assert timing.to_json()["n"] == timing.steps.n > 0


def test_time_is_kept_however_slow_a_step_is(setup):
    batch = setup.loader.batch(0, 0)
    begin = time.perf_counter()
    repeated = benchmark._repeat(lambda: batch, lambda _: time.sleep(0.2), 0.05, setup)
    assert time.perf_counter() - begin < 0.6
    assert repeated.steps(None).n == 1
    assert repeated.steps(None).step_ms_p50 >= 200


def test_waiting_is_the_time_for_the_batch_alone(setup):
    batch = setup.loader.batch(0, 0)

    def slow(*_):
        time.sleep(0.01)
        return batch

    assert benchmark._repeat(slow, lambda _: None, 0.2, setup).wait_share > 0.9
    assert benchmark._repeat(lambda: batch, slow, 0.2, setup).wait_share < 0.1
