import pytest

from vernier.config.model import ModelConfig
from vernier.errors import ModelError
from vernier.models.aliases import canonical_model
from vernier.models.providers import find_provider
from vernier.models.spellings import LEFT_OUT, SPELLINGS, nearest

UPSTRIDE = {
    "AlexNet": ("alexnet", "torchvision"),
    **{f"EfficientNetB{size}": (f"efficientnet_b{size}", "timm") for size in range(8)},
    "MobileNetV2": ("mobilenetv2_100", "timm"),
    "MobileNetV3Large": ("mobilenetv3_large_100", "timm"),
    "MobileNetV3Small": ("mobilenetv3_small_100", "timm"),
    "NASNetCIFAR": ("nasnet_cifar", "zoo"),
    "NASNetLarge": ("nasnet_large", "zoo"),
    "NASNetMobile": ("nasnet_mobile", "zoo"),
    **{f"ResNet{depth}": (f"resnet{depth}", "timm") for depth in (18, 34, 50, 101, 152)},
    **{f"ResNet{depth}CIFAR": (f"resnet{depth}_cifar", "zoo") for depth in (20, 32, 44, 56)},
    "SqueezeNet": ("squeezenet1_1", "torchvision"),
    "TinyDarknet": ("tiny_darknet", "zoo"),
    "VGG16": ("vgg16", "timm"),
    "WideResNet28_10": ("wide_resnet28_10", "zoo"),
    "WideResNet40_2": ("wide_resnet40_2", "zoo"),
}
BASEGUN = {
    **{f"Eff_B{size}": (f"efficientnet_b{size}", "timm") for size in range(8)},
    "EffB4": ("efficientnet_b4", "timm"),
    "Res18": ("resnet18", "timm"),
    "Dense169": ("densenet169", "timm"),
    "Dense201": ("densenet201", "timm"),
}
STM32 = {
    "mobilenet v1 alpha 0.25": ({"name": "mobilenet", "version": "v1", "alpha": 0.25}, "mobilenet_v1", {"alpha": 0.25}),
    "mobilenet v2 alpha 0.35": ({"name": "mobilenet", "version": "v2", "alpha": 0.35}, "mobilenetv2_035", {}),
    "mobilenet v2 alpha 1.0": ({"name": "mobilenet", "version": "v2", "alpha": 1.0}, "mobilenetv2_100", {}),
    "mobilenet v2 alpha 1.3": (
        {"name": "mobilenet", "version": "v2", "alpha": 1.3},
        "mobilenet_v2",
        {"width_mult": 1.3},
    ),
    "mobilenet v2 alpha 1.4": ({"name": "mobilenet", "version": "v2", "alpha": 1.4}, "mobilenetv2_140", {}),
    "fdmobilenet": ({"name": "fdmobilenet", "alpha": 0.5}, "fd_mobilenet", {"alpha": 0.5}),
    "st_fdmobilenet": ({"name": "st_fdmobilenet", "version": "v1"}, "st_fd_mobilenet_v1", {}),
    "resnet 8": ({"name": "resnet", "version": "v1", "depth": 8}, "st_resnet8", {}),
    "resnet 20": ({"name": "resnet", "version": "v1", "depth": 20}, "st_resnet20", {}),
    "resnet 32": ({"name": "resnet", "version": "v1", "depth": 32}, "st_resnet32", {}),
    "squeezenet": ({"name": "squeezenet", "version": "v11"}, "squeezenet1_1", {}),
    "stmnist": ({"name": "stmnist"}, "st_mnist", {}),
    "st_efficientnet_lc": ({"name": "st_efficientnet_lc", "version": "v1"}, "st_efficientnet_lc_v1", {}),
    "resnet50": ({"name": "resnet50", "version": "v2"}, "resnetv2_50", {}),
    "efficientnet": ({"name": "efficientnet", "version": "v2", "kwargs": {"type": "B0"}}, "tf_efficientnetv2_b0", {}),
    "efficientnet S": ({"name": "efficientnet", "version": "v2", "kwargs": {"type": "S"}}, "tf_efficientnetv2_s", {}),
    "custom": ({"name": "custom"}, "st_custom", {}),
}


@pytest.mark.parametrize("spelling", UPSTRIDE)
@pytest.mark.parametrize("suffix", ["", "NCHW"])
def test_upstrides_names(spelling, suffix):
    expected, provider = UPSTRIDE[spelling]
    model, reason = canonical_model(ModelConfig(name=spelling + suffix))
    assert (model.name, find_provider(model)) == (expected, provider)
    assert reason == f"model.name: {expected} for {spelling}{suffix}"


@pytest.mark.parametrize("spelling", BASEGUN)
def test_baseguns_names(spelling):
    expected, provider = BASEGUN[spelling]
    model, _ = canonical_model(ModelConfig(name=spelling))
    assert (model.name, find_provider(model)) == (expected, provider)


@pytest.mark.parametrize("case", STM32)
def test_stm32s_configs(case):
    given, name, kwargs = STM32[case]
    model, reason = canonical_model(ModelConfig(**given))
    assert (model.name, model.kwargs, model.version, model.alpha, model.depth) == (name, kwargs, None, None, None)
    assert reason is not None
    assert reason.startswith(f"model.name: {name}")
    assert given["name"] in reason
    find_provider(model)


@pytest.mark.parametrize("case", STM32)
def test_our_words_stay(case):
    model, _ = canonical_model(ModelConfig(**STM32[case][0]))
    assert canonical_model(model) == (model, None)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet18.a1_in1k", "mobilenet_v2", "vgg16", "resnet20_cifar", "my_nets:Net", "nobody_has_it"]
)
def test_names_that_are_known_or_stand_for_nothing_stay(name):
    model = ModelConfig(name=name)
    assert canonical_model(model) == (model, None)


def test_a_provider_that_was_asked_for_keeps_its_own():
    assert canonical_model(ModelConfig(name="MobileNetV2", provider="torchvision"))[0].name == "mobilenet_v2"
    assert canonical_model(ModelConfig(name="SqueezeNet1_1", provider="torchvision"))[0].name == "squeezenet1_1"
    given = ModelConfig(name="mobilenet", version="v2", alpha=0.5, provider="torchvision")
    found = canonical_model(given)[0]
    assert (found.name, found.kwargs) == ("mobilenet_v2", {"width_mult": 0.5})


@pytest.mark.parametrize("name", ["mobilenetv2_100", "mobilenet_v2"])
def test_alpha_goes_with_our_names_too(name):
    assert canonical_model(ModelConfig(name=name, alpha=0.75))[0].name == "mobilenetv2_075"


def test_the_reason_tells_what_was_given():
    _, reason = canonical_model(ModelConfig(name="mobilenet", version="v1", alpha=0.5))
    assert reason == "model.name: mobilenet_v1 (alpha=0.5) for mobilenet, version v1, alpha 0.5"
    _, reason = canonical_model(ModelConfig(name="resnet", version="v1", depth=20))
    assert reason == "model.name: st_resnet20 for resnet, version v1, depth 20"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "mobilenet", "version": "v9"}, ["model.version=v9", "v1 or v2"]),
        ({"name": "mobilenet"}, ["model.name=mobilenet", "model.version", "v1 or v2"]),
        ({"name": "resnet18", "version": "v1"}, ["model.version=v1", "resnet18", "leave model.version out"]),
        ({"name": "resnet", "version": "v1"}, ["model.depth=None", "8, 20 and 32"]),
        ({"name": "resnet", "version": "v1", "depth": 50}, ["model.depth=50", "8, 20 and 32"]),
        ({"name": "efficientnet", "version": "v2"}, ["model.kwargs.type", "B0, B1, B2, B3 or S"]),
        ({"name": "resnet18", "alpha": 0.5}, ["model.alpha=0.5", "resnet18", "mobilenet_v1"]),
        ({"name": "mobilenetv2_050", "alpha": 0.5}, ["model.alpha=0.5", "mobilenetv2_050"]),
        ({"name": "mobilenet_v1", "alpha": 0.5, "kwargs": {"alpha": 1}}, ["model.kwargs.alpha=1", "model.alpha"]),
    ],
)
def test_errors_name_what_is_allowed(given, expected):
    with pytest.raises(ModelError) as caught:
        canonical_model(ModelConfig(**given))
    assert all(part in str(caught.value) for part in expected), caught.value


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_was_left_out_names_the_nearest(name):
    with pytest.raises(ModelError, match="was left out") as caught:
        canonical_model(ModelConfig(name=name))
    nearest_name = str(caught.value).rpartition("The nearest is ")[2].split()[0]
    find_provider(ModelConfig(name=nearest_name))


@pytest.mark.parametrize("name", sorted(set(SPELLINGS.values())))
def test_every_spelling_stands_for_a_network(name):
    find_provider(ModelConfig(name=name))


def test_near_misses_are_found_in_any_spelling():
    names = ["resnet18", "resnet34", "squeezenet1_1", "wide_resnet28_10", "vit_base_patch16_224"]
    assert nearest("resnet81", names)[0] == "resnet18"
    assert "SqueezeNet" in nearest("SqueezNet", names)
    assert nearest("WideResNet_28-10", names)[0] == "wide_resnet28_10"
    assert nearest("qqqqqq", names) == ()
