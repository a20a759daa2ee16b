"""The list of networks: its tables, what is computed from them, and what they say beside the literature."""

import csv
import subprocess
import sys

import pytest
import timm
import torch
from torch import nn

from vernier.models import catalog, catalog_build, catalog_text
from vernier.models.architecture import Architecture
from vernier.models.catalog_measure import Cost, cost_or_none, measure
from vernier.models.providers import PROVIDERS
from vernier.models.zoo import ZOO

SLOW = pytest.mark.slow
SAMPLE = [
    ("timm", "resnet18"),
    ("timm", "test_vit"),
    ("timm", "deit_tiny_distilled_patch16_224"),
    ("timm", "mobilenetv2_035"),
    ("torchvision", "squeezenet1_1"),
    ("torchvision", "regnet_x_400mf"),
    ("torchvision", "mnasnet0_5"),
]


def rows(provider):
    return {row.name: row for row in catalog.read_table(provider)}


def entry(name, provider, classes=1000, input_size=None):
    (found,) = catalog.list_entries([rows(provider)[name]], classes, input_size)
    return found


@pytest.mark.parametrize("provider", catalog.LISTED)
def test_the_list_holds_the_providers_networks(provider):
    assert names("*", provider) == sorted({name for name in PROVIDERS[provider].names() if "." not in name})


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW if "nasnet" in name else ()) for name in ZOO])
def test_the_zoos_table_is_up_to_date(name):
    row = rows("zoo")[name]
    assert catalog_build.describe("zoo", name) == catalog.Row(
        name, "zoo", row.family, row.height, row.width, row.channels, weights=False
    )
    size = (row.height, row.width, row.channels)
    cost = Cost(row.parameters, row.trainable, row.macs)
    assert cost_or_none("zoo", name, 1000, size) == cost, "python -m vernier.models.catalog_build --only zoo"


@pytest.mark.parametrize(("provider", "name"), SAMPLE)
def test_a_row_is_what_a_fresh_count_gives(provider, name):
    assert catalog_build.count(catalog_build.describe(provider, name)) == rows(provider)[name]


@pytest.mark.parametrize(("provider", "name"), SAMPLE)
def test_other_classes_are_exact_without_building(provider, name):
    found = entry(name, provider, 7)
    cost = cost_or_none(provider, name, 7, found.input_size)
    assert (found.parameters, found.trainable, found.macs) == (cost.parameters, cost.trainable, cost.macs)


def test_counts_are_those_of_the_network_with_weights():
    module = timm.create_model("resnet18", num_classes=10)
    statistics = sum(2 * norm.num_features for norm in module.modules() if isinstance(norm, nn.BatchNorm2d))
    trainable = sum(parameter.numel() for parameter in module.parameters())
    found = entry("resnet18", "timm", 10)
    assert (found.trainable, found.parameters) == (trainable, trainable + statistics)


@pytest.mark.parametrize(
    ("name", "provider", "parameters", "macs"),
    [
        # Keras's figure, ResNet's and EfficientNet's papers, and torchvision's documentation.
        ("mobilenetv2_100", "timm", 3_538_984, 301e6),
        ("resnet50", "timm", 25_610_152, 4.09e9),
        ("efficientnet_b0", "torchvision", 5_330_564, 0.39e9),
        ("vit_b_16", "torchvision", 86_567_656, 17.56e9),
        ("squeezenet1_1", "torchvision", 1_235_496, 0.35e9),
    ],
)
def test_figures_of_the_literature(name, provider, parameters, macs):
    found = entry(name, provider)
    assert found.parameters == parameters
    assert found.macs == pytest.approx(macs, rel=0.015)


def test_macs_are_counted_by_hand():
    # 8x8: two 3x3 convolutions; 4x4: two more; then the classifier.
    by_hand = 64 * 9 * (1 * 32 + 32 * 32) + 16 * 9 * (32 * 64 + 64 * 64) + 64 * 1000
    assert entry("digits_cnn", "zoo").macs == by_hand


def test_another_image_is_built_for():
    found = entry("digits_cnn", "zoo", 10, (16, 16, 3))
    assert found.macs == 256 * 9 * (3 * 32 + 32 * 32) + 64 * 9 * (32 * 64 + 64 * 64) + 64 * 10
    assert found.input_size == (16, 16, 3)
    assert found.trainable == sum(parameter.numel() for parameter in ZOO["digits_cnn"](10, 3).parameters())


def test_an_image_that_it_cant_take_leaves_figures_out():
    found = entry("alexnet", "torchvision", 10, (16, 16, 3))
    assert (found.parameters, found.trainable, found.macs) == (None, None, None)


def test_a_size_that_is_the_networks_own_needs_no_building():
    found = catalog.find_rows("resnet18")
    assert catalog.needs_building(found, (224, 224, 3)) == 0
    assert catalog.needs_building(found, (96, 96, 3)) == len(found)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit"])
def test_a_meta_network_counts_what_a_real_one_does(name):
    architecture = Architecture("timm", name, {}, 10, 3, (160, 160))
    module = timm.create_model(name, num_classes=10).eval()
    macs = []

    def hook(layer, inputs, output):
        kernel = layer.weight[0].numel()
        macs.append(output.numel() * kernel)

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(hook)
    with torch.no_grad():
        module(torch.zeros(1, 3, 160, 160))
    found = measure(architecture)
    assert found.trainable == sum(parameter.numel() for parameter in module.parameters())
    # Attention multiplies besides its layers.
    assert found.macs == sum(macs) if name != "test_vit" else found.macs > sum(macs)


def names(pattern, provider=None):
    return [row.name for row in catalog.find_rows(pattern, provider)]


def test_patterns():
    assert names("resnet18", "torchvision") == ["resnet18"]
    assert {"resnet18", "seresnet18", "resnet18d"} <= set(names("resnet18", "timm"))
    assert names("resnet1?", "timm") == ["resnet18"]
    assert names("RESNET20*", "zoo") == ["resnet20_cifar"]
    assert names("vgg1[13]", "torchvision") == ["vgg11", "vgg13"]
    assert names("no such network") == []


def test_other_systems_spellings_find_what_they_stand_for():
    assert names("ResNet50NCHW") == ["resnet50", "resnet50"]
    assert names("Eff_B3") == ["efficientnet_b3", "efficientnet_b3"]


def test_the_nearest_names():
    assert "resnet18" in catalog.nearest_names("resnet81")


def test_zoo_then_timm_then_torchvision():
    providers = [row.provider for row in catalog.find_rows()]
    assert providers == sorted(providers, key=catalog.LISTED.index)


def test_published_weights():
    assert entry("resnet18", "timm").weights
    assert not entry("resnet20_cifar", "zoo").weights


def test_json_has_plain_values():
    assert entry("resnet18", "torchvision").to_json() == {
        "name": "resnet18",
        "provider": "torchvision",
        "family": "resnet",
        "parameters": 11_699_112,
        "trainable": 11_689_512,
        "macs": 1_814_073_344,
        "input_size": (224, 224, 3),
        "weights": True,
    }


def test_another_version_lists_its_own_names(monkeypatch):
    monkeypatch.setattr(catalog, "installed_version", lambda provider: "0.0.1")
    monkeypatch.setattr(catalog_build, "names_of", lambda provider: ("resnet18", "test_vit2"))
    table = rows("timm")
    monkeypatch.setattr(catalog, "read_table", lambda provider: (table["resnet18"], table["resnet34"]))
    known, added = catalog.find_rows("*", "timm")
    assert known == table["resnet18"]
    assert (added.name, added.parameters) == ("test_vit2", None)
    (counted,) = catalog.list_entries([added], 10, None)
    assert counted.trainable == sum(p.numel() for p in timm.create_model("test_vit2", num_classes=10).parameters())


def test_tables_are_written_as_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog_build, "names_of", lambda provider: ("digits_cnn",))
    catalog_build.main(["--only", "zoo", "--directory", str(tmp_path)])
    version_line, *lines = (tmp_path / "zoo.csv").read_text().splitlines()
    assert version_line.startswith("# zoo ")
    (record,) = csv.DictReader(lines)
    assert record == {
        name: str(int(value) if name == "weights" else value)
        for name, value in vars(rows("zoo")["digits_cnn"]).items()
        if name != "provider"
    }


@pytest.mark.skipif(
    any(catalog.installed_version(name) != catalog.table_version(name) for name in ("timm", "torchvision")),
    reason="another version of timm or torchvision than the table's: its own names are listed",
)
def test_reading_the_tables_imports_no_torch():
    code = (
        "import sys; from vernier.models import catalog, catalog_text;"
        "catalog_text.text_table(catalog.list_entries(catalog.find_rows(), 10, None)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (7, "7"),
        (999, "999"),
        (8_032, "8.03 k"),
        (11_699_112, "11.7 M"),
        (301_000_000, "301 M"),
        (4_089_184_256, "4.09 G"),
    ],
)
def test_short_counts(count, text):
    assert catalog_text.short_count(count) == text


def test_the_readmes_table_holds_the_zoo_and_the_named_families():
    table = catalog_text.markdown_table().splitlines()
    listed = [line.split("`")[1] for line in table[2:]]
    assert set(ZOO) <= set(listed)
    assert {"alexnet", "efficientnet_b7", "resnet152", "squeezenet1_1", "vgg16"} <= set(listed)
    assert len(listed) == len(set(listed))
    assert "| `resnet18` | timm | 11.7 M | 1.81 G | 224x224x3 |" in table


@pytest.mark.parametrize(
    ("name", "parameters", "trainable"),
    [
        # Keras's counts of the published networks: all weights, and those that train.
        ("efficientnet_b0", 5_330_564, 5_288_548),
        ("efficientnet_b1", 7_856_232, None),
        ("efficientnet_b2", 9_177_562, None),
        ("efficientnet_b3", 12_320_528, None),
        ("efficientnet_b4", 19_466_816, None),
        ("efficientnet_b5", 30_562_520, None),
        ("efficientnet_b6", 43_265_136, None),
        ("efficientnet_b7", 66_658_680, None),
        ("mobilenetv2_100", 3_538_984, 3_504_872),
        ("vgg16", 138_357_544, 138_357_544),
        ("squeezenet1_1", 1_235_496, 1_235_496),
        ("nasnet_mobile", 5_326_716, 5_289_978),
        ("nasnet_large", 88_949_818, 88_753_150),
        # He et al. 2016, Krizhevsky 2014 and Howard et al. 2019, as their authors' and torchvision's code counts.
        ("resnet18", None, 11_689_512),
        ("resnet34", None, 21_797_672),
        ("resnet50", None, 25_557_032),
        ("resnet101", None, 44_549_160),
        ("resnet152", None, 60_192_808),
        ("alexnet", 61_100_840, 61_100_840),
        ("mobilenetv3_large_100", None, 5_483_032),
        ("mobilenetv3_small_100", None, 2_542_856),
    ],
)
def test_published_networks_have_the_published_numbers_of_parameters(name, parameters, trainable):
    (entry, *_) = (entry for entry in catalog.list_entries(catalog.find_rows(name), 1000, None) if entry.name == name)
    assert entry.parameters == parameters or parameters is None
    assert entry.trainable == trainable or trainable is None
