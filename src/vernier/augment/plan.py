"""An augmentation list compiled to stages that touch the pixels as seldom as the list allows.

Neighbouring geometry is one warp an image, neighbouring affine colour one matrix an image, a turn of hue and every
operation on pixels a stage of its own. The order of the list holds, with one exception: a geometric operation moves in
front of colour where the result is exactly the same, namely

- a flip or a quarter turn in front of any colour, since it only rearranges the pixels;
- any geometry in front of colour without contrast and hue, if the border takes part: interpolation is a weighted
  mean, so an affine change may come before or after it. That holds for reflected and replicated borders, and for
  a constant border of 0 when the change leaves 0 at 0.

A last stage of colour that follows geometry therefore sees each pixel once more, and that is all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import final

import numpy as np

from vernier.augment.colour import (
    COLOUR,
    HUE,
    ColourDraw,
    HueDraw,
    affine_parts,
    has_contrast,
    has_hue,
    hue_turns,
    is_linear,
)
from vernier.augment.geometry import GEOMETRY, Sizes, Warp, identity, size_after, warp
from vernier.augment.pixel.operation import PixelDraw
from vernier.augment.pixel.table import PIXEL
from vernier.augment.randomness import Chance
from vernier.config.augment import AnyOperation, ColorJitter, Normalize, Operation
from vernier.errors import ConfigError, ConfigProblem

Draw = Warp | ColourDraw | HueDraw | PixelDraw
"""What one stage does to the images of one batch."""


@final
@dataclass(frozen=True)
class Step:
    """One operation of the list; `key` (its name and occurrence, "RandomRotate#0") is what it is drawn by."""

    operation: Operation
    key: str

    def at(self, epoch: int) -> Operation:
        """The operation as probable as it is in an epoch."""
        if not self.operation.p_from:
            return self.operation
        return self.operation.model_copy(update={"p": self.operation.probability(epoch), "p_from": ()})


@final
@dataclass(frozen=True)
class GeometryStage:
    """Neighbouring geometry: one warp an image."""

    steps: tuple[Step, ...]

    def draw(self, chance: Chance, sizes: Sizes) -> Warp:
        """The warps of a batch of images of these sizes, int64 (N, 2)."""
        total = identity(sizes)
        for step in self.steps:
            u = chance.uniform(step.key, 1 + GEOMETRY[type(step.operation)].draws)
            total = total.then(warp(step.at(chance.epoch), u, total.sizes))
        return total

    def describe(self) -> str:
        """The operations that were merged."""
        return "warp: " + " + ".join(type(step.operation).__name__ for step in self.steps)


@final
@dataclass(frozen=True)
class ColourStage:
    """Neighbouring affine colour: one matrix an image."""

    steps: tuple[Step, ...]

    def draw(self, chance: Chance, sizes: Sizes) -> ColourDraw:
        """The colour changes of a batch."""
        operations = tuple(step.at(chance.epoch) for step in self.steps)
        draws = (chance.uniform(step.key, 1 + COLOUR[type(step.operation)].draws) for step in self.steps)
        return ColourDraw(operations, tuple(draws))

    @property
    def has_contrast(self) -> bool:
        """Whether what is done to an image depends on its mean."""
        return any(has_contrast(step.operation) for step in self.steps)

    def describe(self) -> str:
        """The changes that were merged."""
        return "colour matrix: " + ", ".join(name for step in self.steps for name in affine_parts(step.operation))


@final
@dataclass(frozen=True)
class HueStage:
    """A turn of hue, by the last draw of a ColorJitter."""

    step: Step

    def draw(self, chance: Chance, sizes: Sizes) -> HueDraw:
        """The turns of a batch."""
        operation = self.step.at(chance.epoch)
        assert isinstance(operation, ColorJitter), "others turn no hue"
        return HueDraw(hue_turns(operation, chance.uniform(self.step.key, 1 + HUE)))

    def describe(self) -> str:
        """The change."""
        return "hue turn"


@final
@dataclass(frozen=True)
class PixelStage:
    """An operation that is neither a warp nor a matrix."""

    step: Step

    def draw(self, chance: Chance, sizes: Sizes) -> PixelDraw:
        """What it does to the images of a batch."""
        operation, key = self.step.at(chance.epoch), self.step.key
        how = PIXEL[type(operation)]
        u = chance.uniform(key, 1 + how.draws)
        chosen = u[:, 0] < operation.p
        return PixelDraw(operation, how, chosen, u[:, 1:], chance.keys(key), chance.epoch, sizes)

    def describe(self) -> str:
        """The operation."""
        return type(self.step.operation).__name__


Stage = GeometryStage | ColourStage | HueStage | PixelStage


@final
@dataclass(frozen=True)
class Plan:
    """Stages in the order in which they run, and what holds for all of them.

    Attributes:
        stages: what happens to the pixels, one pass each.
        output_size: height and width of every result.
        channels: of every image.
        colours: places of red, green and blue among them, or of grey; empty if there are no such.
        border: what lies outside an image: "constant", "reflect" (edge pixels repeat) or "replicate".
        fill: value of a constant border, from 0 to 255, whatever the colour stages before it made of the pixels.
        interpolation: "bilinear", "bicubic" or "nearest".
        seed: of every draw.
    """

    stages: tuple[Stage, ...]
    output_size: tuple[int, int]
    channels: int
    border: str
    fill: int
    interpolation: str
    seed: int
    colours: tuple[int, ...] = (0, 1, 2)

    def draw(self, indices: np.ndarray, epoch: int, sizes: Sizes) -> tuple[Draw, ...]:
        """What each stage does to the samples `indices`, int64 (N,), whose images have `sizes`, int64 (N, 2)."""
        chance = Chance(self.seed, epoch, indices)
        draws: list[Draw] = []
        for stage in self.stages:
            draw = stage.draw(chance, sizes)
            sizes = draw.sizes if isinstance(draw, Warp) else sizes
            draws.append(draw)
        return tuple(draws)

    def describe(self) -> tuple[str, ...]:
        """A line for each stage; the last warp names the size of the results."""
        lines = [stage.describe() for stage in self.stages]
        warps = [number for number, stage in enumerate(self.stages) if isinstance(stage, GeometryStage)]
        for number in warps[-1:]:
            lines[number] += f" -> {self.output_size[0]}x{self.output_size[1]}"
        return tuple(lines)


def compile_plan(
    operations: Sequence[AnyOperation],
    *,
    channels: int,
    border: str,
    fill: int,
    interpolation: str,
    seed: int,
    native_size: tuple[int, int] | None = None,
    colours: tuple[int, ...] | None = None,
    key: str = "augment.train",
) -> Plan:
    """Compile a resolved list of operations.

    Args:
        operations: in the order in which they apply; no field is `auto` any more.
        channels: of every image, 1 or 3; saturation and hue do nothing to grey images.
        border: "constant", "reflect" or "replicate".
        fill: value of the constant border, 0 to 255.
        interpolation: "bilinear", "bicubic" or "nearest".
        seed: of every draw.
        native_size: height and width of every image, when they are all alike.
        colours: places of red, green and blue among the channels, or of grey; by default the first three, or the only
            one.
        key: of the list in the config, for messages.

    Raises:
        ConfigError: images could end at different sizes, or Normalize has another number of channels.
    """
    pieces = _geometry_forward(_pieces(operations, channels), border, fill)
    size = native_size
    for operation in operations:
        if type(operation) in GEOMETRY:
            size = size_after(operation, size)
    problems = [*_channel_problems(operations, channels, key), *_size_problems(size, key)]
    if problems or size is None:
        raise ConfigError(problems)
    colours = tuple(range(min(channels, 3) if channels != 2 else 0)) if colours is None else colours
    return Plan(tuple(_merged(pieces)), size, channels, border, fill, interpolation, seed, colours)


def _pieces(operations: Sequence[Operation], channels: int) -> Iterator[Stage]:
    """A stage for each operation; two for a ColorJitter that turns hue as well."""
    occurrences: Counter[str] = Counter()
    for operation in operations:
        name = type(operation).__name__
        step = Step(_for_channels(operation, channels), f"{name}#{occurrences[name]}")
        occurrences[name] += 1
        yield from _stages_of(step)


def _stages_of(step: Step) -> Iterator[Stage]:
    if type(step.operation) in GEOMETRY:
        yield GeometryStage((step,))
    elif type(step.operation) in PIXEL:
        yield PixelStage(step)
    elif affine_parts(step.operation):
        yield ColourStage((step,))
    if isinstance(step.operation, ColorJitter) and has_hue(step.operation):
        yield HueStage(step)


def _for_channels(operation: Operation, channels: int) -> Operation:
    if isinstance(operation, ColorJitter) and channels == 1:
        return operation.model_copy(update={"saturation": 0.0, "hue": 0.0})
    return operation


def _geometry_forward(pieces: Iterable[Stage], border: str, fill: int) -> list[Stage]:
    ordered: list[Stage] = []
    for piece in pieces:
        place = len(ordered)
        if isinstance(piece, GeometryStage):
            while place and _may_go_first(piece.steps[0].operation, ordered[place - 1], border, fill):
                place -= 1
        ordered.insert(place, piece)
    return ordered


def _may_go_first(geometry: Operation, before: Stage, border: str, fill: int) -> bool:
    """Whether a geometric operation gives exactly the same result in front of the stage that stands before it."""
    if isinstance(before, GeometryStage | PixelStage):
        return False
    if GEOMETRY[type(geometry)].permutes:
        return True
    if isinstance(before, HueStage) or has_contrast(before.steps[0].operation):
        return False
    return border != "constant" or (fill == 0 and is_linear(before.steps[0].operation))


def _merged(pieces: Iterable[Stage]) -> Iterator[Stage]:
    for kind, group in groupby(pieces, type):
        if kind in (HueStage, PixelStage):
            yield from group
        elif kind is GeometryStage:
            yield GeometryStage(_steps(group))
        else:
            yield ColourStage(_steps(group))


def _steps(pieces: Iterable[Stage]) -> tuple[Step, ...]:
    return tuple(step for piece in pieces if isinstance(piece, GeometryStage | ColourStage) for step in piece.steps)


def _channel_problems(operations: Sequence[Operation], channels: int, key: str) -> Iterator[ConfigProblem]:
    for operation in operations:
        if isinstance(operation, Normalize):
            for name in ("mean", "std"):
                value = getattr(operation, name)
                if np.ndim(value) == 1 and len(value) not in (1, channels):
                    message = f"Normalize.{name} has {len(value)} values, but images have {channels} channels"
                    yield ConfigProblem(key, f"{message}; give one number, or one for each channel")


def _size_problems(size: tuple[int, int] | None, key: str) -> Iterator[ConfigProblem]:
    if size is None:
        yield ConfigProblem(
            key,
            "the images of a batch could end at different sizes; add RandomResizedCrop, or Resize with mode fit, "
            "with p=1 as the last operation that changes the size",
        )
