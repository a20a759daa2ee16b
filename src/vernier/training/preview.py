"""What an augmentation list does to some training images, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import Plan, compile_plan
from vernier.config.augment import AnyOperation, Normalize, Rescale, Resize
from vernier.config.channels import colour_places
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.images import Images
from vernier.data.splits import split_source
from vernier.errors import DataError
from vernier.evaluation.contact_sheet import as_picture, contact_sheet
from vernier.scenario.overriding import open_data
from vernier.training.parts import make_plan
from vernier.training.resolve import training_operations

_CELL = 160
_VALUES = (Normalize, Rescale)
"""Operations that change numbers and nothing that one could see."""


@final
@dataclass(frozen=True)
class Preview:
    """A picture that was written.

    Attributes:
        picture: The file.
        columns: What each column shows, in order.
        images: Keys of the images, one a row.
        stages: What the list compiles to, in order.
    """

    picture: Path
    columns: tuple[str, ...]
    images: tuple[str, ...]
    stages: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "picture": str(self.picture),
            "columns": list(self.columns),
            "images": list(self.images),
            "stages": list(self.stages),
        }

    def to_text(self) -> str:
        """A line for each stage, and where the picture is."""
        stages = [f"  {number}. {stage}" for number, stage in enumerate(self.stages, start=1)]
        return "\n".join(["stages of augment.train:", *stages, f"picture: {self.picture}"])


def preview(config: Config, output: Path, count: int, epoch: int) -> Preview:
    """Write a picture of training images as they are, after each operation alone, and after the whole list.

    An operation alone is done to every image, whatever its probability; the last column is what an epoch shows.

    Args:
        config: As the user wrote it.
        output: A .png or .jpg file.
        count: How many images, spread over the training set; at least 1.
        epoch: Which epoch's draws, from 0.

    Raises:
        ConfigError, DataError: what is wrong with the list or the data; an image that can't be read.
        DataError: the picture can't be written.
    """
    source = open_data(config, config.data)
    train = split_source(source, config.data).train
    if not len(train):
        raise DataError(f"{source.name} gives no training images to show")
    operations = training_operations(config, source)
    places = train[np.linspace(0, len(train) - 1, min(count, len(train))).astype(int)]
    resolved = config.model_copy(update={"data": config.data.model_copy(update={"channels": source.images.channels})})
    columns = [_whole(resolved, ()), *(_alone(resolved, operations, number) for number in _shown(operations))]
    plans = [*columns, _whole(resolved, _visible(operations))]
    headings = (
        "image",
        *(_heading(operations[number]) for number in _shown(operations)),
        f"whole list, epoch {epoch + 1}",
    )
    sheet = contact_sheet(headings, _rows(resolved, source.images, places, plans, epoch), _CELL)
    try:
        sheet.save(output)
    except ValueError:
        raise DataError(f"{output}: the picture can't be written; name a .png or .jpg file") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{output}: the picture can't be written: {reason}; name a .png file in a directory") from None
    keys = tuple(source.images.key(int(place)) for place in places)
    augment = resolved.augment.model_copy(update={"train": operations})
    trained = make_plan(resolved.model_copy(update={"augment": augment}), source.native_size)
    return Preview(output, headings, keys, trained.describe())


def _rows(
    config: Config, images: Images, places: np.ndarray, plans: Sequence[Plan], epoch: int
) -> list[list[np.ndarray]]:
    colours = colour_places(images.channels, config.data.channel_names)
    pixels = [images.read(int(place)) for place in places]
    columns = [OpenCVBackend(plan, 0).batch(pixels, places, epoch).permute(0, 2, 3, 1).numpy() for plan in plans]
    return [[as_picture(column[row], colours) for column in columns] for row in range(len(places))]


def _shown(operations: Sequence[AnyOperation]) -> list[int]:
    return [number for number, operation in enumerate(operations) if not isinstance(operation, _VALUES)]


def _visible(operations: Sequence[AnyOperation]) -> tuple[AnyOperation, ...]:
    return tuple(operations[number] for number in _shown(operations))


def _heading(operation: AnyOperation) -> str:
    chance = "" if operation.is_certain else f" (p {operation.p:g})"
    return f"{operation.name}{chance}"


def _alone(config: Config, operations: Sequence[AnyOperation], number: int) -> Plan:
    """One operation on images of the size that they have at that place of the list."""
    certain = operations[number].model_copy(update={"p": 1.0, "p_from": ()})
    return _whole(config, (*_sizes_before(operations[:number]), certain))


def _sizes_before(operations: Sequence[AnyOperation]) -> tuple[AnyOperation, ...]:
    """A resize to the size that operations leave, where they set one."""
    sizes = [size for operation in operations if (size := getattr(operation, "size", "auto")) != "auto"]
    return (Resize(size=sizes[-1]),) if sizes else ()


def _whole(config: Config, operations: Sequence[AnyOperation]) -> Plan:
    """The list, then a resize to what is shown."""
    augment, channels = config.augment, settled(config.data.channels)
    values = [operation for operation in operations if isinstance(operation, _VALUES)]
    moved = [operation for operation in operations if not isinstance(operation, _VALUES)]
    show = () if values else (Resize(size=(_CELL, _CELL), mode="letterbox", border="constant", fill=255),)
    return compile_plan(
        (*moved, *show, *values),
        channels=channels,
        border=augment.border,
        fill=augment.fill,
        interpolation=augment.interpolation,
        seed=config.seed,
        colours=colour_places(channels, config.data.channel_names),
    )
