"""The validation errors with the highest losses, as pictures and as a table."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from vernier.evaluation.metrics import Measures, probabilities_of, sample_losses
from vernier.evaluation.pixels import to_pixels, visible
from vernier.track.tensorboard_tracker import TensorBoardTracker
from vernier.training.callbacks.callback import Callback, Training
from vernier.training.setup import Setup
from vernier.training.validate import split_positions

if TYPE_CHECKING:
    from PIL.Image import Image

_COLUMNS = 4
_SMALLEST = 128
_LINE = 14
_FONT_SIZE = 11


@final
class WorstImages(Callback):
    """Shows up to `count` wrong predictions of every validation, the one with the highest loss first."""

    def __init__(self, tracker: TensorBoardTracker, count: int) -> None:
        self._tracker = tracker
        self._count = count

    def validation_end(self, training: Training, measures: Measures) -> None:
        """See `Callback.validation_end`."""
        setup, step = training.setup, training.state.step
        losses = sample_losses(measures.logits, measures.targets, setup.task)
        decisions = setup.task.decide(probabilities_of(measures.logits, setup.task))
        wrong = _worst(losses, decisions, measures.targets, self._count)
        if len(wrong) == 0:
            return
        positions = split_positions(setup, "val")[wrong]
        targets, predictions = setup.task.labels(measures.targets[wrong]), setup.task.labels(decisions[wrong])
        tiles = [
            _tile(_pixels(setup, int(position)), f"target: {target}\npredicted: {prediction} (loss {loss:.2f})")
            for position, target, prediction, loss in zip(positions, targets, predictions, losses[wrong], strict=True)
        ]
        self._tracker.writer.add_image("images/worst", _mosaic(tiles), step, dataformats="HWC")
        keys = [setup.dataset.source.images.key(int(position)) for position in positions]
        self._tracker.writer.add_text("worst", _table(keys, targets, predictions, losses[wrong]), step)


def _worst(losses: np.ndarray, decisions: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
    """Rows of wrong decisions, the highest losses first, at most `count`; int64."""
    wrong = np.flatnonzero((decisions != targets).reshape(len(losses), -1).any(axis=1))
    return wrong[np.argsort(-losses[wrong], kind="stable")][:count]


def _pixels(setup: Setup, position: int) -> np.ndarray:
    """The image as evaluation sees it, uint8 (H, W, 3)."""
    preprocessing = setup.parts.preprocessing
    pixels = to_pixels(preprocessing(setup.dataset.store[position]), preprocessing)
    return visible(np.moveaxis(pixels, 0, -1), setup.parts.plan.colours)


def _tile(pixels: np.ndarray, caption: str) -> "Image":
    """The image, small ones enlarged, with two lines below it."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = (math.ceil(_SMALLEST / min(pixels.shape[:2])) * side for side in pixels.shape[:2])
    tile = Image.new("RGB", (width, height + 2 * _LINE), "white")
    tile.paste(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), Image.Resampling.NEAREST))
    ImageDraw.Draw(tile).multiline_text((2, height), caption, "black", ImageFont.load_default(_FONT_SIZE), spacing=1)
    return tile


def _mosaic(tiles: Sequence["Image"]) -> np.ndarray:
    """Tiles of one size side by side, uint8 (H, W, 3)."""
    from PIL import Image

    width, height = tiles[0].size
    columns = min(_COLUMNS, len(tiles))
    mosaic = Image.new("RGB", (columns * width, math.ceil(len(tiles) / columns) * height), "white")
    for number, tile in enumerate(tiles):
        mosaic.paste(tile, (number % columns * width, number // columns * height))
    return np.asarray(mosaic)


def _table(keys: Sequence[str], targets: Sequence[str], predictions: Sequence[str], losses: np.ndarray) -> str:
    """A Markdown table."""
    rows = (
        f"| {' | '.join(text.replace('|', ', ') for text in texts)} | {loss:.4f} |"
        for *texts, loss in zip(keys, targets, predictions, losses, strict=True)
    )
    return "\n".join(["| image | target | prediction | loss |", "| --- | --- | --- | ---: |", *rows])
