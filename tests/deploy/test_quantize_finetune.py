"""Rounding inside a float network, and training with it."""

import copy

import pytest
import torch
from torch import Tensor, nn

from vernier.config.loading import load_config
from vernier.config.quantize import FinetuneConfig, QuantizeConfig
from vernier.config.root import Config
from vernier.deploy.quantize.fake_quant import (
    FakeQuantActivation,
    FakeQuantWeight,
    freeze_ranges,
    insert_fake_quant,
    take_out_fake_quant,
)
from vernier.deploy.quantize.finetune import finetune
from vernier.deploy.quantize.match_means import match_means
from vernier.deploy.quantize.relative_change import keep_changes, train_changes
from vernier.deploy.quantize.tracing import layers, trace_network
from vernier.errors import ModelError
from vernier.models.zoo.digits_cnn import digits_cnn

PER_TENSOR = QuantizeConfig(granularity="per_tensor", reduce_range=False)


def test_weights_are_rounded_to_127_steps_either_way() -> None:
    weight = torch.tensor([[1.27, 0.004, -0.126], [0.127, 0.0004, -0.0636]]).view(2, 3, 1, 1)
    whole = FakeQuantWeight("per_tensor", 127)(weight)
    torch.testing.assert_close(whole.flatten(), torch.tensor([1.27, 0, -0.13, 0.13, 0, -0.06]))
    each = FakeQuantWeight("per_channel", 127)(weight)
    torch.testing.assert_close(each.flatten(), torch.tensor([1.27, 0, -0.13, 0.127, 0, -0.064]))


def test_gradients_pass_straight_through() -> None:
    weight = torch.randn(4, 3, 3, 3, requires_grad=True)
    FakeQuantWeight("per_channel", 127)(weight).sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones_like(weight))


def test_activation_ranges_widen_until_frozen() -> None:
    rounding = FakeQuantActivation()
    rounding(torch.tensor([0.5, 2.0]))
    assert (float(rounding.low), float(rounding.high)) == (0, 2)
    rounding(torch.tensor([-0.5, 1.0]))
    assert (float(rounding.low), float(rounding.high)) == (-0.5, 2)
    freeze_ranges(rounding)
    values = torch.tensor([100.0, 1.0], requires_grad=True)
    clipped = rounding(values)
    torch.testing.assert_close(clipped.detach(), torch.tensor([2.0, 1.0]), rtol=0, atol=2.5 / 255)
    clipped.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1]


class Small(nn.Module):
    """Two convolutions and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        return self.head((x + self.second(x)).mean((2, 3)))


def test_what_an_8_bit_network_rounds_is_rounded_and_can_be_undone() -> None:
    torch.manual_seed(0)
    module, x = Small().eval(), torch.randn(4, 1, 6, 6)
    network = trace_network(module)
    train_changes(network)
    insert_fake_quant(network, "per_tensor")
    # The image, the rectified outputs of `first`, those of `second`, the sum, the means; not the logits.
    assert sum(isinstance(part, FakeQuantActivation) for part in network.modules()) == 5
    rounded = network(x)
    assert not torch.equal(rounded, module(x))
    torch.testing.assert_close(rounded, module(x), rtol=0.1, atol=0.1)
    take_out_fake_quant(network)
    assert torch.equal(network(x), module(x))
    assert set(network.state_dict()) == set(module.state_dict())


def test_what_a_layer_takes_is_rounded_whoever_made_it() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 6), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.nn.functional.gelu(self.first(x))
            return self.second(x.reshape(x.shape[0] * 2, x.shape[1] // 2))

    torch.manual_seed(0)
    module, x = Attending().eval(), torch.randn(5, 4)
    network = trace_network(module)
    insert_fake_quant(network, "per_channel")
    torch.testing.assert_close(network(x), module(x), rtol=0.05, atol=0.05)
    ranges = [part for part in network.modules() if isinstance(part, FakeQuantActivation) and part.high > 0]
    assert len(ranges) == 3


def test_means_of_all_layers_agree_before_training() -> None:
    torch.manual_seed(0)
    folded, x = trace_network(Small().eval()), torch.rand(16, 1, 6, 6)
    for layer in layers(folded).values():
        # One large weight makes the steps coarse.
        layer.weight.data.view(-1)[0] = 12
    network = copy.deepcopy(folded)
    train_changes(network)
    insert_fake_quant(network, "per_tensor")

    def means(module: nn.Module) -> dict[str, Tensor]:
        found = {}

        def note(layer: nn.Module, _inputs: object, outputs: Tensor) -> None:
            found[layer] = outputs.movedim(1, 0).flatten(1).mean(1)

        named = {name: module.get_submodule(name) for name in ("first", "second", "head")}
        for layer in named.values():
            layer.register_forward_hook(note)
        module(x)
        return {name: found[layer] for name, layer in named.items()}

    wanted, before = means(copy.deepcopy(folded)), means(copy.deepcopy(network))
    match_means(network, folded, x)
    after = means(network)
    for name, mean in wanted.items():
        assert (before[name] - mean).abs().max() > 0.01
        torch.testing.assert_close(after[name], mean, rtol=1e-3, atol=1e-3)


def test_steps_do_not_see_how_channels_are_scaled() -> None:
    """One step of Adam moves every channel by the same share of its largest weight; dead ones stay."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3)).eval()
    scales = torch.tensor([1e-3, 1, 1e3, 0])
    module[0].weight.data *= scales.view(-1, 1, 1, 1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    network = trace_network(module)
    train_changes(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, eps=1e-20)
    network(torch.rand(8, 1, 4, 4) + 1).square().sum().backward()
    optimizer.step()
    for layer in layers(network).values():
        keep_changes(layer)
    after = network.state_dict()
    largest = before["0.weight"].flatten(1).abs().amax(1)
    moved = (after["0.weight"] - before["0.weight"]).flatten(1).abs().amax(1)
    torch.testing.assert_close(moved, 0.01 * largest, rtol=1e-2, atol=0)
    assert torch.equal(after["0.bias"][3], before["0.bias"][3])
    assert not torch.equal(after["2.bias"], before["2.bias"])


def config() -> Config:
    """Five steps an epoch on the digits; what is auto is settled by fine-tuning itself."""
    words = ["data=digits", "model=digits_cnn", "train.threads=1", "data.threads=1", "train.limit_train=5st"]
    return load_config(None, words).config


def test_fine_tuning_moves_weights_the_same_way_every_time() -> None:
    torch.manual_seed(0)
    module = digits_cnn(10, 1).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    lines: list[str] = []
    tuned = [
        finetune(module, config(), None, PER_TENSOR, FinetuneConfig(epochs=1, lr=lr), lines.append).module
        for lr in (1e-2, 1e-2, 1e-9)
    ]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    first, again, still = (one.state_dict() for one in tuned)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not any(torch.equal(value, still[name]) for name, value in first.items())
    assert not any(isinstance(part, FakeQuantActivation | nn.BatchNorm2d) for part in tuned[0].modules())
    assert not any(part.training for part in tuned[0].modules())
    x = torch.rand(8, 1, 8, 8)
    torch.testing.assert_close(tuned[2](x), module(x), rtol=0, atol=0.05)
    assert "epoch 1/1" in lines[-1]


def test_a_network_that_cant_be_traced_says_so() -> None:
    class Choosing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ModelError, match=r"quantize\.finetune: torch\.fx can't trace"):
        finetune(Choosing(), config(), None, PER_TENSOR, FinetuneConfig())
