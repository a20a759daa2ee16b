"""Heads of networks that others wrote: found, fitted, taken off, and given layers of the user's own."""

import copy

import pytest
import timm
import torch
import torchvision
from torch import nn

from vernier.config.head import (
    BatchNormLayer,
    DropoutLayer,
    GELULayer,
    LayerNormLayer,
    LinearLayer,
    ReLULayer,
    SiLULayer,
)
from vernier.errors import ModelError
from vernier.models.head import (
    classifier_modules,
    declare_head,
    fit_head,
    head_modules,
    insert_head_layers,
    remove_head,
    reset_heads,
)

NO_AUXILIARY = {"aux_logits": False, "init_weights": False}
TORCHVISION = {
    "resnet18": ("fc", 512),
    "densenet121": ("classifier", 1024),
    "squeezenet1_1": ("classifier.1", 512),
    "vgg11": ("classifier.6", 4096),
    "inception_v3": ("fc", 2048),
    "swin_t": ("head", 768),
    "efficientnet_b0": ("classifier.1", 1280),
    "vit_b_32": ("heads.head", 768),
}
TIMM = {
    "convnext_atto": (("head.fc",), 320),
    "mobilenetv3_small_100": (("classifier",), 1024),
    "vit_tiny_patch16_224": (("head",), 192),
    "deit_tiny_distilled_patch16_224": (("head", "head_dist"), 192),
    "dla34": (("fc",), 512),
    "levit_128s": (("head.linear", "head_dist.linear"), 384),
}
NETWORKS = [
    *(("torchvision", name, (head,), width) for name, (head, width) in TORCHVISION.items()),
    *(("timm", name, heads, width) for name, (heads, width) in TIMM.items()),
]
CONVOLUTIONS = ("squeezenet1_1", "dla34")
RECIPE = (BatchNormLayer(), DropoutLayer(p=0.25), LinearLayer(features=24), ReLULayer())


@pytest.fixture
def on_meta():
    """Networks without numbers: shapes alone, which is quick even for the largest."""
    with torch.device("meta"):
        yield


def make(provider, name, **arguments):
    if provider == "timm":
        return timm.create_model(name, **arguments).eval()
    inception = NO_AUXILIARY if name == "inception_v3" else {}
    return torchvision.models.get_model(name, weights=None, **inception, **arguments).eval()


def image(channels=3, side=224):
    return torch.zeros(1, channels, side, side)


def size_of(layer):
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


class Own(nn.Module):
    """A network of one's own whose classifier is not its last layer."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 6, 3)
        self.classifier = classifier
        self.gate = nn.Linear(6, 6)

    def forward(self, x):
        features = self.body(x).mean((2, 3))
        return self.classifier(features * self.gate(features).sigmoid())


class Tokens(nn.Module):
    """Averages the logits of every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.body(x).flatten(2).mT).mean(1)


@pytest.mark.parametrize(("provider", "name", "heads", "width"), NETWORKS)
def test_a_head_is_found_fitted_taken_off_and_put_back(on_meta, provider, name, heads, width):
    module = make(provider, name)
    assert head_modules(module) == classifier_modules(module) == heads
    fit_head(module, 5, None if provider == "timm" else heads[0], image())
    assert [size_of(module.get_submodule(head)) for head in heads] == [5] * len(heads)
    assert getattr(module, "num_classes", 5) == 5
    assert module(image()).shape == (1, 5)
    assert remove_head(module) == width
    assert module(image()).shape == (1, width)
    assert head_modules(module) == classifier_modules(module) == heads
    fit_head(module, 6, None, image())
    assert [size_of(module.get_submodule(head)) for head in heads] == [6] * len(heads)
    assert isinstance(module.get_submodule(heads[0]), nn.Conv2d) == (name in CONVOLUTIONS)
    assert module(image()).shape == (1, 6)


@pytest.mark.parametrize(
    ("provider", "name", "heads", "width"),
    [network for network in NETWORKS if network[1] not in ("densenet121", "swin_t")],
)
def test_a_recipe_goes_before_every_classifier(on_meta, provider, name, heads, width):
    module = make(provider, name, num_classes=5)
    insert_head_layers(module, RECIPE, image=image())
    assert head_modules(module) == heads
    assert classifier_modules(module) == tuple(f"{head}.classifier" for head in heads)
    kinds = [nn.BatchNorm1d, nn.Dropout, nn.Linear, nn.ReLU, nn.Linear]
    if name in CONVOLUTIONS:
        kinds = [nn.BatchNorm2d, nn.Dropout, nn.Conv2d, nn.ReLU, nn.Conv2d]
    for head in heads:
        layers = list(module.get_submodule(head))
        assert all(isinstance(layer, kind) for layer, kind in zip(layers, kinds, strict=True))
        assert [key for key, _ in module.get_submodule(head).named_children()][-1] == "classifier"
    assert module(image()).shape == (1, 5)
    assert remove_head(module) == width


@pytest.mark.parametrize("name", ["levit_128s", "metaformer"])
def test_timms_networks_built_without_a_head_get_one(on_meta, name):
    module = timm.create_model({"metaformer": "caformer_s18"}.get(name, name), num_classes=0).eval()
    fit_head(module, 5, None, image())
    assert module(image()).shape == (1, 5)


def test_an_unchanged_head_is_the_very_same_layer_with_the_same_weights():
    module = timm.create_model("resnet10t", num_classes=5)
    layer, weight = module.fc, module.fc.weight.detach().clone()
    fit_head(module, 5, None, image(side=32))
    assert module.fc is layer
    assert torch.equal(module.fc.weight, weight)


def test_a_changed_head_is_drawn_from_torchs_generator_and_the_rest_stays():
    module = timm.create_model("resnet10t", num_classes=5)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch.manual_seed(3)
    fit_head(module, 7, None, image(side=32))
    torch.manual_seed(3)
    expected = nn.Linear(512, 7)
    assert torch.equal(module.fc.weight, expected.weight)
    assert torch.equal(module.fc.bias, expected.bias)
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items() if not name.startswith("fc."))


def test_an_undeclared_network_is_left_alone():
    module = Own(nn.Linear(6, 9))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    fit_head(module, 4, None, image(side=8))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert module.classifier.out_features == 9


@pytest.mark.parametrize(
    ("classifier", "head_name", "fitted"),
    [
        (nn.Linear(6, 9, bias=False), "classifier", "classifier"),
        (nn.Identity(), "classifier", "classifier"),
        (nn.Sequential(nn.Dropout(0.1), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 9)), "classifier", "classifier.3"),
        (nn.Sequential(nn.Dropout(0.1), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 9)), "classifier.3", "classifier.3"),
        (nn.Sequential(nn.Dropout(0.1), nn.Identity()), "classifier", "classifier.1"),
    ],
    ids=["linear", "identity", "block", "inside a block", "block without one"],
)
def test_a_network_of_ones_own_names_its_head(classifier, head_name, fitted):
    module = Own(copy.deepcopy(classifier)).train()
    bias = getattr(classifier, "bias", True) is not None
    fit_head(module, 4, head_name, image(side=8))
    assert module.get_submodule(fitted).out_features == 4
    assert (module.get_submodule(fitted).bias is not None) == bias
    assert module(image(side=8)).shape == (1, 4)
    assert all(child.training for child in module.modules())
    for known in (module, copy.deepcopy(module)):
        assert head_modules(known) == (head_name,)
        assert classifier_modules(known) == (fitted,)
    assert not [name for name in module.state_dict() if "head" in name]


def test_an_identity_that_gets_feature_maps_becomes_a_convolution():
    module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    fit_head(module, 4, "1", image(side=8))
    assert isinstance(module[1], nn.Conv2d)
    assert module(image(side=8)).shape == (1, 4)


def test_the_name_of_one_of_several_heads_means_all(on_meta):
    module = timm.create_model("deit_tiny_distilled_patch16_224")
    fit_head(module, 5, "head", image())
    assert head_modules(module) == ("head", "head_dist")
    assert (module.head.out_features, module.head_dist.out_features) == (5, 5)


def test_distilled_transformers_train_both_heads():
    torch.manual_seed(0)
    module = timm.create_model("deit_tiny_distilled_patch16_224", depth=1, img_size=32)
    fit_head(module, 4, None, image(side=32))
    insert_head_layers(module, RECIPE)
    module.train()
    logits = module(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 4)
    logits.square().sum().backward()
    assert module.head.classifier.weight.grad.any()
    assert module.head_dist.classifier.weight.grad.any()


@pytest.mark.parametrize(
    ("name", "side", "heads"),
    [("inception_v3", 299, ("fc", "AuxLogits.fc")), ("googlenet", 96, ("fc", "aux1.fc2", "aux2.fc2"))],
)
def test_auxiliary_heads_are_fitted_with_the_network_s_own(on_meta, name, side, heads):
    module = torchvision.models.get_model(name, weights=None, aux_logits=True, init_weights=False)
    assert head_modules(module) == heads
    fit_head(module, 5, "fc", image(side=side))
    assert [output.shape for output in module.train()(torch.zeros(2, 3, side, side))] == [(2, 5)] * len(heads)
    insert_head_layers(module, RECIPE, image=image(side=side))
    assert [output.shape for output in module.train()(torch.zeros(2, 3, side, side))] == [(2, 5)] * len(heads)
    width = {"inception_v3": 2048, "googlenet": 1024}[name]
    assert remove_head(module) == width
    assert module.eval()(image(side=side)).shape == (1, width)
    assert head_modules(module) == heads


def test_a_recipe_computes_what_its_layers_say():
    torch.manual_seed(0)
    layers = (
        LayerNormLayer(),
        LinearLayer(features=16),
        GELULayer(),
        LinearLayer(features=12),
        SiLULayer(),
        BatchNormLayer(),
    )
    module = timm.create_model("resnet10t", num_classes=5).eval()
    backbone = copy.deepcopy(module)
    assert remove_head(backbone) == 512
    insert_head_layers(module, layers)
    images = torch.randn(2, 3, 32, 32)
    state = {name.removeprefix("fc."): value for name, value in module.state_dict().items() if name.startswith("fc.")}
    x = nn.functional.layer_norm(backbone(images), [512], state["0.weight"], state["0.bias"])
    x = nn.functional.gelu(x @ state["1.weight"].T + state["1.bias"])
    x = nn.functional.silu(x @ state["3.weight"].T + state["3.bias"]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(module(images), x @ state["classifier.weight"].T + state["classifier.bias"])


def test_layernorm_before_a_convolution_is_over_the_features_of_an_image(on_meta):
    module = make("torchvision", "squeezenet1_1", num_classes=5)
    insert_head_layers(module, (LayerNormLayer(),))
    norm = module.classifier[1][0]
    assert isinstance(norm, nn.GroupNorm)
    assert (norm.num_groups, norm.num_channels) == (1, 512)
    assert module(image()).shape == (1, 5)


def test_a_recipe_that_keeps_the_width_keeps_the_classifier():
    module = timm.create_model("resnet10t", num_classes=5)
    layer, weight = module.fc, module.fc.weight
    insert_head_layers(module, (BatchNormLayer(), DropoutLayer(p=0.1)))
    assert module.fc.classifier is layer
    assert module.fc.classifier.weight is weight
    assert module.fc[1].p == 0.1


def test_a_recipe_of_no_layers_changes_nothing():
    module = Own(nn.Linear(6, 4))
    before = str(module)
    insert_head_layers(module, ())
    assert str(module) == before


def test_new_layers_run_in_the_mode_of_the_network():
    module = Own(nn.Linear(6, 4)).eval()
    declare_head(module, ("classifier",))
    insert_head_layers(module, RECIPE)
    assert not any(child.training for child in module.modules())


def test_a_head_that_starts_afresh_is_drawn_as_linear_layers_are():
    module = timm.create_model("mobilenetv3_small_050", num_classes=5)
    insert_head_layers(module, (LinearLayer(features=16),))
    inner = module.classifier[0].weight.detach().clone()
    torch.manual_seed(3)
    reset_heads(module, head_modules(module))
    torch.manual_seed(3)
    assert torch.equal(module.classifier.classifier.weight, nn.Linear(16, 5).weight)
    assert torch.equal(module.classifier[0].weight, inner)


def test_a_head_of_layers_that_are_not_pytorchs_ends_in_its_last_with_parameters():
    module = Own(nn.Sequential(nn.LayerNorm(6), nn.Bilinear(6, 6, 4), nn.ReLU()))
    declare_head(module, ("classifier",))
    assert classifier_modules(module) == ("classifier.1",)


def test_a_network_without_layers_has_no_head():
    with pytest.raises(ModelError, match="no linear layer"):
        head_modules(nn.Sequential(nn.Flatten()))


@pytest.mark.parametrize(
    ("classifier", "head_name", "message"),
    [
        (nn.Linear(6, 9), "clasifier", r"model\.head_name=clasifier: Own has no .*Did you mean classifier\? .*gate"),
        (nn.ReLU(), "classifier", r"model\.head_name=classifier: a ReLU can't be the classifier"),
        (nn.Sequential(nn.Flatten(0), nn.Identity()), "classifier", r"classifier\.1: it gets a tensor of shape \[6\]"),
        (
            nn.Sequential(nn.Linear(5, 5), nn.Identity()),
            "classifier.1",
            r"classifier\.1 can't be found.*\[8, 8\] and 3",
        ),
    ],
)
def test_heads_that_can_not_be(classifier, head_name, message):
    with pytest.raises(ModelError, match=message):
        fit_head(Own(classifier), 4, head_name, image(side=8))


def test_an_identity_that_never_runs_is_no_head():
    module = Own(nn.Linear(6, 4))
    module.unused = nn.Identity()
    with pytest.raises(ModelError, match=r"model\.head_name=unused: it never runs"):
        fit_head(module, 4, "unused", image(side=8))


def test_batchnorm_over_tokens_is_refused_and_layernorm_is_not():
    with pytest.raises(
        ModelError, match=r"batchnorm can't stand before head of Tokens.*36 vectors of 6.*use layernorm"
    ):
        insert_head_layers(Tokens(), RECIPE, image=image(side=8))
    module = Tokens()
    insert_head_layers(module, (LayerNormLayer(), LinearLayer(features=5)), image=image(side=8))
    assert module(image(side=8)).shape == (1, 4)


def test_layers_need_a_classifier_behind_them():
    module = Own(nn.Bilinear(6, 6, 4))
    declare_head(module, ("classifier",))
    with pytest.raises(ModelError, match=r"model\.head: classifier is a Bilinear.*model\.head_name"):
        insert_head_layers(module, RECIPE)


def test_a_head_is_taken_off_once(on_meta):
    module = Own(nn.Linear(6, 4))
    declare_head(module, ("classifier",))
    assert remove_head(module) == 6
    with pytest.raises(ModelError, match="it is an identity already"):
        remove_head(module)


def test_a_network_that_is_its_own_head_can_not_be_changed_in_place():
    with pytest.raises(ModelError, match=r"a single Linear.*nn\.Sequential"):
        remove_head(nn.Linear(6, 4))
