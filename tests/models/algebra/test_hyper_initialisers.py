"""Initial weights: variance through layers, directions, and constants."""

import pytest
import torch
from torch import Tensor, nn

from vernier.models.algebra.initialisers import glorot_, he_, like_
from vernier.models.algebra.linear import HyperConv2d, HyperConvTranspose2d, HyperLinear
from vernier.models.algebra.structure import find_algebra

NONDEGENERATE = ("real", "complex", "quaternion", "Cl(3,0)", "Cl+(1,2)")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(7)


def blade_variances(y: Tensor, size: int) -> Tensor:
    return y.unflatten(0, (-1, size)).transpose(0, 1).flatten(1).var(dim=1)


@pytest.mark.parametrize("name", NONDEGENERATE)
def test_he_gives_every_blade_a_real_layers_variance(name: str) -> None:
    algebra = find_algebra(name)
    layer = HyperConv2d(algebra, 32, 48, 3, bias=False)
    he_(layer.weight, algebra)
    y = layer(torch.randn(2 * algebra.size, 32, 8, 8))
    torch.testing.assert_close(blade_variances(y, algebra.size), torch.full((algebra.size,), 2.0), rtol=0.15, atol=0)


@pytest.mark.parametrize("name", NONDEGENERATE)
def test_relus_after_he_keep_the_variance(name: str) -> None:
    algebra = find_algebra(name)
    x = torch.randn(64 * algebra.size, 256)
    with torch.no_grad():
        for _ in range(5):
            x = HyperLinear(algebra, 256, 256)(x).relu()
    assert 0.6 < x.square().mean() < 1.6


@pytest.mark.parametrize("name", NONDEGENERATE)
def test_glorot_keeps_the_variance_both_ways(name: str) -> None:
    algebra = find_algebra(name)
    layer = HyperLinear(algebra, 100, 300, bias=False)
    glorot_(layer.weight, algebra)
    x = torch.randn(50 * algebra.size, 100, requires_grad=True)
    y = layer(x)
    y.backward(torch.randn_like(y))
    torch.testing.assert_close(
        blade_variances(y.detach(), algebra.size), torch.tensor([0.5] * algebra.size), rtol=0.1, atol=0
    )
    torch.testing.assert_close(
        blade_variances(x.grad, algebra.size), torch.tensor([1.5] * algebra.size), rtol=0.1, atol=0
    )


def test_where_products_are_zero_the_mean_over_blades_is_right() -> None:
    algebra = find_algebra("Cl(2,0,1)")
    layer = HyperLinear(algebra, 256, 256, bias=False)
    y = layer(torch.randn(64 * algebra.size, 256)).detach()
    assert blade_variances(y, algebra.size).mean() == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("name", ["complex", "quaternion", "Cl(3,0)"])
def test_directions_are_uniform(name: str) -> None:
    algebra = find_algebra(name)
    weight = he_(torch.empty(algebra.size * 200, 100), algebra).view(algebra.size, -1)
    direction = weight / weight.norm(dim=0)
    assert direction.mean(dim=1).abs().max() < 0.02
    second = direction @ direction.T / direction.shape[1]
    torch.testing.assert_close(second, torch.eye(algebra.size) / algebra.size, rtol=0, atol=0.02)
    fourth = (direction**4).mean(dim=1)
    expected = 3 / (algebra.size * (algebra.size + 2))
    torch.testing.assert_close(fourth, torch.full((algebra.size,), expected), rtol=0.1, atol=0)


def test_variances_by_fans() -> None:
    quaternion = find_algebra("quaternion")
    weight = torch.empty(4 * 64, 16, 3, 3)
    assert he_(weight, quaternion).var() == pytest.approx(2 / (16 * 9 * 4), rel=0.05)
    assert glorot_(weight, quaternion).var() == pytest.approx(2 / ((16 + 64) * 9 * 4), rel=0.05)


@pytest.mark.parametrize("transposed", [False, True])
def test_like_keeps_a_real_layers_variance(transposed: bool) -> None:
    algebra = find_algebra("quaternion")
    real_kind, kind = (nn.ConvTranspose2d, HyperConvTranspose2d) if transposed else (nn.Conv2d, HyperConv2d)
    real, layer = real_kind(32, 48, 3, bias=False), kind(algebra, 32, 48, 3, bias=False)
    nn.init.trunc_normal_(real.weight, std=0.3)
    like_(layer.weight, real.weight, algebra)
    variance = real(torch.randn(8, 32, 12, 12))[..., 2:-2, 2:-2].var()
    y = layer(torch.randn(8 * 4, 32, 12, 12))[..., 2:-2, 2:-2]
    torch.testing.assert_close(blade_variances(y, 4), variance.expand(4), rtol=0.15, atol=0)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.3])
def test_like_keeps_constants(constant: float) -> None:
    algebra = find_algebra("quaternion")
    real, layer = nn.Linear(6, 5, bias=False), HyperLinear(algebra, 6, 5, bias=False)
    nn.init.constant_(real.weight, constant)
    like_(layer.weight, real.weight, algebra)
    x = torch.randn(8, 6)
    torch.testing.assert_close(layer(x), real(x))


def test_layers_start_as_he_with_no_shift() -> None:
    layer = HyperConv2d(find_algebra("complex"), 32, 32, 3)
    assert layer.weight.var().item() == pytest.approx(2 / (32 * 9 * 2), rel=0.05)
    assert not layer.bias.any()
