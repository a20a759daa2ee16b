"""BatchNorm over several processes is BatchNorm over the whole batch."""

import copy
from pathlib import Path

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from vernier.errors import ConfigError
from vernier.training.sync_batchnorm import SynchronisedBatchNorm, statistics_with, synchronise_batchnorm

SHARES = ((3, 2), (1, 0))
"""Images of each process in two steps; in the second one the other process has none."""


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4, momentum=None),
        nn.Conv2d(4, 4, 1),
        BatchNormAct2d(4, act_layer=nn.PReLU),
        nn.Flatten(),
        nn.Linear(4 * 9, 6),
        nn.Unflatten(1, (3, 2)),
        nn.BatchNorm1d(3, eps=0.1, affine=False),
    ).double()


def images(step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    return 3 + torch.randn(sum(SHARES[step]), 2, 5, 5, generator=generator, dtype=torch.float64)


def loss(outputs: Tensor) -> Tensor:
    """Of each image, float64 (n,)."""
    return (outputs - torch.arange(6.0).view(3, 2)).abs().pow(1.5).sum(dim=(1, 2))


def train_in_one_of_two(rank: int, directory: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=2)
    model = network()
    synchronise_batchnorm(model)
    for step, shares in enumerate(SHARES):
        own = images(step).split(shares)[rank]
        held = own if len(own) else images(step)[:1]
        held.requires_grad_()
        with statistics_with(model, len(own) > 0):
            losses = loss(model(held))
        (losses.sum() * (len(own) > 0)).backward()
        for parameter in model.parameters():
            torch.distributed.all_reduce(parameter.grad)
        torch.save((losses.detach(), held.grad, gradients(model), model.state_dict()), f"{directory}/{step}-{rank}.pt")
        model.zero_grad()
    torch.distributed.destroy_process_group()


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.fixture(scope="module")
def trained_in_two(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(train_in_one_of_two, args=(str(directory),), nprocs=2)
    return directory


@pytest.mark.slow
def test_two_processes_compute_what_one_does(trained_in_two):
    model = network()
    for step, shares in enumerate(SHARES):
        whole = images(step).requires_grad_()
        losses = loss(model(whole))
        losses.sum().backward()
        parts = [torch.load(trained_in_two / f"{step}-{rank}.pt") for rank in (0, 1)]
        for share, part, wanted_losses, wanted_grad in zip(
            shares, parts, losses.split(shares), whole.grad.split(shares), strict=True
        ):
            torch.testing.assert_close(part[0][:share], wanted_losses, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(part[1][:share], wanted_grad, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(part[2], gradients(model), rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(part[3], model.state_dict(), rtol=1e-9, atol=1e-9)
        model.zero_grad()


@pytest.mark.slow
def test_an_image_that_stands_in_has_no_gradient(trained_in_two):
    assert torch.load(trained_in_two / "1-1.pt")[1].abs().max() == 0


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("dtype", "autocast", "tolerance"),
    [(torch.float32, False, 1e-4), (torch.float32, True, 3e-2), (torch.bfloat16, False, 3e-2)],
)
def test_in_every_precision_and_memory_order_as_torch(alone, memory_format, dtype, autocast, tolerance):
    torch.manual_seed(0)
    pixels = (2 + torch.randn(4, 3, 6, 6)).to(dtype, memory_format=memory_format)
    ours = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)).to(
        dtype, memory_format=memory_format
    )
    torchs = copy.deepcopy(ours)
    synchronise_batchnorm(ours)
    results = []
    for model in (ours, torchs):
        image = pixels.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = model[:2](image)
            outputs = model[2](y)
        outputs.float().square().sum().backward()
        results.append([y, outputs, image.grad, *gradients(model).values(), *model.state_dict().values()])
    for own, other in zip(*results, strict=True):
        assert own.dtype == other.dtype
        assert own.stride() == other.stride()
        torch.testing.assert_close(own, other, rtol=tolerance, atol=tolerance * float(other.detach().abs().max()))


def test_evaluation_and_names_stay_as_they_are():
    model, converted = network(), network()
    synchronise_batchnorm(converted)
    assert sum(isinstance(layer, SynchronisedBatchNorm) for layer in converted.modules()) == 3
    assert list(converted.state_dict()) == list(model.state_dict())
    assert torch.equal(converted.eval()(images(0)), model.eval()(images(0)))


def test_parameters_and_statistics_are_the_same_tensors():
    model = network()
    before = [*model.parameters(), *model.buffers()]
    synchronise_batchnorm(model)
    assert all(old is new for old, new in zip(before, [*model.parameters(), *model.buffers()], strict=True))


class OwnNorm(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) + 1


def test_a_norm_that_computes_otherwise_is_refused_by_name():
    model = nn.Sequential(nn.BatchNorm2d(2), OwnNorm(2))
    with pytest.raises(ConfigError, match=r"train\.sync_batchnorm: OwnNorm can't be synchronised"):
        synchronise_batchnorm(model)
    assert type(model[0]) is nn.BatchNorm2d
