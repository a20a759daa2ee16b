import pytest
import torch
from torch import nn

from vernier.config.algebra import AlgebraConfig
from vernier.models.algebra.convert import convert
from vernier.models.algebra.fold import fold
from vernier.models.algebra.layout import HyperLayer

IMAGES = torch.randn(3, 3, 10, 10, generator=torch.Generator().manual_seed(2))


def every_layer() -> nn.Sequential:
    shared = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=4, padding="same"),
        shared,
        nn.ReLU(),
        shared,
        nn.Conv2d(8, 8, 3, groups=8, dilation=2, padding=2),
        nn.ConvTranspose2d(8, 6, 2, stride=2, groups=2),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.BatchNorm1d(6),
        nn.Linear(6, 5),
    )


def converted(network: nn.Module, **algebra) -> nn.Module:
    """With statistics of its own, in eval mode."""
    torch.manual_seed(0)
    hyper = convert(network, AlgebraConfig(**algebra), IMAGES[:1]).train()
    with torch.no_grad():
        for parameter in hyper.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(3):
            hyper(torch.randn(8, 3, 10, 10) * 2 + 1)
    return hyper.eval()


SETTINGS = [
    {"name": "quaternion", "batchnorm": "blade"},
    {"name": "quaternion", "batchnorm": "whitening", "input": "learned", "output": "norm"},
    {"name": "complex", "batchnorm": "whitening"},
    {"name": "Cl(2,0,1)", "output": "concat", "points": ("beginning", "end_before_dense")},
    {"name": "quaternion", "points": ("end_before_dense", "end_after_dense")},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_outputs_are_equal_and_no_layer_of_numbers_is_left(settings, memory_format):
    network = converted(every_layer(), **settings)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = fold(network.train()).to(memory_format=memory_format)
    assert not folded.training
    assert not any(isinstance(child, HyperLayer) for child in folded.modules())
    images = IMAGES.contiguous(memory_format=memory_format)
    with torch.no_grad():
        expected = network.eval()(images)
        torch.testing.assert_close(folded(images), expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_layer_used_twice_is_folded_once():
    folded = fold(converted(every_layer(), name="quaternion"))
    assert folded.network[4] is folded.network[6]


def test_a_real_network_is_only_copied():
    network = every_layer().eval()
    folded = fold(network)
    assert folded is not network
    assert torch.equal(folded(IMAGES), network(IMAGES))


@pytest.mark.parametrize("settings", SETTINGS[:2], ids=str)
def test_it_can_be_exported_for_batches_of_any_size(settings):
    network = converted(every_layer(), **settings)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(fold(network), (IMAGES,), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        for count in (1, 3, 7):
            images = torch.randn(count, 3, 10, 10)
            torch.testing.assert_close(program.module()(images), network(images), rtol=1e-4, atol=1e-5)
