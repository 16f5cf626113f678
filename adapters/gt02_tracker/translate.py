"""From decoded frames to the console's records.

Every record of a frame shares the frame's one RawFrame. A frame that must not be believed gives that raw frame alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.gt02_tracker.alarm_words import EVENT_KINDS, EVENT_TEXTS
from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.gt02 import Location, serial_of
from adapters.gt02_tracker.gt06_alarms import ALARM_BIT_NAMES, ALARM_NAMES
from adapters.gt02_tracker.gt06_locations import with_status_tail
from adapters.gt02_tracker.memory import Memory
from adapters.gt02_tracker.wire import luhn_ok
from adapters.records import DeviceEvent, DeviceStatus, FuelReading, FuelSensorInfo, Position, RawFrame, Record
from adapters.vocabulary import Attributes, JsonScalar

_CHARGING: Final[Attributes] = {"charging": True}
_LOCAL_TIME_TYPES: Final = frozenset({"0x10", "0x12", "0x16"})
"""Types whose times follow the zone that the login declared (section 3.3); the others are UTC."""

_MOST_OFFSET_S: Final = 14 * 3600
_POSITION_ATTRIBUTES: Final = (
    ("acc", "ignition"),
    ("acc_from_course_bits", "ignition"),
    ("upload_mode", "upload_mode"),
    ("mileage", "mileage_raw"),
    ("external_v", "external_v"),
    ("oil_raw", "oil_raw"),
    ("temperature_c", "temperature_c"),
    ("accuracy", "accuracy_m"),
    ("fence", "fence"),
    ("rfid_raw", "rfid_raw"),
    ("phone", "phone"),
)
_STATUS_ATTRIBUTES: Final = (
    ("oil_cut", "oil_cut"),
    ("gps_tracking", "gps_tracking"),
    ("defence", "armed"),
    ("mode", "mode"),
    ("subtype", "subtype"),
    ("text", "text"),
    ("server_flag", "server_flag"),
    ("temperature_c", "temperature_c"),
    ("humidity", "humidity_percent"),
    ("fuel", "fuel_raw"),
    ("oil_raw", "oil_raw"),
    ("door_open", "door_open"),
    ("trigger_high", "trigger_high"),
    ("io_high", "io_high"),
    ("network", "network"),
    ("iccid", "iccid"),
    ("imsi_hex", "imsi_hex"),
    ("rfid_raw", "rfid_raw"),
    ("card_text", "card_text"),
    ("device_code", "device_code"),
    ("data", "data"),
    ("payload", "payload"),
    ("type_code", "type_code"),
    ("tz_offset_minutes", "tz_offset_minutes"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """Whose frame it is: the device, its declared clock offset, and what its connection remembers."""

    device: str
    offset_s: int
    memory: Memory


def declared_offset_s(login: FrameFields) -> int:
    """Seconds that a login says its clock is ahead of UTC; 0 where it says nothing, or nothing possible."""
    offset_s = login.get("tz_offset_minutes", 0) * 60
    return offset_s if abs(offset_s) <= _MOST_OFFSET_S else 0


# GT02 ------------------------------------------------------------------------------------------------------------


def gt02_records(fields: FrameFields, raw: RawFrame) -> list[Record]:
    """Records of a GT02 frame other than a location; ``raw`` alone for types without a layout."""
    kind = fields["kind"]
    device = fields["imei"]
    if kind == "heartbeat":
        state = fields["locate_status"]
        attributes: dict[str, JsonScalar] = {} if state is None else {"located": state in (1, 2)}
        inconsistent = fields.get("satellite_count_inconsistent", False)
        return [
            DeviceStatus(
                device,
                raw.received_at_ms,
                "gt02",
                kind,
                power_level=fields["power_level"],
                gsm_level=fields["gsm_level"],
                satellites=len(fields["snr"]) if inconsistent else fields["satellites"],
                attributes=_with_identity_warning(attributes, device),
                raw=raw,
            )
        ]
    if kind == "command_result":
        return [DeviceStatus(device, raw.received_at_ms, "gt02", kind, attributes={"text": fields["text"]}, raw=raw)]
    return [raw]


def add_gt02_location(records: list[Record], location: Location, raw: RawFrame, memory: Memory) -> None:
    """Add the records of a location that may be believed, from an attributed frame.

    A flood consists of these, so neither a dictionary nor a list is made on the way.
    """
    device = raw.device or ""
    charging = location.charging
    position = Position(  # by place: names would cost half as much again
        device,
        location.time_ms,
        raw.received_at_ms,
        location.lat,
        location.lon,
        float(location.speed_km_h),
        float(location.course_deg),
        location.located,
        "gt02",
        serial_of(raw.data),
        None,  # altitude
        None,  # satellites
        None,  # peer's id
        0,  # declared offset
        _CHARGING if charging else None,
        raw,
    )
    records.append(position)
    if memory.changed(device, "charging", charging):
        records.append(DeviceStatus(device, raw.received_at_ms, "gt02", "location", charging=charging, raw=raw))
    codes = memory.new_alarms(device, location.alarms)
    if codes:
        records.extend(_event(position, code, code, raw) for code in sorted(codes))


# GT06 ------------------------------------------------------------------------------------------------------------


def gt06_records(decoded: FrameFields, raw: RawFrame, source: Source) -> list[Record]:
    """Records of a GT06 frame that passed its checks; ``raw`` alone for types without a layout."""
    fields = with_status_tail(decoded)
    kind = fields["kind"]
    if kind == "unsupported":
        return [raw]
    records: list[Record] = []
    position = _gt06_position(fields, raw, source) if "lat" in fields else None
    if position is not None:
        records.append(position)
    if position is None or "gsm_level" in fields or _ignition_changed(fields, source):
        records.append(_gt06_status(fields, raw, source))
    if kind == "information" and "fuel" in fields:
        records.extend(_level_sensor(fields, raw, source.device))
    subject = position or _moment(fields, raw, source)
    records.extend(_event(subject, code, name, raw) for code, name in _alarms(fields, source))
    return records


def _gt06_position(fields: FrameFields, raw: RawFrame, source: Source) -> Position:
    attributes = _attributes(fields, _POSITION_ATTRIBUTES)
    if fields.get("reupload"):
        attributes["reupload"] = True
    altitude_m = fields.get("altitude_m")
    return Position(
        source.device,
        fields["time_ms"],
        raw.received_at_ms,
        fields["lat"],
        fields["lon"],
        float(fields["speed_kmh"]),
        float(fields["course"]),
        fields["located"],
        "gt06",
        fields["serial"],
        altitude_m=None if altitude_m is None else float(altitude_m),
        satellites=fields["satellites"],
        declared_offset_s=_offset_s(fields, source),
        attributes=attributes or None,
        raw=raw,
    )


def _gt06_status(fields: FrameFields, raw: RawFrame, source: Source) -> DeviceStatus:
    attributes = _attributes(fields, _STATUS_ATTRIBUTES)
    if fields["kind"] == "login":
        attributes = _with_identity_warning(attributes, source.device)
    return DeviceStatus(
        source.device,
        raw.received_at_ms,
        "gt06",
        fields["kind"],
        power_level=fields.get("voltage_level"),
        gsm_level=fields.get("gsm_level"),
        battery_v=fields.get("battery_v", fields.get("voltage_v")),
        battery_percent=_percent(fields.get("battery_percent")),
        external_v=fields.get("external_v"),
        charging=fields.get("charging"),
        ignition=fields.get("acc", fields.get("acc_from_course_bits")),
        attributes=attributes or None,
        raw=raw,
    )


def _percent(value: int | None) -> int | None:
    """More than a full battery is no reading."""
    return value if value is not None and value <= 100 else None


def _level_sensor(fields: FrameFields, raw: RawFrame, device: str) -> list[Record]:
    """A level sensor on the tracker's serial port is a fuel sensor by itself; its unit is nobody's, so calibrate."""
    sensor = f"{device}:fuel"
    at_ms = fields.get("time_ms") or raw.received_at_ms
    reading = FuelReading(
        sensor, at_ms, raw.received_at_ms, fields["fuel"], temperature_c=fields.get("temperature_c"), raw=raw
    )
    return [FuelSensorInfo(sensor, "telematics", "counts", f"Level sensor of tracker {device}"), reading]


def _ignition_changed(fields: FrameFields, source: Source) -> bool:
    ignition = fields.get("acc", fields.get("acc_from_course_bits"))
    return ignition is not None and source.memory.changed(source.device, "ignition", ignition)


def _offset_s(fields: FrameFields, source: Source) -> int:
    return source.offset_s if fields["type"] in _LOCAL_TIME_TYPES else 0


def _alarms(fields: FrameFields, source: Source) -> list[tuple[str, str]]:
    """(code, name) of the alarms to report. Alarm frames always count; states that last count when they begin."""
    codes: dict[str, str] = {}
    alarm = fields.get("alarm", 0)
    bits = fields.get("alarm_bits", 0)
    language_word = fields.get("extra", "")
    if not alarm and fields["kind"] == "status" and len(language_word) == 4:
        alarm = int(language_word[:2], 16)  # some models put the alarm code before the language
    if alarm:
        codes[f"0x{alarm:02x}"] = ALARM_NAMES.get(alarm, "")
    elif bits:
        codes[f"bits {bits}"] = ALARM_BIT_NAMES.get(bits, "")
    if fields["kind"] in ("alarm", "alarm_lbs"):
        return list(codes.items())
    if "terminal_info" not in fields:
        return []
    new = source.memory.new_alarms(source.device, frozenset(codes))
    return [(code, name) for code, name in codes.items() if code in new]


def _moment(fields: FrameFields, raw: RawFrame, source: Source) -> DeviceEvent:
    """An event's frame without a position: when it happened is the device's time, where it sends one."""
    return DeviceEvent(source.device, fields.get("time_ms"), raw.received_at_ms, "gt06", "", "", "")


# Both ------------------------------------------------------------------------------------------------------------


def _event(subject: Position | DeviceEvent, code: str, name: str, raw: RawFrame) -> DeviceEvent:
    located = isinstance(subject, Position) and subject.located
    return DeviceEvent(
        device=subject.device,
        occurred_at_ms=subject.fixed_at_ms if isinstance(subject, Position) else subject.occurred_at_ms,
        received_at_ms=subject.received_at_ms,
        source=subject.source,
        kind=EVENT_KINDS.get(name, "alarm"),
        code=code,
        text=EVENT_TEXTS.get(name) or f"Alarm of the tracker, code {code}",
        lat=subject.lat if located else None,
        lon=subject.lon if located else None,
        declared_offset_s=subject.declared_offset_s,
        raw=raw,
    )


def _attributes(fields: FrameFields, names: tuple[tuple[str, str], ...]) -> dict[str, JsonScalar]:
    values: Mapping[str, object] = fields
    chosen: dict[str, JsonScalar] = {}
    for name, shown_as in names:
        value = values.get(name)
        if isinstance(value, str | int | float):
            chosen[shown_as] = value
    return chosen


def _with_identity_warning(attributes: dict[str, JsonScalar], imei: str) -> dict[str, JsonScalar]:
    if not luhn_ok(imei):
        attributes["imei_check_digit_wrong"] = True
    return attributes
