import dataclasses
import json
import math
import resource
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from vernier.errors import ModelError, RunError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, bundle_directory, load_bundle, read_info, save_bundle, update_info
from vernier.models.providers import build_model

INFO = BundleInfo(
    architecture=Architecture("zoo", "resnet20_cifar", {}, 2, 3, (16, 16), 0.1),
    class_names=("chat", "été"),
    task="multiclass",
    preprocessing={"channels": 3, "size": [16, 16]},
    threshold=0.5,
    temperature=None,
    metrics={"val": {"accuracy": 0.5, "top_5": math.nan}},
    versions={"torch": torch.__version__},
)


@pytest.fixture
def module():
    torch.manual_seed(0)
    module = build_model(INFO.architecture)
    module(torch.randn(4, 3, 16, 16))
    return module.eval()


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def edit(bundle, **changes):
    path = bundle / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_was_saved_comes_back(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    generator = torch.get_rng_state()
    loaded, info = load_bundle(tmp_path / "best")
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images), module(images))
    assert info == dataclasses.replace(INFO, metrics={"val": {"accuracy": 0.5, "top_5": None}})
    assert not any(child.training for child in loaded.modules())
    assert torch.equal(torch.get_rng_state(), generator)
    assert names(tmp_path / "best") == ["bundle.json", "model.safetensors"]
    assert names(tmp_path) == ["best"]


def test_equal_weights_make_equal_bytes_in_any_memory_format(module, tmp_path):
    save_bundle(tmp_path / "a", module, INFO)
    save_bundle(tmp_path / "b", module.to(memory_format=torch.channels_last), INFO)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
    loaded, _ = load_bundle(tmp_path / "b")
    assert torch.equal(loaded.stage2[0].conv1.weight, module.stage2[0].conv1.weight)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("torchvision", "googlenet", {}, 3, 3, (64, 64), 0.4),
        Architecture("torchvision", "squeezenet1_1", {}, 3, 1, (32, 32), 0.4),
        Architecture("timm", "vit_tiny_patch16_224", {}, 3, 1, (32, 48)),
        Architecture("timm", "mobilenetv2_050", {"pad_type": "same"}, 3, 3, (32, 32), 0.2),
    ],
)
def test_other_providers_networks_come_back(architecture, tmp_path):
    module = build_model(architecture).eval()
    save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, architecture=architecture))
    loaded, _ = load_bundle(tmp_path / "best")
    images = torch.rand(2, architecture.channels, *architecture.input_size)
    assert torch.equal(loaded(images), module(images))


def test_a_run_directory_gives_its_best_else_its_final(module, tmp_path):
    save_bundle(tmp_path / "final", module, INFO)
    assert load_bundle(tmp_path)[1].task == "multiclass"
    save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, threshold=0.25))
    assert load_bundle(tmp_path)[1].threshold == 0.25


def test_a_bundle_is_replaced_as_a_whole(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    nn.init.ones_(module.head.bias)
    save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, temperature=1.5))
    loaded, info = load_bundle(tmp_path / "best")
    assert info.temperature == 1.5
    assert torch.equal(loaded.head.bias, torch.ones(2))
    assert names(tmp_path) == ["best"]


def test_a_kill_between_the_renames_loses_nothing(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    (tmp_path / "best").rename(tmp_path / "best.old")
    (tmp_path / "best.new").mkdir()
    assert load_bundle(tmp_path / "best")[1].task == "multiclass"
    assert load_bundle(tmp_path)[1].task == "multiclass"
    save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, temperature=2.0))
    assert load_bundle(tmp_path)[1].temperature == 2.0
    assert names(tmp_path) == ["best"]


def test_leftovers_beside_a_whole_bundle_are_cleared(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    shutil.copytree(tmp_path / "best", tmp_path / "best.old")
    save_bundle(tmp_path / "best", module, INFO)
    assert names(tmp_path) == ["best"]


def test_a_full_disk_leaves_the_last_good_one(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RunError, match="not written"):
            save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, temperature=2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_bundle(tmp_path / "best")[1].temperature is None


def test_a_directory_of_something_else_is_not_replaced(module, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(RunError, match="not empty and not a bundle"):
        save_bundle(tmp_path, module, INFO)
    assert (tmp_path / "holiday.jpg").exists()


def test_tied_weights_are_saved_and_load(tmp_path, monkeypatch):
    (tmp_path / "tied_networks.py").write_text(
        "from torch import nn\n\n\n"
        "def tied(num_classes, in_channels):\n"
        "    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, num_classes))\n"
        "    net[2].weight = net[1].weight\n"
        "    return net\n"
    )
    monkeypatch.chdir(tmp_path)
    architecture = Architecture("python", "tied_networks:tied", {}, 2, 1, (2, 2))
    module = build_model(architecture)
    save_bundle(tmp_path / "best", module, dataclasses.replace(INFO, architecture=architecture))
    with pytest.raises(ModelError, match=r"Python code, tied_networks:tied.*--trust"):
        load_bundle(tmp_path / "best")
    sys.modules.pop("tied_networks")
    with pytest.raises(ModelError, match="--trust"):
        load_bundle(tmp_path / "best")
    assert "tied_networks" not in sys.modules
    loaded, _ = load_bundle(tmp_path / "best", trust=True)
    assert loaded[1].weight is loaded[2].weight
    assert torch.equal(loaded[1].weight, module[1].weight)
    sys.modules.pop("tied_networks")


def test_nothing_there(tmp_path):
    with pytest.raises(ModelError, match="there is no such bundle"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="neither a bundle"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema 2, but this Vernier reads 1; update Vernier"),
        ({"task": 3}, "task"),
        ({"surprise": 1}, "surprise"),
        ({"sha256": "0" * 64}, "its sha256 is not the one in bundle.json"),
        ({"architecture": {"provider": "pickle"}}, "architecture.provider"),
    ],
)
def test_a_changed_bundle_json_is_refused(module, tmp_path, changes, message):
    save_bundle(tmp_path / "best", module, INFO)
    edit(tmp_path / "best", **changes)
    with pytest.raises(ModelError, match=message):
        load_bundle(tmp_path / "best")


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_no_json_object_is_refused(module, tmp_path, content):
    save_bundle(tmp_path / "best", module, INFO)
    (tmp_path / "best" / "bundle.json").write_text(content)
    with pytest.raises(ModelError, match=r"bundle\.json: not"):
        load_bundle(tmp_path / "best")


def test_damaged_or_missing_weights_are_refused(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    path = tmp_path / "best" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors: its sha256"):
        load_bundle(tmp_path / "best")
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors: can't be read"):
        load_bundle(tmp_path / "best")


def test_weights_of_another_network_are_refused(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    edit(tmp_path / "best", architecture={**INFO.architecture.to_json(), "num_outputs": 3})
    with pytest.raises(ModelError, match=r"model\.safetensors does not fit bundle\.json"):
        load_bundle(tmp_path / "best")


@pytest.mark.parametrize(
    "kwargs", [{"checkpoint_path": "evil.pt"}, {"pretrained_cfg": {"file": "evil.pt"}}, {"pretrained": True}]
)
def test_a_bundle_cannot_make_timm_read_other_files(module, tmp_path, kwargs):
    save_bundle(tmp_path / "best", module, INFO)
    architecture = Architecture("timm", "resnet18", kwargs, 2, 3, (16, 16))
    edit(tmp_path / "best", architecture=architecture.to_json())
    with pytest.raises(ModelError, match=r"model\.kwargs\.\w+=.* can't be set here"):
        load_bundle(tmp_path / "best")


@pytest.mark.parametrize("name", ["hf-hub:someone/evil", "local-dir:/tmp/evil", "no_such_network"])
def test_a_bundle_cannot_name_a_hub(module, tmp_path, name):
    save_bundle(tmp_path / "best", module, INFO)
    edit(tmp_path / "best", architecture=Architecture("timm", name, {}, 2, 3, (16, 16)).to_json())
    with pytest.raises(ModelError, match=r"model\.name"):
        load_bundle(tmp_path / "best")


def test_the_info_alone_is_replaced(module, tmp_path):
    save_bundle(tmp_path / "best", module, INFO)
    weights = (tmp_path / "best" / "model.safetensors").read_bytes()
    info = dataclasses.replace(read_info(tmp_path / "best"), temperature=1.5, reject_threshold=0.25)
    update_info(tmp_path / "best", info)
    assert load_bundle(tmp_path / "best")[1] == info
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == weights
    assert names(tmp_path / "best") == ["bundle.json", "model.safetensors"]


def test_a_bundle_is_found_from_inside(module, tmp_path, monkeypatch):
    save_bundle(tmp_path / "run" / "best", module, INFO)
    monkeypatch.chdir(tmp_path / "run" / "best")
    assert bundle_directory(Path()) == Path()
    monkeypatch.chdir(tmp_path / "run")
    assert bundle_directory(Path()) == Path("best")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="neither a bundle"):
        bundle_directory(Path())
