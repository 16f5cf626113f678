"""Versions of tank tables and the times they hold; a version is never changed, only followed by the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from app.clock import utc_now
from app.fleet.text import storable
from app.fuel.errors import FuelError
from app.fuel.table import TankTable, make_table
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Calibration, FuelSensor, Tank, Vehicle

ORIGINS = ("pouring", "import", "geometry")


@dataclass(frozen=True, slots=True)
class CalibrationVersion:
    """A table and from when to when it holds (ms, ``valid_to_ms`` exclusive, None: still)."""

    id: str
    tank_id: str
    sensor_id: str | None
    version: int
    valid_from_ms: int
    valid_to_ms: int | None
    table: TankTable
    unit: str
    origin: str
    sensor_serial: str
    note: str
    made_by: str
    created_at: datetime


def add_calibration(
    connection: Connection,
    tank_id: str,
    sensor_id: str | None,
    rows: Sequence[Sequence[float]],
    *,
    valid_from_ms: int,
    origin: str = "pouring",
    note: str = "",
    temperature_c: float | None = None,
    unit: str = "counts",
    who: str | None = None,
) -> str:
    """A new version that holds from a time on; the one before ends there. Returns its id.

    It is for readings in the sensor's present unit; ``unit`` is that of a table of the tank, without a sensor.
    Raises FuelError for a table that cannot be, for a time before the newest version's, for another tank's sensor.
    """
    table = make_table(rows)
    if origin not in ORIGINS:
        raise FuelError(f"A calibration comes from {', '.join(ORIGINS)}.")
    tank = connection.execute(select(Tank.id, Tank.vehicle_id, Tank.name).where(Tank.id == tank_id)).first()
    if tank is None:
        raise FuelError("This tank does not exist any more. Load the list again.")
    sensor = _sensor_of(connection, sensor_id, tank_id)
    whose = Calibration.sensor_id.is_(None) if sensor_id is None else Calibration.sensor_id == sensor_id
    of_this = and_(Calibration.tank_id == tank_id, whose)
    standing = and_(of_this, Calibration.removed_at.is_(None))
    query = select(func.max(Calibration.valid_from_ms)).where(standing)
    newest: int | None = connection.execute(query).scalar()
    if newest is not None and newest >= valid_from_ms:
        raise FuelError(
            "A newer calibration of this sensor exists; this one must hold from a later time, or remove that one."
        )
    version = raise_topic(connection, "calibrations")
    number = connection.execute(select(func.coalesce(func.max(Calibration.version), 0)).where(of_this)).scalar_one() + 1
    connection.execute(
        update(Calibration)
        .where(standing, Calibration.valid_to_ms.is_(None))
        .values(valid_to_ms=valid_from_ms, changed_version=version)
    )
    calibration_id = new_id()
    values = {
        "tank_id": tank_id,
        "sensor_id": sensor_id,
        "version": number,
        "valid_from_ms": valid_from_ms,
        "rows": table.rows(),
        "unit": unit if sensor is None else sensor.unit,
        "origin": origin,
        "sensor_serial": "" if sensor is None else sensor.serial,
        "temperature_c": temperature_c,
        "note": storable(note.strip(), 5_000),
        "made_by": storable(who or "", 200),
    }
    connection.execute(
        insert(Calibration).values(id=calibration_id, created_at=utc_now(), changed_version=version, **values)
    )
    record_act(connection, what="calibration.add", subject=_label(connection, tank), after=values, who=who)
    return calibration_id


def remove_calibration(connection: Connection, calibration_id: str, reason: str, *, who: str | None = None) -> None:
    """Take the newest version back; the one before holds on. Raises FuelError without a reason, or for an older one."""
    row = connection.execute(
        select(Calibration.__table__).where(Calibration.id == calibration_id, Calibration.removed_at.is_(None))
    ).first()
    if row is None:
        raise FuelError("This calibration does not exist any more. Load the list again.")
    if not reason.strip():
        raise FuelError("Say why this calibration is removed; it is kept with it.")
    of_this = and_(
        Calibration.tank_id == row.tank_id,
        Calibration.sensor_id == row.sensor_id if row.sensor_id else Calibration.sensor_id.is_(None),
        Calibration.removed_at.is_(None),
    )
    newer = select(Calibration.id).where(of_this, Calibration.valid_from_ms > row.valid_from_ms).limit(1)
    if connection.execute(newer).first() is not None:
        raise FuelError("Only the newest version can be removed; the later ones stand on it.")
    version = raise_topic(connection, "calibrations")
    connection.execute(
        update(Calibration)
        .where(Calibration.id == calibration_id)
        .values(removed_at=utc_now(), changed_version=version)
    )
    before = select(Calibration.id).where(of_this).order_by(Calibration.valid_from_ms.desc()).limit(1)
    previous = connection.execute(before).scalar_one_or_none()
    if previous is not None:  # it holds on as long as the removed one did
        values = {"valid_to_ms": row.valid_to_ms, "changed_version": version}
        connection.execute(update(Calibration).where(Calibration.id == previous).values(**values))
    tank = connection.execute(select(Tank.id, Tank.vehicle_id, Tank.name).where(Tank.id == row.tank_id)).one()
    facts = {"version": row.version, "rows": row.rows}
    after = {"reason": reason.strip()}
    record_act(
        connection, what="calibration.remove", subject=_label(connection, tank), before=facts, after=after, who=who
    )


def end_calibrations(
    connection: Connection, tank_id: str, sensor_id: str | None, at_ms: int, *, who: str | None = None
) -> None:
    """A sensor's table in a tank (None: the tank's own) holds no longer than a time. Nothing to do where none holds.

    Raises FuelError for a time at which it did not hold yet.
    """
    whose = Calibration.sensor_id.is_(None) if sensor_id is None else Calibration.sensor_id == sensor_id
    standing = and_(
        Calibration.tank_id == tank_id, whose, Calibration.removed_at.is_(None), Calibration.valid_to_ms.is_(None)
    )
    row = connection.execute(select(Calibration.__table__).where(standing)).first()
    if row is None:
        return
    if row.valid_from_ms >= at_ms:
        raise FuelError(
            f"Version {row.version} of the calibration was made after that time. Choose a later time, or remove it."
        )
    version = raise_topic(connection, "calibrations")
    connection.execute(update(Calibration).where(standing).values(valid_to_ms=at_ms, changed_version=version))
    tank = connection.execute(select(Tank.id, Tank.vehicle_id, Tank.name).where(Tank.id == tank_id)).one()
    record_act(
        connection, what="calibration.end", subject=_label(connection, tank), before={"version": row.version},
        after={"version": row.version, "valid_to_ms": at_ms}, who=who,
    )  # fmt: skip


def find_calibration(connection: Connection, wanted: str) -> tuple[str, str]:
    """Ids of the calibration and of its tank, by an id or by the end of one that no other has. Raises FuelError."""
    query = select(Calibration.id, Calibration.tank_id).where(Calibration.removed_at.is_(None))
    found = [row for row in connection.execute(query) if wanted and row.id.endswith(wanted)]
    if len(found) != 1:
        raise FuelError(f"There is no single calibration “{wanted}”. List them to see their ids.")
    return found[0].id, found[0].tank_id


def list_calibrations(connection: Connection, tank_id: str) -> list[CalibrationVersion]:
    """Every version of a tank's tables that stands, the oldest first."""
    query = (
        select(Calibration.__table__)
        .where(Calibration.tank_id == tank_id, Calibration.removed_at.is_(None))
        .order_by(Calibration.valid_from_ms, Calibration.id)
    )
    return [
        CalibrationVersion(
            row.id, row.tank_id, row.sensor_id, row.version, row.valid_from_ms, row.valid_to_ms, make_table(row.rows),
            row.unit, row.origin, row.sensor_serial, row.note, row.made_by, row.created_at,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _sensor_of(connection: Connection, sensor_id: str | None, tank_id: str) -> Any:
    if sensor_id is None:
        return None
    sensor = connection.execute(select(FuelSensor.__table__).where(FuelSensor.id == sensor_id)).first()
    if sensor is None or sensor.tank_id != tank_id:
        raise FuelError("This calibration was made for a sensor that is not in this tank. Bind the sensor first.")
    return sensor


def _label(connection: Connection, tank: Any) -> str:
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == tank.vehicle_id)).scalar_one()
    return f"{plate} {tank.name}".strip()
