import pytest
import timm
import torch
import torchvision
from torch import nn

from vernier.deploy.explain.gradcam import grad_cam
from vernier.deploy.explain.target_layer import TargetLayer, find_target_layer, named_target_layer
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.providers import build_model


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def _map_of(network: nn.Module, channels: int, size: tuple[int, int]) -> tuple[TargetLayer, tuple[int, ...]]:
    target = find_target_layer(network.eval(), channels, size)
    values = grad_cam(network, torch.randn(2, channels, *size), target, lambda logits: logits[:, 0])
    return target, values.shape


def _built(provider: str, name: str, size: tuple[int, int], channels: int = 3) -> nn.Module:
    network = build_model(Architecture(provider, name, {}, 4, channels, size))
    # Some heads start at zero, so that nothing depends on anything.
    for parameter in network.parameters():
        if parameter.ndim == 2:
            nn.init.trunc_normal_(parameter, std=0.02)
    return network


@pytest.mark.parametrize(
    ("provider", "name", "size", "channels", "layer", "grid"),
    [
        ("zoo", "digits_cnn", (8, 8), 1, "12", (4, 4)),
        ("torchvision", "shufflenet_v2_x0_5", (64, 96), 3, "conv5", (2, 3)),
        ("timm", "mobilenetv3_small_050", (64, 64), 3, "blocks", (2, 2)),
    ],
)
def test_of_each_provider_the_last_map_is_found(provider, name, size, channels, layer, grid):
    target, shape = _map_of(_built(provider, name, size, channels), channels, size)
    assert (target.name, target.kind, (target.height, target.width)) == (layer, "nchw", grid)
    assert shape == (2, *grid)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "name", "size", "layer", "kind", "grid"),
    [
        ("torchvision", "densenet121", 64, "features", "nchw", 2),
        ("torchvision", "squeezenet1_0", 64, "classifier.2", "nchw", 3),
        ("torchvision", "vgg11", 64, "features", "nchw", 2),
        ("torchvision", "inception_v3", 128, "Mixed_7c", "nchw", 2),
        ("torchvision", "swin_t", 64, "permute", "nchw", 2),
        ("torchvision", "vit_b_16", 224, "encoder.layers.encoder_layer_11.ln_1", "tokens", 14),
        ("timm", "vit_tiny_patch16_224", 224, "blocks.11.norm1", "tokens", 14),
        ("timm", "deit_tiny_distilled_patch16_224", 224, "blocks.11.norm1", "tokens", 14),
        ("timm", "vit_small_patch14_reg4_dinov2", 112, "blocks.11.norm1", "tokens", 8),
        ("timm", "swin_tiny_patch4_window7_224", 224, "norm", "nhwc", 7),
        ("timm", "convnext_atto", 64, "stages", "nchw", 2),
        ("timm", "mixer_s32_224", 224, "norm", "tokens", 7),
        ("timm", "cait_xxs24_224", 224, "blocks_token_only.1.norm1", "tokens", 14),
        ("timm", "tnt_s_legacy_patch16_224", 224, "blocks.11.norm_out", "tokens", 14),
    ],
)
def test_many_networks(provider, name, size, layer, kind, grid):
    target, shape = _map_of(_built(provider, name, (size, size)), 3, (size, size))
    assert (target.name, target.kind) == (layer, kind)
    assert shape == (2, grid, grid)


def _randomised(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_tokens_of_a_vision_transformer(pool):
    network = timm.models.VisionTransformer(
        img_size=(32, 48),
        patch_size=8,
        embed_dim=24,
        depth=2,
        num_heads=3,
        num_classes=4,
        global_pool=pool,
        reg_tokens=2,
    )
    target, shape = _map_of(_randomised(network), 3, (32, 48))
    # A class token leaves the last layer's other tokens without a gradient.
    assert target.name == ("blocks.1.norm1" if pool == "token" else "blocks")
    assert (target.kind, target.prefix, target.height, target.width) == ("tokens", 3, 4, 6)
    assert shape == (2, 4, 6)


def test_tokens_of_torchvisions_transformer():
    network = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=4)
    target, shape = _map_of(_randomised(network), 3, (32, 32))
    assert (target.name, target.prefix) == ("encoder.layers.encoder_layer_1.ln_1", 1)
    assert shape == (2, 4, 4)


def test_maps_with_channels_last():
    network = timm.models.SwinTransformer(
        img_size=64, patch_size=4, embed_dim=16, depths=(1, 1), num_heads=(2, 2), window_size=4, num_classes=4
    )
    target, shape = _map_of(_randomised(network), 3, (64, 64))
    assert (target.name, target.kind) == ("norm", "nhwc")
    assert shape == (2, 8, 8)


def test_outputs_become_maps():
    grid = torch.arange(6.0).view(1, 1, 2, 3).expand(2, 5, 2, 3)
    tokens = torch.cat([torch.full((2, 5, 2), -1.0), grid.flatten(2)], dim=2).transpose(1, 2)
    for kind, values in (("nchw", grid), ("nhwc", grid.permute(0, 2, 3, 1)), ("tokens", tokens)):
        assert torch.equal(TargetLayer("x", kind, 2, 3, 2 if kind == "tokens" else 0).as_map(values, 2), grid)


def test_a_network_without_places():
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ModelError, match="no layer gives a map of more than one place"):
        find_target_layer(network, 3, (4, 4))


class _Unused(nn.Module):
    """Its second map is not used by the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.aside, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.used(x)
        self.aside(x)
        return self.head(x.mean(dim=(2, 3)))


def test_a_map_that_no_logit_depends_on_is_passed_over():
    assert find_target_layer(_Unused().eval(), 3, (12, 12)).name == "used"


def test_a_layer_by_name():
    network = _Unused().eval()
    assert named_target_layer(network, 3, (12, 12), "used") == TargetLayer("used", "nchw", 10, 10)
    with pytest.raises(ModelError, match=r"explain-layer=head: its output is no map.*used"):
        named_target_layer(network, 3, (12, 12), "head")
    with pytest.raises(ModelError, match=r"explain-layer=usd: there is no such layer.*used"):
        named_target_layer(network, 3, (12, 12), "usd")
