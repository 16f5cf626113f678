"""In which unit a sensor told its readings: its present one stands with it, former ones with the moment they ended.

A reading is kept as it was told. Whoever sets a sensor up to send litres instead of counts changes what comes, not what
came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from app.store.tables import FuelSensorUnit


class FormerUnit(NamedTuple):
    """Readings before ``until_ms``, and not before the one in front of it, are in this unit."""

    until_ms: int
    unit: str


def note_former_unit(connection: Connection, sensor_key: int, unit: str, until_ms: int) -> None:
    """A sensor told in a unit until now. Where it told nothing since the last change, that one says everything."""
    row = FuelSensorUnit
    newest = select(func.max(row.until_ms)).where(row.sensor_key == sensor_key)
    last_ms: int | None = connection.execute(newest).scalar()
    if last_ms is None or last_ms < until_ms:
        connection.execute(insert(row).values(sensor_key=sensor_key, unit=unit, until_ms=until_ms))


def forget_former_units(connection: Connection, sensor_key: int) -> None:
    """All readings of a sensor are made anew, in its present unit."""
    connection.execute(delete(FuelSensorUnit).where(FuelSensorUnit.sensor_key == sensor_key))


def former_units(connection: Connection, sensor_keys: Iterable[int]) -> dict[int, list[FormerUnit]]:
    """The former units of each sensor that has any, the oldest first."""
    row = FuelSensorUnit
    query = select(row.sensor_key, row.until_ms, row.unit).where(row.sensor_key.in_(set(sensor_keys)))
    found: dict[int, list[FormerUnit]] = {}
    for one in connection.execute(query.order_by(row.until_ms)):
        found.setdefault(one.sensor_key, []).append(FormerUnit(one.until_ms, one.unit))
    return found


def unit_at(former: Sequence[FormerUnit], present: str, at_ms: int) -> str:
    """The unit of a reading of that time."""
    return next((one.unit for one in former if at_ms < one.until_ms), present)
