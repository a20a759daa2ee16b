"""Folding BatchNorm, and what becomes of dead channels."""

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.dead_channels import silence_dead_channels
from vernier.deploy.quantize.fold import fold_batchnorm
from vernier.deploy.quantize.prepare import prepare_network
from vernier.deploy.quantize.tracing import layers, trace_network

PER_TENSOR = QuantizeConfig(granularity="per_tensor")


def with_statistics(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in eval mode and float64, its BatchNorm with statistics as after a training."""
    generator = torch.Generator().manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.running_mean.normal_(0, 0.5, generator=generator)
            norm.running_var.uniform_(0.2, 3, generator=generator)
            norm.weight.data.uniform_(0.2, 2, generator=generator)
            norm.bias.data.normal_(0, 0.5, generator=generator)
    return module.double().eval()


def images(channels: int = 3, size: int = 12, count: int = 4) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_conv_and_linear_take_batchnorm_in() -> None:
    torch.manual_seed(0)
    module = with_statistics(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=8),
            nn.BatchNorm2d(8, affine=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
            nn.BatchNorm1d(5),
        )
    )
    network = trace_network(module)
    assert len(fold_batchnorm(network)) == 3
    assert not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-12)


def test_batchnorm_whose_input_goes_elsewhere_stays() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return y + self.norm(y)

    module = with_statistics(Branching())
    network = trace_network(module)
    assert fold_batchnorm(network) == {}
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-12, atol=0)


def test_activation_inside_timms_batchnorm_stays() -> None:
    torch.manual_seed(0)
    module = with_statistics(timm.create_model("mobilenetv2_035", num_classes=3, pad_type="same"))
    network = trace_network(module)
    assert len(fold_batchnorm(network)) == 52
    x = images(size=32)
    torch.testing.assert_close(network(x), module(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("beta", [-0.7, 0.8])
def test_dead_channels_lose_their_weights_and_not_their_say(beta: float) -> None:
    torch.manual_seed(0)
    module = with_statistics(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 4, 1), nn.ReLU()
        )
    )
    conv, norm, last = module[0], module[1], module[3]
    conv.weight.data[2], norm.running_mean[2], norm.running_var[2], norm.bias.data[2] = 1e-13, 0, 1e-12, beta
    last.weight.data[:, 2] = 40
    network = trace_network(module)
    spreads = fold_batchnorm(network)
    assert silence_dead_channels(network, spreads, images()) == 1
    first, second = layers(network).values()
    assert not first.weight[2].any()
    assert not second.weight[:, 2].any()
    assert first.weight[[0, 1, 3, 4, 5, 6, 7]].flatten(1).any(1).all()
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-7, atol=1e-9)


def test_constants_do_not_pass_a_padded_convolution() -> None:
    """At its border there is less of them."""
    torch.manual_seed(0)
    module = with_statistics(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    )
    module[0].weight.data[1], module[1].running_mean[1] = 0, module[0].bias.data[1]
    module[1].running_var[1], module[1].bias.data[1] = 1e-12, 1.5
    network = trace_network(module)
    silence_dead_channels(network, fold_batchnorm(network), images())
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-12)


def test_quiet_statistics_alone_do_not_make_a_channel_dead() -> None:
    module = with_statistics(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    module[1].running_var[1] = 1e-12
    network = trace_network(module)
    assert silence_dead_channels(network, fold_batchnorm(network), images()) == 0


def test_prepare_leaves_the_network_alone_unless_asked() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    prepared = prepare_network(module, lambda: iter(()), QuantizeConfig())
    assert prepared.module is module
    assert prepared.notes == ()


def test_prepare_changes_a_copy() -> None:
    torch.manual_seed(0)
    module = with_statistics(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    ).float()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    x = images().float()
    prepared = prepare_network(module, lambda: iter([x.numpy()]), PER_TENSOR)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert prepared.module is not module
    assert "1 layer" in prepared.notes[0]
    torch.testing.assert_close(prepared.module(x), module(x), rtol=0.03, atol=0.03)


def test_a_network_that_cant_be_traced_is_left_as_it_is() -> None:
    class Choosing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    module = Choosing()
    prepared = prepare_network(module, lambda: iter([np.zeros((1, 3, 2, 2), np.float32)]), PER_TENSOR)
    assert prepared.module is module
    assert "can't trace" in prepared.notes[0]
