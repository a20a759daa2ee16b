"""`Preprocessing` computed by torch."""

import numpy as np
import torch

from vernier.augment.preprocess import Preprocessing, axis_steps
from vernier.augment.resample import axis_matrix


def preprocess_tensor(preprocessing: Preprocessing, image: torch.Tensor) -> torch.Tensor:
    """The same computation in torch, with whole matrices: uint8 (C, H, W) to float32 (C, height, width)."""
    _, height, width = image.shape

    def as_tensor(values: np.ndarray | tuple[float, ...]) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=image.device)

    rows, columns = axis_steps(preprocessing.geometry, (height, width), preprocessing.interpolation)
    vertical, horizontal = as_tensor(axis_matrix(rows, height)), as_tensor(axis_matrix(columns, width))
    values = vertical @ (image.float() - preprocessing.fill) @ horizontal.T + preprocessing.fill
    scale, offset = (as_tensor(each)[:, None, None] for each in (preprocessing.scale, preprocessing.offset))
    return values * scale + offset
