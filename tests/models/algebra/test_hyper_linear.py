"""Layers over numbers against sums of signed partial products, torch's complex layers, and the rules of numbers."""

import copy
import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vernier.models.algebra.layout import from_blocks, to_blocks
from vernier.models.algebra.linear import HyperConv2d, HyperConvTranspose2d, HyperLinear
from vernier.models.algebra.structure import Algebra, find_algebra

NAMES = ("real", "complex", "quaternion", "Cl(3,0)", "Cl(2,0,1)", "Cl+(3,0)")
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def numbers(algebra: Algebra, batch: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch * algebra.size, *shape, dtype=dtype)


def with_bias(layer: Any) -> Any:
    nn.init.normal_(layer.bias)
    return layer.double()


def by_partial_products(layer: Any, x: Tensor, apply: Any) -> Tensor:
    """Sum over i and j of sign x_i * W_j for blade k, blade by blade."""
    algebra, size = layer.algebra, layer.algebra.size
    rows = len(layer.weight) // size
    parts: list[Any] = [0] * size
    for i, j in itertools.product(range(size), repeat=2):
        k, sign = algebra.table[i][j]
        parts[k] = parts[k] + sign * apply(x[i::size], layer.weight[j * rows : (j + 1) * rows])
    y = torch.stack(parts, dim=1)
    if layer.bias is not None:
        channels = 2 if isinstance(layer, HyperConv2d | HyperConvTranspose2d) else y.ndim - 1
        bias = layer.bias.view(size, -1)
        y = y + bias.view(1, size, *[-1 if d == channels else 1 for d in range(2, y.ndim)])
    return y.flatten(0, 1)


CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride": {"stride": 2, "padding": 1},
    "sides": {"kernel_size": (3, 1), "stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)},
    "grouped": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "out_channels": 8},
    "no bias": {"bias": False},
    "same": {"padding": "same", "kernel_size": (2, 3), "dilation": (2, 1)},
    "valid": {"padding": "valid"},
}


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_convolution_is_the_sum_of_signed_products(name: str, case: str, memory: str) -> None:
    algebra = find_algebra(name)
    options = {"out_channels": 6, "kernel_size": 3} | CONVOLUTIONS[case]
    layer = HyperConv2d(algebra, 4, **options).double()
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    x = numbers(algebra, 3, 4, 8, 7).contiguous(memory_format=FORMATS[memory])
    expected = by_partial_products(
        layer, x, lambda x, w: F.conv2d(x, w, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    )
    layer.to(memory_format=FORMATS[memory])
    y = layer(x)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    assert y.is_contiguous(memory_format=FORMATS[memory])
    torch.testing.assert_close(layer.float()(x.float()), expected.float(), rtol=1e-5, atol=1e-5)


TRANSPOSED: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride": {"stride": 2, "padding": 1, "output_padding": 1},
    "sides": {"kernel_size": (3, 2), "stride": (1, 3), "padding": (1, 0), "dilation": (2, 1)},
    "grouped": {"groups": 2},
    "depthwise": {"groups": 4, "out_channels": 8},
}


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize("case", TRANSPOSED)
@pytest.mark.parametrize("name", NAMES)
def test_transposed_convolution_is_the_sum_of_signed_products(name: str, case: str, memory: str) -> None:
    algebra = find_algebra(name)
    options = {"out_channels": 6, "kernel_size": 3} | TRANSPOSED[case]
    layer = with_bias(HyperConvTranspose2d(algebra, 4, **options))
    x = numbers(algebra, 3, 4, 5, 6).contiguous(memory_format=FORMATS[memory])

    def apply(x: Tensor, w: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x, w, None, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
        )

    y = layer.to(memory_format=FORMATS[memory])(x)
    torch.testing.assert_close(y, by_partial_products(layer, x, apply), rtol=1e-12, atol=1e-12)
    assert y.is_contiguous(memory_format=FORMATS[memory])


@pytest.mark.parametrize("shape", [(5,), (7, 5), (2, 3, 5)])
@pytest.mark.parametrize("name", NAMES)
def test_linear_is_the_sum_of_signed_products(name: str, shape: tuple[int, ...]) -> None:
    algebra = find_algebra(name)
    layer = with_bias(HyperLinear(algebra, 5, 3))
    x = numbers(algebra, 4, *shape)
    torch.testing.assert_close(layer(x), by_partial_products(layer, x, F.linear), rtol=1e-12, atol=1e-12)


def as_complex(x: Tensor, dim: int = 0) -> Tensor:
    """Rows 2b and 2b + 1 are the parts of row b."""
    real, imaginary = x.unflatten(dim, (-1, 2)).unbind(dim + 1)
    return torch.complex(real.contiguous(), imaginary.contiguous())


def complex_parameter(parameter: Tensor) -> Tensor:
    return torch.complex(*parameter.detach().chunk(2))


def test_complex_convolution_is_torchs() -> None:
    layer = with_bias(HyperConv2d(find_algebra("complex"), 3, 5, 3, padding=1, stride=2))
    x = numbers(layer.algebra, 4, 3, 9, 9)
    weight, bias = complex_parameter(layer.weight), complex_parameter(layer.bias)
    expected = F.conv2d(as_complex(x), weight, bias, stride=2, padding=1)
    torch.testing.assert_close(as_complex(layer(x)), expected, rtol=1e-12, atol=1e-12)


def test_complex_linear_is_a_complex_product() -> None:
    layer = with_bias(HyperLinear(find_algebra("complex"), 6, 4))
    x = numbers(layer.algebra, 5, 6)
    expected = as_complex(x) @ complex_parameter(layer.weight).T + complex_parameter(layer.bias)
    torch.testing.assert_close(as_complex(layer(x)), expected, rtol=1e-12, atol=1e-12)


def test_moduli_of_quaternions_multiply() -> None:
    layer = HyperConv2d(find_algebra("quaternion"), 1, 1, 1, bias=False).double()
    x = numbers(layer.algebra, 6, 1, 3, 3)
    y = layer(x)
    moduli = x.unflatten(0, (-1, 4)).norm(dim=1) * layer.weight.norm()
    torch.testing.assert_close(y.unflatten(0, (-1, 4)).norm(dim=1), moduli, rtol=1e-12, atol=0)


def test_the_weight_is_on_the_right() -> None:
    """i * j = k, and not j * i = -k."""
    layer = HyperLinear(find_algebra("quaternion"), 1, 1, bias=False)
    one = torch.eye(4)
    with torch.no_grad():
        layer.weight.copy_(one[2][:, None])
    torch.testing.assert_close(layer(one[1][:, None])[:, 0], one[3])


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (2, 1), "same", "valid"])
def test_other_borders_are_the_real_convolutions(mode: Any, padding: Any) -> None:
    layer = HyperConv2d(find_algebra("real"), 3, 4, (3, 4), padding=padding, padding_mode=mode)
    real = nn.Conv2d(3, 4, (3, 4), padding=padding, padding_mode=mode)
    with torch.no_grad():
        real.weight.copy_(layer.weight)
        nn.init.zeros_(real.bias)
    x = torch.randn(2, 3, 8, 9)
    torch.testing.assert_close(layer(x), real(x))


def layers(name: str = "quaternion") -> list[nn.Module]:
    algebra = find_algebra(name)
    return [
        HyperConv2d(algebra, 4, 6, 3, stride=2, padding=1, groups=2),
        HyperConvTranspose2d(algebra, 4, 6, 3, stride=2, padding=1, groups=2, output_padding=1),
        HyperLinear(algebra, 4, 6),
    ]


def example(layer: Any) -> Tensor:
    shape = (4,) if isinstance(layer, HyperLinear) else (4, 6, 5)
    return torch.randn(2 * layer.algebra.size, *shape)


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: type(layer).__name__)
def test_a_real_layer_does_the_same(layer: Any) -> None:
    nn.init.normal_(layer.bias)
    real, x = layer.to_real(), example(layer)
    if isinstance(layer, HyperLinear):
        y = real(x.view(2, -1)).view(2 * 4, -1)
    else:
        y = from_blocks(real(to_blocks(x, 4, 2)), 4, 2)
    torch.testing.assert_close(y, layer(x))
    assert type(real) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    real.weight.data.zero_()
    assert layer.weight.any()


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: type(layer).__name__)
def test_a_real_layer_without_bias(layer: Any) -> None:
    layer.bias = None
    assert layer.to_real().bias is None


def test_blades_on_the_channels_for_one_group_cost_nothing() -> None:
    x = torch.randn(8, 3, 4, 5)
    blocks = to_blocks(x, 4)
    assert blocks.data_ptr() == x.data_ptr()
    assert from_blocks(blocks, 4).data_ptr() == x.data_ptr()
    torch.testing.assert_close(blocks, x.view(2, 12, 4, 5), rtol=0, atol=0)


@pytest.mark.parametrize("memory", FORMATS)
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_the_layout_is_as_documented_and_undone(groups: int, memory: str) -> None:
    x = torch.randn(8, 6, 4, 5, dtype=torch.float64, requires_grad=True)
    last = x.contiguous(memory_format=FORMATS[memory])
    blocks = to_blocks(last, 4, groups)
    width = 6 // groups
    for g, n, c in itertools.product(range(groups), range(4), range(width)):
        channel = blocks[1, g * 4 * width + n * width + c]
        assert torch.equal(channel, x[4 + n, g * width + c])
    assert blocks.is_contiguous(memory_format=FORMATS[memory])
    assert torch.equal(from_blocks(blocks, 4, groups), x)
    gradient = torch.randn_like(x)
    blocks.backward(to_blocks(gradient, 4, groups))
    assert torch.equal(x.grad, gradient)
    y = blocks.detach().requires_grad_()
    from_blocks(y, 4, groups).backward(gradient)
    assert torch.equal(y.grad, to_blocks(gradient, 4, groups))
    assert y.grad.is_contiguous(memory_format=FORMATS[memory])


@pytest.mark.parametrize("memory", FORMATS)
def test_gradients(memory: str) -> None:
    layer = with_bias(HyperConv2d(find_algebra("quaternion"), 2, 2, 2, groups=2))
    x = numbers(layer.algebra, 1, 2, 3, 3).contiguous(memory_format=FORMATS[memory]).requires_grad_()

    def apply(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(apply, (x, layer.weight, layer.bias))


@pytest.mark.parametrize("layer", layers(), ids=lambda layer: type(layer).__name__)
def test_bf16_under_autocast(layer: Any) -> None:
    x = example(layer)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=0.05, atol=0.1)
    y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    exact = torch.autograd.grad(layer(x).sum(), layer.weight)[0]
    torch.testing.assert_close(layer.weight.grad, exact, rtol=0.05, atol=0.5)


def kept_layer() -> tuple[HyperLinear, Tensor]:
    layer = HyperLinear(find_algebra("quaternion"), 3, 2, bias=False).eval()
    x = torch.randn(4, 3)
    with torch.no_grad():
        layer(x)
        assert layer.real_weight() is layer.real_weight()
    return layer, x


def step(layer: HyperLinear) -> None:
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    layer(torch.ones(4, 3)).sum().backward()
    optimizer.step()


CHANGES = {
    "optimizer": step,
    "load": lambda layer: layer.load_state_dict({"weight": torch.ones(8, 3)}),
    "assign": lambda layer: layer.load_state_dict({"weight": torch.ones(8, 3)}, assign=True),
    "in place": lambda layer: layer.weight.detach().mul_(2),
    "data": lambda layer: setattr(layer.weight, "data", layer.weight.data * 2),
    "parameter": lambda layer: setattr(layer, "weight", nn.Parameter(layer.weight.detach() * 2)),
    "unnoticed": lambda layer: (layer.train(), layer.weight.data.mul_(2), layer.eval()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_kept_weight_follows_the_parameter(change: str) -> None:
    layer, x = kept_layer()
    before = layer.real_weight().detach().clone()
    CHANGES[change](layer)
    expected = by_partial_products(layer, x, F.linear)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected)
        assert not torch.equal(layer.real_weight(), before)


def test_the_kept_weight_follows_type_copies_and_pickles() -> None:
    layer, x = kept_layer()
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.mul_(3)
        torch.testing.assert_close(twin(x), 3 * layer(x))
        assert layer.double()(x.double()).dtype == torch.float64
    assert list(layer.state_dict()) == ["weight"]


def test_the_kept_weight_is_for_evaluation_without_gradients() -> None:
    layer, x = kept_layer()
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    with torch.inference_mode():
        y = layer(x)
    torch.testing.assert_close(y, layer(x).detach())


def test_parameters_are_n_times_a_real_layers() -> None:
    for layer in layers("Cl(3,0)"):
        real = layer.to_real()
        assert 8 * layer.weight.numel() == real.weight.numel()
        assert layer.bias.numel() == real.bias.numel()
        assert layer.weight.ndim == real.weight.ndim
        assert layer.bias.ndim == 1
