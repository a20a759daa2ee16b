"""The formulas of the papers in float64 NumPy, and logits to try them on."""

import numpy as np
import torch


def logits(n: int, outputs: int, seed: int = 0, scale: float = 3.0) -> torch.Tensor:
    return torch.randn(n, outputs, generator=torch.Generator().manual_seed(seed)) * scale


def softmax(values: torch.Tensor) -> np.ndarray:
    exponentials = np.exp(values.double().numpy() - values.double().numpy().max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def sigmoid(values: torch.Tensor) -> np.ndarray:
    return 1 / (1 + np.exp(-values.double().numpy()))
