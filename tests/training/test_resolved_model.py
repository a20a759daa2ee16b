"""What becomes of `model` before the first step."""

import pytest

from training.opening import DIGITS, opened
from vernier import api
from vernier.config.loading import load_config
from vernier.errors import ConfigError, ModelError
from vernier.training.parts import build_parts, open_dataset
from vernier.training.resolve import resolve

PHOTOS = ("data=photos", "data.batch_size=4", "train.threads=1", "data.threads=1", "train.speed=off")


@pytest.fixture(autouse=True)
def in_place(class_folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def resolved(*settings):
    config = load_config(None, settings).config
    dataset = open_dataset(config, None)
    return resolve(config, dataset.source, dataset.train_store, "trial")


def test_other_tools_names_become_ours_with_a_reason():
    found = resolved(*PHOTOS, "model.name=mobilenet", "model.version=v2", "model.alpha=0.35")
    assert (found.config.model.name, found.config.model.provider) == ("mobilenetv2_035", "timm")
    assert (found.config.model.version, found.config.model.alpha) == (None, None)
    assert "mobilenet, version v2, alpha 0.35" in found.reasons["model.name"]


def test_a_bundle_as_the_model_brings_architecture_weights_size_and_normalisation():
    settings = ("model.width_divisor=2", "augment.eval=[Resize,{name: Normalize, mean: 0.3, std: 0.4}]")
    normalised = [entry.replace("mean: 0.3, std: 0.4", "mean: [0.3], std: [0.4]") for entry in settings]
    first = api.train(None, *DIGITS, *normalised, "train.epochs=1", "run.dir=first")
    found = resolved("data=digits", "model=first", "train.speed=off")
    model = found.config.model
    assert (model.name, model.width_divisor, model.input_size) == ("digits_cnn", 2, (8, 8))
    assert model.weights == "first"
    assert found.reasons["model.name"] == "from the bundle first"
    normalise = found.config.augment.eval[-1]
    assert (normalise.mean, normalise.std) == ((0.3,), (0.4,))
    assert first.result["status"] == "finished"
    with pytest.raises(ModelError, match=r"model\.dropout.*fixed by the bundle's architecture"):
        resolved("data=digits", "model=first", "model.dropout=0.2")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (("model.pretrained=true",), "bicubic"),
        ((), "bilinear"),
        (("augment.interpolation=nearest",), "nearest"),
        (("model.pretrained=true", "augment.eval_interpolation=bilinear"), "bilinear"),
    ],
)
def test_evaluation_resizes_as_the_published_weights_do(settings, expected):
    found = resolved(*PHOTOS, "model=mobilenetv3_small_100", *settings)
    assert found.config.augment.eval_interpolation == expected


def test_efficientnets_have_the_sizes_that_they_were_designed_for():
    found = resolved(*PHOTOS, "model=efficientnet_b3").config
    assert found.model.input_size == (300, 300)
    assert found.augment.eval[0].size == (320, 320)


def test_memory_is_contiguous_for_numbers():
    assert resolved(*DIGITS, "model.algebra=complex").config.train.memory_format == "contiguous"
    assert resolved(*DIGITS).config.train.memory_format == "channels_last"


def test_sources_of_the_stem_need_weights():
    config, dataset = opened(*DIGITS, "model.stem_init=[red]")
    with pytest.raises(ConfigError, match=r"model\.stem_init: says where loaded weights go"):
        build_parts(config, dataset, print)
