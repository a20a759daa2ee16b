"""Pictures in rows and columns, with a heading above each column."""

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vernier.evaluation.pixels import visible

_GAP = 6
_FONT = 12
_LINE = 15
_CHARACTER = 6.5
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(headings: Sequence[str], rows: Sequence[Sequence[np.ndarray]], cell: int) -> Image.Image:
    """One picture of all.

    Args:
        headings: Of the columns.
        rows: Pictures, uint8 (H, W, 3), as many as headings in each row, H and W at most `cell`.
        cell: Side of the square that each picture stands in the middle of.
    """
    wrapped = [textwrap.wrap(heading, max(4, int(cell / _CHARACTER))) for heading in headings]
    top = _GAP + _LINE * max(map(len, wrapped), default=0)
    width = _GAP + len(headings) * (cell + _GAP)
    sheet = Image.new("RGB", (width, top + len(rows) * (cell + _GAP)), _PAPER)
    _write(sheet, wrapped, cell)
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            height, across = picture.shape[:2]
            left = _GAP + column * (cell + _GAP) + (cell - across) // 2
            sheet.paste(Image.fromarray(picture), (left, top + number * (cell + _GAP) + (cell - height) // 2))
    return sheet


def _write(sheet: Image.Image, headings: Sequence[Sequence[str]], cell: int) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT)
    for column, lines in enumerate(headings):
        for number, line in enumerate(lines):
            draw.text((_GAP + column * (cell + _GAP), _GAP // 2 + number * _LINE), line, fill=_INK, font=font)


def as_picture(values: np.ndarray, colours: Sequence[int]) -> np.ndarray:
    """What of an image can be shown, uint8 (H, W, 3).

    Args:
        values: (H, W, C), 0 to 255; what lies beyond is clipped.
        colours: See `visible`.
    """
    picture: np.ndarray = np.rint(np.clip(visible(values, colours), 0, 255)).astype(np.uint8)
    return picture
