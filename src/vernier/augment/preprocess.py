"""What the model sees of an image in evaluation, wherever that is: training, evaluate, predict, export."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from vernier.augment.resample import AxisStep, Kernel, banded_axis, resample
from vernier.config.augment import AnyOperation, CentralCrop, Normalize, Rescale, Resize
from vernier.config.operations.base import ResizeKernel
from vernier.errors import ConfigError, ConfigProblem, ModelError

Geometry = Annotated[Resize | CentralCrop, Field(discriminator="name")]
Size = tuple[int, int]


@final
@dataclass(frozen=True)
class Preprocessing:
    """Resizes and crops, then x * scale + offset; x from 0 to 255.

    The resize is a matrix product for each axis, in float32 and without rounding or clipping in between:
    out = fill + A_h (x - fill) A_w^T for each channel, with the matrices of `resample.axis_matrix`.

    Attributes:
        channels: 1 or 3.
        geometry: resizes and crops in their order, sizes given.
        interpolation: kernel of the resizes that name none of their own.
        fill: pixel value outside the image, from 0 to 255.
        scale: factor for each channel.
        offset: summand for each channel.
        value_range: the values that become 0 and 255 in images of more than 8 bits; None for their type's range.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    channels: int
    geometry: tuple[Geometry, ...]
    interpolation: ResizeKernel
    fill: int
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    value_range: tuple[float, float] | None = None

    @property
    def input_size(self) -> Size:
        """Height and width of the result, the same for every image."""
        size = _output_size(self.geometry)
        assert size is not None, "checked when the object is made"
        return size

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, channels) to float32 (channels, height, width)."""
        height, width, _ = image.shape
        rows, columns = axis_steps(self.geometry, (height, width), self.interpolation)
        vertical, horizontal = banded_axis(rows, height), banded_axis(columns, width)
        values = resample(image, vertical, horizontal)
        if self.fill:
            values += self.fill * (1 - np.outer(vertical.coverage, horizontal.coverage))
        values *= _column(self.scale)
        values += _column(self.offset)
        return values

    def to_json(self) -> dict[str, Any]:
        """The object as JSON values; `from_json` gives back an equal object."""
        return {
            "channels": self.channels,
            "geometry": [operation.model_dump(mode="json", exclude={"p"}) for operation in self.geometry],
            "interpolation": self.interpolation,
            "fill": self.fill,
            "scale": list(self.scale),
            "offset": list(self.offset),
            "value_range": None if self.value_range is None else list(self.value_range),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Preprocessing":
        """Read what `to_json` wrote.

        Raises:
            ModelError: a field is missing, unknown or makes no sense.
        """
        try:
            preprocessing = _ADAPTER.validate_python(dict(values))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ModelError(f"the preprocessing can't be read: {problems}") from None
        lengths = {len(preprocessing.scale), len(preprocessing.offset), preprocessing.channels}
        resolved = all(map(_is_resolved, preprocessing.geometry))
        if len(lengths) != 1 or not resolved or _output_size(preprocessing.geometry) is None:
            raise ModelError("the preprocessing can't be read: its channels or sizes don't fit each other")
        return preprocessing


_ADAPTER = TypeAdapter(Preprocessing)


def compile_preprocessing(
    operations: Sequence[AnyOperation], *, channels: int, fill: int, interpolation: ResizeKernel
) -> Preprocessing:
    """The preprocessing of a resolved `augment.eval` list.

    Geometry is done first: resizes give the same before and after Normalize and Rescale, and the fill is a
    pixel value wherever the operation that fills stands. An operation's own fill goes for all of them.

    Raises:
        ConfigError: the list leaves images of different sizes, or statistics don't fit the channels.
    """
    geometry = tuple(operation for operation in operations if isinstance(operation, Resize | CentralCrop))
    if _output_size(geometry) is None:
        raise _problem(
            "images would keep sizes of their own, and a batch needs one size; "
            "end with CentralCrop of a size, or with Resize in mode fit, crop or letterbox"
        )
    scale, offset = _affine(operations, channels)
    fills = [operation.fill for operation in geometry if isinstance(operation.fill, int)]
    return Preprocessing(channels, geometry, interpolation, fills[0] if fills else fill, scale, offset)


def axis_steps(
    geometry: Sequence[Geometry], size: Size, interpolation: ResizeKernel
) -> tuple[tuple[AxisStep, ...], tuple[AxisStep, ...]]:
    """What resizes and crops do to the rows and to the columns of an image of `size`, height and width.

    `interpolation` is for resizes that name no kernel of their own.
    """
    vertical: list[AxisStep] = []
    horizontal: list[AxisStep] = []
    for operation in geometry:
        steps = _steps(operation, size, interpolation)
        for axis, step, length in zip((vertical, horizontal), steps, size, strict=True):
            _append(axis, step, length)
        size = (steps[0].stop - steps[0].start, steps[1].stop - steps[1].start)
    return tuple(vertical), tuple(horizontal)


def _append(steps: list[AxisStep], step: AxisStep, length: int) -> None:
    """Add a step, as one with the resize before it where it is a crop of a whole resized axis."""
    if step.resized == length and steps and steps[-1][1:3] == (0, steps[-1].resized):
        step = step._replace(kernel=steps.pop().kernel)
    steps.append(step)


def _steps(operation: Geometry, size: Size, interpolation: ResizeKernel) -> tuple[AxisStep, AxisStep]:
    """Rows and columns of one operation on an image of `size`."""
    target = _target(operation, size)
    if isinstance(operation, CentralCrop):
        return _middle(size[0], target[0], Kernel()), _middle(size[1], target[1], Kernel())
    inner = _resized(operation, size, target)
    kernel = Kernel(operation.interpolation or interpolation, operation.antialias)
    return _middle(inner[0], target[0], kernel), _middle(inner[1], target[1], kernel)


def _resized(operation: Resize, size: Size, target: Size) -> Size:
    """What an image of `size` becomes before the middle of it is cut out, or it is put in the middle."""
    match operation.mode:
        case "letterbox":
            return _fitting(size, target)
        case "crop":
            return _covering(size, target)
        case _:
            return target


def _middle(length: int, window: int, kernel: Kernel) -> AxisStep:
    """The middle `window` of `length` pixels, or `length` pixels in its middle; rounded as in torchvision."""
    start = round((length - window) / 2) if length >= window else -((window - length) // 2)
    return AxisStep(length, start, start + window, kernel)


def _target(operation: Geometry, size: Size) -> Size:
    """Height and width that an operation makes of an image of `size`."""
    if isinstance(operation, CentralCrop) and operation.fraction is not None:
        return max(1, round(size[0] * operation.fraction)), max(1, round(size[1] * operation.fraction))
    assert operation.size != "auto", "the config is resolved"
    if isinstance(operation, Resize) and operation.mode == "shortest":
        return _covering(size, operation.size)
    if isinstance(operation, Resize) and operation.mode == "longest":
        return _fitting(size, operation.size)
    return operation.size


def _covering(size: Size, target: Size) -> Size:
    """The smallest size of the same aspect ratio that covers the target; the longer side is rounded down."""
    (height, width), (target_height, target_width) = size, target
    if target_height * width >= target_width * height:
        return target_height, target_height * width // height
    return target_width * height // width, target_width


def _fitting(size: Size, target: Size) -> Size:
    """The largest size of the same aspect ratio within the target; the shorter side is rounded."""
    scale = min(target[0] / size[0], target[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _output_size(geometry: Sequence[Geometry]) -> Size | None:
    """Height and width after all operations, or None if they depend on the image."""
    size: Size | None = None
    for operation in geometry:
        if _is_relative(operation):
            size = None if size is None else _target(operation, size)
        else:
            size = _target(operation, (1, 1))
    return size


def _is_resolved(operation: Geometry) -> bool:
    """Whether no size is `auto` any more; a crop of a fraction has none."""
    return operation.size != "auto" or (isinstance(operation, CentralCrop) and operation.fraction is not None)


def _is_relative(operation: Geometry) -> bool:
    """Whether the size after it depends on the size before."""
    if isinstance(operation, CentralCrop):
        return operation.fraction is not None
    return operation.mode in ("shortest", "longest")


def _affine(operations: Sequence[AnyOperation], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset for each channel of all Normalize and Rescale, one after the other."""
    scale, offset = np.ones(channels), np.zeros(channels)
    for operation in operations:
        if isinstance(operation, Normalize):
            mean, std = (_statistics(operation, field, channels) for field in ("mean", "std"))
            scale, offset = scale / (255 * std), (offset / 255 - mean) / std
        elif isinstance(operation, Rescale):
            scale, offset = scale * operation.scale, offset * operation.scale + operation.offset
    return tuple(scale.tolist()), tuple(offset.tolist())


def _statistics(operation: Normalize, field: str, channels: int) -> np.ndarray:
    values = np.atleast_1d(np.asarray(getattr(operation, field), dtype=np.float64))
    if len(values) not in (1, channels):
        raise _problem(
            f"Normalize.{field} has {len(values)} values for images of {channels} channel(s); "
            f"give {channels}, or one number"
        )
    return np.broadcast_to(values, channels)


def _column(values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)[:, None, None]


def _problem(message: str) -> ConfigError:
    return ConfigError([ConfigProblem("augment.eval", message)])
