import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from vernier.models.zoo.st_mnist import st_mnist


def test_layers():
    module = st_mnist(36)
    convs = [getattr(module, f"layer{number}").conv for number in range(1, 6)]
    assert [(conv.out_channels, conv.groups, conv.stride[0]) for conv in convs] == [
        (16, 1, 2),
        (16, 16, 1),
        (32, 1, 1),
        (32, 32, 2),
        (64, 1, 1),
    ]
    assert all(conv.bias is not None for conv in convs)


def test_two_halvings_that_round_up():
    module = st_mnist(36).eval()
    sizes = []
    module.layer5.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape[2:])))
    module(torch.zeros(1, 1, 28, 28))
    module(torch.zeros(1, 1, 9, 5))
    assert sizes == [(7, 7), (3, 2)]


def test_learns_handwriting():
    images, targets = load_digits(return_X_y=True)
    images = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8).sub(0.5).div(0.25)
    targets = torch.tensor(targets)
    torch.manual_seed(0)
    order = torch.randperm(len(images))
    train, test = order[360:], order[:360]
    module = st_mnist(10)
    for layer in module.modules():
        if hasattr(layer, "momentum"):
            layer.momentum = 0.1  # 69 steps are too few for statistics that move by 1 % a step
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for _ in range(6):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            F.cross_entropy(module(images[batch]), targets[batch]).backward()
            optimizer.step()
    accuracy = (module.eval()(images[test]).argmax(1) == targets[test]).float().mean().item()
    assert accuracy >= 0.9
