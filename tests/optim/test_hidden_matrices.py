import pytest
import timm
import torch
from torch import nn

from optim.small_networks import small_net
from vernier.config.optimizer import MuonConfig
from vernier.errors import ConfigError
from vernier.models.zoo import resnet20_cifar
from vernier.optim.groups import parameter_groups
from vernier.optim.hidden_matrices import hidden_matrices


def test_first_and_last_layer_norms_biases_and_grouped_convolutions_are_left_out():
    assert hidden_matrices(small_net()) == {"3.weight"}


def test_all_hidden_convolutions_of_a_residual_network_are_in():
    module = resnet20_cifar(10)
    wanted = {name for name, p in module.named_parameters() if p.ndim > 1} - {"stem.weight", "head.weight"}
    assert hidden_matrices(module) == wanted


def test_tokens_positions_and_patches_are_left_out():
    with torch.device("meta"):
        module = timm.create_model("vit_tiny_patch16_224", depth=2)
    linear = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    assert hidden_matrices(module) == {f"blocks.{block}.{name}.weight" for block in range(2) for name in linear}


def test_groups_say_who_moves_what():
    module = small_net()
    groups = parameter_groups(module, MuonConfig())
    assert [id(p) for group in groups if group["by_muon"] for p in group["params"]] == [id(module[3].weight)]


def test_a_network_without_hidden_layers_is_an_error():
    with pytest.raises(ConfigError, match=r"optimizer\.name: muon is for .* use optimizer=adamw"):
        hidden_matrices(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
