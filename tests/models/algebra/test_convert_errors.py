import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from vernier.config.algebra import AlgebraConfig
from vernier.errors import ModelError
from vernier.models.algebra.convert import convert

SIZE = 32


def quaternions(**algebra) -> AlgebraConfig:
    return AlgebraConfig(name="quaternion", **algebra)


def image(channels: int = 3) -> torch.Tensor:
    return torch.zeros(1, channels, SIZE, SIZE)


def small_net(*extra: nn.Module) -> nn.Sequential:
    stem = (nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU())
    return nn.Sequential(*stem, *extra, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


@pytest.mark.parametrize(
    ("algebra", "channels", "message"),
    [
        (AlgebraConfig(name="complex", input="joint"), 3, r"input=joint .* algebra is complex"),
        (AlgebraConfig(name="quaternion", input="grayscale"), 1, r"input=grayscale .* 1 channel"),
        (AlgebraConfig(name="octonion"), 3, r"model\.algebra\.name=octonion"),
        (quaternions(input="joint", points=("end_before_dense", "end_after_dense")), 3, r"basic or learned"),
    ],
)
def test_settings_that_do_not_fit_are_errors(algebra, channels, message):
    network = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ModelError, match=message):
        convert(network, algebra, image(channels))


class OwnParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class Functional(nn.Module):
    """Uses a convolution's weight by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.convolution.weight)


class BatchMean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(dim=0, keepdim=True)


class SpatialAttention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize(
    "extra",
    [
        nn.GroupNorm(2, 6),
        nn.GroupNorm(2, 6, affine=False),
        nn.LayerNorm([6, SIZE, SIZE]),
        nn.InstanceNorm2d(6),
        timm.layers.StdConv2d(6, 6, 1),
        timm.layers.ScaledStdConv2d(6, 6, 1),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 6, 1)),
        OwnParameter(),
        SpatialAttention(),
        nn.SyncBatchNorm(6),
        torchvision.ops.FrozenBatchNorm2d(6),
    ],
    ids=lambda extra: type(extra).__name__,
)
def test_what_can_t_be_converted_is_named(extra):
    with pytest.raises(ModelError, match=rf"has 1 module.*: 3 \({type(extra).__name__}\)"):
        convert(small_net(extra.eval()), quaternions(), image())


def test_only_the_first_ten_are_named():
    with pytest.raises(ModelError, match=r"3 \(GroupNorm\), .*12 \(GroupNorm\) and 2 more\. .*points="):
        convert(small_net(*(nn.GroupNorm(1, 6) for _ in range(12))), quaternions(), image())


def test_a_transformer_names_its_attention_norms_and_embeddings():
    with pytest.raises(ModelError, match=r"the network itself \(VisionTransformer\), .*\(LayerNorm\), .*\(Attention\)"):
        convert(timm.create_model("vit_tiny_patch16_224", img_size=SIZE, depth=1), quaternions(), image())


@pytest.mark.parametrize(
    ("extra", "message"), [(BatchMean(), "mixes the rows"), (Functional(), "its own code can't take images")]
)
def test_code_that_rows_or_new_layers_break_is_an_error(extra, message):
    with pytest.raises(ModelError, match=message):
        convert(small_net(extra), quaternions(), image())
