"""Images of any number of channels, and of more than 8 bits: TIFF as satellites and microscopes write it, and .npy.

TIFF goes through tifffile, which reads what other decoders refuse: any number of samples a pixel, beside each other or
one plane after the other. Of files with several pages the first one counts. A .npy file holds an array (H, W) or
(H, W, C).
"""

import io
from typing import Any

import numpy as np

from vernier.data.byte_reading import FormatError
from vernier.data.headers import Kind

ValueRange = tuple[float, float]
"""The values that become 0 and 255."""


def decode_channels(data: bytes, kind: Kind, channels: int, value_range: ValueRange | None) -> np.ndarray:
    """Pixels as stored, not turned upright, uint8 (H, W, channels).

    Raises:
        FormatError: damaged, another number of channels, or values whose range is not known.
    """
    values = _npy_values(data) if kind == "NPY" else _tiff_values(data)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.shape[2] != channels:
        raise FormatError(f"has {values.shape[2]} channels, but data.channels={channels}; set data.channels to it")
    return to_bytes(values, value_range)


def to_bytes(values: np.ndarray, value_range: ValueRange | None) -> np.ndarray:
    """Values of any plain type as uint8: from the range to 0 to 255, rounded, what lies beyond clipped.

    Without a range, that of the type: 0 to 255 or 0 to 65535.

    Raises:
        FormatError: the type's range says nothing about that of the values.
    """
    if value_range is None:
        if values.dtype == np.uint8:
            return np.ascontiguousarray(values)
        if (values.dtype.kind, values.dtype.itemsize) != ("u", 2):
            raise FormatError(
                f"holds {values.dtype} values, whose range is not known: say which values are black and white with "
                "data.value_range=[LOW,HIGH]"
            )
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    low, high = value_range
    scaled = (values.astype(np.float64) - low) * (255 / (high - low))
    # What is no number (no data, in satellite images) becomes black.
    return np.rint(np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)).astype(np.uint8)


def has_alpha(data: bytes) -> bool:
    """Whether a TIFF file has red, green, blue and transparency."""
    import tifffile

    page = _first_page(data)
    return bool(page.photometric == tifffile.PHOTOMETRIC.RGB and page.extrasamples)


def _npy_values(data: bytes) -> np.ndarray:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise FormatError(f"is damaged or truncated ({error})") from error


def _tiff_values(data: bytes) -> np.ndarray:
    import tifffile

    page = _first_page(data)
    try:
        values = np.asarray(page.asarray())
    except (ValueError, OSError, RuntimeError, tifffile.TiffFileError) as error:
        hint = ": pip install imagecodecs reads more compressions" if "imagecodecs" in str(error) else ""
        raise FormatError(f"is damaged, or a kind of TIFF that is not read ({error}){hint}") from error
    return np.moveaxis(values, 0, 2) if page.axes == "SYX" else values


def _first_page(data: bytes) -> Any:
    import tifffile

    try:
        return tifffile.TiffFile(io.BytesIO(data)).pages[0]
    except (tifffile.TiffFileError, IndexError, ValueError, OSError) as error:
        raise FormatError(f"is damaged ({error})") from error
