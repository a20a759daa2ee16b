"""What a model takes: bytes, time on this machine, memory on a device."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from torch import nn

from vernier.deploy.footprint.measure import measure_footprint
from vernier.deploy.latency.candidates import Candidate, OnnxCandidate, TorchCandidate
from vernier.deploy.latency.timing import Latency, time_interleaved
from vernier.deploy.onnx_info import OnnxInfo
from vernier.deploy.quantize.subject import Subject

if TYPE_CHECKING:
    from onnx import ModelProto


@final
@dataclass(frozen=True)
class Cost:
    """What a model takes.

    Attributes:
        bytes: Of its file.
        latency: Of the network alone for one image; None where it was not timed.
        ram_bytes: Peak of activations on a device; None for what does not run on one.
        flash_bytes: Of weights and biases there.
    """

    bytes: int
    latency: Latency | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        times = {f"latency_ms_{name}": getattr(self.latency, name, None) for name in ("p50", "p95")}
        return {"bytes": self.bytes, **times, "ram_bytes": self.ram_bytes, "flash_bytes": self.flash_bytes}


def measure_costs(
    subject: Subject, networks: Mapping[str, "ModelProto"], files: Mapping[str, Path], batch: int
) -> dict[str, Cost]:
    """By model: `float` for what is in torch, and ONNX networks.

    Args:
        subject: The float model.
        networks: Without preprocessing, by name.
        files: The files that hold them, by name.
        batch: Images in a call that is timed.
    """
    latencies = time_networks(subject.module, networks, subject.info, batch)
    costs = {} if subject.module is None else {"float": Cost(subject.bytes, latencies["float"])}
    for name, network in networks.items():
        footprint = measure_footprint(network)
        size = files[name].stat().st_size
        costs[name] = Cost(size, latencies[name], footprint.ram_bytes, footprint.flash_bytes)
    return costs


def time_networks(
    module: nn.Module | None, networks: Mapping[str, "ModelProto"], info: OnnxInfo, batch: int
) -> dict[str, Latency]:
    """Networks timed against each other on one thread: `float` in torch, the others in onnxruntime."""
    preprocessing = info.make_preprocessing()
    size = preprocessing.input_size
    candidates: list[Candidate] = []
    if module is not None:
        candidates.append(TorchCandidate("float", module, (preprocessing.channels, *size)))
    candidates += [OnnxCandidate(name, network.SerializeToString(), size) for name, network in networks.items()]
    threads = torch.get_num_threads()
    try:
        return time_interleaved({candidate.name: candidate.prepare(batch, 1) for candidate in candidates})
    finally:
        torch.set_num_threads(threads)
