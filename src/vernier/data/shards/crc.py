"""The checksum of TFRecord files: CRC-32C (Castagnoli, RFC 3720 appendix B.4), masked.

A checksum that is stored with the data that it covers is masked, because a CRC over data that holds CRCs is weak.
"""

from typing import Final

import google_crc32c

_ROTATION: Final = 15
_ADDEND: Final = 0xA282EAD8
_32_BITS: Final = 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    """The masked CRC-32C of `data`, an unsigned number of 32 bits. Other threads run while it is computed."""
    crc: int = google_crc32c.value(data)
    rotated = crc >> _ROTATION | crc << (32 - _ROTATION)
    return (rotated + _ADDEND) & _32_BITS
