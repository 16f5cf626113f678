"""GT06 frames (``78 78`` and ``79 79``): what they say and what must be answered. Source: reference, section 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from adapters.gt02_tracker import gt06_alarms, gt06_information, gt06_locations
from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.gt06_blocks import ContentTooShort, Reader, Span
from adapters.gt02_tracker.gt06_crc import crc_matches, long_frame, short_frame
from adapters.gt02_tracker.wire import date_bytes, imei_of

LOGIN: Final = 0x01
TIME_REQUEST: Final = 0x8A

_LOCATION_TYPES: Final = frozenset({0x10, 0x11, 0x12, 0x22, 0x25, 0x2D, 0x31, 0x37, 0xA0})
_MUST_ANSWER: Final = frozenset(
    {LOGIN, 0x13, 0x23, 0x36, 0x16, 0x26, 0x27, 0x32, 0x19, 0xA3, 0xA4, 0xA5}  # else the device drops or repeats
)
_ANSWER_IN_ANY_FORM: Final = frozenset({0x70, 0xF1, 0xF2})
_NEVER_ANSWER: Final = frozenset(
    {0x94, 0x9B, 0x15, 0x21, 0x80, 0x81, 0x82, 0x2A, 0x18, 0x24, 0x28, 0x2E, 0xA1}  # the last six: optional, not sent
)
_LONG_GENERIC: Final = frozenset({0x32, 0x33})


class Decoded(NamedTuple):
    """Fields of a frame and where they stand in it."""

    fields: FrameFields
    spans: list[Span]


def decode(frame: bytes) -> Decoded:
    """Read a frame whose length field and tail agree.

    ``error`` is present where it must not be believed: wrong checksum, content shorter than its type's layout,
    identity without digits, coordinates out of range. With a wrong checksum the values are what a lenient reader sees.
    """
    is_long = frame[0] == 0x79
    content_at = 5 if is_long else 4
    message_type = frame[content_at - 1]
    crc_ok = crc_matches(frame)
    fields: FrameFields = {
        "protocol": "gt06",
        "start": "7979" if is_long else "7878",
        "length": frame[2] << 8 | frame[3] if is_long else frame[2],
        "type": f"0x{message_type:02x}",
        "length_ok": True,
        "serial": frame[-6] << 8 | frame[-5],
        "crc_ok": crc_ok,
        "kind": "unsupported",
    }
    reader = Reader(frame, content_at, len(frame) - 6)
    read = _READERS.get(message_type)
    if read is not None and not (is_long and message_type in _LONG_GENERIC):
        try:
            read(reader, fields)
        except ContentTooShort as err:
            if "lat" in fields:  # a variant with a shorter tail: the checksum vouches for the position before it
                fields["extra"] = reader.rest("extra").hex()
            else:
                fields["error"] = f"The content ends too early for a frame of type 0x{message_type:02x}: {err}."
    if not crc_ok:
        fields["error"] = "The checksum is wrong."
    fields["ack"] = None
    _note_reply(fields, message_type, is_long=is_long)
    return Decoded(fields, reader.spans)


def reply_to(fields: FrameFields, now_ms: int) -> bytes:
    """Bytes to send once the frame is stored (section 3.2); ``now_ms`` answers a time request."""
    if fields["ack"] == "time_reply":
        return short_frame(TIME_REQUEST, date_bytes(now_ms), fields["serial"])
    reply = fields["ack"] or fields.get("ack_optional")
    return bytes.fromhex(reply) if reply else b""


def is_known(fields: FrameFields) -> bool:
    """False for types without an agreed layout: kept raw and counted."""
    return fields["kind"] != "unsupported"


def _note_reply(fields: FrameFields, message_type: int, *, is_long: bool) -> None:
    if not fields["crc_ok"] or message_type in _NEVER_ANSWER or (message_type == LOGIN and "error" in fields):
        return
    if message_type == TIME_REQUEST and not is_long:
        fields["ack"] = "time_reply"
    elif is_long and message_type in _LONG_GENERIC:
        fields["ack"] = long_frame(message_type, b"", fields["serial"]).hex()
    elif message_type in _ANSWER_IN_ANY_FORM or (message_type in _MUST_ANSWER and not is_long):
        fields["ack"] = short_frame(message_type, b"", fields["serial"]).hex()
    elif not is_long:
        fields["ack_optional"] = short_frame(message_type, b"", fields["serial"]).hex()


def _read_login(reader: Reader, fields: FrameFields) -> None:
    """Section 3.3. The zone word: bits 15-4 hours and minutes as a decimal number, bit 3 west, bits 1-0 language."""
    fields["kind"] = "login"
    bcd = reader.take(8, "imei")
    imei = imei_of(bcd)
    fields["imei"] = bcd.hex()[1:]
    if imei is None:
        fields["error"] = "The identity is not made of decimal digits."
    if reader.left >= 2:
        fields["type_code"] = reader.take(2, "type_code").hex()
    if reader.left >= 2:
        word = reader.number(2, "tz_offset_minutes", "language")
        hours, minutes = divmod(word >> 4, 100)
        fields["tz_offset_minutes"] = (hours * 60 + minutes) * (-1 if word & 0x08 else 1)
        fields["language"] = word & 0x03


def _read_time_request(_reader: Reader, fields: FrameFields) -> None:
    fields["kind"] = "time_request"


_READERS: Final[dict[int, Callable[[Reader, FrameFields], None]]] = {
    LOGIN: _read_login,
    TIME_REQUEST: _read_time_request,
    0x13: gt06_alarms.read_status,
    0x36: gt06_alarms.read_status,
    0x23: gt06_alarms.read_heartbeat,
    **dict.fromkeys((0x16, 0x26, 0x27, 0x32, 0xA4), gt06_alarms.read_alarm),
    **dict.fromkeys((0x19, 0xA5), gt06_alarms.read_cell_alarm),
    **dict.fromkeys(_LOCATION_TYPES, gt06_locations.read_location),
    **dict.fromkeys((0x18, 0x24, 0x28, 0x2E), gt06_locations.read_cells),
    0x2A: gt06_locations.read_address_request,
    0x15: gt06_information.read_short_text,
    0x21: gt06_information.read_long_text,
    0x94: gt06_information.read_information,
    0x9B: gt06_information.read_passthrough,
}
