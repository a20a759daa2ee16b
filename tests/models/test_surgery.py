import pytest
import timm
import torch
import torchvision
from timm.models import adapt_input_conv
from torch import nn

from vernier.errors import ModelError
from vernier.models.surgery import adapt_stem_weight, fit_dropout, fit_stem, head_modules, stem_modules


@pytest.mark.parametrize(
    ("name", "head", "stem"),
    [
        ("resnet18", "fc", "conv1"),
        ("vgg11", "classifier.6", "features.0"),
        ("squeezenet1_1", "classifier.1", "features.0"),
        ("mobilenet_v3_small", "classifier.3", "features.0.0"),
        ("convnext_tiny", "classifier.2", "features.0.0"),
        ("swin_t", "head", "features.0.0"),
        ("densenet121", "classifier", "features.conv0"),
        ("vit_b_32", "heads.head", "conv_proj"),
    ],
)
def test_torchvisions_head_and_stem_are_found(name, head, stem):
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    assert head_modules(module) == (head,)
    assert stem_modules(module) == (stem,)


@pytest.mark.parametrize(
    ("name", "heads", "stems"),
    [
        ("resnet18", ("fc",), ("conv1",)),
        ("convnext_atto", ("head.fc",), ("stem.0",)),
        ("deit_tiny_distilled_patch16_224", ("head", "head_dist"), ("patch_embed.proj",)),
        ("regnetx_002", ("head.fc",), ("stem.conv",)),
    ],
)
def test_timm_says_where_head_and_stem_are(name, heads, stems):
    with torch.device("meta"):
        module = timm.create_model(name)
    assert head_modules(module) == heads
    assert stem_modules(module) == stems


def test_a_network_without_layers_has_no_head():
    with pytest.raises(ModelError, match="no linear layer"):
        head_modules(nn.Sequential(nn.Flatten()))


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 7])
def test_stem_weights_are_adapted_as_timm_adapts_them(channels):
    weight = torch.randn(5, 3, 3, 3)
    torch.testing.assert_close(
        adapt_stem_weight(weight, channels), adapt_input_conv(channels, weight), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (1, 4)])
def test_a_grey_image_gives_what_it_gave_before(old, new):
    module = torchvision.models.resnet18(weights=None, num_classes=4).double().eval()
    fit_stem(module, old)
    grey = torch.rand(2, 1, 32, 32, dtype=torch.float64)
    expected = module(grey.expand(-1, old, -1, -1))
    fit_stem(module, new)
    assert module.conv1.in_channels == new
    torch.testing.assert_close(module(grey.expand(-1, new, -1, -1)), expected)


def test_an_unchanged_stem_stays_the_very_same_layer():
    module = torchvision.models.resnet18(weights=None)
    before = module.conv1
    fit_stem(module, 3)
    assert module.conv1 is before


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "alexnet", "squeezenet1_1", "googlenet", "vit_b_32"])
def test_dropout_goes_before_the_head_without_renaming_anything(name):
    arguments = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None, num_classes=4, **arguments)
        names = list(module.state_dict())
        fit_dropout(module, 0.25)
    assert list(module.state_dict()) == names
    assert [m.p for m in module.modules() if getattr(m, "p", None) == 0.25] == [0.25]


def test_dropout_drops_in_training_only_and_keeps_the_weights():
    torch.manual_seed(0)
    module = torchvision.models.resnet18(weights=None, num_classes=4).eval()
    images = torch.rand(2, 3, 32, 32)
    expected = module(images)
    weight = module.fc.weight
    fit_dropout(module, 0.5)
    module.eval()
    assert module.fc.weight is weight
    assert torch.equal(module(images), expected)
    module.fc.train()
    assert not torch.equal(module(images), expected)
    assert "dropout=0.5" in repr(module.fc)


def test_a_convolution_as_head_without_dropout_is_refused():
    with pytest.raises(ModelError, match=r"model\.dropout=0\.5: the head 0"):
        fit_dropout(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), 0.5)
