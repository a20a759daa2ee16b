"""The machine: devices, precision, threads, determinism, and talk between processes; on Lightning Fabric."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, final

import torch

from vernier.config.root import Config
from vernier.config.train import TrainConfig
from vernier.training.allocator import keep_freed_memory
from vernier.training.determinism import nondeterminism_named
from vernier.training.fabric import Fabric, LightningEnvironment
from vernier.training.strategies import make_processes
from vernier.training.torchrun import Torchrun


def make_fabric(train: TrainConfig) -> Fabric:
    """A Fabric for a resolved section; `launch` it before use."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning warns about the environments it finds (SLURM, notebooks); what matters is in our config.
        warnings.simplefilter("ignore")
        return Fabric(
            accelerator=train.accelerator,
            devices=list(train.devices) if isinstance(train.devices, tuple) else train.devices,
            num_nodes=train.num_nodes,
            strategy=make_processes(train.strategy_kwargs) if train.strategy in ("ddp", "fsdp") else "auto",
            precision="32-true" if train.precision == "auto" else train.precision,
            plugins=_launcher(),
        )


def _launcher() -> list[Any]:
    """What starts the other processes: torchrun where it has, else Fabric.

    Left to itself, Fabric waits for processes that SLURM would start wherever it finds SLURM's variables, also in a
    batch script that starts one process.
    """
    return [] if Torchrun.around_this_process() else [LightningEnvironment()]


@contextmanager
def process_settings(config: Config) -> Iterator[None]:
    """Threads, allocator and kernels of this process as a resolved config says.

    All but the allocator is as it was afterwards: memory that a process keeps, it keeps.

    Raises:
        TrainingError: an operation has no deterministic form where `train.deterministic` asks for one.
    """
    before = _Kernels.of_process()
    try:
        apply_process_settings(config)
        with nondeterminism_named() if config.train.deterministic else nullcontext():
            yield
    finally:
        before.apply()


def apply_process_settings(config: Config) -> None:
    """What `process_settings` does, for a process that has nothing else to do."""
    train = config.train
    if train.allocator == "keep":
        keep_freed_memory()
    threads = torch.get_num_threads() if train.threads == "auto" else train.threads
    precision = "highest" if train.matmul_precision == "auto" else train.matmul_precision
    if train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # On CUDA a few kernels have no deterministic form: there a warning has to do. Filling fresh memory guards against
    # kernels that read what they did not write, and costs a pass over every result: torch's own tests do it.
    _Kernels(
        threads,
        train.deterministic,
        warn_only=train.accelerator != "cpu",
        fill=False,
        precision=precision,
        tf32_convolutions=precision == "high",
    ).apply()


def limit_memory(share: float | None, device: torch.device) -> None:
    """Let this process take at most a share of a GPU's memory, until it ends; `train.memory_limit`."""
    if share is not None and device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share, device)


def seed_device(seed: int, device: torch.device) -> None:
    """Seed the generators that a step on this device draws from.

    `torch.manual_seed` does it for every kind of device there could be, and formats the call stack three times on the
    way: 0.4 ms that a small model's step can't hide.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@final
@dataclass(frozen=True)
class _Kernels:
    """Which kernels torch takes in this process."""

    threads: int
    deterministic: bool
    warn_only: bool
    fill: bool
    precision: str
    tf32_convolutions: bool

    @staticmethod
    def of_process() -> "_Kernels":
        return _Kernels(
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.allow_tf32,
        )

    def apply(self) -> None:
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        if torch.are_deterministic_algorithms_enabled() != self.deterministic:
            # Not without need: the call imports torch's compiler.
            torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = self.fill  # type: ignore[attr-defined]
        torch.set_float32_matmul_precision(self.precision)
        # torch lets convolutions have TF32 whatever matrix products have.
        torch.backends.cudnn.allow_tf32 = self.tf32_convolutions


@dataclass(frozen=True)
class Group:
    """The processes that train together."""

    rank: int
    world_size: int
    device: torch.device

    def any(self, *flags: float) -> tuple[float, ...]:
        """For each flag its largest value over all processes."""
        if self.world_size == 1:
            return flags
        values = torch.tensor(flags, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX)
        return tuple(values.tolist())

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """For each number its sum over all processes."""
        if self.world_size == 1:
            return numbers
        values = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(values)
        return tuple(values.tolist())

    def gather_rows(self, rows: torch.Tensor, total: int) -> torch.Tensor:
        """Put rows together that were dealt out like cards: this process has rows rank, rank + world_size, ...

        Args:
            rows: (n, ...) rows of this process.
            total: Number of rows over all processes.

        Returns:
            (total, ...) all rows in order, in every process.
        """
        if self.world_size == 1:
            return rows
        longest = -(-total // self.world_size)
        padded = rows.new_zeros((longest, *rows.shape[1:]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.world_size)]
        torch.distributed.all_gather(parts, padded)
        return torch.stack(parts, dim=1).flatten(0, 1)[:total]

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.world_size > 1:
            torch.distributed.barrier()
