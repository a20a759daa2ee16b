"""Plans that do no more than cut windows of whole pixels and change colour by one scale for each channel.

This is what small images usually get: a crop after padding, a flip, Normalize. Such a window needs no interpolation,
so it can be copied as it lies in memory.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from vernier.augment.colour import ColourDraw
from vernier.augment.geometry import central_offsets, crop_offsets, resolved
from vernier.augment.plan import ColourStage, GeometryStage, Plan, Stage, Step
from vernier.augment.randomness import Chance
from vernier.config.augment import (
    CentralCrop,
    Normalize,
    Operation,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Rescale,
)

Size = tuple[int, int]
_FLIPPED_AXES: Final = {RandomVerticalFlip: 0, RandomHorizontalFlip: 1}


@final
@dataclass(frozen=True)
class Windows:
    """Where the windows of a batch begin, in images that are mirrored first where it says so.

    Attributes:
        starts: top and left, int64 (N, 2); outside the image for what lies in the border.
        mirrored: up and down, left and right, bool (N, 2).
    """

    starts: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]


def is_windows(plan: Plan) -> bool:
    """Whether a plan is windows, then one change of colour for all images."""
    kinds = [type(stage) for stage in plan.stages]
    return kinds in ([], [GeometryStage], [ColourStage], [GeometryStage, ColourStage]) and all(
        _moves_whole_pixels(step.operation) if isinstance(stage, GeometryStage) else _is_constant(step.operation)
        for stage in plan.stages
        for step in _steps(stage)
    )


def _steps(stage: Stage) -> tuple[Step, ...]:
    return stage.steps if isinstance(stage, GeometryStage | ColourStage) else ()


def _moves_whole_pixels(operation: Operation) -> bool:
    if isinstance(operation, CentralCrop):
        return operation.fraction is None and operation.is_certain
    return isinstance(operation, RandomCrop) or type(operation) in _FLIPPED_AXES


def _is_constant(operation: Operation) -> bool:
    return isinstance(operation, Normalize | Rescale) and operation.is_certain


def flipped_axes(plan: Plan) -> npt.NDArray[np.bool_]:
    """Whether any image is mirrored up and down, left and right; bool (2,)."""
    axes = {_FLIPPED_AXES.get(type(step.operation)) for step in _geometry(plan)}
    return np.array([0 in axes, 1 in axes])


def reach(plan: Plan, size: Size) -> Size:
    """How far windows may reach beyond an image of a size (height, width) on any side."""
    total, inner = np.zeros(2, np.int64), np.array(size)
    for step in _geometry(plan):
        if isinstance(step.operation, RandomCrop | CentralCrop):
            target, padding = np.array(resolved(step.operation.size)), getattr(step.operation, "padding", 0)
            total += padding + np.maximum(target - inner - 2 * padding, 0)
            inner = target
    return int(total[0]), int(total[1])


def draw_windows(plan: Plan, indices: np.ndarray, epoch: int, size: Size) -> Windows:
    """The windows of the samples `indices`, int64 (N,), whose images have a size (height, width).

    They are those of `Plan.draw`, kept as the source place of the output's origin, and the direction from there.
    """
    chance = Chance(plan.seed, epoch, indices)
    origin = np.zeros((len(indices), 2))
    direction = np.ones((len(indices), 2))
    inner = np.array(size)
    for step in _geometry(plan):
        operation: Any = step.at(epoch)
        if isinstance(operation, RandomCrop | CentralCrop):
            target = np.array(resolved(operation.size))
            origin += direction * _offsets(operation, step.key, chance, inner, target)
            inner = target
        else:
            axis = _FLIPPED_AXES[type(operation)]
            flipped = chance.uniform(step.key, 1)[:, 0] < operation.p
            origin[flipped, axis] += direction[flipped, axis] * inner[axis]
            direction[flipped, axis] *= -1
    mirrored = direction < 0
    return Windows(np.where(mirrored, size - origin, origin).astype(np.int64), mirrored)


def _offsets(operation: Operation, key: str, chance: Chance, size: np.ndarray, target: np.ndarray) -> np.ndarray:
    if not isinstance(operation, RandomCrop):
        return central_offsets(size, target)
    u = chance.uniform(key, 3)
    return crop_offsets(size, target, np.where(u[:, :1] < operation.p, u[:, 1:], 0.5), operation.padding)


def colour_matrix(plan: Plan) -> npt.NDArray[np.float32]:
    """What happens to the colour of every image, float32 (C, C + 1)."""
    stages = (stage for stage in plan.stages if isinstance(stage, ColourStage))
    operations = tuple(step.operation for stage in stages for step in stage.steps)
    draw = ColourDraw(operations, tuple(np.zeros((1, 1)) for _ in operations))
    matrices = draw.matrices(np.zeros((1, plan.channels))).astype(np.float32)
    return matrices.reshape(plan.channels, -1)


def _geometry(plan: Plan) -> tuple[Step, ...]:
    return tuple(step for stage in plan.stages if isinstance(stage, GeometryStage) for step in stage.steps)
