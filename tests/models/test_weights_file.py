"""Files of weights: every kind that is read, and what happens to those that are not."""

import pickle
import random
import re
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vernier.errors import ModelError
from vernier.models.weights_file import read_weights_file

STATE = {"conv.weight": torch.arange(6.0).view(2, 3), "conv.bias": torch.ones(2), "count": torch.tensor(7)}


class Foreign:
    """Something that a checkpoint holds beside its weights."""


class Bomb:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def same(tensors) -> bool:
    return tensors.keys() == STATE.keys() and all(torch.equal(tensors[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt", ".PTH", ".pth.tar"])
def test_a_plain_state_dict(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(OrderedDict(STATE), path)
    file = read_weights_file(path)
    assert same(file.tensors)
    assert file.part == ""


def test_the_format_of_torch_before_1_6(tmp_path):
    torch.save(STATE, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert same(read_weights_file(tmp_path / "weights.pth").tensors)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module", "net", "model_ema"])
def test_a_state_dict_inside_a_checkpoint(tmp_path, key):
    torch.save({"epoch": 3, "optimizer": {"lr": [0.1]}, key: STATE}, tmp_path / "last.ckpt")
    file = read_weights_file(tmp_path / "last.ckpt")
    assert same(file.tensors)
    assert file.part == f" (its {key})"


def test_of_several_the_one_that_is_taken_is_said(tmp_path):
    torch.save({"model_ema": {"a": torch.ones(1)}, "model": STATE, "net": "resnet18"}, tmp_path / "last.pt")
    file = read_weights_file(tmp_path / "last.pt")
    assert same(file.tensors)
    assert file.part == " (its model, not its model_ema)"


def test_parameters_of_a_network_that_is_on_no_gpu_here(tmp_path):
    module = torch.nn.Linear(2, 2)
    torch.save(dict(module.named_parameters()), tmp_path / "weights.pt")
    assert set(read_weights_file(tmp_path / "weights.pt").tensors) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        ({}, "it holds nothing"),
        ([1, 2], "it holds a list"),
        (torch.ones(2), "it holds a Tensor"),
        ({"a": torch.ones(1), "epoch": 3}, r"it holds a \(Tensor\), epoch \(int\)"),
        ({"state_dict": {"a": torch.ones(1), "step": 4}}, r"it holds state_dict \(dict with step: int\)"),
        ({"weights": STATE}, r"it holds weights \(dict of 3 tensors\)"),
        ({number: torch.ones(1) for number in range(12)}, r"9 \(Tensor\), \.\.\."),
    ],
)
def test_no_state_dict_in_it(tmp_path, content, holds):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(
        ModelError, match=rf"odd\.pt: no state dict.*{holds}.*torch\.save\(model\.state_dict\(\), FILE\)"
    ):
        read_weights_file(tmp_path / "odd.pt")


def test_sparse_tensors(tmp_path):
    torch.save({"a": torch.ones(1), "b": torch.eye(3).to_sparse()}, tmp_path / "sparse.pt")
    with pytest.raises(ModelError, match=r"sparse\.pt: b: 1 tensor\(s\) are sparse or without values"):
        read_weights_file(tmp_path / "sparse.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_runs_and_the_way_out_is_told(tmp_path, zipped):
    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": STATE, "x": Bomb(tmp_path / "ran")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError) as caught:
        read_weights_file(path)
    assert not (tmp_path / "ran").exists()
    assert re.search(
        r"bomb\.pth: besides tensors it holds objects of (getattr|pathlib\S*), which can", str(caught.value)
    )
    assert "Convert it once where you trust it: torch.save(torch.load(FILE, weights_only=False)" in str(caught.value)


@pytest.mark.parametrize("content", [{"state_dict": STATE, "hparams": Foreign()}, torch.nn.Linear(2, 2)])
def test_objects_are_named(tmp_path, content):
    torch.save(content, tmp_path / "whole.pt")
    with pytest.raises(ModelError, match=r"it holds objects of \S*(Foreign|torch\.nn\.modules\.linear\.Linear)"):
        read_weights_file(tmp_path / "whole.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_program(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    with pytest.raises(ModelError, match=r"script\.pt: besides tensors it holds a TorchScript program"):
        read_weights_file(tmp_path / "script.pt")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", b"not torch's", b"\x80\x02", pickle.dumps(b"other")])
def test_not_a_file_of_torch(tmp_path, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"bad\.pth: not a file of torch\.save with its own pickle protocol, or damaged or cut off"
    ):
        read_weights_file(tmp_path / "bad.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_off_or_changed_anywhere_is_a_clear_error_or_tensors(tmp_path, zipped):
    path = tmp_path / "bad.pth"
    torch.save({"state_dict": STATE, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
    whole, draw = path.read_bytes(), random.Random(0)
    for cut in draw.sample(range(len(whole)), 100):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match=r"bad\.pth"):
            read_weights_file(path)
    for place in draw.sample(range(len(whole)), 200):
        changed = bytearray(whole)
        changed[place] = draw.randrange(256)
        path.write_bytes(changed)
        with suppress(ModelError):
            assert all(isinstance(tensor, torch.Tensor) for tensor in read_weights_file(path).tensors.values())


@pytest.mark.parametrize("suffix", [".h5", ".hdf5", ".keras"])
def test_keras_files_have_a_way_without_tensorflow_here(tmp_path, suffix):
    (tmp_path / f"net{suffix}").touch()
    with pytest.raises(
        ModelError, match=r"Keras files are not read.*safetensors\.numpy\.save_file.*warm_start\.rename"
    ):
        read_weights_file(tmp_path / f"net{suffix}")


@pytest.mark.parametrize("name", ["net.onnx", "net"])
def test_other_files_are_told_what_is_read(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(
        ModelError, match=r"is not read; give a bundle, a run directory, a \.safetensors file, or a state"
    ):
        read_weights_file(tmp_path / name)


def test_what_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"model\.weights=.*none: there is no such file or directory"):
        read_weights_file(tmp_path / "none")
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(ModelError, match=rf"model\.weights=.*{name}: can't be read: No such file"):
            read_weights_file(tmp_path / name)
    with pytest.raises(ModelError, match="neither a bundle"):
        read_weights_file(tmp_path)


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "weights.safetensors")
    assert same(read_weights_file(tmp_path / "weights.safetensors").tensors)
