"""Cross-layer equalisation, ReLU6, and high biases."""

import pytest
import torch
from torch import Tensor, nn

from vernier.config.model import ModelConfig
from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.equalize import equalize
from vernier.deploy.quantize.fake_quant import insert_fake_quant, take_out_fake_quant
from vernier.deploy.quantize.fold import Spread, fold_batchnorm
from vernier.deploy.quantize.high_bias import absorb_high_biases
from vernier.deploy.quantize.pairs import find_pairs
from vernier.deploy.quantize.prepare import prepare_network
from vernier.deploy.quantize.relative_change import train_changes
from vernier.deploy.quantize.relu6 import replace_relu6
from vernier.deploy.quantize.tracing import layers, trace_network
from vernier.models.prefix import UNTRACEABLE
from vernier.models.providers import build_model, make_architecture
from vernier.models.settle import settle_model


def images(count: int = 4, size: int = 10) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def uneven(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64, its output channels of very different sizes, its BatchNorm with statistics."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            sizes = torch.exp(torch.randn(len(layer.weight), generator=generator))
            layer.weight.data.normal_(0, 0.3, generator=generator)
            layer.weight.data.mul_(sizes.view(-1, *[1] * (layer.weight.ndim - 1)))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.5, generator=generator)
            layer.running_var.uniform_(0.01, 3, generator=generator)
            layer.bias.data.normal_(0, 0.5, generator=generator)
    return module.double().eval()


class Inverted(nn.Module):
    """Expand, depthwise, project, as in MobileNetV2, around which the input goes on."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.expand = nn.Sequential(nn.Conv2d(4, 12, 1, bias=False), nn.BatchNorm2d(12), activation())
        self.depthwise = nn.Sequential(
            nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12), activation()
        )
        self.project = nn.Sequential(nn.Conv2d(12, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten(), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(x + self.project(self.depthwise(self.expand(x))))


def ranges(pair: object) -> tuple[Tensor, Tensor]:
    first = pair.first.weight.flatten(1).abs().amax(1)
    return first, pair.incoming.abs().amax((1, 3)).flatten()


def test_outputs_stay_and_ranges_agree() -> None:
    module = uneven(Inverted(nn.ReLU))
    network = trace_network(module)
    fold_batchnorm(network)
    scales = equalize(network, images())
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-9)
    assert set(scales) == {"expand_0", "depthwise_0"}
    for pair in find_pairs(network):
        first, second = ranges(pair)
        torch.testing.assert_close(first, second, rtol=5e-3, atol=0)


def test_scale_of_a_pair_is_the_papers() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1)).double()
    module[0].weight.data = torch.tensor([[8.0, -2, 1], [0.5, 0.25, 0]]).double().view(2, 3, 1, 1)
    module[2].weight.data = torch.tensor([[2.0, -8]]).double().view(1, 2, 1, 1)
    network = trace_network(module)
    scales = equalize(network, images())
    # sqrt(8 * 2) / 2 and sqrt(0.5 * 8) / 8
    torch.testing.assert_close(scales["_0"], torch.tensor([2.0, 0.25]).double())


def test_channels_of_a_flattened_map_and_groups() -> None:
    module = uneven(
        nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Conv2d(8, 6, 3, groups=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(6 * 9, 4),
        )
    )  # fmt: skip
    network = trace_network(module)
    assert len(equalize(network, images())) == 2
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-9)
    for pair in find_pairs(network):
        first, second = ranges(pair)
        torch.testing.assert_close(first, second, rtol=5e-3, atol=0)


def test_what_is_left_of_a_dead_channel_does_not_grow() -> None:
    module = uneven(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    module[0].weight.data[2] *= 1e-9
    scales = equalize(trace_network(module), images())["_0"]
    assert float(scales[2]) == 1
    assert ((scales - 1).abs() > 0.01).sum() == 3


def test_sigmoid_and_shared_layers_are_not_crossed() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.twice, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.sigmoid(self.twice(torch.relu(self.twice(torch.relu(self.first(x)))))))

    assert find_pairs(trace_network(uneven(Shared()))) == ()


def test_relu6_keeps_channels_that_it_cuts_and_lets_others_grow_to_six() -> None:
    module = uneven(Inverted(nn.ReLU6))
    module.expand[1].bias.data[:3] += 6
    network = trace_network(module)
    fold_batchnorm(network)
    scales = equalize(network, images())
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(scales["expand_0"][:3], torch.ones(3).double())
    assert ((scales["expand_0"] - 1).abs() > 0.1).any()


def test_relu6_goes_where_layers_are_equalised() -> None:
    network = trace_network(uneven(Inverted(nn.ReLU6)))
    fold_batchnorm(network)
    assert replace_relu6(network) == 2
    assert not any(isinstance(part, nn.ReLU6) for part in network.modules())
    alone = trace_network(uneven(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU6(), nn.Sigmoid())))
    assert replace_relu6(alone) == 0


def test_high_biases_move_on() -> None:
    """Exact where the outputs never fall below c."""
    module = uneven(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 2, 3)))
    module[0].bias.data += 200
    network = trace_network(module)
    spread = Spread(torch.tensor([190.0, 1, 0, -5]).double(), torch.tensor([2.0, 1, 1, 1]).double())
    assert absorb_high_biases(network, {"_0": spread}) == 1
    first, _ = layers(network).values()
    torch.testing.assert_close(first.bias, module[0].bias - torch.tensor([184.0, 0, 0, 0]).double())
    torch.testing.assert_close(network(images()), module(images()), rtol=1e-9, atol=1e-9)


def test_relu6_that_matters_stays() -> None:
    torch.manual_seed(0)
    settings = QuantizeConfig(granularity="per_tensor")
    x = (0.1 * images()).float()
    for shift, word in ((-1.0, "in place of"), (8.0, "stays")):
        module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.Conv2d(4, 3, 1)).eval()
        module[0].bias.data += shift * torch.arange(4) / 3
        prepared = prepare_network(module, lambda: iter([x.numpy()]), settings)
        assert any(word in note for note in prepared.notes), prepared.notes
        torch.testing.assert_close(prepared.module(x), module(x), rtol=0.05, atol=0.05)


NETWORKS = [
    ({"name": "digits_cnn"}, 8),
    *(({"name": name}, 32) for name in ("resnet18", "ResNet18", "ResNet20CIFAR", "SqueezeNet", "TinyDarknet")),
    *(({"name": name}, 64) for name in ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "NASNetMobile", "VGG16")),
    ({"name": "mobilenet", "version": "v1", "alpha": 0.5}, 64),
    ({"name": "fdmobilenet", "alpha": 0.25}, 64),
    ({"name": "st_efficientnet_lc", "version": "v1"}, 64),
    *(({"name": name}, 64) for name in ("mobilenetv3_small_050", "efficientnet_b0", "mobilevit_xxs", "convnext_atto")),
    *(({"name": name}, 64) for name in ("regnetx_002", "repvgg_a0", "ghostnet_050", "mobilenetv4_conv_small_050")),
    *(({"name": n, "provider": "torchvision"}, 64) for n in ("shufflenet_v2_x0_5", "regnet_y_400mf", "densenet121")),
    ({"name": "vit_tiny_patch16_224"}, 224),
    ({"name": "resnet20_cifar", "width_divisor": 2, "algebra": {"name": "quaternion"}}, 16),
    ({"name": "resnet18", "head": [{"name": "batchnorm"}, {"name": "linear", "features": 8}]}, 32),
]


def with_statistics(model: dict, size: int) -> nn.Module:
    torch.manual_seed(0)
    settled, _ = settle_model(ModelConfig.model_validate(model))
    module = build_model(make_architecture(settled, num_outputs=3, channels=3, input_size=(size, size)))
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.3, 3)
            norm.weight.data.uniform_(0.5, 1.5)
            norm.bias.data.normal_(0, 0.3)
    return module.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "size"), NETWORKS, ids=str)
def test_networks_of_all_kinds_say_the_same(model: dict, size: int) -> None:
    """Prepared, rounded, and with the rounding taken out again."""
    module = with_statistics(model, size)
    x = torch.randn(8, 3, size, size)
    with torch.no_grad():
        wanted = module(x)
        largest = float(wanted.abs().max())
        prepared = prepare_network(module, lambda: iter([x.numpy()]), QuantizeConfig(granularity="per_tensor"))
        replaced = any("in place of ReLU6" in note for note in prepared.notes)
        tolerance = 0.05 if replaced else 1e-4
        torch.testing.assert_close(prepared.module(x), wanted, rtol=0, atol=tolerance * largest)
    try:
        network = trace_network(module)
    except UNTRACEABLE:
        assert "can't trace" in prepared.notes[0]
        return
    train_changes(network)
    insert_fake_quant(network, "per_channel")
    rounded = network(x)
    rounded.sum().backward()
    torch.testing.assert_close(rounded.detach(), wanted, rtol=0, atol=0.3 * largest)
    take_out_fake_quant(network)
    torch.testing.assert_close(network(x).detach(), wanted, rtol=0, atol=1e-4 * largest)
