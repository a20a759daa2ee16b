"""Which devices a training runs on, and whether this machine has them."""

import os

import torch

from vernier.config.root import Config
from vernier.config.train import TrainConfig
from vernier.errors import ConfigError, ConfigProblem
from vernier.processors import processors as processors
from vernier.training.choices import Choices
from vernier.training.log import logger
from vernier.training.strategies import check_strategy_kwargs
from vernier.training.torchrun import Torchrun


def choose_devices(choices: Choices) -> None:
    """Settle accelerator, devices, nodes, strategy and synchronised BatchNorm.

    Raises:
        ConfigError: the machine lacks what is asked for, or torchrun has started something else.
    """
    train, torchrun = choices.config.train, Torchrun.around_this_process()
    check_devices(train)
    choices.choose("train.accelerator", _best_accelerator(), "what this machine has")
    if torchrun is None:
        _refuse_nodes(train)
        choices.choose("train.devices", 1, _one_process(choices.current("train.accelerator")))
    else:
        _check_torchrun(train, torchrun)
        choices.choose("train.devices", torchrun.processes, "started by torchrun")
        choices.override("train.num_nodes", torchrun.nodes, "started by torchrun")
    if choices.current("train.accelerator") == "cpu":
        _warn_of_crowding(_count(choices))
    several = _count(choices) * choices.current("train.num_nodes") > 1
    choices.choose("train.strategy", "ddp" if several else "single", "several devices" if several else "one device")
    _choose_sync_batchnorm(choices, several)
    strategy = choices.current("train.strategy")
    if strategy != "single":
        check_strategy_kwargs(strategy, train.strategy_kwargs)


def check_devices(train: TrainConfig) -> None:
    """See that the machine has the accelerator and the devices of a section that may hold `auto`.

    Raises:
        ConfigError: it lacks them.
    """
    accelerator = _best_accelerator() if train.accelerator == "auto" else train.accelerator
    _check_accelerator(accelerator)
    if accelerator == "cuda":
        _check_gpus(1 if train.devices == "auto" else train.devices)


def chosen_processes(choices: Choices) -> int:
    """Processes of this machine, once `choose_devices` is done."""
    return _count(choices)


def _count(choices: Choices) -> int:
    devices: int | tuple[int, ...] = choices.current("train.devices")
    return devices if isinstance(devices, int) else len(devices)


def _best_accelerator() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _one_process(accelerator: str) -> str:
    gpus = torch.cuda.device_count() if accelerator == "cuda" else 1
    return f"one process; this machine has {gpus} GPUs" if gpus > 1 else "one process"


def _check_accelerator(accelerator: str) -> None:
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise _problem("train.accelerator", f"{_why_no_cuda()}, or use train.accelerator=cpu")
    if accelerator == "mps" and not torch.backends.mps.is_available():
        raise _problem("train.accelerator", "is mps, but torch finds no Apple GPU here; use train.accelerator=cpu")


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return f"is cuda, but this torch ({torch.__version__}) is built without CUDA; install a build with it"
    return (
        "is cuda, but torch finds no GPU; see that nvidia-smi lists one and its driver is new enough for "
        f"CUDA {torch.version.cuda}"
    )


def _warn_of_crowding(processes: int) -> None:
    if processes > processors():
        logger.warning(
            "train.devices: %d processes share %d processor(s) and will wait for each other; as many processes as "
            "processors are the most that can help",
            processes,
            processors(),
        )


def _check_gpus(devices: int | tuple[int, ...]) -> None:
    gpus, indices = torch.cuda.device_count(), range(devices) if isinstance(devices, int) else devices
    unknown = [index for index in indices if index >= gpus]
    if not unknown:
        return
    there = f"this machine has {gpus} GPU(s), {', '.join(map(str, range(gpus)))}"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
    if isinstance(devices, int):
        raise _problem("train.devices", f"is {devices}, but {there}{hidden}; use at most {gpus}")
    raise _problem("train.devices", f"lists {', '.join(map(str, unknown))}, but {there}{hidden}; choose among them")


def _refuse_nodes(train: TrainConfig) -> None:
    if train.num_nodes == 1:
        return
    processes = 1 if train.devices == "auto" else train.device_count
    raise _problem(
        "train.num_nodes",
        f"is {train.num_nodes}, but nothing has connected this machine with others; start on each of them: torchrun "
        f"--nnodes={train.num_nodes} --nproc-per-node={processes} --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 "
        "-m vernier train ...",
    )


def _check_torchrun(train: TrainConfig, torchrun: Torchrun) -> None:
    if isinstance(train.devices, tuple):
        listed = ",".join(map(str, train.devices))
        message = f"lists GPUs, which torchrun deals out itself; leave it out and set CUDA_VISIBLE_DEVICES={listed}"
        raise _problem("train.devices", message)
    if train.devices not in ("auto", torchrun.processes):
        message = f"is {train.devices}, but torchrun has started {torchrun.processes} process(es) here"
        raise _problem("train.devices", f"{message}; leave it out, or use --nproc-per-node={train.devices}")
    if train.num_nodes not in (1, torchrun.nodes):
        message = f"is {train.num_nodes}, but torchrun has started {torchrun.nodes} node(s)"
        raise _problem("train.num_nodes", f"{message}; leave it out, or use --nnodes={train.num_nodes}")


def _choose_sync_batchnorm(choices: Choices, several: bool) -> None:
    key, on_gpus = "train.sync_batchnorm", choices.current("train.accelerator") == "cuda"
    if several and _whitens(choices.config):
        choices.choose(key, False, "whitening statistics can't be synchronised")
    elif several and choices.config.train.freeze_batchnorm:
        choices.choose(key, False, "train.freeze_batchnorm")
    elif several and choices.current("train.strategy") == "fsdp":
        choices.choose(key, True, "with fsdp nothing else keeps the processes' statistics equal")
    elif several and on_gpus:
        choices.choose(key, True, "a GPU's share of a batch is small")
    else:
        choices.choose(key, False, "on CPUs each layer would wait for the other processes" if several else "one device")


def _whitens(config: Config) -> bool:
    algebra = config.model.algebra
    return algebra is not None and algebra.batchnorm == "whitening"


def _problem(key: str, message: str) -> ConfigError:
    return ConfigError([ConfigProblem(key, message)])
