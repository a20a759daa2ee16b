import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vernier.errors import ModelError
from vernier.models.head import declare_head
from vernier.models.width import divide_width


class Block(nn.Module):
    """Concatenates, adds, gates, cuts and flattens, with a scale of its own."""

    def __init__(self, left: int = 20, right: int = 21):
        super().__init__()
        self.left, self.right = nn.Conv2d(3, left, 3), nn.Conv2d(3, right, 3)
        self.join = nn.Conv2d(left + right, left + right, 1)
        self.norm = nn.GroupNorm(left + right, left + right)
        self.gate = nn.Linear(left + right, left + right)
        self.gamma = nn.Parameter(torch.ones(left + right, 1, 1))
        self.up = nn.ConvTranspose2d(left + right, 64, 2, stride=2)
        self.group = nn.Conv2d(64, 96, 3, groups=32)
        self.narrow = nn.Conv2d(48, 7, 1)
        self.classifier = nn.Linear(7 * 36, 5)

    def forward(self, image):
        joined = torch.cat([self.left(image), self.right(image)], dim=1)
        x = joined + self.gamma * self.norm(self.join(joined))
        x = x * self.gate(x.mean((2, 3)))[:, :, None, None].sigmoid()
        first, second = self.group(self.up(x)).chunk(2, dim=1)
        return self.classifier(self.narrow(first.relu() + second).flatten(1))


def test_a_network_of_ones_own():
    module = Block()
    divide_width(module, 3, torch.rand(1, 3, 6, 6))
    assert (module.left.out_channels, module.right.out_channels) == (6, 7)
    assert module.join.out_channels == module.gate.out_features == len(module.gamma) == 13
    assert module.norm.num_groups == module.norm.num_channels == 13
    assert tuple(module.up.weight.shape) == (13, 21, 2, 2)
    assert (module.group.in_channels, module.group.out_channels, module.group.groups) == (21, 32, 1)
    assert (module.narrow.in_channels, module.narrow.out_channels) == (16, 2)
    assert tuple(module.classifier.weight.shape) == (5, 72)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([1, 1.5, 2, 7, 100]),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_widths_are_floored_and_sums_agree(left, right, divisor, channels, depth):
    def narrow(width: int) -> int:
        return max(1, int(width / divisor))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(channels, left, 1), nn.Conv2d(channels, right, 1)
            self.rest = nn.ModuleList(nn.Conv2d(left + right, left + right, 1) for _ in range(depth))
            self.head = nn.Conv2d(left + right, 10, 1)

        def forward(self, image):
            x = torch.cat([self.left(image), self.right(image)], 1)
            for layer in self.rest:
                x = x + layer(x)
            return self.head(x).mean((2, 3))

    net = Net()
    divide_width(net, divisor, torch.rand(1, channels, 4, 4))
    assert (net.left.out_channels, net.right.out_channels) == (narrow(left), narrow(right))
    assert {layer.out_channels for layer in net.rest} == {narrow(left) + narrow(right)}
    assert net(torch.rand(2, channels, 4, 4)).shape == (2, 10)


@pytest.mark.parametrize(
    ("divisor", "width", "groups"), [(2, 64, 32), (3, 32, 32), (1.5, 64, 32), (5, 25, 25), (1000, 1, 1)]
)
def test_grouped_convolutions_keep_their_groups_as_long_as_each_has_a_channel(divisor, width, groups):
    module = nn.Sequential(
        nn.Conv2d(3, 128, 1), nn.BatchNorm2d(128), nn.Conv2d(128, 128, 3, groups=32), nn.Flatten(), nn.Linear(128, 2)
    )
    divide_width(module, divisor, torch.rand(1, 3, 3, 3))
    assert module[0].out_channels == module[2].in_channels == module[2].out_channels == width
    assert module[2].groups == groups


def test_channels_are_told_from_as_many_pixels():
    class Last(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1)

    module = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), Last(), nn.LayerNorm(8), nn.Flatten(), nn.Linear(8 * 64, 2)
    )
    divide_width(module, 2, torch.rand(1, 3, 8, 8))
    assert module[1].num_features == 4
    assert module[3].normalized_shape == tuple(module[3].weight.shape) == (4,)


def test_a_depthwise_multiplier_is_kept():
    module = nn.Sequential(nn.Conv2d(3, 10, 1), nn.Conv2d(10, 30, 3, groups=10), nn.Flatten(), nn.Linear(30, 2))
    divide_width(module, 4, torch.rand(1, 3, 3, 3))
    assert (module[1].in_channels, module[1].groups, module[1].out_channels) == (2, 2, 6)


class Cut(nn.Module):
    """Cuts its channels by numbers and lists that it keeps."""

    def __init__(self):
        super().__init__()
        self.width, self.kept, self.hidden, self.sizes = 13, 9, 6, [3, 5, 12]
        self.stem, self.shared = nn.Conv2d(3, 20, 1), nn.Conv2d(13, 26, 1)
        self.left, self.right = nn.Conv2d(3, 13, 1), nn.Conv2d(5, 13, 1)
        self.head = nn.Linear(13 + 12, 4)

    def forward(self, image):
        first, second, third = torch.split(self.stem(image), self.sizes, 1)
        x = self.left(first) + self.right(second)
        one, other = self.shared(x).split(self.width, 1)
        x = torch.cat([one[:, : self.kept] + other[:, : self.kept], other[:, self.kept :], third], 1)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(("divisor", "sizes", "width", "kept"), [(2, [1, 2, 7], 6, 4), (3, [1, 1, 4], 4, 3)])
def test_numbers_that_a_network_cuts_its_channels_by_follow(divisor, sizes, width, kept):
    module = Cut()
    divide_width(module, divisor, torch.rand(1, 3, 5, 5))
    assert (module.sizes, module.width, module.kept) == (sizes, width, kept)
    assert (module.shared.out_channels, module.head.in_features) == (2 * width, width + sizes[2])


def test_the_declared_head_keeps_its_outputs():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.classifier = nn.Linear(16, 7)
            self.features = nn.Conv2d(3, 16, 3)

        def forward(self, image):
            return self.classifier(self.features(image).mean((2, 3)))

    module = Backwards()
    declare_head(module, ["classifier"])
    divide_width(module, 2, torch.rand(1, 3, 8, 8))
    assert (module.features.out_channels, module.classifier.out_features) == (8, 7)
    with pytest.raises(ModelError, match=r"width_divisor=2: Backwards makes \[1, 3\] instead of \[1, 7\]"):
        divide_width(Backwards(), 2, torch.rand(1, 3, 8, 8))


class Fixed(nn.Module):
    """Written for one width."""

    def __init__(self):
        super().__init__()
        self.features, self.fc = nn.Conv2d(3, 16, 3), nn.Linear(16 * 36, 3)

    def forward(self, image):
        return self.fc(self.features(image).view(-1, 16 * 36))


class Auxiliary(Fixed):
    """With a head that only runs in training."""

    def __init__(self):
        super().__init__()
        self.auxiliary, self.fc = nn.Linear(16 * 36, 3), nn.Linear(16 * 36, 3)


class Positions(Fixed):
    """With a table of its own."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 16, 6, 6))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Fixed, r"Fixed does not fit what comes before it any more \(shape '\[-1, 576\]' is invalid"),
        (Auxiliary, r"auxiliary \(Linear\) is not called in evaluation"),
        (Positions, r"Positions has a parameter positions \[1, 16, 6, 6\]"),
    ],
)
def test_what_cannot_be_divided_is_named(network, message):
    with pytest.raises(ModelError, match=message):
        divide_width(network(), 2.5, torch.rand(1, 3, 8, 8))
