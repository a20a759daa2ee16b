"""TFRecord files and examples, encoded by the book and by nothing of the package."""

import struct


def slow_crc(data: bytes) -> int:
    """CRC-32C bit by bit: the reflected polynomial 0x1EDC6F41."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def slow_mask(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def frame(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    crcs = (struct.pack("<I", slow_mask(slow_crc(part))) for part in (length, record))
    return length + next(crcs) + record + next(crcs)


def varint(value: int) -> bytes:
    groups = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def entry(name: str, feature: bytes) -> bytes:
    return message(1, message(1, message(1, name.encode()) + message(2, feature)))


def example(**features: bytes) -> bytes:
    return b"".join(entry(name, feature) for name, feature in features.items())


def texts(*values: bytes) -> bytes:
    return message(1, b"".join(message(1, value) for value in values))


def floats(*values: float) -> bytes:
    return message(2, message(1, struct.pack(f"<{len(values)}f", *values)))


def integers(*values: int) -> bytes:
    return message(3, message(1, b"".join(varint(value % 2**64) for value in values)))
