"""An augmentation list compiled to stages that touch the pixels as seldom as the list allows.

Neighbouring geometry is one warp an image, as long as one border will do: operations with borders of different kinds
or values are warps after each other. Neighbouring affine colour is one matrix an image, a turn of hue and every
operation on pixels a stage of its own. The order of the list holds, with one exception: a geometric operation moves in
front of colour where the result is exactly the same and the list gets no longer by it, namely

- a flip or a quarter turn in front of any colour, since it only rearranges the pixels;
- any geometry in front of colour without contrast and hue, if the border takes part: interpolation is a weighted
  mean, so an affine change may come before or after it. That holds for all borders but a constant one, and for
  a constant border of 0 when the change leaves 0 at 0.

A last stage of colour that follows geometry therefore sees each pixel once more, and that is all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, final

import numpy as np

from vernier.augment.axis_resize import ResizeDraw, has_own_kernel
from vernier.augment.borders import NOTHING_OUTSIDE, Border, WarpDraw, border_of, shows_outside
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
from vernier.augment.geometry import GEOMETRY, Sizes, Warp, identity, least_size_after, size_after, warp
from vernier.augment.pixel.checking import pixel_problems
from vernier.augment.pixel.operation import PixelDraw
from vernier.augment.pixel.table import PIXEL
from vernier.augment.randomness import Chance
from vernier.config.augment import AnyOperation, ColorJitter, Normalize, Operation
from vernier.config.operations.base import Interpolation
from vernier.config.operations.custom import CustomOperation, TorchvisionOperation
from vernier.errors import ConfigError, ConfigProblem

Draw = WarpDraw | ResizeDraw | ColourDraw | HueDraw | PixelDraw
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
        return self.operation.model_copy(update={"p": self.operation.probability_in(epoch), "p_from": ()})


@final
@dataclass(frozen=True)
class GeometryStage:
    """Neighbouring geometry: one warp an image. The border is that of the steps that may show it, if there are any."""

    steps: tuple[Step, ...]
    border: Border | None

    def draw(self, chance: Chance, sizes: Sizes) -> WarpDraw:
        """What is done to a batch of images of these sizes, int64 (N, 2)."""
        border = self.border or NOTHING_OUTSIDE
        return WarpDraw(self.warp(chance, sizes), border.kind, border.draw(chance))

    def warp(self, chance: Chance, sizes: Sizes) -> Warp:
        """The warps alone."""
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
class ResizeStage:
    """A resize with a kernel of its own."""

    step: Step
    interpolation: Interpolation
    border: Border

    def draw(self, chance: Chance, sizes: Sizes) -> ResizeDraw:
        """The resizes of a batch."""
        operation: Any = self.step.at(chance.epoch)
        u = chance.uniform(self.step.key, 1 + GEOMETRY[type(operation)].draws)
        warps = warp(operation, u, sizes)
        return ResizeDraw(operation, warps, self.interpolation, self.border, self.border.draw(chance))

    def describe(self) -> str:
        """The operation and its kernel."""
        operation: Any = self.step.operation
        kernel = operation.interpolation or self.interpolation
        return f"{operation.name}: {kernel}{'' if operation.antialias else ', not antialiased'}"


@final
@dataclass(frozen=True)
class ColourStage:
    """Neighbouring affine colour: one matrix an image. `colours` are those of the plan."""

    steps: tuple[Step, ...]
    colours: tuple[int, ...]

    def draw(self, chance: Chance, sizes: Sizes) -> ColourDraw:
        """The colour changes of a batch."""
        operations = tuple(step.at(chance.epoch) for step in self.steps)
        draws = (chance.uniform(step.key, 1 + COLOUR[type(step.operation)].draws) for step in self.steps)
        return ColourDraw(operations, tuple(draws), self.colours)

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
    """A turn of hue, by the last draw of an operation. `colours` are those of the plan."""

    step: Step
    colours: tuple[int, ...]

    def draw(self, chance: Chance, sizes: Sizes) -> HueDraw:
        """The turns of a batch."""
        operation: Any = self.step.at(chance.epoch)
        u = chance.uniform(self.step.key, 1 + HUE[type(operation)])
        return HueDraw(hue_turns(operation, u), self.colours)

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
        u = chance.uniform(key, 1 + how.draws_of(operation))
        chosen = u[:, 0] < operation.p
        return PixelDraw(operation, how, chosen, u[:, 1:], chance.keys(key), chance.epoch)

    def describe(self) -> str:
        """The operation."""
        operation = self.step.operation
        if isinstance(operation, CustomOperation):
            return operation.callable
        return operation.transform if isinstance(operation, TorchvisionOperation) else type(operation).__name__


Stage = GeometryStage | ResizeStage | ColourStage | HueStage | PixelStage


@final
@dataclass(frozen=True)
class Plan:
    """Stages in the order in which they run, and what holds for all of them.

    Attributes:
        stages: what happens to the pixels, one pass each.
        output_size: height and width of every result.
        channels: of every image.
        colours: places of red, green and blue among them, or of grey; empty if there are no such.
        interpolation: "bilinear", "bicubic" or "nearest".
        seed: of every draw.
    """

    stages: tuple[Stage, ...]
    output_size: tuple[int, int]
    channels: int
    interpolation: Interpolation
    seed: int
    colours: tuple[int, ...] = (0, 1, 2)

    def draw(self, indices: np.ndarray, epoch: int, sizes: Sizes) -> tuple[Draw, ...]:
        """What each stage does to the samples `indices`, int64 (N,), whose images have `sizes`, int64 (N, 2)."""
        chance = Chance(self.seed, epoch, indices)
        draws: list[Draw] = []
        for stage in self.stages:
            draw = stage.draw(chance, sizes)
            sizes = draw.sizes if isinstance(draw, WarpDraw | ResizeDraw) else sizes
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
    interpolation: Interpolation,
    seed: int,
    native_size: tuple[int, int] | None = None,
    colours: tuple[int, ...] | None = None,
    key: str = "augment.train",
) -> Plan:
    """Compile a resolved list of operations.

    Args:
        operations: in the order in which they apply; no field is `auto` any more.
        channels: of every image; saturation and hue do nothing to grey images.
        border: "constant", "reflect", "replicate" (or "edge") or "wrap", of operations that name none of their own.
        fill: value of the constant border, 0 to 255, of operations that name none of their own.
        interpolation: "bilinear", "bicubic" or "nearest".
        seed: of every draw.
        native_size: height and width of every image, when they are all alike.
        colours: places of red, green and blue among the channels, or of grey; by default the first three, or the only
            one.
        key: of the list in the config, for messages.

    Raises:
        ConfigError: images could end at different sizes, or Normalize has another number of channels.
    """
    colours = tuple(range(min(channels, 3) if channels != 2 else 0)) if colours is None else colours
    usual = Border.of(border, fill)
    pieces = tuple(_pieces(operations, colours, interpolation, usual, native_size or (1, 1)))
    size = native_size
    for operation in operations:
        if type(operation) in GEOMETRY:
            size = size_after(operation, size)
    problems = [*_channel_problems(operations, channels, key), *_size_problems(size, key)]
    problems += pixel_problems(operations, channels, key)
    if problems or size is None:
        raise ConfigError(problems)
    # A flip that goes first can end up alone, as one warp more.
    orders = (_geometry_forward(pieces, usual), pieces)
    stages = min((tuple(_merged(order, colours)) for order in orders), key=len)
    return Plan(stages, size, channels, interpolation, seed, colours)


def _pieces(
    operations: Sequence[Operation],
    colours: tuple[int, ...],
    interpolation: Interpolation,
    usual: Border,
    least: tuple[int, int],
) -> Iterator[Stage]:
    """A stage for each operation; two for a ColorJitter that turns hue as well. Images are at least as large."""
    occurrences: Counter[str] = Counter()
    sizes: Sizes = np.array([least], np.int64)
    for operation in operations:
        name = type(operation).__name__
        step = Step(_for_colours(operation, colours), f"{name}#{occurrences[name]}")
        occurrences[name] += 1
        if type(operation) not in GEOMETRY:
            yield from _stages_of(step, colours)
            continue
        border = border_of(operation, usual)
        if has_own_kernel(operation):
            yield ResizeStage(step, interpolation, border)
        else:
            shown = shows_outside(operation, (int(sizes[0, 0]), int(sizes[0, 1])))
            yield GeometryStage((step,), border if shown else None)
        sizes = least_size_after(operation, sizes)


def _stages_of(step: Step, colours: tuple[int, ...]) -> Iterator[Stage]:
    if type(step.operation) in PIXEL:
        yield PixelStage(step)
    elif affine_parts(step.operation):
        yield ColourStage((step,), colours)
    if has_hue(step.operation) and len(colours) == 3:
        yield HueStage(step, colours)


def _for_colours(operation: Operation, colours: tuple[int, ...]) -> Operation:
    if isinstance(operation, ColorJitter) and len(colours) != 3:
        return operation.model_copy(update={"saturation": 0.0, "hue": 0.0})
    return operation


def _geometry_forward(pieces: Iterable[Stage], usual: Border) -> list[Stage]:
    ordered: list[Stage] = []
    for piece in pieces:
        place = len(ordered)
        if isinstance(piece, GeometryStage):
            while place and _may_go_first(piece, ordered[place - 1], usual):
                place -= 1
        ordered.insert(place, piece)
    return ordered


def _may_go_first(piece: GeometryStage, before: Stage, usual: Border) -> bool:
    """Whether a geometric operation gives exactly the same result in front of the stage that stands before it."""
    if isinstance(before, GeometryStage | ResizeStage | PixelStage):
        return False
    if GEOMETRY[type(piece.steps[0].operation)].permutes:
        return True
    if isinstance(before, HueStage) or has_contrast(before.steps[0].operation):
        return False
    # What shows no border stays beside what shows the usual one, for one warp of both.
    border = piece.border or usual
    return border.kind != "constant" or (border.fills == (0,) and is_linear(before.steps[0].operation))


def _merged(pieces: Iterable[Stage], colours: tuple[int, ...]) -> Iterator[Stage]:
    for kind, group in groupby(pieces, type):
        if kind is GeometryStage:
            yield from _warps(piece for piece in group if isinstance(piece, GeometryStage))
        elif kind is ColourStage:
            steps = (step for piece in group if isinstance(piece, ColourStage) for step in piece.steps)
            yield ColourStage(tuple(steps), colours)
        else:
            yield from group


def _warps(pieces: Iterator[GeometryStage]) -> Iterator[GeometryStage]:
    """Neighbours with one border as one."""
    current = next(pieces)
    for piece in pieces:
        if current.border and piece.border and current.border != piece.border:
            yield current
            current = piece
        else:
            current = GeometryStage(current.steps + piece.steps, current.border or piece.border)
    yield current


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
