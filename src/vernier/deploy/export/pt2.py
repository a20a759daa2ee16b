"""A model as a `.pt2` file: a program of torch's own operations, preprocessing inside, which plain torch runs."""

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from vernier.augment.preprocess import Size, axis_steps
from vernier.augment.resample import axis_matrix
from vernier.deploy.export.trace import quiet, trace_example
from vernier.deploy.onnx_info import OnnxInfo
from vernier.errors import ModelError
from vernier.models.algebra.fold import fold

INFO_FILE = "vernier.json"
"""The extra file in the archive: the fields of `OnnxInfo`, and `image_size`."""
_EXAMPLE = 2
"""A batch of one would be taken for a constant."""


def export_program(module: nn.Module, info: OnnxInfo, *, image_size: Size, batch_size: int | None) -> ExportedProgram:
    """Trace a model: images of one size to (probabilities, logits), or kind network: its input to the logits.

    Args:
        module: The network, on the CPU; left as it is.
        info: What it is.
        image_size: Height and width of the images, for kind image.
        batch_size: Images at once; None for any number.

    Raises:
        ModelError: the network can't be traced.
    """
    network = fold(module).to(memory_format=torch.contiguous_format).requires_grad_(False)
    preprocessing, count = info.make_preprocessing(), _EXAMPLE if batch_size is None else batch_size
    if info.kind == "network":
        example = torch.zeros(count, preprocessing.channels, *preprocessing.input_size)
    else:
        network = _ImageModel(network, info, image_size)
        shape = (*image_size, preprocessing.channels)
        shape = shape if info.layout == "nhwc" else (shape[2], *image_size)
        example = torch.zeros(count, *shape, dtype=torch.uint8)
    program = trace_example(network.eval(), example, is_open=batch_size is None)
    for node in program.graph.nodes:
        # The paths of this machine's files.
        node.meta.pop("stack_trace", None)
    return program


def write_program(path: Path, program: ExportedProgram, info: OnnxInfo, image_size: Size) -> None:
    """Write a program and what it is to a file."""
    text = json.dumps({**asdict(info), "image_size": list(image_size)}, ensure_ascii=False)
    with quiet():
        torch.export.save(program, path, extra_files={INFO_FILE: text})


def load_program(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The program of a file that `write_program` wrote, and what it says of itself.

    Raises:
        ModelError: no such file, or not of Vernier.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file; check the path")
    extra = {INFO_FILE: ""}
    with quiet(), warnings.catch_warnings():
        module = torch.export.load(path, extra_files=extra).module()
    return module, json.loads(extra[INFO_FILE])


@final
class _ImageModel(nn.Module):
    """`preprocess_tensor`, the network, the temperature and the task's probabilities, as one module."""

    vertical: Tensor
    horizontal: Tensor
    scale: Tensor
    offset: Tensor

    def __init__(self, network: nn.Module, info: OnnxInfo, image_size: Size) -> None:
        super().__init__()
        self.network, self.layout = network, info.layout
        self.task = info.make_task()
        self.temperature = 1.0 if info.temperature is None else info.temperature
        seen = info.make_preprocessing()
        self.fill = seen.fill
        steps = axis_steps(seen.geometry, image_size, seen.interpolation)
        rows, columns = (axis_matrix(axis, size) for axis, size in zip(steps, image_size, strict=True))
        constants = {"vertical": rows, "horizontal": columns.T}
        constants |= {name: np.array(getattr(seen, name))[:, None, None] for name in ("scale", "offset")}
        for name, values in constants.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W, C) or (N, C, H, W) to probabilities (N, C) and logits (N, outputs)."""
        pixels = image.permute(0, 3, 1, 2) if self.layout == "nhwc" else image
        values = self.vertical @ (pixels.float() - self.fill) @ self.horizontal + self.fill
        logits = self.network(values * self.scale + self.offset)
        return self.task.probabilities(logits / self.temperature), logits
