"""Which devices a training runs on; machines with GPUs are stood in for by what torch says of them."""

import logging

import pytest
import torch

from vernier.config.loading import load_config
from vernier.errors import ConfigError
from vernier.training import devices
from vernier.training.choices import Choices, Resolved
from vernier.training.devices import choose_devices
from vernier.training.fabric import Fabric
from vernier.training.runtime import limit_memory, make_fabric

TORCHRUN = ("TORCHELASTIC_RUN_ID", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in TORCHRUN:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gpus(monkeypatch):
    def have(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.version, "cuda", "13.0")

    return have


def start_with_torchrun(monkeypatch, processes: int, nodes: int = 1) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setenv("WORLD_SIZE", str(processes * nodes))


def chosen(*arguments: str) -> Resolved:
    choices = Choices(load_config(None, ["data=digits", *arguments], checks=()).config)
    choose_devices(choices)
    return choices.finish()


def problem(*arguments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        chosen(*arguments)
    (found,) = caught.value.problems
    return str(found)


def test_without_gpus_one_process_on_the_cpu(gpus):
    gpus(0)
    resolved = chosen()
    train = resolved.config.train
    assert (train.accelerator, train.devices, train.num_nodes, train.strategy) == ("cpu", 1, 1, "single")
    assert train.sync_batchnorm is False
    assert resolved.reasons["train.sync_batchnorm"] == "one device"


def test_a_gpu_is_taken_and_others_are_told_of(gpus):
    gpus(4)
    resolved = chosen()
    assert (resolved.config.train.accelerator, resolved.config.train.devices) == ("cuda", 1)
    assert resolved.reasons["train.devices"] == "one process; this machine has 4 GPUs"


@pytest.mark.parametrize("listed", ["2", "[1,3]"])
def test_several_gpus_synchronise_batchnorm(gpus, listed):
    gpus(4)
    train = chosen(f"train.devices={listed}").config.train
    assert (train.strategy, train.sync_batchnorm, train.device_count) == ("ddp", True, 2)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train.accelerator=cpu"], "on CPUs each layer would wait for the other processes"),
        (["train.freeze_batchnorm=true"], "train.freeze_batchnorm"),
        (["model.algebra={name: complex, batchnorm: whitening}"], "whitening statistics can't be synchronised"),
    ],
)
def test_several_processes_may_do_without(gpus, arguments, reason):
    gpus(4)
    resolved = chosen("train.devices=2", *arguments)
    assert resolved.config.train.sync_batchnorm is False
    assert resolved.reasons["train.sync_batchnorm"] == reason


def test_a_gpu_that_is_not_there(gpus, monkeypatch):
    gpus(0)
    assert problem("train.accelerator=cuda") == (
        "train.accelerator: is cuda, but torch finds no GPU; see that nvidia-smi lists one and its driver is new "
        "enough for CUDA 13.0, or use train.accelerator=cpu"
    )
    monkeypatch.setattr(torch.version, "cuda", None)
    assert problem("train.accelerator=cuda") == (
        f"train.accelerator: is cuda, but this torch ({torch.__version__}) is built without CUDA; install a build with "
        "it, or use train.accelerator=cpu"
    )
    assert problem("train.accelerator=mps").startswith("train.accelerator: is mps, but torch finds no Apple GPU here;")


def test_gpus_that_are_not_there(gpus, monkeypatch):
    gpus(2)
    assert problem("train.devices=4") == ("train.devices: is 4, but this machine has 2 GPU(s), 0, 1; use at most 2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert problem("train.devices=[0,2,9]") == (
        "train.devices: lists 2, 9, but this machine has 2 GPU(s), 0, 1 (CUDA_VISIBLE_DEVICES=5,7); choose among them"
    )


def test_more_processes_than_processors_are_warned_of(gpus, monkeypatch, caplog):
    gpus(0)
    monkeypatch.setattr(devices, "processors", lambda: 2)
    with caplog.at_level(logging.WARNING, logger="vernier"):
        chosen("train.devices=2")
        assert not caplog.records
        chosen("train.devices=3")
    assert caplog.messages[0].startswith("train.devices: 3 processes share 2 processor(s)")


def test_nodes_are_torchruns(gpus, monkeypatch):
    gpus(0)
    assert "torchrun --nnodes=2 --nproc-per-node=3" in problem("train.num_nodes=2", "train.devices=3")
    start_with_torchrun(monkeypatch, processes=3, nodes=2)
    resolved = chosen()
    train = resolved.config.train
    assert (train.devices, train.num_nodes, train.strategy) == (3, 2, "ddp")
    assert resolved.reasons["train.num_nodes"] == "started by torchrun"
    assert chosen("train.devices=3", "train.num_nodes=2").config.train == train


def test_torchrun_and_config_agree(gpus, monkeypatch):
    gpus(4)
    start_with_torchrun(monkeypatch, processes=4)
    assert problem("train.devices=2") == (
        "train.devices: is 2, but torchrun has started 4 process(es) here; leave it out, or use --nproc-per-node=2"
    )
    assert problem("train.devices=[1,2]") == (
        "train.devices: lists GPUs, which torchrun deals out itself; leave it out and set CUDA_VISIBLE_DEVICES=1,2"
    )
    assert problem("train.num_nodes=3") == (
        "train.num_nodes: is 3, but torchrun has started 1 node(s); leave it out, or use --nnodes=3"
    )


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("find_unused_parameter=true", "has no such argument; did you mean 'find_unused_parameters'?"),
        ("module=x", "DistributedDataParallel has no such argument; it takes broadcast_buffers, "),
        ("static_graph=1", "must be true or false; got 1"),
    ],
)
def test_arguments_of_the_strategy_are_ddps(gpus, argument, message):
    gpus(0)
    found = problem("train.devices=2", "train.accelerator=cpu", f"train.strategy_kwargs.{argument}")
    assert found.startswith(f"train.strategy_kwargs.{argument.partition('=')[0]}: ")
    assert message in found


def test_fsdp_has_arguments_of_its_own_and_synchronises_batchnorm(gpus):
    gpus(0)
    sharded = ("train.strategy=fsdp", "train.devices=2", "train.accelerator=cpu")
    assert chosen(*sharded, "train.strategy_kwargs.reshard_after_forward=false").config.train.sync_batchnorm is True
    assert problem(*sharded, "train.strategy_kwargs.reshard_after=true") == (
        "train.strategy_kwargs.reshard_after: fsdp has no such argument; did you mean 'reshard_after_forward'?"
    )


def test_arguments_reach_ddp(monkeypatch):
    made = {}
    monkeypatch.setattr("vernier.training.strategies._Processes", lambda **kwargs: made.update(kwargs) or "ddp")
    train = chosen("train.accelerator=cpu", "train.devices=2", "train.strategy_kwargs.bucket_cap_mb=3").config.train
    assert isinstance(make_fabric(train), Fabric)
    assert made == {"bucket_cap_mb": 3}


def test_a_memory_limit_is_torchs(monkeypatch):
    limits = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: limits.append(given))
    limit_memory(None, torch.device("cuda", 1))
    limit_memory(0.5, torch.device("cpu"))
    limit_memory(0.5, torch.device("cuda", 1))
    assert limits == [(0.5, torch.device("cuda", 1))]
