"""Norms of numbers: whitening against numpy's covariance, statistics against torch's, gradients against autograd."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.models.algebra.batchnorm import BladeBatchNorm, WhiteningBatchNorm
from vernier.models.algebra.structure import find_algebra
from vernier.models.algebra.whitening import inverse_root
from vernier.models.freeze import set_training_mode

NAMES = ("real", "complex", "quaternion", "Cl(3,0)")
BOTH = (BladeBatchNorm, WhiteningBatchNorm)
CHANNELS = 3


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(5)


def mixed(size: int, batch: int, *pixels: int) -> Tensor:
    """Numbers whose blades depend on each other, with means, in float64."""
    independent = torch.randn(batch, size, CHANNELS, *pixels, dtype=torch.float64)
    mixing = torch.randn(CHANNELS, size, size, dtype=torch.float64)
    x = torch.einsum("cnm,bmc...->bnc...", mixing, independent)
    return (x + 3 * torch.randn(size, CHANNELS, *[1] * len(pixels), dtype=torch.float64)).flatten(0, 1)


def samples(x: Tensor, size: int) -> np.ndarray:
    """(C, N, values) of numbers."""
    parts = x.detach().unflatten(0, (-1, size)).transpose(0, 2).flatten(2)
    return parts.double().numpy()


@pytest.mark.parametrize("pixels", [(), (6, 5)])
@pytest.mark.parametrize("name", NAMES)
def test_whitening_gives_the_unit_covariance(name: str, pixels: tuple[int, ...]) -> None:
    algebra = find_algebra(name)
    layer = WhiteningBatchNorm(algebra, CHANNELS, eps=1e-12, affine=False).double()
    y = layer(mixed(algebra.size, 40, *pixels))
    for values in samples(y, algebra.size):
        np.testing.assert_allclose(values.mean(axis=1), 0, atol=1e-9)
        np.testing.assert_allclose(np.cov(values, bias=True).reshape(algebra.size, -1), np.eye(algebra.size), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_start_with_variance_one(name: str) -> None:
    algebra = find_algebra(name)
    layer = WhiteningBatchNorm(algebra, CHANNELS, eps=1e-12)
    values = samples(layer(mixed(algebra.size, 40, 4, 4)), algebra.size)
    np.testing.assert_allclose(values.var(axis=2).sum(axis=1), 1, rtol=1e-6)
    expected = np.eye(algebra.size)[np.tril_indices(algebra.size)] / math.sqrt(algebra.size)
    np.testing.assert_allclose(layer.weight.detach().view(CHANNELS, -1), np.tile(expected, (CHANNELS, 1)), rtol=1e-6)


def test_scale_and_shift_come_after_whitening() -> None:
    layer = WhiteningBatchNorm(find_algebra("complex"), CHANNELS, eps=1e-12).double()
    scale = torch.tensor([[2.0, 0.5], [0.5, -1.0]], dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, 0.5, -1.0]).repeat(CHANNELS))
        layer.bias.copy_(torch.arange(6.0))
    for channel, values in enumerate(samples(layer(mixed(2, 200)), 2)):
        np.testing.assert_allclose(np.cov(values, bias=True), scale @ scale.T, atol=1e-6)
        np.testing.assert_allclose(values.mean(axis=1), [2 * channel, 2 * channel + 1], atol=1e-9)


def test_one_real_part_is_torchs_batchnorm() -> None:
    own, torchs = WhiteningBatchNorm(find_algebra("real"), CHANNELS, eps=1e-5), nn.BatchNorm2d(CHANNELS)
    for _ in range(3):
        x = torch.randn(8, CHANNELS, 5, 4) * 3 + 1
        torch.testing.assert_close(own(x), torchs(x), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(own.running_mean, torchs.running_mean)
    torch.testing.assert_close(own.running_var, torchs.running_var)
    torch.testing.assert_close(own.eval()(x), torchs.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("momentum", [0.25, None])
@pytest.mark.parametrize("name", ["complex", "quaternion"])
def test_running_statistics_are_unbiased_averages(name: str, momentum: float | None) -> None:
    size = find_algebra(name).size
    layer = WhiteningBatchNorm(find_algebra(name), CHANNELS, momentum=momentum).double()
    mean, covariance = np.zeros((CHANNELS, size)), np.tile(np.eye(size), (CHANNELS, 1, 1))
    for count in range(1, 4):
        x = mixed(size, 30, 2, 2)
        layer(x)
        share = momentum or 1 / count
        mean = (1 - share) * mean + share * samples(x, size).mean(axis=2)
        now = np.stack([np.cov(values) for values in samples(x, size)])
        covariance = (1 - share) * covariance + share * now
    rows, columns = np.tril_indices(size)
    np.testing.assert_allclose(layer.running_mean.view(CHANNELS, -1), mean, rtol=1e-9)
    np.testing.assert_allclose(layer.running_var.view(CHANNELS, -1), covariance[:, rows, columns], rtol=1e-9)
    assert layer.num_batches_tracked == 3


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_finite_from_the_first_update_on(name: str, scale: float) -> None:
    size = find_algebra(name).size
    layer = WhiteningBatchNorm(find_algebra(name), CHANNELS)
    x = scale * mixed(size, 16, 3, 3).float()
    assert layer.eval()(x).isfinite().all()
    layer.train()(x)
    assert layer.eval()(x).isfinite().all()


def test_evaluation_converges_to_training() -> None:
    layer = WhiteningBatchNorm(find_algebra("quaternion"), CHANNELS, momentum=1.0)
    x = mixed(4, 400, 3, 3).float()
    torch.testing.assert_close(layer.train()(x), layer.eval()(x), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("scale", [1.0, 255.0, 1e-3])
def test_parts_that_depend_on_each_other_stay_finite(scale: float) -> None:
    """As the grey value and the colours it is made of, or parts that are 0."""
    colours = scale * torch.rand(64, 3, 1, 8, 8)
    grey = (colours * torch.tensor([0.3, 0.6, 0.1]).view(3, 1, 1, 1)).sum(1, keepdim=True)
    layer = WhiteningBatchNorm(find_algebra("quaternion"), 1)
    for x in (torch.cat([grey, colours], 1), torch.cat([grey, 0 * colours], 1)):
        given = x.flatten(0, 1).requires_grad_()
        y = layer(given)
        y.square().mean().backward()
        assert y.isfinite().all()
        assert given.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(12, 2), (8, 2, 2, 3)])
@pytest.mark.parametrize("name", ["complex", "quaternion"])
def test_gradients_in_training(name: str, shape: tuple[int, ...]) -> None:
    algebra = find_algebra(name)
    layer = WhiteningBatchNorm(algebra, 2, track_running_stats=False).double()
    nn.init.normal_(layer.weight)
    x = torch.randn(2 * shape[0], *shape[1:], dtype=torch.float64, requires_grad=True)

    def apply(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(apply, (x, layer.weight, layer.bias))


def test_gradients_in_evaluation() -> None:
    layer = WhiteningBatchNorm(find_algebra("complex"), 2).double().eval()
    x = torch.randn(4, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("mode", [True, False])
def test_channels_last_gives_the_same_and_stays(kind: Any, mode: bool) -> None:
    layer = kind(find_algebra("quaternion"), CHANNELS).train(mode)
    x = mixed(4, 6, 5, 4).float()
    contiguous, last = x.clone().requires_grad_(), x.to(memory_format=torch.channels_last).requires_grad_()
    outputs = [layer(given) for given in (contiguous, last)]
    gradient = torch.randn_like(x)
    for y in outputs:
        y.backward(gradient)
    torch.testing.assert_close(outputs[1], outputs[0])
    torch.testing.assert_close(last.grad, contiguous.grad, rtol=1e-4, atol=1e-5)
    assert outputs[0].is_contiguous()
    assert outputs[1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("mode", [True, False])
def test_computed_in_fp32_under_autocast(mode: bool) -> None:
    layer = WhiteningBatchNorm(find_algebra("quaternion"), CHANNELS).train(mode)
    x = mixed(4, 40, 4, 4).to(torch.bfloat16)
    expected = layer(x.float())
    layer.reset_running_stats()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x.requires_grad_())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, expected.to(torch.bfloat16), rtol=0.02, atol=0.02)
    y.float().square().sum().backward()
    assert layer.weight.grad.dtype == layer.running_var.dtype == torch.float32


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("shape", [(4, CHANNELS), (4, CHANNELS, 1, 1)])
def test_a_single_value_a_channel_is_refused_in_training(kind: Any, shape: tuple[int, ...]) -> None:
    layer = kind(find_algebra("quaternion"), CHANNELS)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        layer(torch.randn(shape))
    assert layer.eval()(torch.randn(shape)).isfinite().all()


@pytest.mark.parametrize("pixels", [(), (5, 4)])
def test_blades_by_themselves_are_torchs_channels(pixels: tuple[int, ...]) -> None:
    layer, torchs = BladeBatchNorm(find_algebra("quaternion"), CHANNELS), nn.BatchNorm2d(4 * CHANNELS)
    x = mixed(4, 8, *pixels).float()
    expected = torchs(x.reshape(8, 4 * CHANNELS, *(pixels or (1, 1))))
    torch.testing.assert_close(layer(x), expected.view(x.shape))
    torch.testing.assert_close(layer.norm.running_var, torchs.running_var)


@pytest.mark.parametrize("kind", BOTH)
def test_scales_of_channels(kind: Any) -> None:
    layer = kind(find_algebra("quaternion"), CHANNELS).double()
    scaled = copy.deepcopy(layer)
    factors = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    scaled.scale_(factors)
    x = mixed(4, 10, 2, 2)
    torch.testing.assert_close(scaled(x), layer(x) * factors.view(-1, 1, 1))


@pytest.mark.parametrize("kind", BOTH)
def test_frozen_with_other_norms(kind: Any) -> None:
    network = nn.Sequential(kind(find_algebra("quaternion"), CHANNELS))
    set_training_mode(network, freeze_batchnorm=True)
    x, before = mixed(4, 10, 2, 2).float(), {k: v.clone() for k, v in network.state_dict().items()}
    network(x)
    assert any(isinstance(module, _BatchNorm) for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_state_of_a_whitening_norm_fits_another() -> None:
    first, second = (WhiteningBatchNorm(find_algebra("quaternion"), CHANNELS) for _ in range(2))
    x = mixed(4, 10, 2, 2).float()
    first(x)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second.eval()(x), first.eval()(x), rtol=0, atol=0)
    assert sum(p.numel() for p in first.parameters()) == CHANNELS * (10 + 4)
    assert all(p.ndim == 1 for p in first.parameters())


def test_the_map_of_evaluation() -> None:
    layer = WhiteningBatchNorm(find_algebra("complex"), CHANNELS).double()
    x = mixed(2, 10)
    layer(x)
    matrix, shift = layer.eval().affine_map()
    expected = torch.einsum("cnm,bmc->bnc", matrix, x.unflatten(0, (-1, 2))) + shift.T
    torch.testing.assert_close(layer(x), expected.flatten(0, 1))


def test_the_inverse_root_is_that_of_choleskys_factor() -> None:
    root = torch.randn(5, 4, 4, dtype=torch.float64)
    covariance = root @ root.mT
    expected = torch.linalg.inv(torch.linalg.cholesky(covariance))
    torch.testing.assert_close(inverse_root(covariance, 0.0), expected, rtol=1e-6, atol=1e-6)
