"""Published weights for other images and other classes: timm and torchvision do the same."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from vernier.config.head import DropoutLayer, LinearLayer
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.from_timm import TimmProvider
from vernier.models.from_torchvision import TorchvisionProvider
from vernier.models.head import classifier_modules, insert_head_layers

NETWORKS = [("timm", "resnet10t", "conv1.0", "fc"), ("torchvision", "squeezenet1_1", "features.0", "classifier.1")]
PROVIDERS = {"timm": TimmProvider(), "torchvision": TorchvisionProvider()}


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights where the providers keep what they have downloaded, and no network."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    torch.manual_seed(0)
    resnet = timm.create_model("resnet10t").state_dict()
    cache = tmp_path / "models--timm--resnet10t.c3_in1k"
    (cache / "snapshots" / "abc").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    save_file(resnet, cache / "snapshots" / "abc" / "model.safetensors")
    squeezenet = torchvision.models.squeezenet1_1(weights=None).state_dict()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    url = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.url
    torch.save(squeezenet, tmp_path / "hub" / "checkpoints" / Path(url).name)
    return {"resnet10t": resnet, "squeezenet1_1": squeezenet}


def build(provider, name, channels, *, pretrained=True, stem_init="auto", num_outputs=1000, **fields):
    values = {"kwargs": {}, "input_size": (64, 64), **fields}
    described = Architecture(provider, name, num_outputs=num_outputs, channels=channels, **values)
    return PROVIDERS[provider].build(described, pretrained=pretrained, stem_init=stem_init).eval()


def photo(channels=3):
    return torch.rand(1, channels, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("provider", "name", "stem", "head"), NETWORKS)
def test_four_channels_keep_the_published_network_on_colours(published, provider, name, stem, head):
    expected = build(provider, name, 3)(photo())
    module = build(provider, name, 4)
    weight = published[name][f"{stem}.weight"]
    assert torch.equal(module.state_dict()[f"{stem}.weight"][:, :3], weight)
    torch.testing.assert_close(module.state_dict()[f"{stem}.weight"][:, 3], weight.mean(1))
    torch.testing.assert_close(module(torch.cat([photo(), torch.zeros(1, 1, 64, 64)], 1)), expected)
    assert module.get_submodule(stem).in_channels == 4
    blind = build(provider, name, 5, stem_init=("zero", "red", "green", "blue", "zero"))
    torch.testing.assert_close(blind(torch.cat([photo(1), photo(), photo(1)], 1)), expected)


@pytest.mark.parametrize(("provider", "name", "stem", "head"), NETWORKS)
@pytest.mark.parametrize("channels", [1, 10])
def test_only_stem_and_head_differ_from_what_is_published(published, provider, name, stem, head, channels):
    state = build(provider, name, channels, num_outputs=7).state_dict()
    assert state[f"{stem}.weight"].shape[1] == channels
    assert list(state) == list(published[name])
    changed = {key for key, value in published[name].items() if not torch.equal(value, state[key])}
    assert changed == {f"{stem}.weight", f"{head}.weight", f"{head}.bias"}


@pytest.mark.parametrize(("provider", "name", "stem", "head"), NETWORKS)
def test_a_recipe_before_a_published_classifier_keeps_what_fits(published, provider, name, stem, head):
    module = build(provider, name, 3)
    expected = module(photo())
    insert_head_layers(module, (DropoutLayer(p=0.5),))
    assert torch.equal(module(photo()), expected)
    insert_head_layers(module, (LinearLayer(features=8),))
    assert classifier_modules(module) == (f"{head}.classifier.classifier",)
    assert module(photo()).shape == (1, 1000)


@pytest.mark.parametrize(("provider", "name", "stem", "head"), NETWORKS)
def test_a_wrong_number_of_sources_is_refused(published, provider, name, stem, head):
    with pytest.raises(ModelError, match=r"model\.stem_init=\[red, mean\]: 2 source\(s\) .* 4 channel\(s\)"):
        build(provider, name, 4, stem_init=("red", "mean"))


@pytest.mark.parametrize(("provider", "name", "stem", "head"), NETWORKS)
@pytest.mark.parametrize("channels", [1, 2, 10])
def test_from_scratch_any_number_of_channels_is_taken(provider, name, stem, head, channels):
    module = build(provider, name, channels, pretrained=False, num_outputs=3)
    weight = module.get_submodule(stem).weight
    assert weight.shape[1] == channels
    assert len({channel.sum().item() for channel in weight.unbind(1)}) == channels
    assert module(photo(channels)).shape == (1, 3)


@pytest.mark.parametrize(
    ("provider", "name", "kwargs", "message"),
    [
        ("timm", "inception_v3", {"aux_logits": True}, r"model\.kwargs\.aux_logits=True .* auxiliary heads are not"),
        (
            "torchvision",
            "googlenet",
            {"aux_logits": True},
            r"model\.kwargs\.aux_logits=True .* auxiliary heads are not",
        ),
        ("torchvision", "vgg11", {"dropout": 0.1}, r"model\.kwargs\.dropout=0\.1 .* model\.dropout is set too"),
    ],
)
def test_settings_that_are_made_elsewhere(provider, name, kwargs, message):
    with torch.device("meta"), pytest.raises(ModelError, match=message):
        build(provider, name, 3, pretrained=False, kwargs=kwargs, dropout=0.5)


def test_a_torchvision_network_without_dropout_says_what_to_do_instead():
    with pytest.raises(ModelError, match=r"model\.dropout=0\.5: ResNet has no .* model\.head=\[dropout: 0\.5\]"):
        build("torchvision", "resnet18", 3, pretrained=False, dropout=0.5)
