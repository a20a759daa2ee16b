"""Numbers and images are dropped as wholes, as often as asked, and the mean stays."""

from typing import Any

import pytest
import torch
from torch import Tensor

from vernier.models.algebra.dropout import HyperDropout, HyperDropPath
from vernier.models.algebra.structure import find_algebra

BOTH = (HyperDropout, HyperDropPath)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(11)


def ones(batch: int, *shape: int) -> Tensor:
    return torch.ones(batch * 4, *shape)


def dropped(y: Tensor) -> Tensor:
    """Which numbers are 0; all blades agree."""
    zero = y.unflatten(0, (-1, 4)) == 0
    assert torch.equal(zero.all(1), zero.any(1))
    return zero.all(1)


@pytest.mark.parametrize("shape", [(50,), (10, 6, 5), (7, 9)])
def test_numbers_are_dropped_as_wholes(shape: tuple[int, ...]) -> None:
    y = HyperDropout(0.3, find_algebra("quaternion"))(ones(40, *shape))
    gone = dropped(y)
    assert gone.float().mean() == pytest.approx(0.3, abs=0.05)
    assert y[y != 0].unique().tolist() == pytest.approx([1 / 0.7])
    flat = gone.flatten(1).float()
    assert flat.std(dim=0).min() > 0, "images are drawn apart"
    assert flat.std(dim=1).min() > 0, "numbers are drawn apart"


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4)])
def test_images_are_dropped_as_wholes(shape: tuple[int, ...]) -> None:
    y = HyperDropPath(0.4, find_algebra("quaternion"))(ones(1000, *shape))
    gone = dropped(y).flatten(1)
    assert torch.equal(gone.all(1), gone.any(1))
    assert gone.float().mean() == pytest.approx(0.4, abs=0.05)
    assert y[y != 0].unique().tolist() == pytest.approx([1 / 0.6])


@pytest.mark.parametrize("kind", BOTH)
def test_nothing_is_dropped_in_evaluation_or_with_probability_zero(kind: Any) -> None:
    x = torch.randn(8, 3, 2, 2)
    assert kind(0.5, find_algebra("quaternion")).eval()(x) is x
    assert kind(0.0, find_algebra("quaternion"))(x) is x


@pytest.mark.parametrize("kind", BOTH)
def test_everything_is_dropped_with_probability_one(kind: Any) -> None:
    assert not kind(1.0, find_algebra("quaternion"))(torch.randn(8, 3)).any()


@pytest.mark.parametrize("kind", BOTH)
def test_gradients_and_memory_format_follow(kind: Any) -> None:
    x = torch.randn(32, 3, 4, 5).to(memory_format=torch.channels_last).requires_grad_()
    y = kind(0.5, find_algebra("quaternion"))(x)
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0)
    torch.testing.assert_close(x.grad * x, y)
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", BOTH)
def test_the_draw_follows_the_seed(kind: Any) -> None:
    layer, x = kind(0.5, find_algebra("complex")), torch.randn(16, 3)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(layer(x))
    assert torch.equal(*results)
