import pytest
import timm
import torchvision

from vernier.config.model import ModelConfig
from vernier.models.defaults import ModelDefaults, model_defaults
from vernier.models.zoo import ZOO


def test_timms_are_those_of_its_data_config():
    expected = timm.data.resolve_data_config({}, model=timm.create_model("test_vit"))
    assert model_defaults(ModelConfig(name="test_vit")) == ModelDefaults(
        "timm",
        expected["input_size"][1:],
        tuple(expected["mean"]),
        tuple(expected["std"]),
        expected["interpolation"],
        expected["crop_pct"],
    )


def test_a_tag_has_its_own():
    assert model_defaults(ModelConfig(name="resnet18.a1_in1k")).crop_fraction == 0.95
    assert model_defaults(ModelConfig(name="resnet18.tv_in1k")).interpolation == "bilinear"


def test_torchvisions_are_those_of_its_weights():
    found = model_defaults(ModelConfig(name="resnet50", provider="torchvision"))
    preset = torchvision.models.ResNet50_Weights.DEFAULT.transforms()
    assert found == ModelDefaults(
        "torchvision", (224, 224), tuple(preset.mean), tuple(preset.std), "bilinear", 224 / 232
    )


@pytest.mark.parametrize("name", ZOO)
def test_the_zoos_keep_the_whole_image(name):
    found = model_defaults(ModelConfig(name=name))
    assert (found.provider, found.crop_fraction) == ("zoo", 1.0)


def test_own_code_is_not_imported():
    assert model_defaults(ModelConfig(name="no_such_module:network")).provider == "python"
