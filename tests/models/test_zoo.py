import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from vernier.models.zoo import INPUT_SIZES, ZOO, digits_cnn, resnet20_cifar
from vernier.models.zoo.resnet_cifar import BasicBlock


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet20_cifar", 269_722),
        ("resnet32_cifar", 464_154),
        ("resnet44_cifar", 658_586),
        ("resnet56_cifar", 853_018),
        ("digits_cnn", 66_410),
    ],
)
def test_parameter_counts(name, expected):
    assert parameters(ZOO[name](10, in_channels=3)) == expected


def test_names_are_the_functions_names_and_have_a_size():
    assert all(function.__name__ == name for name, function in ZOO.items())
    assert ZOO.keys() == INPUT_SIZES.keys()


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("size", [(16, 16), (33, 21)])
def test_any_size_and_channel_number(name, size):
    logits = ZOO[name](7, in_channels=2).eval()(torch.zeros(2, 2, *size))
    assert logits.shape == (2, 7)


def test_depth_counts_convolutions_and_the_head():
    layers = [m for m in resnet20_cifar(10).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 20


def test_shortcut_subsamples_and_pads_with_zeros():
    block = BasicBlock(4, 8, stride=2).eval()
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 4, 6, 6)
    y = block(x)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()


def test_channels_last_runs_through_and_gives_the_same():
    torch.manual_seed(0)
    module = resnet20_cifar(10).eval()
    images = torch.randn(2, 3, 32, 32)
    expected = module(images)
    module = module.to(memory_format=torch.channels_last)
    features = module.stage2(module.stage1(module.stem(images.contiguous(memory_format=torch.channels_last))))
    assert features.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(module(images.contiguous(memory_format=torch.channels_last)), expected)


def test_backward_works_in_autocast():
    module = resnet20_cifar(10)
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(module(torch.randn(4, 3, 16, 16)), torch.arange(4))
    loss.backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())


def test_first_weights_are_he_normal():
    torch.manual_seed(0)
    module = resnet20_cifar(10)
    weight = module.stage3[1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)


def test_first_weights_are_a_function_of_the_seed():
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in digits_cnn(10).parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_digits_cnn_learns_handwriting():
    torch.set_num_threads(1)
    images, targets = load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8).sub(0.5).div(0.25)
    targets = torch.tensor(targets)
    torch.manual_seed(0)
    order = torch.randperm(len(images))
    train, test = order[360:], order[:360]
    module = digits_cnn(10)
    optimizer = torch.optim.AdamW(module.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=5 * 23)
    for _ in range(5):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            F.cross_entropy(module(images[batch]), targets[batch]).backward()
            optimizer.step()
            schedule.step()
    accuracy = (module.eval()(images[test]).argmax(1) == targets[test]).float().mean().item()
    assert accuracy >= 0.97
