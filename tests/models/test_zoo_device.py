"""The networks of the STM32 device zoo together: its tables, and what all of them promise."""

from itertools import pairwise

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vernier.models.dropout import fit_dropout
from vernier.models.zoo.fd_mobilenet import fd_mobilenet, st_fd_mobilenet_v1
from vernier.models.zoo.mobilenet_v1 import mobilenet_v1
from vernier.models.zoo.st_custom import st_custom
from vernier.models.zoo.st_efficientnet_lc import st_efficientnet_lc_v1
from vernier.models.zoo.st_mnist import st_mnist
from vernier.models.zoo.st_resnet import st_resnet8, st_resnet20, st_resnet32

TIMM_ALPHAS = {0.35: "035", 0.5: "050", 0.75: "075", 1.0: "100", 1.4: "140"}


def torchvision_mobilenet_v2(num_classes, alpha):
    return torchvision.models.mobilenet_v2(num_classes=num_classes, width_mult=alpha)


def timm_mobilenet_v2(num_classes, alpha):
    return timm.create_model(f"mobilenetv2_{TIMM_ALPHAS[alpha]}", num_classes=num_classes)


def squeezenet(num_classes):
    return torchvision.models.squeezenet1_1(num_classes=num_classes)


MOBILENET_V2 = [
    # alpha, BatchNorm channels, {classes: total}; no classes: without the head
    (0.35, 7_040, {0: 410_208, 5: 416_613, 10: 423_018, 101: 539_589, 1000: 1_691_208}),
    (0.5, 9_272, {0: 706_224, 5: 712_629}),
    (0.75, 13_320, {0: 1_382_064, 5: 1_388_469}),
    (1.0, 17_056, {0: 2_257_984, 5: 2_264_389, 101: 2_387_365, 1000: 3_538_984}),
    (1.3, 22_128, {0: 3_766_048}),
    (1.4, 23_968, {0: 4_363_712, 1000: 6_156_712}),
]
TABLE = [
    (mobilenet_v1, {"alpha": 0.25}, 2_736, {0: 218_544, 5: 219_829, 10: 221_114, 101: 244_501, 1000: 475_544}),
    (mobilenet_v1, {"alpha": 0.5}, 5_472, {0: 829_536, 5: 832_101, 101: 881_349, 1000: 1_342_536}),
    (mobilenet_v1, {"alpha": 0.75}, 8_208, {0: 1_832_976, 5: 1_836_821, 1000: 2_601_976}),
    (mobilenet_v1, {}, 10_944, {0: 3_228_864, 5: 3_233_989, 1000: 4_253_864}),
    (fd_mobilenet, {"alpha": 0.25}, 1_112, {0: 127_528, 5: 128_813, 101: 153_485}),
    (fd_mobilenet, {"alpha": 0.5}, 2_224, {0: 483_664, 5: 486_229}),
    (fd_mobilenet, {"alpha": 0.75}, 3_336, {0: 1_068_408, 5: 1_072_253}),
    (fd_mobilenet, {}, 4_448, {0: 1_881_760, 5: 1_886_885}),
    (st_fd_mobilenet_v1, {}, 1_264, {0: 144_080, 5: 145_365, 101: 170_037}),
    (st_resnet8, {}, 240, {0: 78_016, 10: 78_666, 100: 84_516}),
    (st_resnet20, {}, 688, {0: 273_792, 10: 274_442, 100: 280_292}),
    (st_resnet32, {}, 1_136, {0: 469_568, 10: 470_218, 100: 476_068}),
    (st_mnist, {}, 160, {0: 8_032, 10: 8_682, 36: 10_372}),
    (st_efficientnet_lc_v1, {}, 5_680, {0: 513_268, 5: 516_153, 101: 571_545}),
    (st_custom, {}, 112, {0: 23_920, 1: 23_985, 5: 24_245, 10: 24_570}),
    (squeezenet, {}, 0, {0: 722_496, 5: 725_061, 101: 774_309, 1000: 1_235_496}),
    *((torchvision_mobilenet_v2, {"alpha": alpha}, *row) for alpha, *row in MOBILENET_V2),
    *((timm_mobilenet_v2, {"alpha": alpha}, *row) for alpha, *row in MOBILENET_V2 if alpha in TIMM_ALPHAS),
]
CASES = [
    pytest.param(
        function, arguments, normed, classes, total, id=f"{function.__name__}-{arguments.get('alpha')}-{classes}"
    )
    for function, arguments, normed, totals in TABLE
    for classes, total in totals.items()
]

MINE = [mobilenet_v1, fd_mobilenet, st_fd_mobilenet_v1, st_resnet8, st_mnist, st_efficientnet_lc_v1, st_custom]


def on_meta(function, *arguments, **keywords):
    with torch.device("meta"):
        return function(*arguments, **keywords)


def norms(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]


def trained(module):
    return sum(parameter.numel() for parameter in module.parameters())


def statistics(module):
    return sum(norm.running_mean.numel() + norm.running_var.numel() for norm in norms(module))


@pytest.mark.parametrize(("function", "arguments", "normed", "classes", "total"), CASES)
def test_parameters_are_the_device_zoos(function, arguments, normed, classes, total):
    module = on_meta(function, max(1, classes), **arguments)
    head = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    without = 0 if classes else trained(head)
    assert trained(module) + statistics(module) - without == total
    assert trained(module) - without == total - 2 * normed


@pytest.mark.parametrize(
    ("module", "published"),
    [(lambda: mobilenet_v1(1000), 4_231_976), (lambda: torchvision_mobilenet_v2(1000, 1.0), 3_504_872)],
)
def test_trained_parameters_are_those_that_keras_publishes(module, published):
    assert trained(on_meta(module)) == published


def flash_bytes(module):
    """One byte a weight, four a bias, after every BatchNorm has become part of its convolution."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    folded = sum(norm.num_features for norm in norms(module))
    biases = sum(layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d) and layer.bias is not None)
    with_norm = {id(conv) for conv in convolutions_before_norm(module)}
    already = sum(layer.out_channels for layer in layers if id(layer) in with_norm and layer.bias is not None)
    heads = sum(layer.out_features for layer in layers if isinstance(layer, nn.Linear))
    return sum(layer.weight.numel() for layer in layers) + 4 * (folded + biases - already + heads)


def convolutions_before_norm(module):
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    return [
        first
        for first, second in pairwise(layers)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d)
    ]


@pytest.mark.parametrize(
    ("function", "arguments", "kibibytes"),
    [
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.25}, 214.69),
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.25, "in_channels": 1}, 214.55),
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.5}, 812.61),
        (mobilenet_v1, {"num_classes": 1000, "alpha": 0.25}, 467.33),
        (mobilenet_v1, {"num_classes": 1000, "alpha": 0.5}, 1314.00),
        (mobilenet_v1, {"num_classes": 1000}, 4157.09),
        (torchvision_mobilenet_v2, {"num_classes": 5, "alpha": 0.35}, 406.86),
        (torchvision_mobilenet_v2, {"num_classes": 1000, "alpha": 0.35}, 1654.50),
        (torchvision_mobilenet_v2, {"num_classes": 1000, "alpha": 1.0}, 3458.97),
        (torchvision_mobilenet_v2, {"num_classes": 1000, "alpha": 1.4}, 6015.34),
        (fd_mobilenet, {"num_classes": 5, "alpha": 0.25}, 128.32),
        (st_fd_mobilenet_v1, {"num_classes": 5}, 144.93),
        (squeezenet, {"num_classes": 5}, 716.71),
        (st_resnet8, {"num_classes": 10}, 76.90),
        (st_resnet32, {"num_classes": 100}, 464.38),
        (st_mnist, {"num_classes": 36}, 10.08),
        (st_efficientnet_lc_v1, {"num_classes": 5}, 505.29),
    ],
)
def test_flash_bytes_are_those_published_for_the_devices(function, arguments, kibibytes):
    assert flash_bytes(on_meta(function, **arguments)) / 1024 == pytest.approx(kibibytes, abs=0.01)


@pytest.mark.parametrize(
    ("function", "arguments", "size", "millions"),
    [
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.25}, 224, "40.8"),
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.25}, 96, "7.5"),
        (mobilenet_v1, {"num_classes": 5, "alpha": 0.5}, 224, "149"),
        (mobilenet_v1, {"num_classes": 1000}, 224, "569"),
        (torchvision_mobilenet_v2, {"num_classes": 10, "alpha": 0.35}, 128, "19.0"),
        (torchvision_mobilenet_v2, {"num_classes": 5, "alpha": 0.35}, 224, "58.0"),
        (torchvision_mobilenet_v2, {"num_classes": 1000, "alpha": 1.0}, 224, "301"),
        (fd_mobilenet, {"num_classes": 5, "alpha": 0.25}, 224, "11.8"),
        (fd_mobilenet, {"num_classes": 5, "alpha": 0.25}, 128, "3.85"),
        (st_fd_mobilenet_v1, {"num_classes": 5}, 224, "24.4"),
        (st_fd_mobilenet_v1, {"num_classes": 5}, 128, "7.98"),
        (squeezenet, {"num_classes": 5}, 128, "80.2"),
        (squeezenet, {"num_classes": 5}, 224, "263"),
        (st_resnet8, {"num_classes": 10}, 32, "12.5"),
        (st_resnet20, {"num_classes": 10}, 32, "40.8"),
        (st_resnet32, {"num_classes": 10}, 32, "69.1"),
        (st_mnist, {"num_classes": 36}, 28, "1.08"),
        (st_efficientnet_lc_v1, {"num_classes": 5}, 224, "60.6"),
        (st_efficientnet_lc_v1, {"num_classes": 5}, 128, "19.8"),
    ],
)
def test_multiplications_are_the_device_zoos(function, arguments, size, millions):
    module = on_meta(function, **arguments).eval()
    channels = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d)).in_channels
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, channels, size, size, device="meta"))
    decimals = len(millions.partition(".")[2])
    assert f"{counter.get_total_flops() / 2e6:.{decimals}f}" == millions


@pytest.mark.parametrize("function", MINE)
@pytest.mark.parametrize("size", [(16, 16), (33, 21)])
def test_any_size_and_channel_number(function, size):
    assert function(7, in_channels=2).eval()(torch.zeros(2, 2, *size)).shape == (2, 7)


@pytest.mark.parametrize("function", MINE)
@pytest.mark.parametrize("divisor", [1.5, 4, 10_000])
def test_width_divisor_divides_every_layer_but_images_and_outputs(function, divisor):
    narrow = on_meta(function, 7, in_channels=5, width_divisor=divisor)
    for layer, before in zip(norms(narrow), norms(on_meta(function, 7, in_channels=5)), strict=True):
        divided = max(1, int(before.num_features / divisor))
        expanded = 3 * max(1, int(before.num_features / 3 / divisor))
        assert layer.num_features in ({divided, expanded} if function is st_efficientnet_lc_v1 else {divided})
    assert narrow(torch.empty(2, 5, 32, 32, device="meta")).shape == (2, 7)


@pytest.mark.parametrize("function", MINE)
def test_batchnorm_has_kerass_settings(function):
    assert {(norm.eps, norm.momentum) for norm in norms(on_meta(function, 7))} == {(1e-3, 0.01)}


@pytest.mark.parametrize("function", [function for function in MINE if function is not st_resnet8])
def test_first_weights_are_glorot_uniform(function):
    torch.manual_seed(0)
    for layer in function(7).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            area = layer.weight[0, 0].numel()
            limit = (6 / (area * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert layer.weight.abs().max() <= limit * 1.0001
            assert layer.weight.abs().max() > limit * 0.8
            assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("function", MINE)
def test_dropout_is_the_one_before_the_classifier(function):
    given = function(7, dropout=0.3)
    assert given.dropout.p == 0.3
    fitted = function(7)
    fit_dropout(fitted, 0.4)
    assert fitted.dropout.p == 0.4
    assert [name for name, _ in fitted.named_children()][-2:] == ["dropout", "classifier"]


@pytest.mark.parametrize("function", MINE)
def test_channels_last_runs_through_and_gives_the_same(function):
    module = function(7, in_channels=3).eval()
    images = torch.randn(2, 3, 40, 40)
    expected = module(images)
    module = module.to(memory_format=torch.channels_last)
    kept = []
    for layer in norms(module):
        layer.register_forward_hook(lambda *a: kept.append(a[2].is_contiguous(memory_format=torch.channels_last)))
    torch.testing.assert_close(module(images.contiguous(memory_format=torch.channels_last)), expected)
    assert kept
    assert all(kept)


@pytest.mark.parametrize("function", MINE)
def test_traces_for_any_size(function):
    module = function(7, in_channels=3).eval()
    traced = torch.fx.symbolic_trace(module)
    for size in ((32, 32), (33, 45)):
        images = torch.randn(2, 3, *size)
        torch.testing.assert_close(traced(images), module(images))


@pytest.mark.parametrize(
    "function",
    [
        st_resnet8,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (st_fd_mobilenet_v1, st_mnist, st_efficientnet_lc_v1)),
    ],
)
def test_exports_for_any_batch(function):
    module = function(7, in_channels=3).eval()
    program = torch.export.export(module, (torch.randn(2, 3, 33, 32),), dynamic_shapes=({0: torch.export.Dim("n")},))
    images = torch.randn(5, 3, 33, 32)
    torch.testing.assert_close(program.module()(images), module(images))


@pytest.mark.parametrize("function", MINE)
def test_a_step_lowers_the_loss(function):
    torch.manual_seed(0)
    module = function(4, in_channels=3)
    images, targets = torch.randn(16, 3, 32, 32), torch.arange(16) % 4
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02)
    losses = []
    for _ in range(6):
        loss = F.cross_entropy(module(images), targets)
        optimizer.zero_grad()
        loss.backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
