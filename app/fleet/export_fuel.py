"""Fuel readings and fuel events as tables of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import and_, or_, select

from app.fleet.export_pages import Wanted, by_time
from app.fleet.times import iso, iso_ms
from app.fuel.units import former_units, unit_at
from app.store.store import Store
from app.store.tables import FuelEventRow, FuelReadingRow, FuelSensor, FuelSensorSpell, Tank, Vehicle

Row = Mapping[str, Any]

READING_COLUMNS = (
    "sensor", "vehicle", "tank", "integration_id", "measured_at", "received_at", "value", "unit", "status",
    "temperature_c", "attributes",
)  # fmt: skip
EVENT_COLUMNS = (
    "id", "vehicle", "tank", "kind", "start", "end", "litres", "level_before_l", "level_after_l", "confidence",
    "at_least", "in_motion", "provisional", "lat", "lon", "driver", "decision", "reason", "note", "decided_by",
    "decided_at", "evidence", "withdrawn",
)  # fmt: skip


def fuel_readings(store: Store, wanted: Wanted) -> Iterator[Row]:
    """Sensor by sensor in the order of time, each with the tank that it was in then."""
    reading, spell = FuelReadingRow, FuelSensorSpell
    columns = (FuelSensor.key, FuelSensor.unique_id, FuelSensor.integration_id, FuelSensor.unit)
    sensors = select(*columns).order_by(FuelSensor.unique_id, FuelSensor.key)
    if "sensor" in wanted.where:
        sensors = sensors.where(FuelSensor.unique_id == wanted.where["sensor"])
    if "integration_id" in wanted.where:
        sensors = sensors.where(FuelSensor.integration_id == wanted.where["integration_id"])
    with store.read() as connection:
        chosen = connection.execute(sensors).all()
        former = former_units(connection, (sensor.key for sensor in chosen))
    was_in = and_(
        spell.sensor_key == reading.sensor_key,
        spell.from_ms <= reading.measured_at_ms,
        or_(spell.to_ms.is_(None), spell.to_ms > reading.measured_at_ms),
    )
    for sensor in chosen:
        query = (
            select(
                reading.measured_at_ms, reading.id, reading.received_at_ms, reading.value, reading.status,
                reading.temperature_c, reading.attributes, Vehicle.plate, Tank.name,
            )
            .outerjoin(spell, was_in)
            .outerjoin(Tank, Tank.id == spell.tank_id)
            .outerjoin(Vehicle, Vehicle.id == Tank.vehicle_id)
            .where(reading.sensor_key == sensor.key)
        )  # fmt: skip
        for row in by_time(store, query, reading.measured_at_ms, reading.id, wanted):
            yield {
                "sensor": sensor.unique_id,
                "vehicle": row.plate,
                "tank": row.name,
                "integration_id": sensor.integration_id,
                "measured_at": iso_ms(row.measured_at_ms),
                "received_at": iso_ms(row.received_at_ms),
                "value": row.value,
                "unit": unit_at(former.get(sensor.key, ()), sensor.unit, row.measured_at_ms),
                "status": row.status,
                "temperature_c": row.temperature_c,
                "attributes": row.attributes,
            }


def fuel_events(store: Store, wanted: Wanted) -> Iterator[Row]:
    """By their beginnings; what newer data took back is there as well, and says so."""
    event = FuelEventRow
    query = (
        select(event.start_ms, event.id, event.__table__, Vehicle.plate, Tank.name.label("tank"))
        .join(Vehicle, Vehicle.id == event.vehicle_id)
        .join(Tank, Tank.id == event.tank_id)
    )
    columns = event.__table__.c
    for row in by_time(store, query, event.start_ms, event.id, wanted):
        own = row._mapping
        decided_at = own[columns.decided_at]
        shown = {
            "vehicle": row.plate,
            "tank": row[-1],
            "start": iso_ms(own[columns.start_ms]),
            "end": iso_ms(own[columns.end_ms]),
            "decided_at": None if decided_at is None else iso(decided_at),
            "withdrawn": own[columns.withdrawn_at] is not None,
        }
        yield {name: shown[name] if name in shown else own[columns[name]] for name in EVENT_COLUMNS}
