"""GT02 frames (``68 68``): what they say and what must be answered. Source: protocol reference, section 2.

GT02 has no checksum, so a frame is believed only if everything fits: identity digits, type, content length, date and
coordinate ranges (section 2.1). ``decode`` reads what it can and names the first thing that does not fit in ``error``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final

from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.wire import degrees, time_ms

SMALLEST_LENGTH: Final = 13  # level bytes 2, identity 8, serial 2, type 1
HEARTBEAT_REPLY: Final = bytes.fromhex("54681a0d0a")

LOCATION: Final = 0x10
HEARTBEAT: Final = 0x1A
ADDRESS_REQUEST: Final = 0x1B
COMMAND_RESULT: Final = 0x1C
_KNOWN_TYPES: Final = frozenset({LOCATION, HEARTBEAT, ADDRESS_REQUEST, COMMAND_RESULT})

_CONTENT_AT: Final = 16
_LOCATION_SIZE: Final = 24
_LOCATION_CONTENT: Final = Struct(">6sIIBH3sI")  # section 2.3
_LOCATED, _NORTH, _EAST, _CHARGING, _SOS, _FORCED_POWER_OFF = (1 << bit for bit in range(6))
_ALARMS: Final = {
    0: frozenset[str](),
    _SOS: frozenset({"sos"}),
    _FORCED_POWER_OFF: frozenset({"forced_power_off"}),
    _SOS | _FORCED_POWER_OFF: frozenset({"sos", "forced_power_off"}),
}


@dataclass(slots=True)
class Location:
    """Content of a location frame: milliseconds UTC (None: no valid date), degrees, km/h."""

    time_ms: int | None
    lat: float
    lon: float
    speed_km_h: int
    course_deg: int
    reserved: bytes
    flags: int

    @property
    def located(self) -> bool:
        return bool(self.flags & _LOCATED)

    @property
    def charging(self) -> bool:
        return bool(self.flags & _CHARGING)

    @property
    def alarms(self) -> frozenset[str]:
        """Names of the alarm bits that are set."""
        return _ALARMS[self.flags & (_SOS | _FORCED_POWER_OFF)]

    @property
    def error(self) -> str | None:
        """The first thing that does not fit; the frame must then not be believed."""
        if self.time_ms is None:
            return "The six date bytes are no valid date."
        if not (-90 <= self.lat <= 90 and -180 <= self.lon <= 180):
            return "The coordinates lie outside the Earth's ranges."
        return None


def imei_of(frame: bytes) -> str | None:
    """The 15 digits of the identity, None where its eight bytes are not a zero nibble and digits."""
    return _imei(frame[5:13])


@lru_cache(maxsize=16_384)
def _imei(identity: bytes) -> str | None:
    """Remembered: each frame asks twice, and records that share one text are grouped by device in less time."""
    digits = identity.hex()
    return digits[1:] if digits[0] == "0" and digits.isdecimal() else None


def serial_of(frame: bytes) -> int:
    return frame[13] << 8 | frame[14]


def is_well_formed(frame: bytes) -> bool:
    """True for a frame with right length and tail that also has an identity, a known type and fitting content."""
    return imei_of(frame) is not None and frame[15] in _KNOWN_TYPES and _content_fits(frame)


def _content_fits(frame: bytes) -> bool:
    size = frame[2] - SMALLEST_LENGTH
    if frame[15] == LOCATION:
        return size == _LOCATION_SIZE
    if frame[15] == COMMAND_RESULT:
        return size >= 1 and frame[_CONTENT_AT] <= size - 1
    return True


def decode(frame: bytes) -> FrameFields:
    """Fields of a frame whose length field and tail agree. ``error`` is present where it must not be believed."""
    message_type = frame[15]
    fields: FrameFields = {
        "protocol": "gt02",
        "length": frame[2],
        "type": f"0x{message_type:02x}",
        "imei": frame[5:13].hex()[1:],
        "serial": serial_of(frame),
        "kind": "unsupported",
        "ack": None,
    }
    if imei_of(frame) is None:
        fields["error"] = "The identity is not made of decimal digits."
    elif not _content_fits(frame):
        fields["error"] = f"The content's size does not fit a frame of type 0x{message_type:02x}."
    elif message_type == LOCATION:
        _tell_location(frame, fields)
    elif message_type == HEARTBEAT:
        _read_heartbeat(frame, fields)
    elif message_type == COMMAND_RESULT:
        text = frame[_CONTENT_AT + 1 : _CONTENT_AT + 1 + frame[_CONTENT_AT]]
        fields["kind"] = "command_result"
        fields["text"] = text.decode("ascii", "replace")
    else:
        fields["content"] = frame[_CONTENT_AT:-2].hex()
    return fields


def reply_to(fields: FrameFields) -> bytes:
    """Bytes to send once the frame is stored; only heartbeats are answered (section 2.5)."""
    return HEARTBEAT_REPLY if fields["kind"] == "heartbeat" and "error" not in fields else b""


def is_known(fields: FrameFields) -> bool:
    """False for types without a public layout: kept raw and counted."""
    return fields["kind"] != "unsupported"


def is_location(frame: bytes) -> bool:
    """True for a frame whose type and size are a location's."""
    return frame[15] == LOCATION and frame[2] == SMALLEST_LENGTH + _LOCATION_SIZE


def read_location(frame: bytes) -> Location:
    """The content of a frame that :func:`is_location`."""
    date, raw_lat, raw_lon, speed, course, reserved, flags = _LOCATION_CONTENT.unpack_from(frame, _CONTENT_AT)
    lat = degrees(raw_lat, positive=bool(flags & _NORTH))
    lon = degrees(raw_lon, positive=bool(flags & _EAST))
    return Location(time_ms(date), lat, lon, speed, course, reserved, flags)


def _tell_location(frame: bytes, fields: FrameFields) -> None:
    location = read_location(frame)
    flags = location.flags
    fields["kind"] = "location"
    fields["reserved_header"] = frame[3:5].hex()
    fields["time_ms"] = location.time_ms
    fields["lat"] = location.lat
    fields["lon"] = location.lon
    fields["speed_kmh"] = location.speed_km_h
    fields["course"] = location.course_deg
    fields["reserved"] = location.reserved.hex()
    fields["flags"] = flags
    fields["located"] = location.located
    fields["north"] = bool(flags & _NORTH)
    fields["east"] = bool(flags & _EAST)
    fields["charging"] = location.charging
    fields["sos"] = bool(flags & _SOS)
    fields["forced_power_off"] = bool(flags & _FORCED_POWER_OFF)
    if location.error is not None:
        fields["error"] = location.error


def _read_heartbeat(frame: bytes, fields: FrameFields) -> None:
    """All parts are optional, and the count may contradict the list: take the bytes present (section 2.4)."""
    content = frame[_CONTENT_AT:-2]
    fields["kind"] = "heartbeat"
    fields["ack"] = HEARTBEAT_REPLY.hex()
    fields["power_level"] = frame[3]
    fields["gsm_level"] = frame[4]
    fields["locate_status"] = content[0] if content else None
    count = content[1] if len(content) > 1 else None
    fields["satellites"] = count
    listed = content[2:]
    if count is not None and count > len(listed):
        fields["satellite_count_inconsistent"] = True
        count = len(listed)
    fields["snr"] = list(listed[: count or 0])
    fields["trailing"] = listed[count or 0 :].hex()
