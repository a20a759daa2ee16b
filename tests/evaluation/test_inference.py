import threading

import numpy as np
import pytest
import torch
from torch import nn

from vernier.augment.preprocess import Preprocessing, compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.evaluation.inference import predict_logits


@pytest.fixture
def preprocessing() -> Preprocessing:
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    return compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8 * 14 * 14, 4))
    return nn.Sequential(*layers)


@pytest.fixture
def images(photos) -> list[np.ndarray]:
    photo = photos["flower"]
    return [photo[5 * n : 5 * n + 40 + n, 9 * n : 9 * n + 70 - n] for n in range(11)]


def test_logits_are_those_of_the_module(module, images, preprocessing):
    logits = predict_logits(module, images, [3, 1, 7], preprocessing, batch_size=2, threads=1)
    module.eval()
    expected = [module(torch.from_numpy(preprocessing(images[n]))[None]).detach().numpy()[0] for n in (3, 1, 7)]
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_threads_change_nothing(module, images, preprocessing):
    indices = np.arange(11)
    results = [
        predict_logits(module, images, indices, preprocessing, batch_size=4, threads=threads) for threads in (0, 1, 3)
    ]
    assert results[0].shape == (11, 4)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_batch_size_changes_no_digit_that_matters(module, images, preprocessing):
    whole, single = (
        predict_logits(module, images, range(11), preprocessing, batch_size=size, threads=0) for size in (11, 1)
    )
    np.testing.assert_allclose(whole, single, atol=1e-5)


def test_modes_and_statistics_are_as_before(module, images, preprocessing):
    module.train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    predict_logits(module, images, range(5), preprocessing, batch_size=2, threads=0)
    assert [part.training for part in module] == [True, False, True, True, True]
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_modes_come_back_and_threads_end_after_an_error(module, images, preprocessing):
    module.train()
    running = set(threading.enumerate())
    with pytest.raises(IndexError):
        predict_logits(module, images, [0, 1, 99], preprocessing, batch_size=1, threads=2)
    assert module[2].training
    assert set(threading.enumerate()) <= running


def test_no_more_images_are_read_ahead_than_three_batches(module, images, preprocessing):
    asked = []

    class Watched:
        def __getitem__(self, index: int) -> np.ndarray:
            asked.append(index)
            return images[index % 11]

    ahead = []
    hook = module.register_forward_hook(lambda *_: ahead.append(len(asked)))
    predict_logits(module, Watched(), range(40), preprocessing, batch_size=2, threads=2)
    hook.remove()
    assert len(asked) == 40
    assert ahead[0] <= 6
    assert ahead == sorted(ahead)


def test_no_images_give_no_rows(module, preprocessing):
    logits = predict_logits(module, [], [], preprocessing, batch_size=2, threads=1)
    assert logits.shape == (0, 4)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "bf16-true"])
def test_lower_precision_computes_in_bfloat16_on_a_cpu(module, images, preprocessing, precision):
    exact = predict_logits(module, images, range(4), preprocessing, batch_size=4, threads=0)
    seen = []
    hook = module[0].register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    if precision == "bf16-true":
        module.bfloat16()
    logits = predict_logits(module, images, range(4), preprocessing, batch_size=4, threads=0, precision=precision)
    hook.remove()
    assert seen == [torch.bfloat16]
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, exact, atol=0.1)
    assert not np.array_equal(logits, exact)
