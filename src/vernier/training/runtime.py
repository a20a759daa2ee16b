"""The machine: devices, precision, threads, determinism, and talk between processes; on Lightning Fabric."""

import logging
import os
import warnings
from dataclasses import dataclass

import torch

from vernier.config.root import Config
from vernier.config.train import TrainConfig
from vernier.training.fabric import Fabric


def make_fabric(train: TrainConfig) -> Fabric:
    """A Fabric for a resolved section; `launch` it before use."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Lightning warns about the environments it finds (SLURM, notebooks); what matters is in our config.
        warnings.simplefilter("ignore")
        return Fabric(
            accelerator=train.accelerator,
            devices=train.devices,
            num_nodes=train.num_nodes,
            strategy="auto" if train.strategy == "single" else train.strategy,
            precision="32-true" if train.precision == "auto" else train.precision,
        )


def apply_process_settings(config: Config) -> None:
    """Threads and deterministic kernels of this process."""
    train = config.train
    if train.threads != "auto":
        torch.set_num_threads(train.threads)
    if train.deterministic:
        # On CUDA a few kernels have no deterministic form: there a warning has to do.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=train.accelerator != "cpu")
        torch.backends.cudnn.benchmark = False


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
