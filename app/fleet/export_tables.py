"""What can be exported, and how each table's rows are read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from app.alarms.listing import ROW_COLUMNS as ALARM_COLUMNS
from app.alarms.listing import page_of_alarms
from app.clock import SystemClock
from app.fleet.export_deliveries import DELIVERY_TABLES
from app.fleet.export_fuel import EVENT_COLUMNS as FUEL_EVENT_COLUMNS
from app.fleet.export_fuel import READING_COLUMNS as FUEL_READING_COLUMNS
from app.fleet.export_fuel import fuel_events, fuel_readings
from app.fleet.export_pages import PAGE_ROWS, ExportTable, Wanted, by_id, by_time
from app.fleet.export_supply import SUPPLY_TABLES
from app.fleet.export_sync import CONFLICT_COLUMNS, OUTBOX_COLUMNS, conflicts, outbox
from app.fleet.listing import DeviceListing, list_devices
from app.fleet.plausibility import mark_names
from app.fleet.queries import list_geofences
from app.fleet.times import iso, iso_ms
from app.fleet.vehicles import list_vehicles
from app.store.store import Store
from app.store.tables import (
    Act,
    Device,
    DeviceAssignment,
    DeviceEventRow,
    IntegrationLog,
    PositionRow,
    Vehicle,
)

Row = Mapping[str, Any]


POSITION_COLUMNS = (
    "device",
    "vehicle",
    "integration_id",
    "fixed_at",
    "received_at",
    "lat",
    "lon",
    "speed_km_h",
    "course_deg",
    "located",
    "marks",
    "source",
    "serial",
)
EVENT_COLUMNS = (
    "device",
    "vehicle",
    "integration_id",
    "occurred_at",
    "received_at",
    "kind",
    "code",
    "text",
    "lat",
    "lon",
    "marks",
    "source",
)
VEHICLE_COLUMNS = ("id", "plate", "name", "make_model", "notes", "trackers", "created_at")
GEOFENCE_COLUMNS = (
    "id",
    "integration_id",
    "peer_id",
    "name",
    "description",
    "shape",
    "points",
    "radius_m",
    "speed_limit_km_h",
)
LOG_COLUMNS = ("id", "integration_id", "event_type", "payload", "created_at", "text")
ACT_COLUMNS = ("id", "at", "who", "host", "what", "subject", "before", "after", "previous_hash", "hash")


def _positions(store: Store, wanted: Wanted) -> Iterator[Row]:
    """Tracker by tracker in the order of fix times, along the index that also serves the tracks."""
    with store.read() as connection:
        devices = _devices_wanted(connection, wanted)
    position = PositionRow
    for device in devices:
        query = (
            select(
                position.fixed_at_ms,
                position.id,
                position.received_at_ms,
                position.lat,
                position.lon,
                position.speed_km_h,
                position.course_deg,
                position.located,
                position.marks,
                position.source,
                position.serial,
                Vehicle.plate,
            )
            .outerjoin(DeviceAssignment, _was_on(position.device_key, position.fixed_at_ms))
            .outerjoin(Vehicle, Vehicle.id == DeviceAssignment.vehicle_id)
            .where(position.device_key == device.key)
        )
        for row in by_time(store, query, position.fixed_at_ms, position.id, wanted):
            yield {
                "device": device.unique_id,
                "vehicle": row.plate,
                "integration_id": device.integration_id,
                "fixed_at": iso_ms(row.fixed_at_ms),
                "received_at": iso_ms(row.received_at_ms),
                "lat": row.lat,
                "lon": row.lon,
                "speed_km_h": row.speed_km_h,
                "course_deg": row.course_deg,
                "located": row.located,
                "marks": mark_names(row.marks),
                "source": row.source,
                "serial": row.serial,
            }


def _events(store: Store, wanted: Wanted) -> Iterator[Row]:
    event = DeviceEventRow
    query = (
        select(
            event.occurred_at_ms,
            event.id,
            event.received_at_ms,
            event.kind,
            event.code,
            event.text,
            event.lat,
            event.lon,
            event.marks,
            event.source,
            Device.unique_id,
            Device.integration_id,
            Vehicle.plate,
        )
        .join(Device, Device.key == event.device_key)
        .outerjoin(DeviceAssignment, _was_on(event.device_key, event.occurred_at_ms))
        .outerjoin(Vehicle, Vehicle.id == DeviceAssignment.vehicle_id)
    )
    if "device" in wanted.where:
        query = query.where(Device.unique_id == wanted.where["device"])
    for row in by_time(store, query, event.occurred_at_ms, event.id, wanted):
        yield {
            "device": row.unique_id,
            "vehicle": row.plate,
            "integration_id": row.integration_id,
            "occurred_at": iso_ms(row.occurred_at_ms),
            "received_at": iso_ms(row.received_at_ms),
            "kind": row.kind,
            "code": row.code,
            "text": row.text,
            "lat": row.lat,
            "lon": row.lon,
            "marks": mark_names(row.marks),
            "source": row.source,
        }


def _devices(store: Store, _wanted: Wanted) -> Iterator[Row]:
    with store.read() as connection:
        devices = list_devices(connection, SystemClock().now_ms())
    return (device.as_row() for device in devices)


def _vehicles(store: Store, _wanted: Wanted) -> Iterator[Row]:
    with store.read() as connection:
        vehicles = list_vehicles(connection)
    return (
        {
            **{name: getattr(vehicle, name) for name in VEHICLE_COLUMNS},
            "trackers": list(vehicle.trackers),
            "created_at": iso(vehicle.created_at),
        }
        for vehicle in vehicles
    )


def _geofences(store: Store, _wanted: Wanted) -> Iterator[Row]:
    with store.read() as connection:
        fences = list_geofences(connection)
    return ({name: getattr(fence, name) for name in GEOFENCE_COLUMNS} for fence in fences)


def _logs(store: Store, wanted: Wanted) -> Iterator[Row]:
    query = select(IntegrationLog.__table__)
    if "integration_id" in wanted.where:
        query = query.where(IntegrationLog.integration_id == (wanted.where["integration_id"] or None))
    yield from by_id(store, query, IntegrationLog.id, IntegrationLog.created_at, LOG_COLUMNS, wanted)


def _acts(store: Store, wanted: Wanted) -> Iterator[Row]:
    yield from by_id(store, select(Act.__table__), Act.id, Act.at, ACT_COLUMNS, wanted)


def _alarms(store: Store, wanted: Wanted) -> Iterator[Row]:
    now_ms = SystemClock().now_ms()
    after: tuple[int, str] | None = None
    while True:
        with store.read() as connection:
            page = page_of_alarms(
                connection, since_ms=wanted.since_ms, until_ms=wanted.until_ms, after=after, limit=PAGE_ROWS
            )
        yield from (alarm.as_row(now_ms) for alarm in page)
        if len(page) < PAGE_ROWS:
            return
        after = (page[-1].raised_at_ms, page[-1].id)


def _devices_wanted(connection: Connection, wanted: Wanted) -> Sequence[Any]:
    query = select(Device.key, Device.unique_id, Device.integration_id).order_by(Device.unique_id, Device.key)
    if "device" in wanted.where:
        query = query.where(Device.unique_id == wanted.where["device"])
    if "integration_id" in wanted.where:
        query = query.where(Device.integration_id == wanted.where["integration_id"])
    if wanted.where.get("vehicle"):
        was_on = (
            select(DeviceAssignment.device_key)
            .join(Vehicle, Vehicle.id == DeviceAssignment.vehicle_id)
            .where(Vehicle.plate == wanted.where["vehicle"])
        )
        query = query.where(Device.key.in_(was_on))
    return connection.execute(query).all()


def _was_on(device_key: Any, at_ms: Any) -> Any:
    """The assignment that held for a device at a time."""
    assignment = DeviceAssignment
    return and_(
        assignment.device_key == device_key,
        assignment.from_ms <= at_ms,
        or_(assignment.to_ms.is_(None), assignment.to_ms > at_ms),
    )


TABLES: Mapping[str, ExportTable] = {
    "positions": ExportTable(POSITION_COLUMNS, _positions, "fixed_at"),
    "devices": ExportTable(DeviceListing.ROW_COLUMNS, _devices),
    "vehicles": ExportTable(VEHICLE_COLUMNS, _vehicles),
    "geofences": ExportTable(GEOFENCE_COLUMNS, _geofences),
    "events": ExportTable(EVENT_COLUMNS, _events, "occurred_at"),
    "alarms": ExportTable(ALARM_COLUMNS, _alarms, "raised_at"),
    "fuel-readings": ExportTable(FUEL_READING_COLUMNS, fuel_readings, "measured_at"),
    "fuel-events": ExportTable(FUEL_EVENT_COLUMNS, fuel_events, "start"),
    **SUPPLY_TABLES,
    **DELIVERY_TABLES,
    "outbox": ExportTable(OUTBOX_COLUMNS, outbox, "created_at"),
    "conflicts": ExportTable(CONFLICT_COLUMNS, conflicts, "detected_at"),
    "logs": ExportTable(LOG_COLUMNS, _logs, "created_at"),
    "acts": ExportTable(ACT_COLUMNS, _acts, "at"),
}
"""Tables by the names that the command line takes."""
