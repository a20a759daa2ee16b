"""Numbers that a loss holds, on whatever device it computes."""

from typing import final

import numpy as np
import torch
from torch import Tensor


@final
class Constant:
    """float32 numbers, copied once to each device that asks for them.

    Args:
        values: Of any shape.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._tensors = {torch.device("cpu"): torch.tensor(values, dtype=torch.float32)}

    def on(self, device: torch.device) -> Tensor:
        """The numbers on a device."""
        if device not in self._tensors:
            self._tensors[device] = self._tensors[torch.device("cpu")].to(device)
        return self._tensors[device]
