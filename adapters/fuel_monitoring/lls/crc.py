"""CRC-8 of the LLS family: Dallas/Maxim, polynomial 31h reflected, start 00h (fuel-sensors.md 1.2)."""

from __future__ import annotations


def _entry(value: int) -> int:
    for _bit in range(8):
        value = (value >> 1) ^ 0x8C if value & 1 else value >> 1
    return value


_TABLE = tuple(_entry(value) for value in range(256))


def crc8(data: bytes | bytearray | memoryview) -> int:
    """The checksum of ``data``; over a whole good frame, its own checksum included, it is 0."""
    crc = 0
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc
