"""Stems for other images than those that the weights are of."""

import pytest
import timm
import torch
import torchvision
from timm.layers import SpaceToDepth
from timm.models import adapt_input_conv
from torch import nn

from vernier.errors import ModelError
from vernier.models.stem import adapt_stem_weight, describe_stem, fit_stem, redraw_stem, stem_modules

NETWORKS = {
    "resnet10t": lambda: timm.create_model("resnet10t", num_classes=4),
    "torchvision squeezenet1_1": lambda: torchvision.models.squeezenet1_1(num_classes=4),
    "convnext_atto": lambda: timm.create_model("convnext_atto", num_classes=4),
    "vit_tiny": lambda: timm.create_model("vit_tiny_patch16_224", num_classes=4, depth=2, img_size=32),
    "tf_efficientnet with its own padding": lambda: timm.create_model("tf_efficientnet_lite0", num_classes=4),
    "space to depth": lambda: SpaceToDepthNet(),
}


class SpaceToDepthNet(nn.Module):
    """Like TResNet: the first convolution sees 4 x 4 pixels at once."""

    def __init__(self) -> None:
        super().__init__()
        self.fold = SpaceToDepth(4)
        self.conv = nn.Conv2d(48, 8, 3)

    def forward(self, x):
        return self.conv(self.fold(x)).mean((2, 3))


def network(name):
    torch.manual_seed(0)
    return NETWORKS[name]().double().eval()


def photos(channels=3):
    return torch.rand(2, channels, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("resnet18", "conv1"),
        ("vgg11", "features.0"),
        ("squeezenet1_1", "features.0"),
        ("mobilenet_v3_small", "features.0.0"),
        ("convnext_tiny", "features.0.0"),
        ("swin_t", "features.0.0"),
        ("densenet121", "features.conv0"),
        ("vit_b_32", "conv_proj"),
    ],
)
def test_torchvisions_stem_is_found(name, stem):
    with torch.device("meta"):
        assert stem_modules(torchvision.models.get_model(name, weights=None)) == (stem,)


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("resnet18", ("conv1",)),
        ("convnext_atto", ("stem.0",)),
        ("deit_tiny_distilled_patch16_224", ("patch_embed.proj",)),
        ("crossvit_9_240", ("patch_embed.0.proj", "patch_embed.1.proj")),
    ],
)
def test_timm_says_where_the_stem_is(name, stems):
    with torch.device("meta"):
        module = timm.create_model(name)
    assert stem_modules(module) == stems
    fit_stem(module, 4)
    assert {module.get_submodule(stem).in_channels for stem in stems} == {4}


@pytest.mark.parametrize("channels", [4, 10])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_colour_image_and_black_further_channels_give_what_the_colour_image_gave(name, channels):
    module = network(name)
    expected = module(photos())
    fit_stem(module, channels, image_channels=3)
    black = torch.zeros(2, channels - 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(module(torch.cat([photos(), black], dim=1)), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_further_channel_counts_as_much_as_grey_in_all_three(name):
    module = network(name)
    further = photos(1)
    expected = module((further / 3).expand(-1, 3, -1, -1))
    fit_stem(module, 4, image_channels=3)
    black = torch.zeros(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(module(torch.cat([black, further], dim=1)), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_channel_gives_what_grey_in_three_gave(name):
    module = network(name)
    expected = module(photos(1).expand(-1, 3, -1, -1))
    fit_stem(module, 1, image_channels=3)
    torch.testing.assert_close(module(photos(1)), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_two_channels_are_red_and_green_times_three_halves(name):
    module = network(name)
    red_green = photos(2)
    black = torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    expected = module(torch.cat([1.5 * red_green, black], dim=1))
    fit_stem(module, 2, image_channels=3)
    torch.testing.assert_close(module(red_green), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_sources_by_name(name):
    module = network(name)
    expected = module(photos())
    fit_stem(module, 5, ("zero", "blue", "green", "zero", "red"), image_channels=3)
    red, green, blue = photos().split(1, dim=1)
    noise = photos(1)
    torch.testing.assert_close(module(torch.cat([noise, blue, green, noise, red], dim=1)), expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_few_channels_are_adapted_as_timm_adapts_them(channels):
    weight = torch.randn(5, 3, 3, 3)
    torch.testing.assert_close(
        adapt_stem_weight(weight, channels), adapt_input_conv(channels, weight), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (1, 4), (2, 6), (5, 1)])
def test_a_grey_image_gives_what_it_gave_before(old, new):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(old, 6, 3), nn.ReLU(), nn.Flatten()).double()
    grey = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    expected = module(grey.expand(-1, old, -1, -1))
    fit_stem(module, new)
    torch.testing.assert_close(module(grey.expand(-1, new, -1, -1)), expected)


def test_sums_means_and_noise():
    torch.manual_seed(0)
    weight = torch.randn(64, 3, 7, 7) * 0.3
    adapted = adapt_stem_weight(weight, 4, ("sum", "mean", "random", "random"))
    torch.testing.assert_close(adapted[:, 0], weight[:, 0] + weight[:, 1] + weight[:, 2])
    torch.testing.assert_close(adapted[:, 1], adapted[:, 0] / 3)
    assert adapted[:, 2:].std().item() == pytest.approx(0.3, rel=0.05)
    assert not torch.equal(adapted[:, 2], adapted[:, 3])
    torch.manual_seed(1)
    again = adapt_stem_weight(weight, 4, ("red", "random", "random", "blue"))
    torch.manual_seed(1)
    assert torch.equal(adapt_stem_weight(weight, 4, ("red", "random", "random", "blue")), again)
    assert torch.equal(again[:, 3], weight[:, 2])


def test_an_unchanged_stem_stays_the_very_same_layer_with_the_same_weights():
    module = torchvision.models.resnet18(weights=None)
    layer, weight = module.conv1, module.conv1.weight
    fit_stem(module, 3)
    redraw_stem(module, 3)
    assert module.conv1 is layer
    assert module.conv1.weight is weight


def test_the_kind_of_convolution_its_bias_and_the_other_layers_stay():
    module = network("tf_efficientnet with its own padding")
    kind = type(module.conv_stem)
    before = {name: value.clone() for name, value in module.state_dict().items() if name != "conv_stem.weight"}
    fit_stem(module, 4)
    assert type(module.conv_stem) is kind
    assert kind is not nn.Conv2d
    assert all(torch.equal(module.state_dict()[name], value) for name, value in before.items())
    biased = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"))
    bias = biased[0].bias
    fit_stem(biased, 4)
    assert biased[0].bias is bias
    assert biased[0].padding_mode == "reflect"


@pytest.mark.parametrize("channels", [1, 2, 4, 10])
def test_a_stem_drawn_anew_keeps_the_variance_of_its_outputs(channels):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 512, 7, bias=False))
    before = module(torch.randn(4, 3, 16, 16)).var()
    redraw_stem(module, channels)
    after = module(torch.randn(4, channels, 16, 16)).var()
    assert (after / before).item() == pytest.approx(1, rel=0.1)
    assert module[0].weight.requires_grad
    if channels > 1:
        assert not torch.equal(module[0].weight[:, 0], module[0].weight[:, 1])


@pytest.mark.parametrize(
    ("channels", "stem_init", "message"),
    [
        (4, ("red", "green", "blue"), r"model\.stem_init=\[red, green, blue\]: 3 source\(s\) .* 4 channel\(s\)"),
        (1, ("red", "green"), r"model\.stem_init=\[red, green\]: 2 source\(s\) .* 1 channel\(s\)"),
    ],
)
def test_one_source_for_each_channel(channels, stem_init, message):
    with pytest.raises(ModelError, match=message):
        adapt_stem_weight(torch.zeros(2, 3, 3, 3), channels, stem_init)


def test_colours_are_taken_from_weights_of_three_channels_only():
    with pytest.raises(ModelError, match=r"the weights are of 4 channel\(s\), so there is no green"):
        adapt_stem_weight(torch.zeros(2, 4, 3, 3), 2, ("zero", "green"))
    assert adapt_stem_weight(torch.ones(2, 4, 3, 3), 2, ("zero", "sum")).sum(dim=(0, 2, 3)).tolist() == [0, 72]


@pytest.mark.parametrize("adapt", [fit_stem, redraw_stem])
@pytest.mark.parametrize("channels", [4, 6])
def test_a_grouped_stem_is_refused(adapt, channels):
    module = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3))
    with pytest.raises(ModelError, match=rf"data\.channels={channels}: the stem 0 has 3 groups .*data\.channels=3"):
        adapt(module, channels)
    adapt(module, 3)


def test_a_stem_that_is_no_convolution_is_refused():
    with torch.device("meta"):
        module = timm.create_model("naflexvit_base_patch16_gap", depth=1)
    with pytest.raises(ModelError, match=r"data\.channels=4: the stem embeds\.proj .* is a Linear"):
        fit_stem(module, 4, image_channels=3)


@pytest.mark.parametrize(
    ("old", "channels", "stem_init", "sentence"),
    [
        (3, 4, "auto", "stem conv1: red, green, blue kept, channel 4 is their mean"),
        (3, 10, "auto", "stem conv1: red, green, blue kept, channels 4 to 10 are their mean"),
        (3, 1, "auto", "stem conv1: its one channel is the sum of red, green and blue"),
        (6, 1, "auto", "stem conv1: its one channel is the sum of all 6"),
        (3, 2, "auto", "stem conv1: its channels are red and green, times 3/2"),
        (3, 3, "auto", "stem conv1: as it was"),
        (1, 4, "auto", "stem conv1: its 1 channel(s) repeated to 4 and scaled by 1/4"),
        (3, 2, ("blue", "mean"), "stem conv1: channel 1 is blue, channel 2 is the mean"),
    ],
)
def test_what_was_done_is_said(old, channels, stem_init, sentence):
    assert describe_stem("conv1", old, channels, stem_init) == sentence
