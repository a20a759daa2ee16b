"""A small network with what optimizers tell apart, and trainings of it."""

import io

import torch
from torch import nn


def small_net():
    """A first layer, a norm, two hidden layers, one of them in groups, and a classifier."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3),
        nn.Conv2d(12, 12, 3, groups=4),
        nn.Flatten(),
        nn.Linear(12 * 4, 5),
    )


def train(module, optimizer, steps, first=0):
    """Steps on random images; step n sees the same images in every training."""
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(step)
        images = torch.randn(4, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        module(images).square().mean().backward()
        optimizer.step()
    return module


def saved_and_loaded(state):
    """A state as a checkpoint gives it back."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same_parameters(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def furthest(one, other):
    """The largest difference of two parameters of two networks."""
    return max((a - b).abs().max().item() for a, b in zip(one.parameters(), other.parameters(), strict=True))
