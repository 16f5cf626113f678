"""Traccar's objects → records of :mod:`adapters.records` (reference: traccar-api.md, sections 3, 4 and 6).

Pure functions. A function for one record raises RecordRejected; the lists made of them go on with the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.errors import RecordRejected
from adapters.records import DeviceEvent, DeviceInfo, DeviceStatus, Geofence, Position
from adapters.traccar import fields
from adapters.traccar.areas import parse_area
from adapters.traccar.fields import Json

SOURCE = "traccar"
KM_H_PER_KNOT = 1.852
DEFAULT_CORRIDOR_M = 25.0

# “No fix ever”: the server's stand-in for the time of a fix that never was (GPS epoch, at 0, 0).
NEVER_FIXED_BEFORE_MS = 315_964_800_000 + 86_400_000  # 1980-01-07

# Protocols whose “power” is the tracker's own level 0 to 6, not volts (traccar-api.md, section 4).
LEVEL_PROTOCOLS = frozenset({"gt02"})
GSM_LEVEL_PROTOCOLS = frozenset({"gt02", "gt06"})

# Our words where they differ from the server's word in snake case.
KINDS: Mapping[str, str] = {
    "deviceOverspeed": "overspeed",
    "deviceFuelDrop": "fuel_drop",
    "deviceFuelIncrease": "fuel_increase",
}
ALARM_KINDS: Mapping[str, str] = {
    "sos": "sos",
    "powerCut": "power_cut",
    "powerOff": "power_off",
    "powerOn": "power_on",
    "powerRestored": "power_restored",
    "lowBattery": "low_battery",
    "lowPower": "low_power",
    "vibration": "vibration",
    "shock": "shock",
    "movement": "movement",
    "overspeed": "overspeed",
    "geofenceEnter": "geofence_enter",
    "geofenceExit": "geofence_exit",
    "tow": "tow",
    "door": "door",
    "tampering": "tampering",
    "removing": "tampering",
    "jamming": "jamming",
    "fuelLeak": "fuel_leak",
    "accident": "accident",
}
TEXTS: Mapping[str, str] = {
    "geofenceEnter": "Entered a geofence",
    "geofenceExit": "Left a geofence",
    "deviceOnline": "Connected to the server",
    "deviceOffline": "Disconnected from the server",
    "deviceUnknown": "Silent for a while",
    "deviceInactive": "Inactive",
    "deviceMoving": "Began to move",
    "deviceStopped": "Stopped",
    "ignitionOn": "Ignition on",
    "ignitionOff": "Ignition off",
    "queuedCommandSent": "A waiting command was sent",
    "driverChanged": "Driver changed",
}


@dataclass(frozen=True, slots=True)
class Known:
    """One device of the server, as far as other records need it."""

    id: int
    unique_id: str
    name: str
    last_update_ms: int | None


def known_device(raw: object) -> Known:
    """The names of a device. Raises RecordRejected."""
    key = fields.key_of(raw, "device")
    record = fields.as_object(raw, key)
    unique_id = fields.text(record, "uniqueId", 1000)
    if unique_id is None or len(unique_id) > 100:
        raise RecordRejected(key, "The device has no usable uniqueId.")
    return Known(
        id=fields.identity(record, "id", key),
        unique_id=unique_id,
        name=fields.text(record, "name", 200) or unique_id,
        last_update_ms=fields.time_ms(record, "lastUpdate"),
    )


def device_info(record: Json, known: Known, groups: Mapping[int, str]) -> DeviceInfo:
    """What the server says about a device; ``groups`` are names by id."""
    return DeviceInfo(
        device=known.unique_id,
        name=known.name,
        peer_id=str(known.id),
        model=fields.text(record, "model", 100),
        phone=fields.text(record, "phone", 60),
        group=groups.get(fields.integer(record, "groupId") or 0),
        status=fields.text(record, "status", 30),
        last_update_ms=known.last_update_ms,
        disabled=fields.flag(record, "disabled") or False,
        attributes=fields.attributes(record, category=fields.text(record, "category", 60)),
    )


def group_names(raw: list[object]) -> dict[int, str]:
    """Names of groups by id, with their parents: “North / Kano”. What cannot be read is left out."""
    names: dict[int, str] = {}
    parents: dict[int, int] = {}
    for item in raw:
        if isinstance(item, dict) and (key := fields.integer(item, "id")):
            names[key] = fields.text(item, "name", 100) or str(key)
            parents[key] = fields.integer(item, "groupId") or 0
    return {key: " / ".join(_ancestry(key, names, parents))[:200] for key in names}


def _ancestry(key: int, names: Mapping[int, str], parents: Mapping[int, int]) -> list[str]:
    path: list[str] = []
    seen: set[int] = set()
    while key in names and key not in seen:
        seen.add(key)
        path.insert(0, names[key])
        key = parents[key]
    return path


@dataclass(frozen=True, slots=True)
class Fix:
    """A position as read: its id for filtering, the fix, and the state that the message carried.

    ``position`` is None when the device never had a fix. Where the message brought no new fix the server repeats
    the last one; the repeated fix is a fact of its own time, and the store knows it already.
    """

    id: int
    device_id: int
    fixed_at_ms: int
    position: Position | None
    status: DeviceStatus


def fix(raw: object, unique_id: str, now_ms: int) -> Fix:
    """Read one position of the device ``unique_id``; arrival times never lie after ``now_ms``.

    Raises RecordRejected when id, times or place cannot be right.
    """
    key = fields.key_of(raw, "position")
    record = fields.as_object(raw, key)
    position_id = fields.identity(record, "id", key)
    fixed_at_ms = fields.time_ms(record, "fixTime")
    if fixed_at_ms is None:
        raise RecordRejected(key, "The position has no fix time with a zone.")
    lat, lon = fields.number(record, "latitude"), fields.number(record, "longitude")
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        raise RecordRejected(key, "Latitude or longitude is missing or out of range.")
    # The server may run ahead of us; nothing arrives in the future.
    received_at_ms = min(fields.time_ms(record, "serverTime") or now_ms, now_ms)
    never = fixed_at_ms < NEVER_FIXED_BEFORE_MS and lat == 0 and lon == 0
    knots = fields.number(record, "speed")
    status = _status(record, unique_id, received_at_ms)
    position = Position(
        device=unique_id,
        fixed_at_ms=fixed_at_ms,
        received_at_ms=received_at_ms,
        lat=lat,
        lon=lon,
        speed_km_h=None if knots is None else round(knots * KM_H_PER_KNOT, 3),
        course_deg=fields.number(record, "course"),
        located=fields.flag(record, "valid") is not False,
        source=SOURCE,
        altitude_m=fields.number(record, "altitude"),
        satellites=status.satellites,
        peer_id=str(position_id),
        attributes=fields.attributes(
            record,
            protocol=fields.text(record, "protocol", 40),
            accuracy_m=fields.number(record, "accuracy") or None,
            address=fields.text(record, "address", 500),
        ),
    )
    return Fix(position_id, fields.identity(record, "deviceId", key), fixed_at_ms, None if never else position, status)


def _status(record: Json, unique_id: str, received_at_ms: int) -> DeviceStatus:
    protocol = fields.text(record, "protocol", 40) or ""
    said = fields.nested(record)
    power = fields.number(said, "power")
    level = protocol in LEVEL_PROTOCOLS
    return DeviceStatus(
        device=unique_id,
        received_at_ms=received_at_ms,
        source=SOURCE,
        kind="message",
        power_level=_small(power, 6) if level else None,
        gsm_level=_small(fields.number(said, "rssi"), 5) if protocol in GSM_LEVEL_PROTOCOLS else None,
        satellites=_small(fields.number(said, "sat"), 255),
        battery_v=fields.number(said, "battery"),
        battery_percent=_small(_whole(fields.number(said, "batteryLevel")), 100),
        external_v=None if level else power,
        charging=fields.flag(said, "charge"),
        ignition=fields.flag(said, "ignition"),
    )


def _whole(value: float | None) -> float | None:
    return None if value is None else float(round(value))


def _small(value: float | None, largest: int) -> int | None:
    return int(value) if value is not None and 0 <= value <= largest and value == int(value) else None


def device_events(
    raw: object, unique_id: str, now_ms: int, place: tuple[float, float] | None, fences: Mapping[int, str]
) -> Iterator[DeviceEvent]:
    """One event of the server; an alarm event that names several alarms gives one record each.

    ``fences`` are names by id. Raises RecordRejected when id, type or time is missing.
    """
    key = fields.key_of(raw, "event")
    record = fields.as_object(raw, key)
    event_id = fields.identity(record, "id", key)
    kind, occurred_at_ms = fields.text(record, "type", 40), fields.time_ms(record, "eventTime")
    if kind is None or occurred_at_ms is None:
        raise RecordRejected(key, "The event has no type or no time with a zone.")
    fence_id, position_id = fields.integer(record, "geofenceId") or None, fields.integer(record, "positionId") or None
    for code, our_kind, sentence in _meanings(record, kind, fences.get(fence_id or 0)):
        yield DeviceEvent(
            device=unique_id,
            occurred_at_ms=occurred_at_ms,
            received_at_ms=min(occurred_at_ms, now_ms),
            source=SOURCE,
            kind=our_kind[:40],
            code=code[:60],
            text=sentence,
            lat=place[0] if place else None,
            lon=place[1] if place else None,
            peer_id=str(event_id),
            attributes=fields.attributes(record, geofenceId=fence_id, positionId=position_id),
        )


def _meanings(record: Json, kind: str, fence: str | None) -> Iterator[tuple[str, str, str]]:
    """(code, our kind, sentence) of an event."""
    said = fields.nested(record)
    if kind == "alarm":
        names = (fields.text(said, "alarm", 1000) or "").split(",")
        for name in dict.fromkeys(part.strip() for part in names):
            yield f"alarm:{name}" if name else "alarm", ALARM_KINDS.get(name, "alarm"), _alarm_text(name)
        return
    yield kind, KINDS.get(kind, snake_case(kind)), _text(kind, said, fence)


def _alarm_text(name: str) -> str:
    words = snake_case(name).replace("_", " ")
    return f"Alarm: {'SOS' if words == 'sos' else words}" if words else "Alarm"


def _text(kind: str, said: Json, fence: str | None) -> str:
    speed, limit = fields.number(said, "speed"), fields.number(said, "speedLimit")
    before, after = fields.number(said, "before"), fields.number(said, "after")
    if kind == "deviceOverspeed" and speed is not None:
        allowed = f", allowed {limit * KM_H_PER_KNOT:.0f} km/h" if limit is not None else ""
        return f"Too fast: {speed * KM_H_PER_KNOT:.0f} km/h{allowed}"
    if kind in ("deviceFuelDrop", "deviceFuelIncrease"):
        change = f": from {before:g} to {after:g}" if before is not None and after is not None else ""
        return f"Fuel {'drop' if kind == 'deviceFuelDrop' else 'increase'}{change}"
    if kind == "commandResult":
        return f"Command answered: {fields.text(said, 'result', 300) or 'no text'}"
    sentence = TEXTS.get(kind) or snake_case(kind).replace("_", " ").capitalize()
    return f"{sentence.removesuffix(' a geofence')} {fence}" if fence and kind.startswith("geofence") else sentence


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def geofence(raw: object) -> Geofence:
    """One area of the server. Raises RecordRejected, also for areas with latitude and longitude swapped."""
    key = fields.key_of(raw, "geofence")
    record = fields.as_object(raw, key)
    fence_id = fields.identity(record, "id", key)
    name = fields.text(record, "name", 300) or str(fence_id)
    written = record.get("area")
    if not isinstance(written, str):
        raise RecordRejected(key, f"The geofence “{name[:80]}” has no area.")
    try:
        area = parse_area(written, key)
    except RecordRejected as err:
        raise RecordRejected(key, f"Geofence “{name[:80]}”: {err.why}") from err
    said = fields.nested(record)
    width = fields.number(said, "polylineDistance")
    limit = fields.number(said, "speedLimit")
    corridor_m = width if width is not None and width > 0 else DEFAULT_CORRIDOR_M
    return Geofence(
        peer_id=str(fence_id),
        name=name,
        shape=area.shape,
        points=area.points,
        radius_m=corridor_m if area.shape == "corridor" else area.radius_m,
        speed_limit_km_h=round(limit * KM_H_PER_KNOT, 3) if limit is not None and limit > 0 else None,
        description=fields.text(record, "description", 2000) or "",
    )
