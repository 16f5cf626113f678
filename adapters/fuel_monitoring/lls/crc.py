"""CRC-8 of the LLS family: Dallas/Maxim, polynomial 31h reflected, start 00h (fuel-sensors.md 1.2)."""

from __future__ import annotations


def _entry(value: int) -> int:
    for _bit in range(8):
        value = (value >> 1) ^ 0x8C if value & 1 else value >> 1
    return value


_TABLE = tuple(_entry(value) for value in range(256))
_PERIOD = 127
"""So many zero bytes leave every checksum as it was: the polynomial is (x + 1) times a primitive one of degree 7."""


def crc8(data: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """The checksum of ``data`` behind what gave ``crc``; over a whole good frame, its own included, it is 0."""
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc


class RunningCrc:
    """The checksum of any stretch of a growing buffer, at a cost that does not grow with the stretch.

    Checksums are linear: that of a stretch is the running sum at its end, less the one at its beginning as it would be
    after as many zero bytes. ``steps`` counts the work.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._sums = bytearray(1)  # before each byte, and behind the last

    def extend(self, data: bytes) -> None:
        crc = self._sums[-1]
        for byte in data:
            crc = _TABLE[crc ^ byte]
            self._sums.append(crc)
        self.steps += len(data)

    def drop(self, count: int) -> None:
        """Forget the first ``count`` bytes."""
        del self._sums[:count]

    def of(self, start: int, end: int) -> int:
        """The checksum of the bytes from ``start`` to before ``end``."""
        crc = self._sums[start]
        zeros = (end - start) % _PERIOD
        for _byte in range(zeros):
            crc = _TABLE[crc]
        self.steps += zeros
        return crc ^ self._sums[end]
