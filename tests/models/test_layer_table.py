import pytest
import timm
import torch

from vernier.config.head import DropoutLayer, LinearLayer
from vernier.config.loading import load_config
from vernier.config.model import ModelConfig
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.layer_table import layer_table
from vernier.models.layers import parametered_layers
from vernier.models.providers import build_model
from vernier.models.zoo import ZOO


def test_rows_are_the_layers_that_frozen_counts():
    table = layer_table(ModelConfig(name="resnet20_cifar"), 10)
    expected = parametered_layers(ZOO["resnet20_cifar"](10))
    assert [row.index for row in table.layers] == list(range(len(expected)))
    assert [(row.name, row.type) for row in table.layers] == [
        (layer.name, type(layer.module).__name__) for layer in expected
    ]


def test_shapes_are_those_of_a_real_pass():
    module = timm.create_model("test_resnet", num_classes=7, in_chans=2).eval()
    layers = parametered_layers(module)
    names = {layer.module: layer.name for layer in layers}
    shapes = {}

    def note(layer, inputs, output):
        shapes[names[layer]] = tuple(output.shape[1:])

    for layer in layers:
        layer.module.register_forward_hook(note)
    with torch.no_grad():
        module(torch.zeros(1, 2, 96, 64))
    table = layer_table(ModelConfig(name="test_resnet"), 7, (96, 64, 2))
    assert {row.name: row.output_shape for row in table.layers} == shapes


def test_parameters_add_up_and_hold_batchnorms_statistics():
    table = layer_table(ModelConfig(name="digits_cnn"), 10)
    by_type = {row.name: (row.type, row.parameters) for row in table.layers}
    assert by_type["0"] == ("Conv2d", 32 * 9)
    assert by_type["1"] == ("BatchNorm2d", 4 * 32)
    assert table.parameters == sum(row.parameters for row in table.layers)
    assert table.trainable == sum(parameter.numel() for parameter in ZOO["digits_cnn"](10).parameters())


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [("backbone", slice(0, -1)), ("(0:-1)", slice(0, -1)), ("(0:4)", slice(0, 4)), ("(0::2)", slice(0, None, 2))],
)
def test_frozen_layers_are_marked(frozen, expected):
    model = load_config(None, ["model=digits_cnn", f"model.frozen={frozen}"], checks=()).config.model
    table = layer_table(model, 10)
    assert [row for row in table.layers if row.frozen] == list(table.layers[expected])
    trained = sum(row.parameters for row in table.layers if not row.frozen and row.type != "BatchNorm2d")
    trained += sum(row.parameters // 2 for row in table.layers if not row.frozen and row.type == "BatchNorm2d")
    assert table.trainable == trained


def test_parameters_of_the_network_itself_and_layers_that_are_not_called():
    rows = {row.name: row for row in layer_table(ModelConfig(name="vit_b_32", provider="torchvision"), 10).layers}
    assert rows[""].parameters == 768
    assert rows["heads.head"].output_shape == (10,)
    assert rows["encoder.layers.encoder_layer_0.self_attention.out_proj"].output_shape is None


def test_other_spellings_and_settings():
    model = ModelConfig(name="ResNet20CIFARNCHW", width_divisor=2, head=(LinearLayer(features=12), DropoutLayer()))
    table = layer_table(model, 10)
    assert table.architecture.name == "resnet20_cifar"
    assert table.layers[0].output_shape == (8, 32, 32)
    assert [row.output_shape for row in table.layers[-2:]] == [(12,), (10,)]


def test_own_code_is_found_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "layer_table_net.py").write_text(
        "from torch import nn\n"
        "def build(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),"
        " nn.Linear(4, num_classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    table = layer_table(ModelConfig(name="layer_table_net:build"), 3, (8, 8, 1))
    assert [row.output_shape for row in table.layers] == [(4, 6, 6), (3,)]
    assert table.macs == 36 * 4 * 9 + 4 * 3


def test_an_image_that_does_not_fit_is_an_error():
    with pytest.raises(ModelError, match=r"model.input_size=\[16,16\]"):
        layer_table(ModelConfig(name="alexnet"), 10, (16, 16, 3))


def test_text_and_json_tell_the_same():
    table = layer_table(ModelConfig(name="digits_cnn"), 10)
    values = table.to_json()
    assert (values["parameters"], values["input_size"]) == (table.parameters, [8, 8, 1])
    assert values["layers"][0]["output_shape"] == (32, 8, 8)
    head, *lines, totals = table.to_text().splitlines()
    assert head.split() == ["index", "name", "type", "output", "shape", "parameters", "frozen"]
    assert lines[0].split() == ["0", "0", "Conv2d", "32x8x8", "288", "no"]
    assert len(lines) == len(values["layers"])
    assert totals.startswith(f"{table.parameters:,} parameters")


def test_a_bundle_shows_its_own_network(tmp_path):
    architecture = Architecture("zoo", "digits_cnn", {}, 7, 1, (8, 8), width_divisor=2)
    info = BundleInfo(architecture, tuple("abcdefg"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "best", build_model(architecture), info)
    table = layer_table(ModelConfig(name=str(tmp_path / "best"), frozen="backbone"), 1000)
    assert table.architecture == architecture
    assert [row.frozen for row in table.layers] == [True] * 8 + [False]
    assert table.layers[-1].parameters == 7 * 33
