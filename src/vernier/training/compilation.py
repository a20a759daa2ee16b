"""torch.compile, pinned to the shape of a full batch."""

from typing import final

import torch
from torch import Tensor, nn


@final
class CompiledForFullBatches(nn.Module):
    """A model whose full batches run compiled code; any other batch, such as an epoch's last one, runs as it is.

    Code is compiled for one shape, and which code a batch gets depends on its size alone, so a process that goes on in
    the middle of an epoch runs the same kernels as one that was there from the start.
    """

    def __init__(self, model: nn.Module, batch_size: int, device: torch.device) -> None:
        super().__init__()
        self.model = model
        self._batch_size = batch_size
        # Small networks on a GPU are bound by kernel launches: CUDA graphs replay them all at once.
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        self._compiled = torch.compile(model, dynamic=False, mode=mode)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs)."""
        outputs: Tensor = (self._compiled if len(images) == self._batch_size else self.model)(images)
        return outputs
