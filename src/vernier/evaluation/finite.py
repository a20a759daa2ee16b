"""Outputs that are numbers at all."""

import numpy as np

from vernier.errors import TrainingError


def check_finite(logits: np.ndarray) -> None:
    """Stop at logits (N, num_outputs) that are nan or infinite.

    Raises:
        TrainingError: how many images have some, and what to do.
    """
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise TrainingError(
            f"the model's outputs for {broken} of {len(logits)} images are not finite numbers (nan or inf); "
            "its weights have diverged: train with a lower optimizer.lr, or with train.gradient_clip_norm"
        )
