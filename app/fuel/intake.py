"""Fuel readings of a batch become rows, in the transaction of the batch that brought them.

The telemetry sink calls this only for batches that hold such records; sensors that nobody knows appear as waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from adapters.records import EngineReading, FuelReading, FuelSensorInfo, RawFrame, Record
from app.fleet.freshness import CLOCKS_APART_MS
from app.fleet.text import storable, storable_json
from app.fuel.units import note_former_unit
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import EngineReadingRow, FuelReadingRow, FuelSensor
from app.store.upsert import insert_or

FUEL_KINDS: frozenset[type[Record]] = frozenset({FuelSensorInfo, FuelReading, EngineReading})
LONGEST_NAME = 200
LARGEST = 1e9
"""No sensor of any unit tells more; what does is noise on the line."""
_SOURCE_SETTINGS = ("vehicle", "tank")


@dataclass(frozen=True, slots=True)
class TakenFuel:
    """``newest_ms`` is the newest reading that carried a value, 0 without one."""

    readings: int
    duplicates: int
    sensors: int
    newest_ms: int


def take_fuel(
    connection: Connection,
    integration_id: str,
    records: Sequence[Record],
    version: int,
    keep_frame: Callable[[RawFrame], int | None],
    now_ms: int,
) -> TakenFuel:
    """Store the fuel records among ``records``. ``version`` is that of the topic ``fuel_sensors``."""
    infos = [record for record in records if isinstance(record, FuelSensorInfo)]
    readings = [record for record in records if isinstance(record, FuelReading)]
    engines = [record for record in records if isinstance(record, EngineReading)]
    measured: list[FuelReading | EngineReading] = [*readings, *engines]
    names = {storable(one.sensor, LONGEST_NAME) for one in (*infos, *measured)}
    keys = _keys_of(connection, integration_id, names, version)
    first_ms = min((record.measured_at_ms for record in measured), default=0)
    for name in sorted(names - keys.keys()):
        keys[name] = _add_sensor(connection, integration_id, name, first_ms, version)
    keys |= {one.sensor: keys[storable(one.sensor, LONGEST_NAME)] for one in (*infos, *measured)}
    for info in infos:
        _describe(connection, keys[info.sensor], info, version, now_ms)
    stored = _write_readings(connection, keys, readings, keep_frame)
    stored_engines = _write_engines(connection, keys, engines)
    _note_newest(connection, keys, readings, version, now_ms)
    told = [one.measured_at_ms for one in measured if not isinstance(one, FuelReading) or _told(one)[1] == "ok"]
    new_rows = stored + stored_engines
    return TakenFuel(new_rows, len(measured) - new_rows, len(infos), max(told, default=0))


def _keys_of(connection: Connection, integration_id: str, names: set[str], version: int) -> dict[str, int]:
    """The sensors that are known; one that was removed and speaks again waits like a new one."""
    columns = (FuelSensor.unique_id, FuelSensor.key, FuelSensor.removed_at)
    query = select(*columns).where(FuelSensor.integration_id == integration_id)
    known = [row for row in connection.execute(query) if row.unique_id in names]
    back = [row.key for row in known if row.removed_at is not None]
    if back:
        values = {"removed_at": None, "changed_version": version}
        connection.execute(update(FuelSensor).where(FuelSensor.key.in_(back)).values(**values))
    return {row.unique_id: row.key for row in known}


def _add_sensor(connection: Connection, integration_id: str, name: str, first_ms: int, version: int) -> int:
    row = {
        "id": new_id(),
        "integration_id": integration_id,
        "unique_id": name,
        "kind": "rs485",
        "unit": "counts",
        "settings": {},
        "first_seen_ms": first_ms,
        "changed_version": version,
    }
    key: int = connection.execute(insert(FuelSensor).values(**row).returning(FuelSensor.key)).scalar_one()
    return key


def _describe(connection: Connection, key: int, info: FuelSensorInfo, version: int, now_ms: int) -> None:
    """What a source says of its sensor; what an operator named stays."""
    row = connection.execute(select(FuelSensor.__table__).where(FuelSensor.key == key)).one()._mapping
    facts = {
        "kind": info.kind,
        "unit": info.unit,
        "model": storable(info.model, 100),
        "serial": storable(info.serial, 60),
        "name": row["name"] or storable(info.name, 200),
        "settings": {**row["settings"], **{name: storable(getattr(info, name)) for name in _SOURCE_SETTINGS}},
    }
    if row["unit"] != info.unit and row["last_ms"] is not None:
        note_former_unit(connection, key, row["unit"], min(row["last_ms"], now_ms) + 1)
        raise_topic(connection, "tanks")  # what comes is read otherwise
    if any(row[name] != value for name, value in facts.items()):
        connection.execute(update(FuelSensor).where(FuelSensor.key == key).values(**facts, changed_version=version))


def _write_readings(
    connection: Connection,
    keys: dict[str, int],
    readings: Sequence[FuelReading],
    keep_frame: Callable[[RawFrame], int | None],
) -> int:
    rows: list[dict[str, Any]] = [
        {
            "sensor_key": keys[reading.sensor],
            "measured_at_ms": reading.measured_at_ms,
            "received_at_ms": reading.received_at_ms,
            **dict(zip(("value", "status"), _told(reading), strict=True)),
            "temperature_c": reading.temperature_c,
            "attributes": None if reading.attributes is None else storable_json(reading.attributes),
            "position_id": None,
            "raw_frame_id": None if reading.raw is None else keep_frame(reading.raw),
        }
        for reading in readings
    ]
    return insert_readings(connection, rows)


def _told(reading: FuelReading) -> tuple[float | None, str]:
    """Value and status as they are kept."""
    is_number = reading.value is None or abs(reading.value) <= LARGEST  # NaN compares with nothing
    return (reading.value, reading.status) if is_number else (None, "out_of_range")


def insert_readings(connection: Connection, rows: list[dict[str, Any]]) -> int:
    """Insert readings that are not there yet; returns how many were new."""
    return _insert_new(connection, FuelReadingRow, rows)


def _write_engines(connection: Connection, keys: dict[str, int], readings: Sequence[EngineReading]) -> int:
    names = [column.name for column in EngineReadingRow.__table__.columns if column.name not in ("id", "sensor_key")]
    rows = [
        {"sensor_key": keys[reading.sensor], **{name: getattr(reading, name) for name in names}} for reading in readings
    ]
    return _insert_new(connection, EngineReadingRow, rows)


def _insert_new(connection: Connection, table: type[FuelReadingRow] | type[EngineReadingRow], rows: list[Any]) -> int:
    """Insert what is not there yet; returns how many were new."""
    if not rows:
        return 0
    statement = insert_or(connection, table).on_conflict_do_nothing(index_elements=["sensor_key", "measured_at_ms"])
    return len(connection.execute(statement.returning(table.id), rows).all())


def _note_newest(
    connection: Connection, keys: dict[str, int], readings: Sequence[FuelReading], version: int, now_ms: int
) -> None:
    newest: dict[str, FuelReading] = {}
    for reading in readings:
        if reading.sensor not in newest or reading.measured_at_ms >= newest[reading.sensor].measured_at_ms:
            newest[reading.sensor] = reading
    for name, reading in newest.items():
        note_newest(connection, keys[name], reading.measured_at_ms, *_told(reading), version, now_ms)


def note_newest(
    connection: Connection, sensor_key: int, at_ms: int, value: float | None, status: str, version: int, now_ms: int
) -> None:
    """Keep a reading as the newest of its sensor unless a newer one is kept already.

    What stands there from a clock that was ahead and was set right is none: nothing is measured tomorrow.
    """
    last_ms = FuelSensor.last_ms
    is_newest = or_(last_ms.is_(None), last_ms <= at_ms, last_ms > now_ms + CLOCKS_APART_MS)
    connection.execute(
        update(FuelSensor)
        .where(FuelSensor.key == sensor_key, is_newest)
        .values(last_ms=at_ms, last_value=value, last_status=status, changed_version=version)
    )
