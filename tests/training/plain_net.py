"""A network without BatchNorm and dropout, for which one process and several give equal weights."""

from torch import nn


def plain_net(num_classes: int, in_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, num_classes),
    )


class BrokenNet(nn.Module):
    """Has a bug that only training meets."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.net = plain_net(num_classes, in_channels)

    def forward(self, images):
        if self.training:
            raise ZeroDivisionError("a bug in the network")
        return self.net(images)
