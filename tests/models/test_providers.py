import sys
import time
import warnings
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from vernier.config.model import ModelConfig
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.head import head_modules
from vernier.models.providers import PROVIDERS, build_model, construct, find_provider, make_architecture

TORCHVISION = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg11_bn",
    "vit_b_32",
    "wide_resnet50_2",
]
TIMM = [
    "convnext_atto",
    "crossvit_9_240",
    "efficientnet_lite0",
    "ghostnet_050",
    "lcnet_050",
    "levit_128s",
    "mobilenetv2_050",
    "mobilevit_xxs",
    "resnet10t",
    "resnet18.a1_in1k",
    "tf_mobilenetv3_small_minimal_100",
    "vit_tiny_patch16_224",
]
ONLY_ON_REAL_TENSORS = ("regnet",)
OWN_CODE = """
from torch import nn


def network(num_classes, in_channels, input_size, width=4):
    height, side = input_size
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * height * side, width), nn.Linear(width, num_classes))


def wrong_outputs(num_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes + 1))


def no_module(num_classes, in_channels):
    return 3


def other_arguments(classes):
    return nn.Identity()


NUMBER = 3
"""


def architecture(name, provider="auto", *, size=(64, 64), channels=1, num_outputs=7, **model):
    config = ModelConfig(name=name, provider=provider, **model)
    return make_architecture(config, num_outputs=num_outputs, channels=channels, input_size=size)


def on_meta(described):
    """The network without numbers: shapes alone, which is quick even for the largest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.device("cpu" if described.name.startswith(ONLY_ON_REAL_TENSORS) else "meta"):
            return construct(described).eval()


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(OWN_CODE)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("own_networks", None)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A proxy that refuses, and no cache: downloads fail for real."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("resnet20_cifar", "zoo"),
        ("resnet18", "timm"),
        ("resnet18.a1_in1k", "timm"),
        ("vit_b_16", "torchvision"),
        ("package.module:function", "python"),
    ],
)
def test_auto_asks_zoo_then_timm_then_torchvision(name, provider):
    assert find_provider(ModelConfig(name=name)) == provider


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_networks_take_one_channel_and_give_seven_outputs(name):
    described = architecture(name, "torchvision", size=(64, 64) if name != "maxvit_t" else (224, 224))
    module = on_meta(described)
    image = torch.zeros(1, 1, *described.input_size, device=next(module.parameters()).device)
    assert module(image).shape == (1, 7)


@pytest.mark.parametrize("name", TIMM)
def test_timm_networks_take_one_channel_and_give_seven_outputs(name):
    described = architecture(name, size=(240, 240) if name.startswith("crossvit") else (64, 64))
    assert on_meta(described)(torch.zeros(1, 1, *described.input_size, device="meta")).shape == (1, 7)


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["timm", "torchvision"])
def test_every_network_with_a_head_fits(provider):
    wrong = []
    for name in (name for name in PROVIDERS[provider].names() if "." not in name):
        if name.endswith("_enc") or name.startswith("csatv2"):
            continue
        size = PROVIDERS[provider].defaults(name).input_size
        module = on_meta(architecture(name, provider, size=size, channels=4))
        logits = module(torch.zeros(1, 4, *size, device=next(module.parameters()).device))
        if logits.shape != (1, 7) or not head_modules(module):
            wrong.append(name)
    assert wrong == []


def test_built_for_real_in_train_mode_with_weights_of_the_seed():
    def weights(seed):
        torch.manual_seed(seed)
        module = build_model(architecture("resnet10t"))
        assert all(child.training for child in module.modules())
        return torch.cat([parameter.flatten() for parameter in module.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_trying_an_image_leaves_batchnorm_statistics_alone():
    module = build_model(architecture("resnet20_cifar"))
    assert not module.norm.running_mean.any()
    assert module.norm.num_batches_tracked == 0


def test_kwargs_and_dropout_reach_timm():
    module = build_model(architecture("mobilenetv2_050", kwargs={"pad_type": "same"}, dropout=0.3))
    assert type(module.conv_stem).__name__ == "Conv2dSame"
    assert module.drop_rate == 0.3


def test_the_inceptions_keep_their_normalisation_for_colour_only():
    assert construct(architecture("googlenet", "torchvision", channels=3)).transform_input is True
    assert construct(architecture("googlenet", "torchvision", channels=1)).transform_input is False


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("resnet19", {}, r"model\.name=resnet19: neither .* Did you mean .*resnet18"),
        ("ResNet20_CIFAR", {}, r"Did you mean resnet20_cifar"),
        ("resnet18.a1_in2k", {}, r"no weights with the tag a1_in2k\. Did you mean a1_in1k"),
        ("vit_b_16", {"provider": "timm"}, r"torchvision has it: model\.provider=torchvision"),
        ("digits_cn", {"provider": "zoo"}, r"zoo does not have it\. Did you mean digits_cnn\?"),
        ("hf-hub:timm/resnet18", {}, r"not fetched from a hub.*model\.weights=FILE"),
        ("resnet18", {"kwargs": {"drop_rat": 0.2}}, r"model\.kwargs\.drop_rat=0\.2: .* Did you mean drop_rate"),
        ("resnet18", {"kwargs": {"checkpoint_path": "x.pt"}}, r"model\.kwargs\.checkpoint_path='x\.pt' can't"),
        ("resnet18", {"kwargs": {"num_classes": 3}}, r"it follows from the data's classes"),
        ("resnet18", {"kwargs": {"drop_rate": 0.1}, "dropout": 0.2}, r"model\.kwargs\.drop_rate=0\.1 can't be set"),
        ("resnet18", {"kwargs": {"act_layer": "nonsense"}}, r"timm can't build it with model\.kwargs"),
        ("vgg11", {"provider": "torchvision", "kwargs": {"foo": 1}}, r"model\.kwargs\.foo=1: .*vgg11 takes .*dropout"),
        ("resnet20_cifar", {"kwargs": {"foo": 1}}, r"model\.kwargs\.foo=1: resnet20_cifar \(zoo\) does not take it"),
        ("vit_b_32", {"size": (64, 96)}, r"square images only; set model\.input_size=\[64,64\]"),
        ("efficientformer_l1", {}, r"can't take an image of model\.input_size=\[64, 64\].*\[224,224\]"),
        ("bat_resnext26ts", {"size": (64, 96)}, r"can't take an image"),
    ],
)
def test_mistakes_are_named_with_a_remedy(name, model, message):
    with pytest.raises(ModelError, match=message):
        build_model(architecture(name, **model))


def test_an_unknown_name_is_answered_with_a_few_names_only():
    with pytest.raises(ModelError) as caught:
        architecture("resnet19")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "provider", "reason"),
    [
        ("resnet10t", "timm", r"huggingface\.co.* can't be reached"),
        ("squeezenet1_1", "torchvision", r"download\.pytorch\.org/ can't be reached"),
        ("resnet20_cifar", "zoo", "the zoo has none"),
        ("mnasnet0_5", "timm", "does not have it"),
    ],
)
def test_published_weights_that_cannot_be_had(offline, name, provider, reason):
    started = time.monotonic()
    with pytest.raises(ModelError, match=reason) as caught:
        build_model(architecture(name, provider, channels=3), pretrained=True)
    assert time.monotonic() - started < 5
    if provider != "timm" or name == "resnet10t":
        assert "model.weights=FILE.safetensors" in str(caught.value)
        assert "model.pretrained=false" in str(caught.value)


@pytest.mark.parametrize(("name", "stem"), [("squeezenet1_1", "features.0"), ("googlenet", "conv1.conv")])
def test_published_torchvision_weights_already_here_are_fitted(offline, tmp_path, name, stem):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    arguments = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
    published = torchvision.models.get_model(name, weights=None, **arguments).state_dict()
    directory = tmp_path / "hub" / "checkpoints"
    directory.mkdir(parents=True)
    torch.save(published, directory / Path(weights.url).name)
    module = build_model(architecture(name, "torchvision"), pretrained=True)
    state = module.state_dict()
    torch.testing.assert_close(state[f"{stem}.weight"], published[f"{stem}.weight"].sum(1, keepdim=True))
    (head,) = head_modules(module)
    changed = {key for key in state if state[key].shape != published[key].shape or not state[key].equal(published[key])}
    assert changed == {f"{stem}.weight", f"{head}.weight", f"{head}.bias"}


def test_published_timm_weights_already_here_are_fitted(offline, tmp_path):
    published = timm.create_model("resnet10t").state_dict()
    directory = tmp_path / "models--timm--resnet10t.c3_in1k"
    (directory / "snapshots" / "abc").mkdir(parents=True)
    (directory / "refs").mkdir()
    (directory / "refs" / "main").write_text("abc")
    save_file(published, directory / "snapshots" / "abc" / "model.safetensors")
    state = build_model(architecture("resnet10t"), pretrained=True).state_dict()
    torch.testing.assert_close(state["conv1.0.weight"], published["conv1.0.weight"].sum(1, keepdim=True))
    changed = {key for key in state if state[key].shape != published[key].shape or not state[key].equal(published[key])}
    assert changed == {"conv1.0.weight", "fc.weight", "fc.bias"}


def test_own_code_is_built_with_what_it_asks_for(own_code):
    path = list(sys.path)
    module = build_model(architecture("own_networks:network", size=(5, 6), channels=2, kwargs={"width": 9}))
    assert isinstance(module[1], nn.Linear)
    assert (module[1].in_features, module[1].out_features) == (60, 9)
    assert sys.path == path


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("own_networks:network", {"kwargs": {"layers": 3}}, r"model\.kwargs\.layers=3.*takes width"),
        ("own_networks:network", {"kwargs": {"in_channels": 3}}, r"model\.kwargs\.in_channels=3 can't be set here"),
        ("own_networks:network", {"dropout": 0.5}, r"takes no argument `dropout`"),
        ("own_networks:wrong_outputs", {}, r"one image gives \[1, 8\] instead of logits \[1, 7\]"),
        ("own_networks:no_module", {}, r"made no torch\.nn\.Module: int"),
        ("own_networks:other_arguments", {}, r"must take the arguments num_classes and in_channels"),
        ("own_networks:absent", {}, r"own_networks has no absent"),
        ("own_networks:NUMBER", {}, r"NUMBER can't be called"),
        ("no_such_networks:network", {}, r"there is no Python module no_such_networks"),
    ],
)
def test_own_code_that_does_not_fit(own_code, name, model, message):
    with pytest.raises(ModelError, match=message):
        build_model(architecture(name, **model))


def test_an_import_error_inside_own_code_keeps_its_traceback(own_code, tmp_path):
    (tmp_path / "broken_networks.py").write_text("import no_such_package_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        build_model(architecture("broken_networks:network"))


def test_an_architecture_holds_what_building_needs():
    described = architecture("resnet20_cifar", channels=3, dropout=0.1)
    assert described == Architecture("zoo", "resnet20_cifar", {}, 7, 3, (64, 64), 0.1)
