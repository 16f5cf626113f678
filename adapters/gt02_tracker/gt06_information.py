"""GT06 frames that carry texts and measurements: 0x15, 0x21, 0x94, 0x9B. Source: reference, sections 3.8 and 3.9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.gt06_blocks import Reader, read_time
from adapters.gt02_tracker.wire import imei_of

_LEVEL_SENSOR_TEMPERATURE: Final = 3  # comma-separated parts of !AIOIL,…
_LEVEL_SENSOR_LEVEL: Final = 6


def read_short_text(reader: Reader, fields: FrameFields) -> None:
    """0x15. A declared length of 0 comes with NUL-padded text of fixed size."""
    fields["kind"] = "command_result"
    declared = reader.number(1, "declared_text_length")
    fields["declared_text_length"] = declared
    fields["server_flag"] = reader.take(4, "server_flag").hex()
    size = declared - 4 if declared else max(0, reader.left - 2)
    fields["text"] = reader.take(max(0, size), "text").rstrip(b"\0").decode("ascii", "replace")
    fields["extra"] = reader.rest("extra").hex()


def read_long_text(reader: Reader, fields: FrameFields) -> None:
    """0x21: encoding 2 is UTF-16, big-endian."""
    fields["kind"] = "command_result"
    fields["server_flag"] = reader.take(4, "server_flag").hex()
    fields["encoding"] = reader.number(1, "encoding")
    text = reader.rest("text")
    fields["text"] = text.decode("utf-16-be" if fields["encoding"] == 2 else "ascii", "replace").rstrip("\0")


def read_passthrough(reader: Reader, fields: FrameFields) -> None:
    """0x9B: bytes of a device on the tracker's serial port, such as a fuel probe."""
    fields["kind"] = "serial_passthrough"
    fields["device_code"] = reader.number(1, "device_code")
    fields["data"] = reader.rest("data").hex()


def read_information(reader: Reader, fields: FrameFields) -> None:
    """0x94: in its short form a voltage and nothing else, in its long form a subtype first."""
    fields["kind"] = "information"
    if fields["start"] == "7878":
        fields["subtype"] = None
        fields["external_v"] = reader.number(2, "external_v", signed=True) / 100
        fields["extra"] = reader.rest("extra").hex()
        return
    subtype = reader.number(1, "subtype")
    fields["subtype"] = f"0x{subtype:02x}"
    _SUBTYPES.get(subtype, _read_payload)(reader, fields)
    if reader.left:
        fields["extra"] = reader.rest("extra").hex()


def _read_payload(reader: Reader, fields: FrameFields) -> None:
    fields["payload"] = reader.rest("payload").hex()


def _read_voltage(reader: Reader, fields: FrameFields) -> None:
    fields["external_v"] = reader.number(2, "external_v") / 100


def _read_network_or_voltage(reader: Reader, fields: FrameFields) -> None:
    if reader.left == 1:
        fields["network"] = reader.number(1, "network")
    else:
        _read_voltage(reader, fields)


def _read_settings_text(reader: Reader, fields: FrameFields) -> None:
    fields["text"] = reader.rest("text").decode("ascii", "replace")


def _read_door(reader: Reader, fields: FrameFields) -> None:
    if reader.left >= 7:
        read_time(reader, fields)
    bits = reader.number(1, "door_open", "trigger_high", "io_high")
    fields["door_open"] = bool(bits & 1)
    fields["trigger_high"] = bool(bits & 2)
    fields["io_high"] = bool(bits & 4)


def _read_sim(reader: Reader, fields: FrameFields) -> None:
    fields["imei"] = imei_of(reader.take(8, "imei")) or ""
    fields["imsi_hex"] = reader.take(8, "imsi_hex").hex()
    fields["iccid"] = reader.take(10, "iccid").hex().rstrip("f")


def _read_level_sensor(reader: Reader, fields: FrameFields) -> None:
    """The text of an ultrasonic level sensor. Its level has no established unit: calibrate."""
    if reader.left and reader.peek() != ord("!"):
        read_time(reader, fields)
    text = reader.rest("text", "temperature_c", "fuel").decode("ascii", "replace")
    fields["text"] = text
    parts = text.split(",")
    for name, place in (("temperature_c", _LEVEL_SENSOR_TEMPERATURE), ("fuel", _LEVEL_SENSOR_LEVEL)):
        value = _plain_number(parts[place]) if place < len(parts) else None
        if value is not None and name == "fuel":
            fields["fuel"] = value
        elif value is not None:
            fields["temperature_c"] = value


def _plain_number(text: str) -> float | None:
    digits = text.removeprefix("-").replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() else None


def _read_card(reader: Reader, fields: FrameFields) -> None:
    card = reader.rest("rfid_raw", "card_text")
    fields["rfid_raw"] = card.hex()
    if card.startswith(b"RFID:"):
        fields["card_text"] = card.decode("ascii", "replace")


def _read_climate(reader: Reader, fields: FrameFields) -> None:
    fields["temperature_c"] = reader.number(4, "temperature_c", signed=True) / 10
    fields["humidity"] = reader.number(4, "humidity") / 10


_SUBTYPES: Final[dict[int, Callable[[Reader, FrameFields], None]]] = {
    0x00: _read_voltage,
    0x04: _read_settings_text,
    0x05: _read_door,
    0x0A: _read_sim,
    0x0B: _read_network_or_voltage,
    0x0D: _read_level_sensor,
    0x1B: _read_card,
    0x1E: _read_climate,
}
