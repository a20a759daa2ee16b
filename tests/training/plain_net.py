"""A network without BatchNorm and dropout, for which one process and several give equal weights."""

from torch import nn


def plain_net(num_outputs: int, channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, num_outputs),
    )
