"""Weights from files and directories put into networks."""

import copy
from pathlib import Path

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from vernier.config.loading import load_config
from vernier.config.model import WarmStartConfig
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.head import declare_head
from vernier.models.providers import build_model
from vernier.models.state import load_state
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


def tiny(num_outputs=3, channels=3) -> nn.Sequential:
    """A convolution, BatchNorm and a linear head; names 0.*, 1.* and head.*."""
    module = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4))
    module.add_module("head", nn.Linear(4, num_outputs))
    return module


def with_recipe(num_outputs=3) -> nn.Sequential:
    module = tiny()
    module.head = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, num_outputs))
    declare_head(module, ["head"])
    return module


def drawn(module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of the module's shapes that are nobody's initial ones."""
    return {
        name: torch.rand(value.shape) + 2 if value.is_floating_point() else torch.tensor(41)
        for name, value in module.state_dict().items()
    }


def unchanged(module: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(dict(module.state_dict()))


def as_set(argument: str) -> WarmStartConfig:
    """What `key=value` on the command line makes of the warm start."""
    return load_config(None, ["data=digits", argument]).config.model.warm_start


def test_weights_that_fit_are_taken_over(saved):
    path, state = saved
    module, architecture = resnet()
    report = load_weights(module, path, architecture)
    assert report.loaded == tuple(state)
    assert (report.reshaped, report.missing, report.unused, report.head_mismatch) == ((), (), (), ())
    assert unchanged(module, state)
    assert str(report) == f"model.weights={path} for model.name=resnet20_cifar (zoo): {len(state)} tensors loaded"


def test_another_head_keeps_its_own_weights_and_is_listed(saved):
    path, state = saved
    module, architecture = resnet(num_outputs=9)
    head = module.head.weight.detach().clone()
    report = load_weights(module, path, architecture)
    assert torch.equal(module.head.weight, head)
    assert len(report.loaded) == len(state) - 2
    assert report.head_mismatch == ("head",)
    assert report.missing == ("head.weight", "head.bias")
    assert sorted(report.unused) == ["head.bias", "head.weight"]
    assert torch.equal(module.stem.weight, state["stem.weight"])
    assert (
        "; the head starts afresh (head.weight: [5, 64] in the file, [9, 64] in the network, head.bias: [5] in the "
        "file, [9] in the network); 2 of the file are not used (head."
    ) in str(report)
    assert "Missing, kept at initial values (2):\n  head.weight: [5, 64] in the file" in report.details()
    assert "Unused (2):\n  head." in report.details()
    assert f"Loaded ({len(state) - 2}):\n  stem.weight\n" in report.details()
    assert len(report.details().splitlines()) == 4 + len(report.loaded) + 2 + 2


def test_a_grey_stem_is_the_sum_over_colours(saved):
    path, state = saved
    module, architecture = resnet(channels=1)
    report = load_weights(module, path, architecture)
    torch.testing.assert_close(module.stem.weight, state["stem.weight"].sum(1, keepdim=True))
    (sentence,) = report.reshaped
    assert sentence.startswith("stem stem: its one channel is the sum of ")
    assert sentence.endswith("([16, 3, 3, 3] became [16, 1, 3, 3])")
    assert f"the stem is adapted ({sentence})" in str(report)
    assert "stem.weight" in report.loaded


def test_the_channels_of_a_stem_come_from_where_the_user_says(saved):
    path, state = saved
    module, architecture = resnet(channels=4)
    load_weights(module, path, architecture, stem_init=("blue", "green", "red", "zero"))
    wanted = torch.cat([state["stem.weight"].flip(1), torch.zeros(16, 1, 3, 3)], dim=1)
    assert torch.equal(module.stem.weight, wanted)
    before = state_of(module)
    with pytest.raises(ModelError, match=r"model\.stem_init=\[red\]"):
        load_weights(module, path, architecture, stem_init=("red",))
    assert unchanged(module, before)


def test_a_stem_that_sees_several_pixels_is_not_mistaken_for_one_of_other_channels():
    module, state = tiny(channels=12), drawn(tiny(channels=48))
    with pytest.raises(ModelError, match=r"0\.weight: \[4, 48, 3, 3\] in the file, \[4, 12, 3, 3\] in the network"):
        load_state(module, state, "net", channels=3)


def test_a_grouped_stem_is_not_adapted():
    module, state = tiny(), drawn(tiny())
    module[0] = nn.Conv2d(2, 4, 3, groups=2)
    with pytest.raises(ModelError, match=r"0\.weight: \[4, 3, 3, 3\] in the file, \[4, 1, 3, 3\] in the network"):
        load_state(module, state, "net")


def test_missing_unexpected_and_differing_are_listed_and_nothing_is_copied(saved, tmp_path):
    _, state = saved
    state["extra.weight"] = torch.zeros(2)
    del state["norm.weight"]
    state["stage1.0.conv1.weight"] = torch.zeros(16, 8, 3, 3)
    save_file(state, tmp_path / "other.safetensors")
    module, architecture = resnet()
    before = state_of(module)
    with pytest.raises(ModelError) as caught:
        load_weights(module, tmp_path / "other.safetensors", architecture)
    message = str(caught.value)
    assert "other.safetensors for model.name=resnet20_cifar (zoo)" in message
    assert "Only in the network (1): norm.weight" in message
    assert "Only in the file (1): extra.weight" in message
    assert "Of another shape or kind (1): stage1.0.conv1.weight: [16, 8, 3, 3] in the file, [16, 16, 3, 3]" in message
    assert "model.warm_start.partial=true takes what fits" in message
    assert unchanged(module, before)


@pytest.mark.parametrize("prefix", ["module.", "model.", "backbone.net."])
def test_a_prefix_is_not_stripped_silently_and_the_error_tells_the_rename_that_does_it(saved, tmp_path, prefix):
    _, state = saved
    path = tmp_path / "ddp.pth"
    torch.save({"state_dict": {f"{prefix}{name}": value for name, value in state.items()}}, path)
    module, architecture = resnet()
    with pytest.raises(ModelError, match=rf"\({len(state)}\): .* and {len(state) - 10} more") as caught:
        load_weights(module, path, architecture)
    assert "ddp.pth (its state_dict) for model.name" in str(caught.value)
    remedy = str(caught.value).splitlines()[-1]
    assert f"Names in the file start with {prefix!r}; take it off with model.warm_start.rename=" in remedy
    warm_start = as_set(remedy.partition("off with ")[2])
    assert load_weights(module, path, architecture, warm_start).loaded == tuple(state)
    assert unchanged(module, state)


def test_a_prefix_that_the_file_lacks_is_told_too():
    bare, wrapped = tiny(), nn.Sequential()
    wrapped.add_module("backbone", tiny())
    state = drawn(bare)
    with pytest.raises(ModelError, match=r"put it before with model\.warm_start\.rename=\{\"\^\": \"backbone\.\"\}"):
        load_state(wrapped, state, "net")
    load_state(wrapped, state, "net", WarmStartConfig(rename={"^": "backbone."}))
    assert unchanged(wrapped.backbone, state)


def test_what_is_only_in_the_file_can_be_left_out_as_the_error_says():
    module = tiny()
    names = ("aux.fc.weight", "aux.conv.bias", "1.extra", "scale")
    state = {**drawn(module), **dict.fromkeys(names, torch.zeros(2))}
    with pytest.raises(ModelError, match=r"with model\.warm_start\.exclude=") as caught:
        load_state(module, state, "net")
    setting = str(caught.value).partition("does not have with ")[2]
    assert as_set(setting).exclude == (r"aux\..*", r"1\.extra", "scale")
    report = load_state(module, state, "net", as_set(setting))
    assert report.unused == names
    assert set(report.reasons.values()) == {"left out by model.warm_start"}


def test_what_include_and_exclude_leave_out_is_reported_and_no_error():
    module, state = tiny(), drawn(tiny())
    before = state_of(module)
    report = load_state(module, state, "net", WarmStartConfig(include=("0.*", "1.*"), exclude=(r"0\.bias",)))
    assert report.missing == report.unused == ("0.bias", "head.weight", "head.bias")
    assert report.head_mismatch == ("head",)
    assert torch.equal(module[0].bias, before["0.bias"])
    assert torch.equal(module[0].weight, state["0.weight"])
    assert "1 of the network keep their initial values (0.bias)" in str(report)


def test_with_include_the_names_that_it_takes_must_still_be_there():
    state = drawn(tiny())
    del state["1.weight"]
    with pytest.raises(ModelError, match=r"Only in the network \(1\): 1\.weight\n"):
        load_state(tiny(), state, "net", WarmStartConfig(include=("0.*", "1.*")))


def test_leaving_out_everything_is_an_error():
    with pytest.raises(ModelError, match=r"net: none of the weights can be taken\. Check model\.warm_start"):
        load_state(tiny(), drawn(tiny()), "net", WarmStartConfig(exclude=(".*",)))


@pytest.mark.parametrize(("old", "new"), [(tiny, with_recipe), (with_recipe, tiny), (tiny, lambda: tiny(7))])
def test_a_head_of_another_form_starts_afresh_and_all_of_the_backbone_is_checked(old, new):
    module, state = new(), drawn(old())
    before = state_of(module)
    report = load_state(module, state, "net")
    assert report.head_mismatch == ("head",)
    assert report.missing == tuple(name for name in before if name.startswith("head."))
    assert report.unused == tuple(name for name in state if name.startswith("head."))
    assert unchanged(module, {name: before[name] if "head." in name else state[name] for name in before})
    del state["1.running_var"]
    with pytest.raises(ModelError, match=r"Only in the network \(1\): 1\.running_var"):
        load_state(new(), state, "net")


def test_a_head_is_taken_as_a_whole_or_not_at_all():
    module, state = with_recipe(num_outputs=9), drawn(with_recipe())
    before = state_of(module)
    report = load_state(module, state, "net")
    assert torch.equal(module.head[1].weight, before["head.1.weight"])
    assert report.reasons["head.1.weight"] == "fits, but its head starts afresh"
    partial = load_state(module, state, "net", WarmStartConfig(partial=True))
    assert partial.missing == ("head.3.weight", "head.3.bias")
    assert partial.head_mismatch == ()
    assert torch.equal(module.head[1].weight, state["head.1.weight"])


def test_a_file_without_a_head():
    module, state = tiny(), {name: value for name, value in drawn(tiny()).items() if "head" not in name}
    report = load_state(module, state, "net")
    assert report.head_mismatch == ("head",)
    assert report.reasons["head.weight"] == "not in the file"


def test_the_count_of_batches_may_be_missing():
    module, state = with_recipe(), drawn(with_recipe())
    for name in ("1.num_batches_tracked", "head.0.num_batches_tracked"):
        del state[name]
    report = load_state(module, state, "net")
    assert report.missing == ("1.num_batches_tracked", "head.0.num_batches_tracked")
    assert report.head_mismatch == ()
    assert torch.equal(module.head[3].weight, state["head.3.weight"])


def test_partial_takes_what_fits_and_leaves_the_rest():
    module, state = tiny(), drawn(tiny(channels=4))
    state |= {"1.weight": torch.zeros(9), "more": torch.zeros(1)}
    before = state_of(module)
    report = load_state(module, state, "net", WarmStartConfig(partial=True))
    assert report.missing == ("1.weight",)
    assert set(report.unused) == {"1.weight", "more"}
    assert report.reasons["1.weight"] == "[9] in the file, [4] in the network"
    assert len(report.reshaped) == 1
    assert torch.equal(module[1].weight, before["1.weight"])
    assert torch.equal(module.head.bias, state["head.bias"])


def test_partial_that_takes_nothing_is_an_error():
    with pytest.raises(ModelError, match=r"net: none of the weights can be taken\.\n  Only in the network \(6\)"):
        load_state(tiny(), {"a": torch.ones(1)}, "net", WarmStartConfig(partial=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("channels", [3, 1])
def test_other_precisions_are_cast_to_the_networks(dtype, channels):
    module, state = tiny(channels=channels), drawn(tiny())
    state = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    load_state(module, state, "net")
    assert {value.dtype for value in module.parameters()} == {torch.float32}
    assert torch.equal(module.head.weight, state["head.weight"].float())
    wanted = state["0.weight"].float() if channels == 3 else state["0.weight"].float().sum(1, keepdim=True)
    assert torch.equal(module[0].weight, wanted)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.complex64])
def test_other_kinds_of_numbers_are_errors(dtype):
    module, state = tiny(), drawn(tiny())
    state["0.weight"] = state["0.weight"].to(dtype)
    before = state_of(module)
    with pytest.raises(ModelError, match=rf"kind \(1\): 0\.weight: {dtype} in the file, torch\.float32 in the network"):
        load_state(module, state, "net")
    assert unchanged(module, before)


NAMES = tuple(tiny().state_dict())


@given(
    kept=st.sets(st.sampled_from(NAMES), min_size=1),
    resized=st.sets(st.sampled_from(NAMES)),
    extra=st.sets(st.sampled_from(["head.scale", "2.weight", "1.extra"])),
    include=st.lists(st.sampled_from([r"0\..*", r".*weight", r"head\..*"]), max_size=2),
    exclude=st.lists(st.sampled_from([r"1\..*", r".*bias"]), max_size=1),
    prefix=st.sampled_from(["", "net."]),
    partial=st.booleans(),
)
def test_the_lists_divide_the_network_and_the_file(kept, resized, extra, include, exclude, prefix, partial):
    module, values = tiny(), drawn(tiny())
    before = state_of(module)
    file = {name: torch.zeros(9, 9) if name in resized else values[name] for name in NAMES if name in kept}
    file |= dict.fromkeys(extra, torch.zeros(2))
    rules = {r"^net\.": ""} if prefix else {}
    warm_start = WarmStartConfig(include=tuple(include), exclude=tuple(exclude), rename=rules, partial=partial)
    try:
        report = load_state(module, {prefix + name: value for name, value in file.items()}, "net", warm_start)
    except ModelError:
        assert unchanged(module, before)
        return
    assert sorted(report.loaded + report.missing) == sorted(NAMES)
    assert sorted(report.loaded + report.unused) == sorted(file)
    assert report.reasons.keys() == {*report.missing, *report.unused}
    assert unchanged(module, {name: file[name] if name in report.loaded else before[name] for name in NAMES})


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_no_safetensors_or_cut_off(saved, tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(saved[0].read_bytes()[:5000] if content is None else content)
    with pytest.raises(ModelError, match=r"bad\.safetensors: not a safetensors file, or cut off"):
        load_weights(*arguments(path))


def test_a_bundle_and_a_run_directory_are_taken(tmp_path):
    module, architecture = resnet()
    info = BundleInfo(architecture, ("a", "b", "c", "d", "e"), "multiclass", {}, 0.5, None, {}, {})
    save_bundle(tmp_path / "run" / "final", module, info)
    for path, part in ((tmp_path / "run", " (its final)"), (tmp_path / "run" / "final", "")):
        other, _ = resnet()
        report = load_weights(other, str(path), architecture)
        assert report.head_mismatch == ()
        assert str(report).startswith(f"model.weights={path}{part} for model.name=resnet20_cifar (zoo): ")
        assert torch.equal(other.stem.weight, module.stem.weight)


def test_timms_layers_under_a_head_belong_together(tmp_path):
    module = timm.create_model("levit_128s", num_classes=5)
    save_file(module.state_dict(), tmp_path / "levit.safetensors")
    architecture = Architecture("timm", "levit_128s", {}, 9, 3, (224, 224))
    report = load_weights(build_model(architecture), tmp_path / "levit.safetensors", architecture)
    assert "head.linear.weight" in report.missing
    assert all(name.startswith(("head.", "head_dist.")) for name in report.missing)


def test_published_mobilenet_weights_fit(shared_data):
    architecture = Architecture("timm", "mobilenetv2_100", {"pad_type": "same"}, 5, 3, (224, 224))
    module = build_model(architecture)
    report = load_weights(module, shared_data / "weights" / "mobilenetv2_100_imagenet.safetensors", architecture)
    assert report.missing == ("classifier.weight", "classifier.bias")
    assert len(report.loaded) == len(module.state_dict()) - 2


def arguments(path):
    module, architecture = resnet()
    return module, path, architecture
