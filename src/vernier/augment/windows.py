"""Plans that do no more than cut windows of whole pixels and change colour by one scale for each channel.

This is what small images usually get: a crop after padding, a flip, Normalize. Such a window needs no interpolation,
so it can be copied as it lies in memory.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from vernier.augment.borders import NOTHING_OUTSIDE, Border
from vernier.augment.colour import ColourDraw
from vernier.augment.crops import paddings
from vernier.augment.geometry import central_offsets, crop_offsets, resolved
from vernier.augment.moves import mirrored_axes
from vernier.augment.plan import ColourStage, GeometryStage, Plan, Stage, Step
from vernier.augment.randomness import Chance
from vernier.config.augment import (
    CentralCrop,
    Normalize,
    Operation,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Rescale,
)

Size = tuple[int, int]
_FLIPS: Final = (RandomFlip, RandomVerticalFlip, RandomHorizontalFlip)


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
    if kinds not in ([], [GeometryStage], [ColourStage], [GeometryStage, ColourStage]):
        return False
    return len(shown_border(plan).fills) == 1 and all(
        _moves_whole_pixels(step.operation) if isinstance(stage, GeometryStage) else _is_constant(step.operation)
        for stage in plan.stages
        for step in _steps(stage)
    )


def shown_border(plan: Plan) -> Border:
    """What lies outside the images of a plan that is windows."""
    borders = [stage.border for stage in plan.stages if isinstance(stage, GeometryStage) and stage.border]
    return borders[0] if borders else NOTHING_OUTSIDE


def _steps(stage: Stage) -> tuple[Step, ...]:
    return stage.steps if isinstance(stage, GeometryStage | ColourStage) else ()


def _moves_whole_pixels(operation: Operation) -> bool:
    if isinstance(operation, CentralCrop):
        return operation.fraction is None and operation.is_certain
    if isinstance(operation, Pad):
        return operation.is_certain
    return isinstance(operation, RandomCrop | RandomFlip | RandomVerticalFlip | RandomHorizontalFlip)


def _is_constant(operation: Operation) -> bool:
    return isinstance(operation, Normalize | Rescale) and operation.is_certain


def flipped_axes(plan: Plan) -> npt.NDArray[np.bool_]:
    """Whether any image is mirrored up and down, left and right; bool (2,)."""
    flips = (_mirrored(step.operation) for step in _geometry(plan) if isinstance(step.operation, _FLIPS))
    return np.asarray(np.logical_or.reduce([np.zeros(2, np.bool_), *flips]))


def _mirrored(operation: Operation) -> npt.NDArray[np.bool_]:
    """What a flip may mirror."""
    if isinstance(operation, RandomFlip):
        return np.array([operation.mode != "horizontal", operation.mode != "vertical"])
    return np.array([isinstance(operation, RandomVerticalFlip), isinstance(operation, RandomHorizontalFlip)])


def reach(plan: Plan, size: Size) -> Size:
    """How far windows may reach beyond an image of a size (height, width) on any side."""
    total, inner = np.zeros(2, np.int64), np.array(size)
    for step in _geometry(plan):
        operation = step.operation
        if isinstance(operation, Pad):
            sides = np.array(paddings(operation)).reshape(2, 2)
            total += sides.max(axis=1)
            inner = inner + sides.sum(axis=1)
        elif isinstance(operation, RandomCrop | CentralCrop):
            target, padding = np.array(resolved(operation.size)), getattr(operation, "padding", 0)
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
        if isinstance(operation, Pad):
            sides = np.array(paddings(operation)).reshape(2, 2)
            origin -= direction * sides[:, 0]
            inner = inner + sides.sum(axis=1)
        elif isinstance(operation, RandomCrop | CentralCrop):
            target = np.array(resolved(operation.size))
            origin += direction * _offsets(operation, step.key, chance, inner, target)
            inner = target
        else:
            flipped = _flipped(operation, step.key, chance)
            origin += np.where(flipped, direction * inner, 0)
            direction = np.where(flipped, -direction, direction)
    mirrored = direction < 0
    return Windows(np.where(mirrored, size - origin, origin).astype(np.int64), mirrored)


def _flipped(operation: Operation, key: str, chance: Chance) -> npt.NDArray[np.bool_]:
    """What a flip mirrors of each image, bool (N, 2)."""
    u = chance.uniform(key, 2)
    axes = mirrored_axes(operation, u[:, 1]) if isinstance(operation, RandomFlip) else _mirrored(operation)
    return np.asarray((u[:, :1] < operation.p) & axes)


def _offsets(operation: Operation, key: str, chance: Chance, size: np.ndarray, target: np.ndarray) -> np.ndarray:
    if not isinstance(operation, RandomCrop):
        return central_offsets(size, target)
    u = chance.uniform(key, 3)
    return crop_offsets(size, target, np.where(u[:, :1] < operation.p, u[:, 1:], 0.5), operation.padding)


def colour_matrix(plan: Plan) -> npt.NDArray[np.float32]:
    """What happens to the colour of every image, float32 (C, C + 1)."""
    stages = (stage for stage in plan.stages if isinstance(stage, ColourStage))
    operations = tuple(step.operation for stage in stages for step in stage.steps)
    draw = ColourDraw(operations, tuple(np.zeros((1, 1)) for _ in operations), plan.colours)
    matrices = draw.matrices(np.zeros((1, plan.channels))).astype(np.float32)
    return matrices.reshape(plan.channels, -1)


def _geometry(plan: Plan) -> tuple[Step, ...]:
    return tuple(step for stage in plan.stages if isinstance(stage, GeometryStage) for step in stage.steps)
