from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model
from vernier.models.weights import load_weights


def resnet(num_outputs=5, channels=3):
    architecture = Architecture("zoo", "resnet20_cifar", {}, num_outputs, channels, (16, 16))
    return build_model(architecture), architecture


@pytest.fixture
def saved(tmp_path) -> tuple[Path, dict]:
    module, _ = resnet()
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.1, 1.0, generator=torch.Generator().manual_seed(len(name)))
    state = module.state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors", {name: value.clone() for name, value in state.items()}


def test_weights_that_fit_are_taken_over(saved):
    path, state = saved
    module, architecture = resnet()
    report = load_weights(module, path, architecture)
    assert (report.loaded, report.head_mismatch, report.stem_adapted) == (len(state), (), ())
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_another_head_keeps_its_own_weights_and_is_listed(saved):
    path, state = saved
    module, architecture = resnet(num_outputs=9)
    head = module.head.weight.detach().clone()
    report = load_weights(module, path, architecture)
    assert torch.equal(module.head.weight, head)
    assert report.loaded == len(state) - 2
    assert report.head_mismatch == (
        "head.weight: [5, 64] in the file, [9, 64] in the network",
        "head.bias: [5] in the file, [9] in the network",
    )
    assert torch.equal(module.stem.weight, state["stem.weight"])
    assert "head starts afresh (head.weight: [5, 64]" in str(report)


def test_a_grey_stem_is_the_sum_over_colours(saved):
    path, state = saved
    module, architecture = resnet(channels=1)
    report = load_weights(module, path, architecture)
    torch.testing.assert_close(module.stem.weight, state["stem.weight"].sum(1, keepdim=True))
    assert report.stem_adapted == ("stem.weight: [16, 3, 3, 3] in the file, [16, 1, 3, 3] in the network",)


def test_missing_unexpected_and_differing_are_listed_and_nothing_is_copied(saved, tmp_path):
    _, state = saved
    state["extra.weight"] = torch.zeros(2)
    del state["norm.weight"]
    state["stage1.0.conv1.weight"] = torch.zeros(16, 8, 3, 3)
    save_file(state, tmp_path / "other.safetensors")
    module, architecture = resnet()
    before = module.stem.weight.detach().clone()
    with pytest.raises(ModelError) as caught:
        load_weights(module, tmp_path / "other.safetensors", architecture)
    message = str(caught.value)
    assert "other.safetensors for model.name=resnet20_cifar (zoo)" in message
    assert "Only in the network (1): norm.weight" in message
    assert "Only in the file (1): extra.weight" in message
    assert "Of another shape (1): stage1.0.conv1.weight: [16, 8, 3, 3] in the file, [16, 16, 3, 3]" in message
    assert torch.equal(module.stem.weight, before)


def test_long_lists_are_cut_and_a_prefix_is_hinted_at(saved, tmp_path):
    _, state = saved
    save_file({f"module.{name}": value for name, value in state.items()}, tmp_path / "ddp.safetensors")
    module, architecture = resnet()
    with pytest.raises(ModelError, match=rf"\({len(state)}\): .* and {len(state) - 10} more") as caught:
        load_weights(module, tmp_path / "ddp.safetensors", architecture)
    assert "start with 'module.'" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_no_safetensors_or_cut_off(saved, tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(saved[0].read_bytes()[:5000] if content is None else content)
    with pytest.raises(ModelError, match=r"bad\.safetensors: not a safetensors file, or cut off"):
        load_weights(*arguments(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"none\.safetensors: can't be read: No such file"):
        load_weights(*arguments(tmp_path / "none.safetensors"))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save({}, path)
    with pytest.raises(ModelError, match=r"pickles, which can run code; convert it once.*weights_only=True"):
        load_weights(*arguments(path))


def test_a_bundle_and_a_run_directory_are_taken(tmp_path):
    module, architecture = resnet()
    info = BundleInfo(architecture, ("a", "b", "c", "d", "e"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "run" / "final", module, info)
    for path in (tmp_path / "run", tmp_path / "run" / "final"):
        other, _ = resnet()
        assert load_weights(other, str(path), architecture).head_mismatch == ()
        assert torch.equal(other.stem.weight, module.stem.weight)


def test_timms_layers_under_a_head_belong_together(tmp_path):
    module = timm.create_model("levit_128s", num_classes=5)
    save_file(module.state_dict(), tmp_path / "levit.safetensors")
    architecture = Architecture("timm", "levit_128s", {}, 9, 3, (224, 224))
    report = load_weights(build_model(architecture), tmp_path / "levit.safetensors", architecture)
    assert any("head.linear.weight" in sentence for sentence in report.head_mismatch)


def test_published_mobilenet_weights_fit(shared_data):
    architecture = Architecture("timm", "mobilenetv2_100", {"pad_type": "same"}, 5, 3, (224, 224))
    module = build_model(architecture)
    report = load_weights(module, shared_data / "weights" / "mobilenetv2_100_imagenet.safetensors", architecture)
    assert [sentence.partition(":")[0] for sentence in report.head_mismatch] == ["classifier.weight", "classifier.bias"]
    assert report.loaded == len(module.state_dict()) - 2


def arguments(path):
    module, architecture = resnet()
    return module, path, architecture
