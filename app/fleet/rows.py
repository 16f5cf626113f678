"""Rows of telemetry as the tuples that the bulk writer takes, in the order of the tables' columns.

Tuples instead of dicts or ORM objects, because this runs for every frame of a flood (docs/decisions/0020).
"""

from __future__ import annotations

from hashlib import blake2b
from math import isfinite

from adapters.records import DeviceEvent, Position, RawFrame
from app.fleet.plausibility import is_place, static_marks
from app.fleet.text import json_text, storable
from app.store.tables import DeviceEventRow, PositionRow, RawFrameRow

RAW_COLUMNS = tuple(column.name for column in RawFrameRow.__table__.columns)
POSITION_COLUMNS = tuple(column.name for column in PositionRow.__table__.columns)
POSITION_KEY = ("device_key", "fixed_at_ms", "lat", "lon", "key_extra")
EVENT_COLUMNS = tuple(column.name for column in DeviceEventRow.__table__.columns if column.name != "id")
EVENT_KEY = ("device_key", "occurred_at_ms", "code", "key_extra")

PEER_LENGTH = 64
EVENT_CODE_LENGTH = 60

RawRow = tuple[int, int, int | None, int, str, str, str, bytes, bytes]
PositionTuple = tuple[
    int, int, int, int, float, float, float | None, float | None, float | None, int | None,
    bool, int, int, str, int | None, str | None, str, int | None, str | None,
]  # fmt: skip
EventTuple = tuple[
    int, int, int, str, str, str, str, float | None, float | None, int, str | None, str, int | None, str | None
]


def raw_row(row_id: int, integration_key: int, device_key: int | None, raw: RawFrame) -> RawRow:
    return (
        row_id,
        integration_key,
        device_key,
        raw.received_at_ms,
        raw.protocol,
        raw.peer[:PEER_LENGTH],
        raw.verdict,
        raw.data,
        raw.reply,
    )


def position_row(
    row_id: int,
    device_key: int,
    position: Position,
    offset_s: int,
    fixed_at_ms: int,
    marks: int,
    raw_id: int | None,
    attributes: str | None,
) -> PositionTuple:
    """``fixed_at_ms`` is corrected already, or the arrival where the device sent no valid time; attributes as JSON."""
    return (
        row_id,
        device_key,
        fixed_at_ms,
        position.received_at_ms,
        position.lat,
        position.lon,
        _finite(position.speed_km_h),
        _finite(position.course_deg),
        _finite(position.altitude_m),
        position.satellites,
        position.located,
        marks,
        offset_s,
        position.source,
        position.serial,
        storable(position.peer_id, 40) if position.peer_id is not None else None,
        "" if position.fixed_at_ms is not None else _identity(position.raw, position.peer_id),
        raw_id,
        attributes,
    )


def event_row(device_key: int, event: DeviceEvent, offset_s: int, raw_id: int | None) -> EventTuple:
    """The identity of an event adds to device, time and code what tells two such events apart: peer's id, or place."""
    occurred_at_ms = event.received_at_ms if event.occurred_at_ms is None else event.occurred_at_ms - offset_s * 1000
    lat, lon = event.lat, event.lon
    if lat is None or lon is None or not is_place(lat, lon):
        lat = lon = None
    marks = static_marks(
        None if event.occurred_at_ms is None else occurred_at_ms,
        event.received_at_ms,
        lat if lat is not None else 90.0,
        lon if lon is not None else 0.0,
        None,
        None,
        True,
    )
    if event.peer_id is not None:
        extra = storable(event.peer_id, 80)
    elif event.occurred_at_ms is None:
        extra = _identity(event.raw, None)
    else:
        extra = "" if lat is None or lon is None else f"{lat!r},{lon!r}"
    return (
        device_key,
        occurred_at_ms,
        event.received_at_ms,
        storable(event.kind, 40),
        storable(event.code, EVENT_CODE_LENGTH),
        storable(event.text),
        event.source,
        lat,
        lon,
        marks,
        storable(event.peer_id, 40) if event.peer_id is not None else None,
        extra,
        raw_id,
        json_text(event.attributes) if event.attributes else None,
    )


def _finite(value: float | None) -> float | None:
    """Infinity and NaN are no quantities: the mark stays, the number goes."""
    return value if value is None or isfinite(value) else None


def _identity(raw: RawFrame | None, peer_id: str | None) -> str:
    """What tells two records of one instant apart when the device's own time cannot."""
    if raw is not None:
        return blake2b(raw.data, digest_size=16).hexdigest()
    return storable(peer_id or "", 32)
