"""From trackers' messages to fuel readings: what operators mapped, live and out of the stored history.

Positions are followed by a cursor on their ids. A new mapping also gets what is stored already, in the order of time
and a bounded piece per step; both may meet, because a reading is stored once. Cursors are saved with what they read.

A message without a position is stored nowhere else: its readings keep the number as it was told, and a mapping that
is changed is applied to that. The median is taken among readings of the same origin, live as out of the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, select

from adapters.records import DeviceStatus, FuelReading, Record
from app.fleet.plausibility import Mark
from app.fuel.intake import insert_readings, note_newest
from app.fuel.mappings import (
    FACT,
    FROM_THE_BEGINNING_MS,
    MappingRow,
    list_mappings,
    number_in,
    scaled,
    trailing_medians,
    value_of,
)
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import Device, FuelReadingRow, PositionRow

POSITIONS_AT_ONCE = 5_000
IDS_AT_ONCE = 20_000
BUSY_S = 0.05
_NO_TIME = int(Mark.NO_DEVICE_TIME | Mark.AHEAD | Mark.ABSURD_DATE)
_INFORMATION = "information"
_NUMBER, _IGNITION = "number", "ignition"
"""What a reading of a message without a position keeps of it."""
_STATUSES = "statuses"


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
    found: list[FuelReading] = []
    for device, own in by_device.items():
        statuses = sorted((one for one in told if one.device == device), key=lambda one: one.received_at_ms)
        for mapping in own:
            found += _readings_of(connection, mapping, statuses)
    return found


def _readings_of(connection: Connection, mapping: MappingRow, statuses: Sequence[DeviceStatus]) -> list[FuelReading]:
    """The readings that one mapping makes of one device's messages, which are in the order of time."""
    reading = mapping.reading
    values = []
    for status in statuses:
        told = {**(status.attributes or {}), "external_v": status.external_v, "battery_v": status.battery_v}
        value = value_of(reading, {**told, "ignition": status.ignition})
        if value is not None:
            kept = {_NUMBER: number_in(told.get(reading.attribute)), _IGNITION: status.ignition}
            values.append((status, value, kept))
    if not values:
        return []
    before = _statuses_before(connection, mapping, values[0][0].received_at_ms)
    smooth = trailing_medians([value for _status, value, _kept in values], before, reading.median)
    return [
        FuelReading(
            mapping.unique_id, status.received_at_ms, status.received_at_ms, value, attributes=kept, raw=status.raw
        )
        for (status, _value, kept), value in zip(values, smooth, strict=True)
    ]


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
    connection: Connection, mapping: MappingRow, after_ms: int, phase: bool | str, version: int, now_ms: int
) -> list[Any] | None:
    """A piece of the stored history of a mapping; where to go on, None at its end.

    ``phase``: True while what was made of positions is cleared away, then ``_STATUSES`` while the readings of messages
    without a position are made anew, then False.
    """
    if phase is True:
        row = FuelReadingRow
        some = select(row.id).where(row.sensor_key == mapping.sensor_key, row.position_id.is_not(None))
        if connection.execute(delete(row).where(row.id.in_(some.limit(POSITIONS_AT_ONCE)))).rowcount:
            return [after_ms, True]
        phase = _STATUSES
    if phase == _STATUSES:
        last_ms = _retake_statuses(connection, mapping, after_ms, version, now_ms)
        return [FROM_THE_BEGINNING_MS, False] if last_ms is None else [last_ms, _STATUSES]
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


def _retake_statuses(
    connection: Connection, mapping: MappingRow, after_ms: int, version: int, now_ms: int
) -> int | None:
    """Apply a mapping to a piece of the readings that came without a position; the last one's time, None at the end.

    They are rows of a new id, as everything is that has to be computed anew. What the mapping leaves out (the ignition
    was off) stays without a value, because the next change may want it.
    """
    row, reading = FuelReadingRow, mapping.reading
    query = (
        select(row.__table__)
        .where(row.sensor_key == mapping.sensor_key, row.position_id.is_(None), row.measured_at_ms > after_ms)
        .order_by(row.measured_at_ms)
        .limit(POSITIONS_AT_ONCE)
    )
    rows = connection.execute(query).all()
    kept = [one for one in rows if _NUMBER in (one.attributes or {})]
    told = [one for one in kept if not reading.ignition_only or one.attributes.get(_IGNITION) is True]
    values: dict[int, float] = {}
    if told:
        numbers = [scaled(reading, one.attributes[_NUMBER]) for one in told]
        before = _statuses_before(connection, mapping, told[0].measured_at_ms)
        smooth = trailing_medians(numbers, before, reading.median)
        values = {one.id: value for one, value in zip(told, smooth, strict=True)}
    if kept:
        connection.execute(delete(row).where(row.id.in_([one.id for one in kept])))
        again = []
        for one in kept:
            value = values.get(one.id)
            new = {"value": value, "status": "not_available" if value is None else "ok"}
            again.append({name: found for name, found in one._mapping.items() if name != "id"} | new)
        insert_readings(connection, again)
    if told:
        note_newest(connection, mapping.sensor_key, told[-1].measured_at_ms, values[told[-1].id], "ok", version, now_ms)
    return rows[-1].measured_at_ms if len(rows) == POSITIONS_AT_ONCE else None


def _store(connection: Connection, mapping: MappingRow, rows: Sequence[Any], version: int, now_ms: int) -> None:
    told = [(row, value) for row in rows if (value := value_of(mapping.reading, row.attributes or {})) is not None]
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
    """The values before a moment as they were sent with positions."""
    if count < 1:
        return []
    row = FuelReadingRow
    query = select(row.value, row.attributes).where(
        row.sensor_key == sensor_key, row.measured_at_ms < at_ms, row.position_id.is_not(None)
    )
    newest = connection.execute(query.order_by(row.measured_at_ms.desc()).limit(count)).all()
    return [(one.attributes or {}).get("as_sent", one.value) for one in reversed(newest)]


def _statuses_before(connection: Connection, mapping: MappingRow, at_ms: int) -> list[float]:
    """The same of messages without a position, by the mapping as it is now."""
    reading, row = mapping.reading, FuelReadingRow
    if reading.median <= 1:
        return []
    query = select(row.attributes).where(
        row.sensor_key == mapping.sensor_key, row.measured_at_ms < at_ms, row.position_id.is_(None),
        row.value.is_not(None), row.attributes.is_not(None),
    )  # fmt: skip
    newest = connection.execute(query.order_by(row.measured_at_ms.desc()).limit(reading.median - 1)).scalars().all()
    return [scaled(reading, kept[_NUMBER]) for kept in reversed(newest) if _NUMBER in kept]
