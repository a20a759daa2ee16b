"""Train shards of a network in two processes, with every optimizer that takes them, and compare with whole tensors.

Run by torchrun; prints a line `NAME DIFFERENCE` for each.
"""

import copy

import torch
from torch import distributed, nn

from training.plain_net import plain_net
from vernier.config.loading import config_from_mapping
from vernier.config.optimizer import OptimizerConfig
from vernier.optim.optimizers import make_optimizer
from vernier.training.sharding import load_optimizer_state, model_state, optimizer_state, shard

NAMES = ("sgd", "adam", "amsgrad", "adamw", "adamax", "nadam", "radam", "adagrad", "adadelta", "rmsprop", "adabelief")
STEPS, INTERRUPTED_AT, IMAGES = 8, 4, 6


def main() -> None:
    distributed.init_process_group("gloo")
    for name in NAMES:
        loaded = config_from_mapping({"data": "x", "optimizer": name, "optimizer.lr": 0.01})
        difference = compare(loaded.config.optimizer)
        if distributed.get_rank() == 0:
            print(name, difference, flush=True)
    # gloo may abort a process that is still there when another has left.
    distributed.barrier()
    distributed.destroy_process_group()


def compare(config: OptimizerConfig) -> float:
    """The largest difference between any two weights after a few steps."""
    torch.manual_seed(0)
    whole = plain_net(10, 1)
    sharded = copy.deepcopy(whole)
    shard(sharded, torch.device("cpu"), 2)
    train(whole, config, 0, IMAGES)
    share = IMAGES // 2
    train(sharded, config, share * distributed.get_rank(), share)
    found = model_state(sharded)
    return max((found[name] - value).abs().max().item() for name, value in whole.state_dict().items())


def train(model: nn.Module, config: OptimizerConfig, first: int, count: int) -> None:
    """Train with some images of each batch; in between, put the optimizer away and go on with a new one."""
    optimizer = make_optimizer(model, config)
    generator = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        images = torch.randn(IMAGES, 1, 8, 8, generator=generator)[first : first + count]
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
        if step == INTERRUPTED_AT:
            state = optimizer_state(optimizer)
            optimizer = make_optimizer(model, config)
            load_optimizer_state(optimizer, state)


if __name__ == "__main__":
    main()
