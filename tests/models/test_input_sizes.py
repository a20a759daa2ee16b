import pytest

from vernier.config.model import ModelConfig
from vernier.models.defaults import model_defaults

DESIGNED = {0: (224, 256), 1: (240, 256), 2: (288, 288), 3: (300, 320), 4: (380, 384), 5: (456, 489), 6: (528, 561)}


@pytest.mark.parametrize("provider", ["timm", "torchvision"])
@pytest.mark.parametrize("size", DESIGNED)
def test_efficientnets_are_given_the_size_they_were_designed_for(size, provider):
    crop, resize = DESIGNED[size]
    found = model_defaults(ModelConfig(name=f"efficientnet_b{size}", provider=provider))
    assert (found.provider, found.input_size) == (provider, (crop, crop))
    assert found.crop_fraction == pytest.approx(crop / resize)


@pytest.mark.parametrize("name", ["tf_efficientnet_b7", "EfficientNetB7NCHW", "Eff_B7"])
def test_by_any_name(name):
    found = model_defaults(ModelConfig(name=name))
    assert (found.input_size, found.crop_fraction) == ((600, 600), 600 / 633)


def test_published_weights_bring_their_own():
    pretrained = model_defaults(ModelConfig(name="efficientnet_b0", pretrained=True))
    assert (pretrained.input_size, pretrained.crop_fraction) == ((224, 224), 0.875)
    tagged = model_defaults(ModelConfig(name="tf_efficientnet_b4.ns_jft_in1k"))
    assert (tagged.input_size, tagged.crop_fraction) == ((380, 380), 0.922)
    torchvisions = model_defaults(ModelConfig(name="efficientnet_b5", provider="torchvision", pretrained=True))
    assert (torchvisions.input_size, torchvisions.crop_fraction) == ((456, 456), 1.0)


def test_mean_std_and_interpolation_are_the_providers():
    designed = model_defaults(ModelConfig(name="tf_efficientnet_b0"))
    published = model_defaults(ModelConfig(name="tf_efficientnet_b0", pretrained=True))
    assert (designed.mean, designed.std, designed.interpolation) == (
        published.mean,
        published.std,
        published.interpolation,
    )


def test_others_keep_theirs():
    assert model_defaults(ModelConfig(name="resnet18")).input_size == (224, 224)
    assert model_defaults(ModelConfig(name="efficientnet_lite0")).crop_fraction == 0.875
    assert model_defaults(ModelConfig(name="efficientnet_b2_pruned")).input_size == (260, 260)
