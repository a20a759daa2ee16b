"""Logits of many images: preprocessing in threads ahead of the model."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn

from vernier.augment.preprocess import Preprocessing
from vernier.config.train import Precision
from vernier.evaluation.prefetch import computed_ahead


class ImageSequence(Protocol):
    """Decoded images by position: a store, a list."""

    def __getitem__(self, index: int, /) -> np.ndarray:
        """uint8 (H, W, C)."""
        ...


def predict_logits(
    module: nn.Module,
    images: ImageSequence,
    indices: Sequence[int] | np.ndarray,
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    threads: int,
    device: torch.device | str = "cpu",
    precision: Precision = "32-true",
    memory_format: torch.memory_format = torch.channels_last,
) -> np.ndarray:
    """Logits of `images[index]` for each index, in eval mode; the module's own modes are restored afterwards.

    Batches are consecutive parts of `indices`, so the result does not depend on the threads.

    Args:
        module: on `device`, its weights in the precision asked for.
        images: uint8 (H, W, C) each.
        indices: positions in `images`; may be empty.
        preprocessing: what makes an image the module's input.
        batch_size: images at once; the last batch may be smaller.
        threads: threads that read and preprocess; 0 does it in the calling thread.
        device: where the module is.
        precision: as `train.precision`; 16-mixed on a CPU is bf16-mixed, as in training.
        memory_format: order of the batch in memory.

    Returns:
        float32 (len(indices), outputs).
    """
    batches = _batches(images, indices, preprocessing, batch_size, threads)
    with contextlib.closing(batches):
        outputs = [
            batch_logits(module, batch, device=device, precision=precision, memory_format=memory_format)
            for batch in batches
        ]
    return np.concatenate(outputs)[: len(indices)]


def batch_logits(
    module: nn.Module,
    batch: np.ndarray,
    *,
    device: torch.device | str = "cpu",
    precision: Precision = "32-true",
    memory_format: torch.memory_format = torch.channels_last,
) -> np.ndarray:
    """Logits of a preprocessed batch, float32 (n, C, height, width), in eval mode; see `predict_logits`."""
    device = torch.device(device)
    dtype = torch.bfloat16 if precision == "bf16-true" else torch.float32
    with evaluating(module), torch.inference_mode(), _autocast(device, precision):
        pixels = torch.from_numpy(batch).to(device, dtype, memory_format=memory_format)
        outputs: np.ndarray = module(pixels).float().cpu().numpy()
    return outputs


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in eval mode; afterwards each submodule is back in its own mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    if not precision.endswith("-mixed"):
        return contextlib.nullcontext()
    half = precision == "16-mixed" and device.type != "cpu"
    return torch.autocast(device.type, dtype=torch.float16 if half else torch.bfloat16)


def _batches(
    images: ImageSequence,
    indices: Sequence[int] | np.ndarray,
    preprocessing: Preprocessing,
    batch_size: int,
    threads: int,
) -> Generator[np.ndarray, None, None]:
    """float32 (n, C, height, width) for consecutive parts of the indices; a blank image when there are none."""

    def prepare(index: int) -> np.ndarray:
        return preprocessing(images[index])

    if len(indices) == 0:
        # The module alone knows how many outputs there are.
        yield np.zeros((1, preprocessing.channels, *preprocessing.input_size), dtype=np.float32)
        return
    starts = range(0, len(indices), batch_size)
    parts = ([int(index) for index in indices[start : start + batch_size]] for start in starts)
    with contextlib.closing(computed_ahead(parts, prepare, threads)) as prepared:
        yield from map(np.stack, prepared)
