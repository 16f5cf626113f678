"""Bytes to frames of the LLS family, in both directions (fuel-sensors.md 1.2 and 1.3).

Frames carry no length: it follows from prefix and command, and where several lengths are possible the checksum
decides. An 8-bit checksum fits a random stretch once in 256, so a master that awaits an answer narrows the search.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.fuel_monitoring.lls.crc import RunningCrc, crc8

TO_SENSOR = 0x31
FROM_SENSOR = 0x3E
_RECORD = 15
LONGEST_HISTORY = _RECORD * 400
"""Bytes of history records that are believed: a length field beyond it is noise."""

LEAST_BYTES = 4
"""Prefix, address, command and checksum."""

_ACK = LEAST_BYTES + 1
_REQUEST_DATA = {
    0x06: (0,), 0x07: (0,), 0x0E: (1,), 0x0F: (0,), 0x10: (0,), 0x13: (1,), 0x17: (1,),
    0x41: (0,), 0x42: (0,), 0x50: (0,), 0x54: (1,), 0x55: (1,), 0x56: (1,),
}  # fmt: skip
_REPLY_DATA = {
    0x06: (5,), 0x07: (1, 5), 0x0E: (1,), 0x10: (40,), 0x13: (1,), 0x17: (1,),
    0x42: (8,), 0x45: (1,), 0x50: (2,), 0x54: (1,), 0x55: (1,), 0x56: (1,),
}  # fmt: skip
_HISTORY = 0x0F


@dataclass(frozen=True, slots=True)
class LlsFrame:
    """One frame with a good checksum. ``data`` is what stands between command and checksum."""

    prefix: int
    address: int
    command: int
    data: bytes
    raw: bytes

    @property
    def is_request(self) -> bool:
        return self.prefix == TO_SENSOR


def build(prefix: int, address: int, command: int, data: bytes = b"") -> bytes:
    """A frame with its checksum. Raises ValueError for a number that is no byte."""
    body = bytes((prefix, address, command)) + data
    return body + bytes((crc8(body),))


class LlsParser:
    """Finds frames in a stream, whatever its chunks; what belongs to none is counted and left.

    At each byte 31h or 3Eh every length that its command allows is tried; when none fits, one byte is dropped. The
    work for a byte is bounded, whatever stands in it.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self.crc_errors = 0
        self._buffer = bytearray()
        self._crc = RunningCrc()
        self._awaited: tuple[int, int] | None = None

    @property
    def steps(self) -> int:
        """Bytes that went through the checksum so far: tests watch that this stays linear."""
        return self._crc.steps

    @property
    def is_pending(self) -> bool:
        """Whether the beginning of a frame is held."""
        return bool(self._buffer)

    def expect(self, address: int | None = None, command: int | None = None) -> None:
        """Accept replies of this sensor to this command only; without arguments those of any."""
        self._awaited = None if address is None or command is None else (address, command)

    def feed(self, data: bytes) -> list[LlsFrame]:
        """The frames that are complete now."""
        self._buffer += data
        self._crc.extend(data)
        return self._take(is_over=False)

    def close(self) -> list[LlsFrame]:
        """No more will come for what is held: the line was silent for long enough."""
        frames = self._take(is_over=True)
        self.skipped_bytes += len(self._buffer)
        self._forget(len(self._buffer))
        return frames

    def _take(self, *, is_over: bool) -> list[LlsFrame]:
        frames: list[LlsFrame] = []
        buffer, at = self._buffer, 0
        while at < len(buffer):
            found = self._frame_at(at, is_over=is_over)
            if found is None:  # the rest may still become a frame
                break
            if isinstance(found, LlsFrame):
                frames.append(found)
                at += len(found.raw)
                continue
            self.crc_errors += found
            self.skipped_bytes += 1
            at += 1
        self._forget(at)
        return frames

    def _forget(self, count: int) -> None:
        del self._buffer[:count]
        self._crc.drop(count)

    def _frame_at(self, at: int, *, is_over: bool) -> LlsFrame | bool | None:
        """A frame; None to wait for more; False when nothing starts here, True when only its checksum is wrong."""
        buffer = self._buffer
        prefix = buffer[at]
        if prefix not in (TO_SENSOR, FROM_SENSOR):
            return False
        if len(buffer) - at < 3:
            return False if is_over else None
        address, command = buffer[at + 1], buffer[at + 2]
        if self._awaited is not None and prefix == FROM_SENSOR and (address, command) != self._awaited:
            return False
        lengths = self._lengths(at, prefix, command)
        if lengths is None:
            return False if is_over else None
        is_complete = False
        for length in lengths:
            end = at + length
            if end > len(buffer):
                return is_complete if is_over else None
            is_complete = True
            if self._crc.of(at, end) == 0:
                raw = bytes(buffer[at:end])
                return LlsFrame(prefix, address, command, raw[3:-1], raw)
        return is_complete

    def _lengths(self, at: int, prefix: int, command: int) -> tuple[int, ...] | None:
        """Whole lengths that a frame of this command may have; None while its length field is not there yet."""
        if prefix == TO_SENSOR:
            return tuple(n + LEAST_BYTES for n in _REQUEST_DATA.get(command, ()))
        if command != _HISTORY:
            return tuple(n + LEAST_BYTES for n in _REPLY_DATA.get(command, ()))
        if len(self._buffer) - at < 5:
            return None
        length = int.from_bytes(self._buffer[at + 3 : at + 5], "little")
        if length % _RECORD or length > LONGEST_HISTORY:
            return (_ACK,)
        # The high byte of a length may pass for the checksum of a refusal (01h): only that byte is taken for one.
        return (_ACK, 6 + length) if length & 0xFF == 1 else (6 + length,)
