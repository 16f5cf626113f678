"""What a simulated tracker sends, and how it reads the answers. Layouts: protocol reference, sections 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack

from adapters.gt02_tracker import gt02
from adapters.gt02_tracker.gt06_crc import short_frame
from adapters.gt02_tracker.wire import COORDINATE_UNITS_PER_DEGREE, date_bytes, imei_bytes

_NIGERIAN_CELL = bytes.fromhex("026d1e00970012d4")  # MCC 621


@dataclass(frozen=True, slots=True)
class Fix:
    """One position of a simulated vehicle, north and east of zero."""

    at_ms: int
    lat: float
    lon: float
    speed_km_h: float
    course_deg: float
    ignition: bool
    sos: bool = False


def _units(degrees: float) -> int:
    return round(degrees * COORDINATE_UNITS_PER_DEGREE)


def _gt02(imei: str, serial: int, message_type: int, content: bytes, levels: bytes = b"\0\0") -> bytes:
    body = levels + imei_bytes(imei) + serial.to_bytes(2, "big") + bytes((message_type,)) + content
    return b"\x68\x68" + bytes((len(body),)) + body + b"\r\n"


def gt02_location(imei: str, serial: int, fix: Fix) -> bytes:
    flags = 0b111 | fix.ignition << 3 | fix.sos << 4  # located, north, east
    content = date_bytes(fix.at_ms) + pack(
        ">IIBH3xI", _units(fix.lat), _units(fix.lon), round(fix.speed_km_h), round(fix.course_deg) % 360, flags
    )
    return _gt02(imei, serial, gt02.LOCATION, content)


def gt02_heartbeat(imei: str, serial: int, power_level: int, gsm_level: int, snr: bytes) -> bytes:
    content = bytes((1, len(snr))) + snr
    return _gt02(imei, serial, gt02.HEARTBEAT, content, bytes((power_level, gsm_level)))


def gt06_login(imei: str, serial: int) -> bytes:
    return short_frame(0x01, imei_bytes(imei), serial)


def _gt06_gps(fix: Fix) -> bytes:
    status = round(fix.course_deg) % 360 | 1 << 10 | 1 << 12  # north, located; east is 0
    where = pack(">BIIBH", 0xCA, _units(fix.lat), _units(fix.lon), round(fix.speed_km_h), status)
    return date_bytes(fix.at_ms) + where


def gt06_location(serial: int, fix: Fix, *, buffered: bool) -> bytes:
    """Type 0x22: UTC, ignition, and whether the fix comes from the buffer."""
    return short_frame(0x22, _gt06_gps(fix) + _NIGERIAN_CELL + bytes((fix.ignition, 0, buffered)), serial)


def gt06_status(serial: int, fix: Fix, voltage_level: int, gsm_level: int) -> bytes:
    info = 0x44 | fix.ignition << 1
    return short_frame(0x13, bytes((info, voltage_level, gsm_level, 0, 2)), serial)


def gt06_sos(serial: int, fix: Fix) -> bytes:
    """Type 0x26 with alarm 1."""
    state = bytes((0x44 | 4 << 3 | fix.ignition << 1, 6, 4, 1, 2))
    return short_frame(0x26, _gt06_gps(fix) + b"\x09" + _NIGERIAN_CELL + state, serial)


class Answers:
    """Reads what the server sends: heartbeat answers of GT02, and (type, serial) of GT06 answers."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        """Answers completed by ``data``; a GT02 answer is (0x1A, -1). Raises ValueError for anything else."""
        self._buffer += data
        found: list[tuple[int, int]] = []
        while len(self._buffer) >= 5:
            if self._buffer.startswith(gt02.HEARTBEAT_REPLY):
                found.append((gt02.HEARTBEAT, -1))
                size = len(gt02.HEARTBEAT_REPLY)
            elif self._buffer.startswith(b"\x78\x78"):
                size = self._buffer[2] + 5
                if len(self._buffer) < size:
                    break
                answer = self._buffer[:size]
                if answer != short_frame(answer[3], answer[4:-6], int.from_bytes(answer[-6:-4], "big")):
                    raise ValueError(f"no GT06 answer: {answer.hex()}")
                found.append((answer[3], int.from_bytes(answer[-6:-4], "big")))
            else:
                raise ValueError(f"no answer of a tracker server: {self._buffer[:32].hex()}")
            self._buffer = self._buffer[size:]
        return found
