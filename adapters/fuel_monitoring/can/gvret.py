"""GVRET: the binary frames of ESP32 and SavvyCAN bridges (fuel-sensors.md 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.fuel_monitoring.can.frame import CanFrame

ENTER_BINARY: Final = b"\xe7\xe7"
KEEP_ALIVE: Final = b"\xf1\x09"

MARK: Final = 0xF1
_HEADER = 11
_EXTENDED = 1 << 31
_REPLY_BYTES = {0x01: 6, 0x06: 12, 0x07: 8, 0x09: 4, 0x0C: 3}


@dataclass(frozen=True, slots=True)
class GvretReply:
    """An answer to a command: its number and its bytes behind the number."""

    command: int
    data: bytes


class GvretParser:
    """Frames and answers in a stream of any chunks; bytes that belong to neither are counted and left."""

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._buffer = bytearray()

    @property
    def is_pending(self) -> bool:
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[CanFrame | GvretReply]:
        buffer = self._buffer
        buffer += data
        found: list[CanFrame | GvretReply] = []
        at = 0
        while at < len(buffer):
            length = self._length_at(at)
            if length == 0:
                self.skipped_bytes += 1
                at += 1
                continue
            if length is None or at + length > len(buffer):
                break
            found.append(_read(bytes(buffer[at : at + length])))
            at += length
        del buffer[:at]
        return found

    def _length_at(self, at: int) -> int | None:
        """Bytes of what begins here; 0 for nothing, None to wait."""
        buffer, left = self._buffer, len(self._buffer) - at
        if buffer[at] != MARK:
            return 0
        if left < 2:
            return None
        if buffer[at + 1] != 0:
            return _REPLY_BYTES.get(buffer[at + 1], 0)
        if left < _HEADER:
            return None
        size = buffer[at + 10] & 0x0F
        raw_id = int.from_bytes(buffer[at + 6 : at + 10], "little")
        limit = 0x1FFF_FFFF if raw_id & _EXTENDED else 0x7FF
        return _HEADER + size + 1 if size <= 8 and raw_id & ~_EXTENDED <= limit else 0


def _read(raw: bytes) -> CanFrame | GvretReply:
    if raw[1] != 0:
        return GvretReply(raw[1], raw[2:])
    raw_id = int.from_bytes(raw[6:10], "little")
    return CanFrame(
        raw_id & ~_EXTENDED,
        raw[_HEADER:-1],
        extended=bool(raw_id & _EXTENDED),
        timestamp_s=int.from_bytes(raw[2:6], "little") / 1e6,
        bus=raw[10] >> 4,
    )


def set_speed(bit_rates: tuple[int, int], *, listen_only: bool = True) -> bytes:
    """The command that sets up both buses; a rate of 0 leaves that bus off."""
    words = [(rate | 1 << 31 | 1 << 30 | (1 << 29 if listen_only else 0)) if rate else 0 for rate in bit_rates]
    return b"\xf1\x05" + b"".join(word.to_bytes(4, "little") for word in words)


def frame_bytes(frame: CanFrame) -> bytes:
    """The bytes that carry a frame to the host."""
    raw_id = frame.can_id | (_EXTENDED if frame.extended else 0)
    micros = round((frame.timestamp_s or 0.0) * 1e6) & 0xFFFF_FFFF
    head = bytes((MARK, 0)) + micros.to_bytes(4, "little") + raw_id.to_bytes(4, "little")
    return head + bytes((frame.bus << 4 | len(frame.data),)) + frame.data + b"\x00"
