"""GT06 status, heartbeat and alarm frames, and what alarm codes mean. Source: protocol reference, section 3.7."""

from __future__ import annotations

from typing import Final

from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.gt06_blocks import Reader, read_cell, read_gps, read_terminal_info

ALARM_NAMES: Final = {
    0x01: "sos",
    0x02: "power_cut",
    0x03: "vibration",
    0x04: "fence_enter",
    0x05: "fence_exit",
    0x06: "overspeed",
    0x0E: "low_external_power",
    0x0F: "external_power_protection",
    0x11: "power_off",
    0x13: "tamper",
    0x14: "door",
    0x18: "cover_removed",
    0x19: "low_internal_battery",
    0x23: "fall",
    0x2C: "collision",
    0x30: "harsh_braking",
    0xFE: "acc_on",
    0xFF: "acc_off",
}
"""Codes on whose meaning the sources agree; others are shown by number alone."""

ALARM_BIT_NAMES: Final = {1: "vibration", 2: "power_cut", 3: "low_internal_battery", 4: "sos"}
"""Bits 5 to 3 of the terminal information; 6 and 7 mean different things on different models."""

_FENCE_TYPES: Final = frozenset({0x27, 0xA4})
_WIDE_CELL: Final = {"mnc": 1, "lac": 4, "cell": 8}


def read_status(reader: Reader, fields: FrameFields) -> None:
    """0x13 and the short form of 0x36; the longer variants are those of OBD-class devices."""
    read_terminal_info(reader, fields)
    if fields["length"] in (0x13, 0x15) and fields["type"] == "0x13":
        _read_long_status(reader, fields)
        return
    fields["kind"] = "status"
    fields["voltage_level"] = reader.number(1, "voltage_level")
    fields["gsm_level"] = reader.number(1, "gsm_level")
    fields["extra"] = reader.rest("extra").hex()


def _read_long_status(reader: Reader, fields: FrameFields) -> None:
    fields["kind"] = "status_long"
    fields["extra"] = reader.data[reader.position : reader.end].hex()
    reader.take(2, "signal word" if fields["length"] == 0x13 else "satellite word")
    _read_alarm_byte(reader, fields, with_name=False)
    fields["language"] = reader.number(1, "language")
    fields["battery_percent"] = reader.number(1, "battery_percent")
    fields["mode"] = reader.number(1, "mode")
    fields["voltage_v"] = reader.number(2, "voltage_v") / 100
    reader.rest("not decoded")


def read_heartbeat(reader: Reader, fields: FrameFields) -> None:
    """0x23: as a status, with the battery in volts."""
    read_terminal_info(reader, fields)
    del fields["alarm_bits"]
    fields["kind"] = "heartbeat"
    fields["battery_v"] = reader.number(2, "battery_v") / 100
    fields["gsm_level"] = reader.number(1, "gsm_level")
    fields["extra"] = reader.rest("extra").hex()


def read_alarm(reader: Reader, fields: FrameFields) -> None:
    """0x16, 0x26, 0x27, 0xA4 and the short form of 0x32: position, cell, state and an alarm code."""
    message_type, length = fields["type"], fields["length"]
    read_gps(reader, fields)
    fields["kind"] = "alarm"
    if message_type == "0x16" and length == 0x24:
        read_cell(reader, fields)
    else:
        fields["lbs_length"] = reader.number(1, "lbs_length")
        if fields["lbs_length"]:
            _read_alarm_cell(reader, fields)
    _read_state(reader, fields)
    if int(message_type, 16) in _FENCE_TYPES:
        fields["fence"] = reader.number(1, "fence")
    if message_type == "0x32" and reader.left == 2:
        fields["altitude_m"] = reader.number(2, "altitude_m", signed=True)
    elif message_type == "0x16" and reader.left == 8:
        fields["rfid_raw"] = reader.take(8, "rfid_raw").hex()
    elif message_type in ("0x16", "0x26") and reader.left == 4:
        fields["mileage"] = reader.number(4, "mileage")
    fields["extra"] = reader.rest("extra").hex()


def _read_alarm_cell(reader: Reader, fields: FrameFields) -> None:
    message_type = fields["type"]
    if message_type == "0xa4":
        read_cell(reader, fields, **_WIDE_CELL)
    elif message_type == "0x32":
        read_cell(reader, fields, mnc=2, cell=4)
    elif message_type == "0x16" and fields["length"] == 0x26 and reader.peek() < 0x80:
        read_cell(reader, fields, cell=4)
    else:
        read_cell(reader, fields)


def read_cell_alarm(reader: Reader, fields: FrameFields) -> None:
    """0x19 and 0xA5: an alarm without a position."""
    fields["kind"] = "alarm_lbs"
    if fields["type"] == "0xa5":
        read_cell(reader, fields, **_WIDE_CELL)
    else:
        read_cell(reader, fields)
    _read_state(reader, fields)
    fields["extra"] = reader.rest("extra").hex()


def _read_state(reader: Reader, fields: FrameFields) -> None:
    read_terminal_info(reader, fields)
    fields["voltage_level"] = reader.number(1, "voltage_level")
    fields["gsm_level"] = reader.number(1, "gsm_level")
    _read_alarm_byte(reader, fields, with_name=True)
    fields["language"] = reader.number(1, "language")


def _read_alarm_byte(reader: Reader, fields: FrameFields, *, with_name: bool) -> None:
    fields["alarm"] = reader.number(1, "alarm", "alarm_name")
    if with_name:
        fields["alarm_name"] = ALARM_NAMES.get(fields["alarm"])
