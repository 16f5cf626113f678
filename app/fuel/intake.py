"""Fuel readings of a batch become rows, in the transaction of the batch that brought them.

The telemetry sink calls this only for batches that hold such records; sensors that nobody knows appear as waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.records import EngineReading, FuelReading, FuelSensorInfo, RawFrame, Record
from app.fleet.text import storable
from app.store.ids import new_id
from app.store.tables import EngineReadingRow, FuelReadingRow, FuelSensor
from app.store.upsert import insert_or

FUEL_KINDS: frozenset[type[Record]] = frozenset({FuelSensorInfo, FuelReading, EngineReading})
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
) -> TakenFuel:
    """Store the fuel records among ``records``. ``version`` is that of the topic ``fuel_sensors``."""
    infos = [record for record in records if isinstance(record, FuelSensorInfo)]
    readings = [record for record in records if isinstance(record, FuelReading)]
    engines = [record for record in records if isinstance(record, EngineReading)]
    measured: list[FuelReading | EngineReading] = [*readings, *engines]
    names = {info.sensor for info in infos} | {record.sensor for record in measured}
    keys = _keys_of(connection, integration_id, names)
    first_ms = min((record.measured_at_ms for record in measured), default=0)
    new = [name for name in sorted(names) if name not in keys]
    for name in new:
        keys[name] = _add_sensor(connection, integration_id, name, first_ms, version)
    for info in infos:
        _describe(connection, keys[info.sensor], info, version)
    stored = _write_readings(connection, keys, readings, keep_frame)
    stored_engines = _write_engines(connection, keys, engines)
    _note_newest(connection, keys, readings, version)
    told = [one.measured_at_ms for one in measured if not isinstance(one, FuelReading) or one.status == "ok"]
    new_rows = stored + stored_engines
    return TakenFuel(new_rows, len(measured) - new_rows, len(infos), max(told, default=0))


def _keys_of(connection: Connection, integration_id: str, names: set[str]) -> dict[str, int]:
    query = select(FuelSensor.unique_id, FuelSensor.key).where(FuelSensor.integration_id == integration_id)
    return {row.unique_id: row.key for row in connection.execute(query) if row.unique_id in names}


def _add_sensor(connection: Connection, integration_id: str, name: str, first_ms: int, version: int) -> int:
    row = {
        "id": new_id(),
        "integration_id": integration_id,
        "unique_id": storable(name, 200),
        "kind": "rs485",
        "unit": "counts",
        "settings": {},
        "first_seen_ms": first_ms,
        "changed_version": version,
    }
    key: int = connection.execute(insert(FuelSensor).values(**row).returning(FuelSensor.key)).scalar_one()
    return key


def _describe(connection: Connection, key: int, info: FuelSensorInfo, version: int) -> None:
    """What a source says of its sensor; what an operator named stays."""
    row = connection.execute(select(FuelSensor.__table__).where(FuelSensor.key == key)).one()._mapping
    facts = {
        "kind": info.kind,
        "unit": info.unit,
        "model": storable(info.model, 100),
        "serial": storable(info.serial, 60),
        "name": row["name"] or storable(info.name, 200),
        "settings": {**row["settings"], **{name: getattr(info, name) for name in _SOURCE_SETTINGS}},
    }
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
            "value": reading.value,
            "status": reading.status,
            "temperature_c": reading.temperature_c,
            "attributes": None if reading.attributes is None else dict(reading.attributes),
            "raw_frame_id": None if reading.raw is None else keep_frame(reading.raw),
        }
        for reading in readings
    ]
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


def _note_newest(connection: Connection, keys: dict[str, int], readings: Sequence[FuelReading], version: int) -> None:
    newest: dict[str, FuelReading] = {}
    for reading in readings:
        if reading.sensor not in newest or reading.measured_at_ms >= newest[reading.sensor].measured_at_ms:
            newest[reading.sensor] = reading
    for name, reading in newest.items():
        connection.execute(
            update(FuelSensor)
            .where(
                FuelSensor.key == keys[name],
                (FuelSensor.last_ms.is_(None)) | (FuelSensor.last_ms <= reading.measured_at_ms),
            )
            .values(
                last_ms=reading.measured_at_ms,
                last_value=reading.value,
                last_status=reading.status,
                changed_version=version,
            )
        )
