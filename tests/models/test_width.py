import pytest
import timm
import torch
import torchvision
from torch import nn
from torchvision.models import DenseNet, ShuffleNetV2

from vernier.errors import ModelError
from vernier.models.width import divide_width

TIMM = {
    "resnet18": 2,
    "seresnet18": 3,
    "mobilenetv2_100": 1.5,
    "mobilenetv3_large_100": 3,
    "efficientnet_b0": 2,
    "tf_efficientnetv2_b0": 3,
    "regnetx_002": 3,
    "regnety_002": 1.5,
    "densenet121": 3,
    "convnext_atto": 3,
    "mnasnet_small": 1.5,
    "ghostnet_100": 3,
    "repvgg_a0": 2,
    "mixnet_s": 3,
    "skresnet18": 1.5,
    "resnest14d": 3,
}
TORCHVISION = {
    "alexnet": 3,
    "squeezenet1_1": 1.5,
    "googlenet": 3,
    "inception_v3": 2,
    "mobilenet_v2": 3,
    "mobilenet_v3_small": 2,
    "shufflenet_v2_x1_0": 3,
    "mnasnet1_0": 2,
    "resnet18": 1.5,
    "regnet_y_400mf": 3,
    "convnext_tiny": 2,
}
LARGE_TIMM = (
    *("resnet50", "resnext50_32x4d", "vgg11_bn", "dla34", "dpn68", "xception41", "res2net50_26w_4s", "resnetv2_50"),
    *("cspresnet50", "hrnet_w18_small", "vovnet39a", "dm_nfnet_f0", "nf_regnet_b0", "poolformer_s12"),
    *("inception_next_tiny", "fasternet_t0", "convnextv2_atto"),
)
LARGE_TORCHVISION = ("vgg11", "densenet121", "efficientnet_b0", "wide_resnet50_2")
DEFAULT = [("timm", *entry) for entry in TIMM.items()] + [("torchvision", *entry) for entry in TORCHVISION.items()]
ALL = [
    (provider, name, divisor)
    for provider, names in (("timm", [*TIMM, *LARGE_TIMM]), ("torchvision", [*TORCHVISION, *LARGE_TORCHVISION]))
    for name in names
    for divisor in (1.5, 2, 3)
]
SIDES = {"alexnet": 64, "inception_v3": 75, "squeezenet1_1": 48, "resnest14d": 64}


def build(provider: str, name: str, channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    if provider == "timm":
        return timm.create_model(name, num_classes=10, in_chans=channels)
    arguments = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, num_classes=10, **arguments)


def picture(name: str = "", batch: int = 1, channels: int = 3) -> torch.Tensor:
    side = SIDES.get(name, 32)
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(1))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def output_variance(module: nn.Module, images: torch.Tensor) -> float:
    """Of a network in training mode, where BatchNorm normalises, without what drops at random."""
    module.train()
    for child in module.modules():
        if isinstance(child, nn.Dropout):
            child.p = 0.0
    with torch.no_grad():
        return module(images).var().item()


def check_division(provider: str, name: str, divisor: float) -> None:
    module, images = build(provider, name), picture(name, batch=3)
    parameters, variance = count(module), output_variance(module, images)
    divide_width(module, divisor, images[:1])
    assert 0.75 / divisor**2 < count(module) / parameters < 1.3 / divisor**2
    assert 0.1 < output_variance(module, images) / variance < 10
    with torch.no_grad():
        assert module.eval()(images).shape == (3, 10)
    module.train()(images[:2]).square().mean().backward()
    assert [key for key, parameter in module.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(("provider", "name", "divisor"), DEFAULT)
def test_a_divided_network_runs_trains_and_keeps_its_scale(provider, name, divisor):
    check_division(provider, name, divisor)


@pytest.mark.slow
@pytest.mark.parametrize(("provider", "name", "divisor"), ALL)
def test_every_network_is_divided_by_every_divisor(provider, name, divisor):
    check_division(provider, name, divisor)


def halves() -> list:
    return [
        (lambda: torchvision.models.densenet121(), lambda: DenseNet(16, (6, 12, 24, 16), 32)),
        (
            lambda: torchvision.models.shufflenet_v2_x1_0(),
            lambda: ShuffleNetV2([4, 8, 4], [12, 58, 116, 232, 512]),
        ),
        (
            lambda: timm.create_model("convnext_atto", num_classes=1000),
            lambda: timm.create_model("convnext_atto", num_classes=1000, dims=(20, 40, 80, 160)),
        ),
        (
            lambda: timm.create_model("resnetv2_50", num_classes=1000),
            lambda: timm.create_model("resnetv2_50", num_classes=1000, channels=(128, 256, 512, 1024), stem_chs=32),
        ),
    ]


@pytest.mark.parametrize(("whole", "half"), halves(), ids=["densenet", "shufflenet", "convnext", "resnetv2"])
def test_half_a_network_is_what_its_authors_build_with_half_the_channels(whole, half):
    module = whole()
    divide_width(module, 2, picture())
    with torch.device("meta"):
        assert shapes(module) == shapes(half())


def test_counts_follow_the_weights():
    module = build("timm", "resnetv2_50")
    divide_width(module, 3, picture())
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            assert child.weight.shape[:2] == (child.out_channels, child.in_channels // child.groups)
        if isinstance(child, nn.BatchNorm2d):
            assert child.num_features == len(child.weight) == len(child.running_mean)
    with torch.no_grad():
        features = module.eval().forward_features(picture())
    assert module.num_features == module.head_hidden_size == features.shape[1] == 2048 // 3
    assert [stage["num_chs"] for stage in module.feature_info] == [21, 85, 170, 341, 682]


def test_divisor_one_changes_nothing():
    module = build("torchvision", "resnet18")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    pointers = [parameter.data_ptr() for parameter in module.parameters()]
    divide_width(module, 1, picture())
    assert pointers == [parameter.data_ptr() for parameter in module.parameters()]
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    "name", ["resnet18", "regnety_002", "mobilenetv3_large_100", "densenet121", "convnext_atto", "ghostnet_100"]
)
def test_no_layer_is_narrower_than_one_channel(name):
    module = build("timm", name)
    divide_width(module, 1000, picture())
    outputs = {c.out_channels for c in module.modules() if isinstance(c, nn.Conv2d)}
    assert min(outputs) == 1
    assert max(outputs) < 100
    with torch.no_grad():
        assert module.eval()(picture(batch=2)).shape == (2, 10)


@pytest.mark.parametrize("channels", [1, 4])
def test_the_stem_keeps_the_images_channels_and_the_size_is_free(channels):
    module = build("timm", "regnety_002", channels)
    image = torch.rand(1, channels, 45, 70)
    divide_width(module, 2, image)
    assert module.stem.conv.in_channels == channels
    assert module.stem.conv.out_channels == 16
    assert module(torch.rand(2, channels, 45, 70)).shape == (2, 10)


def test_classes_modes_memory_format_and_generator_stay():
    module = build("timm", "tf_efficientnetv2_b0").to(memory_format=torch.channels_last)
    module.blocks[0].eval()
    classes = {name: type(child) for name, child in module.named_modules()}
    modes = {name: child.training for name, child in module.named_modules()}
    biases = {name: child.bias is None for name, child in module.named_modules() if isinstance(child, nn.Conv2d)}
    state = torch.get_rng_state()
    divide_width(module, 2, picture())
    assert torch.equal(state, torch.get_rng_state())
    assert {name: type(child) for name, child in module.named_modules()} == classes
    assert {name: child.training for name, child in module.named_modules()} == modes
    assert {n: c.bias is None for n, c in module.named_modules() if isinstance(c, nn.Conv2d)} == biases
    assert module.conv_head.weight.is_contiguous(memory_format=torch.channels_last)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())


def test_weights_keep_their_scheme():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 512, 3), nn.Conv2d(512, 512, 3), nn.Flatten(), nn.Linear(512 * 4, 10))
    nn.init.kaiming_normal_(module[1].weight, nonlinearity="relu")
    nn.init.zeros_(module[1].bias)
    divide_width(module, 4, torch.rand(1, 3, 6, 6))
    assert module[0].weight.std().item() == pytest.approx((1 / 3 / 27) ** 0.5, rel=0.05)
    assert module[1].weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert module[3].weight.std().item() == pytest.approx((1 / 3 / 512) ** 0.5, rel=0.05)
    assert module[3].bias.abs().max() < 512**-0.5
    assert torch.equal(module[1].bias, torch.zeros(128))


def test_zero_initialised_scales_stay():
    module = torchvision.models.ResNet(
        torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=10, zero_init_residual=True
    )
    divide_width(module, 2, picture())
    assert torch.equal(module.layer2[0].bn2.weight, torch.zeros(64))
    assert torch.equal(module.layer2[0].bn1.weight, torch.ones(64))


@pytest.mark.parametrize(
    ("provider", "name", "layer"),
    [
        ("timm", "vit_tiny_patch16_224", r"blocks\.0\.attn \(Attention\)"),
        ("torchvision", "swin_t", r"features\.1\.0\.attn \(ShiftedWindowAttention\)"),
        ("torchvision", "vit_b_32", r"encoder_layer_0 \(EncoderBlock\)"),
    ],
)
def test_attention_is_refused_by_name(provider, name, layer):
    with torch.device("meta"):
        module = build(provider, name)
    with pytest.raises(ModelError, match=rf"model\.width_divisor=2: .*{layer}.* choose a convolutional network"):
        divide_width(module, 2, torch.rand(1, 3, 224, 224))


def test_an_image_that_does_not_fit_is_named():
    with pytest.raises(ModelError, match=r"features\.\d+ \(MaxPool2d\) can't take the image"):
        divide_width(build("torchvision", "alexnet"), 2, torch.rand(1, 3, 8, 8))
