"""From trackers' messages to fuel readings: what operators mapped, live and out of the stored history.

Positions are followed by a cursor on their ids. A new mapping also gets what is stored already, in the order of time
and a bounded piece per step; both may meet, because a reading is stored once. Cursors are saved with what they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, select

from adapters.records import Attributes, DeviceStatus, FuelReading, Record
from app.fleet.plausibility import Mark
from app.fuel.intake import insert_readings, note_newest
from app.fuel.mappings import FACT, MappingRow, Reading, list_mappings, number_in, trailing_medians
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import Device, FuelReadingRow, PositionRow

POSITIONS_AT_ONCE = 5_000
IDS_AT_ONCE = 20_000
BUSY_S = 0.05
_NO_TIME = int(Mark.NO_DEVICE_TIME | Mark.AHEAD | Mark.ABSURD_DATE)
_INFORMATION = "information"


class TelematicsFollower:
    """A follower: see :mod:`app.engine.followers`."""

    name = "fuel out of trackers' messages"
    topics = frozenset({"positions", "fuel_sensors"})

    def step(self, store: Store, now_ms: int) -> float | None:
        """A piece of what is new, a piece of each history. Returns soon while something is left."""
        with store.read() as connection:
            if not list_mappings(connection):
                return None
        return BUSY_S if store.write(partial(_advance, now_ms=now_ms), rows=POSITIONS_AT_ONCE).result() else None


def readings_of_statuses(connection: Connection, integration_id: str, records: Iterable[Record]) -> list[FuelReading]:
    """Mapped values of messages without a position, such as GT06's 94h; they are stored with their batch."""
    told = [one for one in records if type(one) is DeviceStatus and one.kind == _INFORMATION]
    mappings = list_mappings(connection) if told else []
    if not mappings:
        return []
    query = select(Device.key, Device.unique_id).where(
        Device.integration_id == integration_id, Device.unique_id.in_({status.device for status in told})
    )
    names = {device.key: device.unique_id for device in connection.execute(query)}
    by_device: dict[str, list[MappingRow]] = {}
    for mapping in mappings:
        if mapping.device_key in names:
            by_device.setdefault(names[mapping.device_key], []).append(mapping)
    found = []
    for status in told:
        for mapping in by_device.get(status.device, ()):
            values = {**(status.attributes or {}), "external_v": status.external_v, "battery_v": status.battery_v}
            value = _value(mapping.reading, {**values, "ignition": status.ignition})
            if value is not None:
                at_ms = status.received_at_ms
                found.append(FuelReading(mapping.unique_id, at_ms, at_ms, value, raw=status.raw))
    return found


def _advance(connection: Connection, now_ms: int) -> bool:
    """One piece of work in one transaction; returns whether something is left."""
    mappings = list_mappings(connection)
    state = get_fact(connection, FACT) or {}
    position_id = int(state.get("position_id", 0))
    newest = connection.execute(select(func.coalesce(func.max(PositionRow.id), 0))).scalar_one()
    until = min(int(newest), position_id + IDS_AT_ONCE)
    history: dict[str, list[Any]] = dict(state.get("history", {}))
    if history or _is_any(connection, mappings, position_id, until):
        raise_topic(connection, "fuel_readings")
        version = raise_topic(connection, "fuel_sensors")
        _take_new(connection, mappings, position_id, until, version, now_ms)
        by_key = {str(one.sensor_key): one for one in mappings}
        left: dict[str, list[Any]] = {}
        for key, (after_ms, clear) in history.items():
            rest = _take_old(connection, by_key[key], after_ms, clear, version, now_ms) if key in by_key else None
            if rest is not None:
                left[key] = rest
        history = left
    new = {"position_id": until, "history": history}
    if new != state:
        set_fact(connection, FACT, new)
    return bool(history) or until < newest


def _is_any(connection: Connection, mappings: Sequence[MappingRow], after_id: int, until_id: int) -> bool:
    devices = {one.device_key for one in mappings}
    query = select(PositionRow.id).where(
        PositionRow.id > after_id, PositionRow.id <= until_id, PositionRow.device_key.in_(devices)
    )
    return connection.execute(query.limit(1)).first() is not None


_COLUMNS = (
    PositionRow.id, PositionRow.device_key, PositionRow.fixed_at_ms, PositionRow.received_at_ms,
    PositionRow.attributes, PositionRow.raw_frame_id,
)  # fmt: skip
_USABLE = (PositionRow.attributes.is_not(None), PositionRow.marks.bitwise_and(_NO_TIME) == 0)


def _take_new(
    connection: Connection, mappings: Sequence[MappingRow], after_id: int, until_id: int, version: int, now_ms: int
) -> None:
    devices = {one.device_key for one in mappings}
    query = (
        select(*_COLUMNS)
        .where(PositionRow.id > after_id, PositionRow.id <= until_id, PositionRow.device_key.in_(devices), *_USABLE)
        .order_by(PositionRow.fixed_at_ms)
    )
    by_device: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        by_device.setdefault(row.device_key, []).append(row)
    for mapping in mappings:
        _store(connection, mapping, by_device.get(mapping.device_key, []), version, now_ms)


def _take_old(
    connection: Connection, mapping: MappingRow, after_ms: int, clear: bool, version: int, now_ms: int
) -> list[Any] | None:
    """A piece of the stored history of a mapping; where to go on, None at its end."""
    if clear:
        row = FuelReadingRow
        some = select(row.id).where(row.sensor_key == mapping.sensor_key).limit(POSITIONS_AT_ONCE)
        if connection.execute(delete(row).where(row.id.in_(some))).rowcount:
            return [after_ms, True]
    query = (
        select(*_COLUMNS)
        .where(PositionRow.device_key == mapping.device_key, PositionRow.fixed_at_ms > after_ms, *_USABLE)
        .order_by(PositionRow.fixed_at_ms)
        .limit(POSITIONS_AT_ONCE)
    )
    rows = connection.execute(query).all()
    _store(connection, mapping, rows, version, now_ms)
    if len(rows) < POSITIONS_AT_ONCE:
        return None
    last_ms = rows[-1].fixed_at_ms
    # The limit may have cut through one moment: it is taken again, and stored once.
    return [last_ms - 1 if last_ms > rows[0].fixed_at_ms else last_ms, False]


def _store(connection: Connection, mapping: MappingRow, rows: Sequence[Any], version: int, now_ms: int) -> None:
    told = [(row, value) for row in rows if (value := _value(mapping.reading, row.attributes or {})) is not None]
    if not told:
        return
    numbers = [value for _row, value in told]
    window = mapping.reading.median
    before = _before(connection, mapping.sensor_key, told[0][0].fixed_at_ms, window - 1)
    smooth = trailing_medians(numbers, before, window)
    insert_readings(
        connection,
        [
            {
                "sensor_key": mapping.sensor_key,
                "measured_at_ms": row.fixed_at_ms,
                "received_at_ms": row.received_at_ms,
                "value": value,
                "status": "ok",
                "temperature_c": None,
                "attributes": {"as_sent": number} if window > 1 else None,
                "position_id": row.id,
                "raw_frame_id": row.raw_frame_id,
            }
            for (row, number), value in zip(told, smooth, strict=True)
        ],
    )
    note_newest(connection, mapping.sensor_key, told[-1][0].fixed_at_ms, smooth[-1], "ok", version, now_ms)


def _before(connection: Connection, sensor_key: int, at_ms: int, count: int) -> list[float]:
    """The values before a moment as they were sent."""
    if count < 1:
        return []
    row = FuelReadingRow
    query = select(row.value, row.attributes).where(row.sensor_key == sensor_key, row.measured_at_ms < at_ms)
    newest = connection.execute(query.order_by(row.measured_at_ms.desc()).limit(count)).all()
    return [(one.attributes or {}).get("as_sent", one.value) for one in reversed(newest)]


def _value(reading: Reading, attributes: Attributes) -> float | None:
    if reading.ignition_only and attributes.get("ignition") is not True:
        return None
    number = number_in(attributes.get(reading.attribute))
    return None if number is None else number * reading.scale + reading.offset
