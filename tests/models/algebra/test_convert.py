import math
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import fx, nn

from vernier.config.algebra import AlgebraConfig
from vernier.models.algebra.batchnorm import BladeBatchNorm, WhiteningBatchNorm
from vernier.models.algebra.convert import convert
from vernier.models.algebra.dropout import HyperDropout, HyperDropPath
from vernier.models.algebra.layout import HyperLayer
from vernier.models.algebra.linear import HyperConv2d, HyperConvTranspose2d, HyperLinear
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, load_bundle, save_bundle
from vernier.models.head import head_modules
from vernier.models.providers import build_model
from vernier.models.zoo.resnet_cifar import resnet20_cifar

SIZE = 32
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)
HYPER = (HyperConv2d, HyperConvTranspose2d, HyperLinear, BladeBatchNorm)


def quaternions(**algebra) -> AlgebraConfig:
    return AlgebraConfig(name="quaternion", **algebra)


def image(channels: int = 3, size: int = SIZE) -> torch.Tensor:
    return torch.zeros(1, channels, size, size)


def images(count: int = 2, size: int = SIZE) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


def small_net(*extra: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        *extra,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    )


def timm_net(name: str, **arguments) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, num_classes=7, **arguments)


def torchvision_net(name: str, **arguments) -> Callable[[], nn.Module]:
    return lambda: torchvision.models.get_model(name, num_classes=7, **arguments)


def with_random_statistics(module: nn.Module) -> nn.Module:
    """Weights that no symmetry hides errors in: also biases, and what BatchNorm has seen."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.randn_like(tensor) * 0.2)
    return module


def put_real_weights(real: nn.Module, hyper: nn.Module) -> None:
    """Into the scalar parts; the others become 0."""
    sources = [child for child in real.modules() if isinstance(child, LAYERS)]
    targets = [child for child in hyper.modules() if isinstance(child, HYPER)]
    assert len(sources) == len(targets)
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            own = getattr(target, "norm", target).state_dict()
            for key, value in source.state_dict().items():
                if value.ndim and not key.startswith("running"):
                    own[key].zero_()
                    own[key][: len(value)] = value
                elif value.ndim:
                    own[key][: len(value)] = value


def narrow_vgg() -> nn.Module:
    """torchvision's layers; its own dense ones alone would have two thousand million real weights."""
    return nn.Sequential(
        torchvision.models.vgg.make_layers([8, "M", 16, "M", 24], batch_norm=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 20),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(20, 7),
    )


def narrow_densenet() -> nn.Module:
    return torchvision.models.DenseNet(8, (2, 2, 2), num_init_features=16, num_classes=7)


NETWORKS = {
    "resnet20_cifar": (lambda: resnet20_cifar(7), 16),
    "resnet18, narrow": (timm_net("resnet18", channels=(16, 32, 48, 64)), 32),
    "mobilenet_v2": (torchvision_net("mobilenet_v2", width_mult=0.35), 32),
    "squeezenet1_1": (torchvision_net("squeezenet1_1"), 32),
    "vgg, narrow": (narrow_vgg, 16),
    "densenet, narrow": (narrow_densenet, 32),
    "lcnet_050": (timm_net("lcnet_050"), 32),
    "mobilenetv3_small_050": (timm_net("mobilenetv3_small_050"), 32),
    "tf_mobilenetv3_small_minimal_100": (timm_net("tf_mobilenetv3_small_minimal_100"), 33),
    "regnety_002": (timm_net("regnety_002"), 32),
}
LARGE_NETWORKS = {
    "resnet18": (timm_net("resnet18"), 32),
    "mobilenet_v2": (torchvision_net("mobilenet_v2"), 32),
    "densenet121": (torchvision_net("densenet121"), 32),
    "efficientnet_b0": (timm_net("efficientnet_b0"), 32),
    "tf_efficientnet_b0": (timm_net("tf_efficientnet_b0"), 33),
    "mobilenetv3_small_100": (timm_net("mobilenetv3_small_100"), 32),
}


@pytest.mark.parametrize(
    ("build", "size"),
    [
        *(pytest.param(*case, id=name) for name, case in NETWORKS.items()),
        *(pytest.param(*case, id=f"{name}, whole", marks=pytest.mark.slow) for name, case in LARGE_NETWORKS.items()),
    ],
)
def test_real_weights_in_the_scalar_part_give_the_real_logits_and_n_times_the_parameters(build, size):
    torch.manual_seed(1)
    real = with_random_statistics(build())
    state = {key: value.clone() for key, value in real.state_dict().items()}
    hyper = convert(real, quaternions(), image(size=size))
    again = build()
    again.load_state_dict(state)
    put_real_weights(again, hyper)
    with torch.no_grad():
        expected, got = again.eval()(images(size=size)), hyper.eval()(images(size=size))
    assert expected.std() > 1e-3
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    count = sum(parameter.numel() for parameter in again.parameters())
    assert sum(parameter.numel() for parameter in hyper.parameters()) == 4 * count


@pytest.mark.parametrize("name", ["complex", "Cl(3,0)", "Cl(0,0,1)", "Cl+(2,1)", "real"])
def test_other_algebras_agree_with_the_real_network_too(name):
    torch.manual_seed(1)
    real = with_random_statistics(small_net())
    hyper = convert(small_net(), AlgebraConfig(name=name), image())
    put_real_weights(real, hyper)
    torch.testing.assert_close(hyper.eval()(images()), real.eval()(images()), rtol=1e-4, atol=1e-5)


def test_initial_logits_are_about_as_large_as_the_real_network_s():
    spreads = []
    for algebra in (None, quaternions(), quaternions(batchnorm="whitening")):
        torch.manual_seed(0)
        network = resnet20_cifar(50).train()
        network = network if algebra is None else convert(network, algebra, image())
        spreads.append(float(network(images(8)).std().detach()))
    real, blade, whitening = spreads
    assert blade == pytest.approx(real, rel=0.3)
    # Numbers have variance 1 there, so each of the four parts has a quarter.
    assert whitening == pytest.approx(real / 2, rel=0.3)


def test_initial_weights_are_drawn_from_the_global_generator_in_a_fixed_order():
    def draw(seed: int, config: AlgebraConfig) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return convert(small_net(nn.Dropout(0.2)), config, image()).state_dict()

    config = quaternions(input="learned")
    first, again, other = draw(3, config), draw(3, config), draw(4, config)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["network.0.weight"], other["network.0.weight"])


def test_scales_that_start_at_zero_do_so_in_all_parts():
    network = timm.create_model("resnet18", channels=(8, 8, 8, 8), zero_init_last=True)
    network = convert(network, quaternions(), image())
    assert not network.network.layer1[0].bn2.norm.weight.any()
    assert network.network.layer1[0].bn1.norm.weight.any()


def test_biases_stay_in_the_scalar_part_alone():
    real = small_net()
    bias = real[0].bias.detach().clone()
    converted = convert(real, quaternions(), image()).network[0].bias
    assert torch.equal(converted[:6], bias)
    assert not converted[6:].any()


def test_a_module_used_under_two_names_stays_one():
    shared = nn.Conv2d(6, 6, 3, padding=1)
    network = convert(small_net(shared, nn.ReLU(), shared), quaternions(), image())
    assert network.network[3] is network.network[5]


def test_layers_that_only_differ_in_name_or_pad_are_converted():
    class MyConvolution(nn.Conv2d):
        """Adds nothing."""

    same = timm.layers.Conv2dSame(6, 6, 3, stride=2)
    network = convert(small_net(MyConvolution(6, 6, 1), same, timm.layers.BatchNormAct2d(6)), quaternions(), image())
    layers = [type(child) for child in network.modules()]
    assert layers.count(HyperConv2d) == 3
    assert layers.count(BladeBatchNorm) == 2
    assert not any(issubclass(layer, nn.Conv2d | timm.layers.BatchNormAct2d) for layer in layers)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("kernel_size", "stride", "dilation"), [(3, 2, 1), (2, 2, 1), ((5, 3), (1, 2), 2), (1, 3, 1)])
def test_padding_of_the_same_kind_is_timm_s(size, kernel_size, stride, dilation):
    real = timm.layers.Conv2dSame(3, 4, kernel_size, stride=stride, dilation=dilation)
    hyper = convert(nn.Sequential(real, nn.Flatten()), quaternions(), image(size=size))
    put_real_weights(nn.Sequential(real), hyper)
    expected = real(images(size=size)).flatten(1)
    torch.testing.assert_close(hyper.eval()(images(size=size)), expected, rtol=1e-4, atol=1e-5)


def test_dropout_and_stochastic_depth_drop_whole_numbers():
    extra = (nn.Dropout(0.3), timm.layers.DropPath(0.2), torchvision.ops.StochasticDepth(0.1, "row"))
    network = convert(small_net(*extra), quaternions(), image())
    layers = list(network.network)[3:6]
    assert [type(layer) for layer in layers] == [HyperDropout, HyperDropPath, HyperDropPath]
    assert [layer.p for layer in layers] == [0.3, 0.2, 0.1]


@pytest.mark.parametrize("batchnorm", ["blade", "whitening"])
def test_every_batchnorm_is_of_the_chosen_kind(batchnorm):
    network = convert(resnet20_cifar(5), quaternions(batchnorm=batchnorm), image())
    kind = {"blade": BladeBatchNorm, "whitening": WhiteningBatchNorm}[batchnorm]
    assert sum(isinstance(child, kind) for child in network.modules()) == 19
    assert network(images(4)).isfinite().all()
    assert network.eval()(images(4)).isfinite().all()


@pytest.mark.parametrize("output", ["scalar", "norm", "mean", "max"])
@pytest.mark.parametrize("points", [("beginning", "end_after_dense"), ("end_before_dense", "end_after_dense")])
def test_every_output_gives_logits_after_the_classifier(output, points):
    network = convert(small_net(), quaternions(output=output, points=points), image())
    assert network.eval()(images()).shape == (2, 5)
    assert head_modules(network) == ("network.5",)


@pytest.mark.parametrize("build", [small_net, torchvision_net("squeezenet1_1"), narrow_vgg])
@pytest.mark.parametrize("output", ["scalar", "concat", "mean"])
def test_before_the_classifier_numbers_end_and_it_stays_real(build, output):
    real = build()
    (head,) = head_modules(real)
    classifier = real.get_submodule(head)
    features, weight = classifier.weight.shape[1], classifier.weight.detach().clone()
    network = convert(real, quaternions(output=output, points=("beginning", "end_before_dense")), image())
    assert head_modules(network) == (f"network.{head}",)
    dense = network.get_submodule(f"network.{head}.dense")
    assert isinstance(dense, nn.Linear | nn.Conv2d)
    if output == "concat":
        assert dense.weight.shape[1] == 4 * features
        assert float(dense.weight.detach().std() / weight.std()) == pytest.approx(0.5, rel=0.3)
    else:
        assert torch.equal(dense.weight, weight)
    assert network(images()).shape == network.eval()(images()).shape


@pytest.mark.parametrize("input", ["basic", "learned"])
@pytest.mark.parametrize(
    "build", [timm_net("vit_tiny_patch16_224", img_size=SIZE, depth=1), torchvision_net("squeezenet1_1")]
)
def test_the_classifier_alone_can_be_converted_on_any_network(build, input):
    config = quaternions(input=input, points=("end_before_dense", "end_after_dense"))
    network = convert(build(), config, image())
    kinds = [type(child) for child in network.modules()]
    assert kinds.count(HyperLinear) + kinds.count(HyperConv2d) == 1
    assert network(images()).shape == (2, 7)


@pytest.mark.parametrize("input", ["joint", "grayscale"])
def test_colours_as_imaginary_parts_need_a_stem_for_one_channel(input):
    network = convert(resnet20_cifar(5), quaternions(input=input), image())
    assert network.network.stem.in_channels == 1
    assert network(images()).shape == (2, 5)


@pytest.mark.parametrize("input", ["basic", "learned"])
def test_two_steps_lower_the_loss_and_reach_every_parameter(input):
    torch.manual_seed(0)
    network = convert(resnet20_cifar(5), quaternions(input=input), image(size=16)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)
    batch, targets = images(8, 16), torch.arange(8) % 5
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(network(batch), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[0]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_both_memory_formats_agree():
    torch.manual_seed(0)
    network = convert(resnet20_cifar(5), quaternions(input="learned"), image()).eval()
    expected = network(images())
    network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images().contiguous(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("points", [("beginning", "end_before_dense"), ("beginning", "end_after_dense")])
def test_a_bundle_gives_equal_logits(tmp_path, points):
    algebra = quaternions(points=points, batchnorm="whitening", input="learned")
    architecture = Architecture("zoo", "resnet20_cifar", {}, 5, 3, (16, 16), algebra=algebra)
    torch.manual_seed(0)
    network = build_model(architecture)
    network.train()(images(8, 16))
    info = BundleInfo(architecture, tuple("abcde"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "bundle", network, info)
    loaded, _ = load_bundle(tmp_path / "bundle")
    assert torch.equal(loaded(images(3, 16)), network.eval()(images(3, 16)))


@pytest.mark.parametrize(("name", "divisor"), [("quaternion", 2), ("complex", math.sqrt(2)), ("quaternion", 1)])
def test_parameters_follow_the_number_of_blades_and_the_square_of_the_divisor(name, divisor):
    def count(**settings) -> int:
        network = build_model(Architecture("zoo", "resnet20_cifar", {}, 10, 3, (16, 16), **settings))
        return sum(p.numel() for name, p in network.named_parameters() if p.ndim == 4 and "stem" not in name)

    blades = {"quaternion": 4, "complex": 2}[name]
    narrow = count(width_divisor=divisor)
    assert count(width_divisor=divisor, algebra=AlgebraConfig(name=name)) == blades * narrow
    if divisor == 2:
        assert count() == 4 * narrow


def test_it_can_be_traced_and_cut_where_the_real_network_can():
    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, HyperLayer) or super().is_leaf_module(m, module_qualified_name)

    network = convert(resnet20_cifar(5), quaternions(input="learned", output="norm"), image()).eval()
    traced = fx.GraphModule(network, Tracer().trace(network))
    torch.testing.assert_close(traced(images()), network(images()))
