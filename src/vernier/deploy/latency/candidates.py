"""What is timed: networks made ready to be called, in torch and in onnxruntime."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
import torch
from torch import nn

from vernier.deploy.onnx_classifier import open_session
from vernier.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Call = Callable[[], object]
_SEED = 0


class Candidate(Protocol):
    """A network that can be timed."""

    @property
    def name(self) -> str:
        """How it is called in tables."""
        ...

    def prepare(self, batch_size: int, threads: int) -> Call:
        """What to call for one batch on so many threads.

        Raises:
            ModelError: it can't take such a batch.
        """
        ...


@final
@dataclass(frozen=True)
class TorchCandidate:
    """A network in torch; it sees random float images in channels_last memory.

    Attributes:
        name: how it is called in tables.
        module: in eval mode, on the CPU.
        shape: channels, height and width of its input.
        compiled: through torch.compile, for one shape each.
    """

    name: str
    module: nn.Module
    shape: tuple[int, int, int]
    compiled: bool = False

    def prepare(self, batch_size: int, threads: int) -> Call:
        """A forward pass in inference mode; threads are set at each call, for others are timed in between."""
        images = torch.from_numpy(_pixels((batch_size, *self.shape), np.float32))
        images = images.to(memory_format=torch.channels_last)
        network = self._network()

        def call() -> object:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            with torch.inference_mode():
                return network(images)

        return call

    def _network(self) -> Callable[[torch.Tensor], torch.Tensor]:
        network = self.module.to(memory_format=torch.channels_last)
        return torch.compile(network, dynamic=False) if self.compiled else network


@final
@dataclass(frozen=True)
class OnnxCandidate:
    """An ONNX file, or the bytes of one; it sees random images of its own type.

    Attributes:
        name: how it is called in tables.
        model: the file or its content.
        image_size: height and width of images where the graph leaves them open.
    """

    name: str
    model: Path | bytes
    image_size: tuple[int, int]

    def prepare(self, batch_size: int, threads: int) -> Call:
        """A run of a session of its own."""
        session = open_session(self.model, threads=threads)
        feed = {session.get_inputs()[0].name: self._images(session, batch_size)}

        def call() -> object:
            return session.run(None, feed)

        return call

    def _images(self, session: "InferenceSession", batch_size: int) -> np.ndarray:
        taken = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else None for size in taken.shape]
        if shape[0] not in (None, batch_size):
            remedy = "export it with export.batch_size=dynamic, or give --batch-sizes"
            raise ModelError(f"{self.name}: takes {shape[0]} images at once, not {batch_size}; {remedy}")
        dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}[taken.type]
        return _pixels((batch_size, *self._open_sizes(shape[1:])), dtype)

    def _open_sizes(self, shape: list[int | None]) -> list[int]:
        """Sizes of the axes; those that the graph leaves open are height and width, in this order."""
        missing = iter(self.image_size)
        return [next(missing) if size is None else size for size in shape]


def _pixels(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    generator = np.random.default_rng(_SEED)
    if dtype is np.float32:
        return generator.standard_normal(shape, dtype=np.float32)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
