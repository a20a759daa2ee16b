"""Grad-CAM: the places of a feature map that speak for an answer (Selvaraju et al. 2017)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from vernier.deploy.explain.target_layer import TargetLayer, recorded
from vernier.models.task import Task

Score = Callable[[Tensor], Tensor]
"""(B,) of logits (B, num_outputs): what is explained."""


def grad_cam(network: nn.Module, images: Tensor, target: TargetLayer, score: Score) -> np.ndarray:
    """ReLU of the sum over the channels k of a_k A_k, a_k being the mean of d score / d A_k over the places.

    Args:
        network: in eval mode, so that images do not see each other.
        images: float32 (B, C, H, W), preprocessed.
        target: the layer that A is the output of.
        score: what is explained, of each image.

    Returns:
        float32 (B, h, w), 0 where nothing speaks for it; not normalised.
    """
    with torch.enable_grad(), recorded(network, [target.name]) as outputs:
        logits = network(images.detach().requires_grad_())
        features = outputs[target.name]
        (gradients,) = torch.autograd.grad(score(logits).sum(), features)
    maps, slopes = (target.as_map(values.detach(), len(images)) for values in (features, gradients))
    weights = slopes.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).relu().numpy()


def class_score(task: Task, place: int) -> Score:
    """What speaks for a class: its logit; for the negative class of two, the logit's negative."""
    if task.name == "binary":
        sign = 1 if place == 1 else -1
        return lambda logits: sign * logits[:, 0]
    return lambda logits: logits[:, place]


def predicted_place(task: Task, probabilities: np.ndarray) -> int:
    """The class that is explained unless one is named: the answer; with several labels the most probable one.

    Args:
        task: multiclass, binary or multilabel.
        probabilities: float32 (1, C).
    """
    return int(probabilities[0].argmax() if task.name == "multilabel" else task.decide(probabilities)[0])
