import copy

import pytest
import torch
from torch import nn

from optim.small_networks import furthest, same_parameters, saved_and_loaded, small_net, train
from vernier.config.optimizer import LookaheadConfig, MuonConfig, SGDConfig
from vernier.optim.optimizers import make_optimizer

CONFIG = SGDConfig(lr=0.1, lookahead=LookaheadConfig(sync_period=3, slow_step=0.25))


def test_twenty_steps_are_the_papers():
    """With the plain optimizer's steps in between."""
    ours, fast = small_net().double(), small_net().double()
    optimizer = make_optimizer(fast, CONFIG.model_copy(update={"lookahead": None}))
    train_double(ours, make_optimizer(ours, CONFIG), 20)
    slow = copy.deepcopy(fast)
    for step in range(20):
        train_double(fast, optimizer, 1, first=step)
        if step % 3 == 2:
            with torch.no_grad():
                for s, f in zip(slow.parameters(), fast.parameters(), strict=True):
                    s.copy_(0.75 * s + 0.25 * f)
                    f.copy_(s)
    assert furthest(ours, fast) < 1e-12
    assert furthest(ours, slow) > 1e-4


def train_double(module, optimizer, steps, first=0):
    return train(nn.Sequential(ToDouble(), module), optimizer, steps, first)


class ToDouble(nn.Module):
    def forward(self, images):
        return images.double()


@pytest.mark.parametrize("before", [2, 3, 7])
def test_a_restored_training_goes_on_bit_identically(before):
    module = small_net().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(module, CONFIG)
    train(module, optimizer, before)
    twin = copy.deepcopy(module)
    restored = make_optimizer(twin, CONFIG)
    restored.load_state_dict(saved_and_loaded(optimizer.state_dict()))
    train(module, optimizer, 5, first=before)
    train(twin, restored, 5, first=before)
    assert same_parameters(module, twin)


def test_what_joins_later_begins_where_it_is():
    module = small_net()
    module[0].requires_grad_(False)
    optimizer = make_optimizer(module, CONFIG)
    train(module, optimizer, 4)
    module[0].requires_grad_(True)
    first = module[0].weight.detach().clone()
    optimizer.add_param_group({"params": list(module[0].parameters())})
    train(module, optimizer, 2, first=4)
    fast = optimizer.state_dict()["lookahead"]["slow"]
    assert len(fast) == len(list(module.parameters()))
    moved = (module[0].weight - first).abs().max()
    assert 0 < moved < 1
    assert torch.equal(module[0].weight.detach(), list(fast.values())[-2])


def test_the_optimizer_stays_what_it_is():
    optimizer = make_optimizer(small_net(), MuonConfig(lookahead=LookaheadConfig()))
    assert type(optimizer).__name__ == "Muon"
    assert "lookahead" in optimizer.state_dict()
