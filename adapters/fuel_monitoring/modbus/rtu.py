"""Modbus RTU frames: CRC-16 (A001h reflected, start FFFFh), sent low byte first (fuel-sensors.md 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READ_HOLDING: Final = 3
READ_INPUT: Final = 4
WRITE_ONE: Final = 6
EXCEPTION: Final = 0x80
EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not answer",
}
MOST_REGISTERS: Final = 125
REQUEST_BYTES: Final = 8


def _entry(value: int) -> int:
    for _bit in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE = tuple(_entry(value) for value in range(256))


def crc16(data: bytes | bytearray | memoryview) -> int:
    """The checksum of ``data``; over a whole good frame it is 0."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def closed(body: bytes) -> bytes:
    """``body`` with its checksum."""
    return body + crc16(body).to_bytes(2, "little")


def read_request(unit: int, function: int, start: int, count: int) -> bytes:
    """Raises ValueError for what no request may ask for."""
    if function not in (READ_HOLDING, READ_INPUT):
        raise ValueError(f"function {function} reads no registers")
    if not 1 <= count <= MOST_REGISTERS or not 0 <= start <= 0xFFFF or not 0 <= unit <= 255:
        raise ValueError(f"unit {unit}, start {start}, count {count} cannot be asked for")
    return closed(bytes((unit, function)) + start.to_bytes(2, "big") + count.to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class ModbusReply:
    """An answer with a good checksum. ``payload`` is what stands between byte count and checksum."""

    unit: int
    function: int
    payload: bytes
    raw: bytes
    exception: int = 0

    @property
    def registers(self) -> tuple[int, ...]:
        return tuple(int.from_bytes(self.payload[at : at + 2], "big") for at in range(0, len(self.payload) - 1, 2))

    @property
    def why(self) -> str:
        """The exception in words, "" for none."""
        return EXCEPTIONS.get(self.exception, f"exception {self.exception}") if self.exception else ""


class ModbusParser:
    """Finds the answer to an awaited request in what comes, whatever its chunks; the request's echo is passed over."""

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self.crc_errors = 0
        self._buffer = bytearray()
        self._unit: int | None = None
        self._function: int | None = None
        self._echo = b""

    @property
    def is_pending(self) -> bool:
        return bool(self._buffer)

    def expect(self, request: bytes) -> None:
        """Await the answer to this request; what was held of an older one is dropped."""
        self.skipped_bytes += len(self._buffer)
        self._buffer.clear()
        self._unit, self._function, self._echo = request[0], request[1], request

    def feed(self, data: bytes) -> list[ModbusReply]:
        """Answers that are complete now."""
        self._buffer += data
        if self._is_still_echo():
            return []
        buffer, at = self._buffer, 0
        replies: list[ModbusReply] = []
        while at < len(buffer):
            found = self._reply_at(at)
            if found is None:
                break
            if isinstance(found, ModbusReply):
                replies.append(found)
                at += len(found.raw)
                continue
            self.crc_errors += found
            self.skipped_bytes += 1
            at += 1
        del buffer[:at]
        return replies

    def _is_still_echo(self) -> bool:
        """Drop the request's echo; True while what came may yet become it. A write is answered by its own echo."""
        echo, buffer = self._echo, bytes(self._buffer)
        if not echo or not buffer or self._function == WRITE_ONE:
            return False
        if len(buffer) < len(echo) and echo.startswith(buffer):
            return not isinstance(self._reply_at(0), ModbusReply)
        self._echo = b""
        if buffer.startswith(echo):
            del self._buffer[: len(echo)]
        return False

    def _reply_at(self, at: int) -> ModbusReply | bool | None:
        """A reply; None to wait; False when none starts here, True when only its checksum is wrong."""
        buffer = self._buffer
        left = len(buffer) - at
        if self._unit is not None and buffer[at] != self._unit:
            return False
        if left < 3:
            return None if left < 2 or self._is_wanted(buffer[at + 1]) else False
        function = buffer[at + 1]
        if not self._is_wanted(function):
            return False
        if function & EXCEPTION:
            length, start = 5, 3
        elif function == WRITE_ONE:
            length, start = REQUEST_BYTES, 2
        else:
            size = buffer[at + 2]
            length, start = 5 + size, 3
            if size % 2 or not 2 <= size <= 2 * MOST_REGISTERS:
                return False
        if left < length:
            return None
        if crc16(memoryview(buffer)[at : at + length]) != 0:
            return True
        raw = bytes(buffer[at : at + length])
        if function & EXCEPTION:
            return ModbusReply(raw[0], function & 0x7F, b"", raw, exception=raw[2])
        return ModbusReply(raw[0], function, raw[start:-2], raw)

    def _is_wanted(self, function: int) -> bool:
        plain = function & 0x7F
        return plain == self._function if self._function is not None else plain in (READ_HOLDING, READ_INPUT, WRITE_ONE)
