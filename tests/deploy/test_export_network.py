"""A network as an ONNX graph: equal outputs, BatchNorm gone, names of layers, nothing of the machine."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from vernier.deploy.export import network as network_module
from vernier.deploy.export.network import export_network
from vernier.errors import ModelError


class Squeeze(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


def small_network(*, affine=True):
    torch.manual_seed(0)
    layers = {
        "stem": nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        "norm": nn.BatchNorm2d(8, affine=affine),
        "act": nn.Hardswish(),
        "squeeze": Squeeze(8),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "hidden": nn.Linear(8, 6),
        "hidden_norm": nn.BatchNorm1d(6),
        "out": nn.Linear(6, 4),
    }
    module = nn.Sequential()
    for name, layer in layers.items():
        module.add_module(name, layer)
    for norm in (module.norm, module.hidden_norm):
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
        if norm.affine:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return module.eval()


def outputs(model, images, names=("logits",)):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"input": images})


def assert_equal_outputs(model, module, counts=(1, 5), size=(9, 12)):
    for count in counts:
        images = torch.randn(count, 3, *size)
        with torch.no_grad():
            expected = module(images).numpy()
        np.testing.assert_allclose(outputs(model, images.numpy())[0], expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def exported():
    return export_network(small_network(), 3, (9, 12), opset=18, batch_size=None)


def test_outputs_are_the_modules_for_any_batch(exported):
    assert_equal_outputs(exported, small_network())
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*exported.graph.input, *exported.graph.output)
    }
    assert shapes == {"input": ["N", 3, 9, 12], "logits": ["N", 4]}


def test_batchnorm_is_part_of_the_layer_before_it(exported):
    assert "BatchNormalization" not in Counter(node.op_type for node in exported.graph.node)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in exported.graph.initializer}
    assert (shapes["stem.weight"], shapes["stem.bias"]) == ((8, 3, 3, 3), (8,))


@pytest.mark.slow
def test_batchnorm_without_weights_after_a_layer_with_bias():
    module = small_network(affine=False)
    module.stem = nn.Conv2d(3, 8, 3, 2, 1)
    model = export_network(module.eval(), 3, (9, 12), opset=18, batch_size=None)
    assert_equal_outputs(model, module)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_nodes_have_the_names_of_their_layers(exported):
    names = [node.name for node in exported.graph.node]
    assert len(set(names)) == len(names)
    assert {"stem", "act", "squeeze.down", "squeeze.up", "squeeze.mul", "pool", "out"} <= set(names)
    assert {node.op_type for node in exported.graph.node if node.name == "stem"} == {"Conv"}
    assert not any(node.op_type in ("Constant", "Identity") for node in exported.graph.node)


def test_nothing_of_the_machine_is_in_the_file(exported):
    content = exported.SerializeToString()
    for word in (b".py", b"torch", b"site-packages", b"/home"):
        assert word not in content
    assert not any(item.metadata_props for item in (exported, exported.graph, *exported.graph.node))


def test_the_same_network_gives_the_same_bytes(exported):
    again = export_network(small_network(), 3, (9, 12), opset=18, batch_size=None)
    assert again.SerializeToString(deterministic=True) == exported.SerializeToString(deterministic=True)


@pytest.mark.parametrize("opset", [13, pytest.param(21, marks=pytest.mark.slow)])
def test_other_opsets(opset):
    model = export_network(small_network(), 3, (9, 12), opset=opset, batch_size=None)
    assert [item.version for item in model.opset_import] == [opset]
    assert_equal_outputs(model, small_network())


def test_an_operator_that_an_opset_lacks():
    module = nn.Sequential(nn.Flatten(), nn.LayerNorm(48), nn.Linear(48, 2))
    with pytest.raises(ModelError, match=r"export\.opset=13.*LayerNormalization.*take export\.opset=18"):
        export_network(module, 3, (4, 4), opset=13, batch_size=None)


@pytest.mark.slow
def test_a_fixed_batch():
    model = export_network(small_network(), 3, (9, 12), opset=18, batch_size=2)
    assert_equal_outputs(model, small_network(), counts=(2,))
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


class Token(nn.Module):
    """Like the class token of a vision transformer: as many rows as there are images."""

    def __init__(self):
        super().__init__()
        self.token, self.out = nn.Parameter(torch.randn(1, 1, 12)), nn.Linear(12, 2)

    def forward(self, x):
        rows = torch.cat([self.token.expand(len(x), -1, -1), x.flatten(2)], dim=1)
        return self.out(rows.reshape(len(x) * 4, 12)).reshape(len(x), 4, 2).mean(1)


class Scaled(nn.Module):
    """What can't be proved to be the same for any batch."""

    def forward(self, x):
        return (x.flatten(1) * x.shape[0]).softmax(1)[:, :2]


@pytest.mark.parametrize(
    ("kind", "batches"),
    [(Token, [network_module.TRACED]), pytest.param(Scaled, [network_module.TRACED, None], marks=pytest.mark.slow)],
)
def test_networks_that_count_their_images_and_a_provable_batch_needs_one_translation(kind, batches, monkeypatch):
    seen = []
    translated = network_module._translated
    monkeypatch.setattr(network_module, "_translated", lambda *a: seen.append(a[-1]) or translated(*a))
    module = kind()
    model = export_network(module, 3, (3, 4), opset=18, batch_size=None)
    assert_equal_outputs(model, module, size=(3, 4))
    assert seen == batches


class Branching(nn.Module):
    def forward(self, x):
        return x.flatten(1) if x.sum() > 0 else -x.flatten(1)


class Unsupported(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x).flatten(1)


def test_what_can_not_be_exported_is_named(capfd):
    with pytest.raises(ModelError, match=r"layer 1\.0 can't be traced") as caught:
        export_network(nn.Sequential(nn.ReLU(), nn.Sequential(Branching())), 3, (2, 2), opset=18, batch_size=None)
    with pytest.raises(ModelError, match=r"aten\.special_bessel_j0\.default of layer 1 ") as also:
        export_network(nn.Sequential(nn.ReLU(), Unsupported()), 3, (2, 2), opset=18, batch_size=None)
    assert all("\n" not in str(error.value) for error in (caught, also))
    assert capfd.readouterr() == ("", "")


def test_further_outputs_and_the_module_is_left_as_it_is():
    module = small_network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    model = export_network(module, 3, (9, 12), opset=18, batch_size=None, further={"features": module[:6]})
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    images = torch.randn(2, 3, 9, 12)
    logits, features = outputs(model, images.numpy(), ("logits", "features"))
    np.testing.assert_allclose(features, module[:6](images).detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, module(images).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert Counter(node.op_type for node in model.graph.node)["Conv"] == 3
    onnx.checker.check_model(model, full_check=True)
