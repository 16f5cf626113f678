"""Which sensor was in which tank, from when to when: a reading belongs to the tank that its sensor was in then.

The first tank of a sensor gets everything that it ever told; a later move holds from a moment on. Whoever corrects a
mistake names an earlier moment, and what was noted from there on is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from app.fuel.units import FormerUnit, former_units
from app.store.tables import FuelSensor, FuelSensorSpell, Tank

FROM_THE_BEGINNING_MS = -(2**62)


@dataclass(frozen=True, slots=True)
class Spell:
    """A sensor in a tank while it told in one unit; ``to_ms`` exclusive, None: still."""

    sensor_key: int
    sensor_id: str
    label: str
    unit: str
    from_ms: int
    to_ms: int | None


def move_sensor(
    connection: Connection, sensor_key: int, tank_id: str | None, now_ms: int, since_ms: int | None = None
) -> None:
    """Note that a sensor is in a tank (None: in none) since a time; by default now, the first time since ever."""
    spell = FuelSensorSpell
    if since_ms is None:
        was_in_one = connection.execute(select(exists().where(spell.sensor_key == sensor_key))).scalar_one()
        since_ms = now_ms if was_in_one else FROM_THE_BEGINNING_MS
    connection.execute(delete(spell).where(spell.sensor_key == sensor_key, spell.from_ms >= since_ms))
    connection.execute(
        update(spell)
        .where(spell.sensor_key == sensor_key, or_(spell.to_ms.is_(None), spell.to_ms > since_ms))
        .values(to_ms=since_ms)
    )
    if tank_id is not None:
        row = {"sensor_key": sensor_key, "tank_id": tank_id, "from_ms": since_ms, "to_ms": None}
        connection.execute(insert(spell).values(**row))


def came_ms(connection: Connection, sensor_key: int) -> int:
    """When a sensor came into the tank that it is in."""
    query = select(FuelSensorSpell.from_ms).where(
        FuelSensorSpell.sensor_key == sensor_key, FuelSensorSpell.to_ms.is_(None)
    )
    return int(connection.execute(query).scalar_one())


def spells_of(connection: Connection, tank_id: str) -> Sequence[Spell]:
    """The sensors that were in a tank, in the order of their coming; removed ones have their past there as well."""
    query = (
        select(
            FuelSensor.key, FuelSensor.id, FuelSensor.name, FuelSensor.unique_id, FuelSensor.unit,
            FuelSensorSpell.from_ms, FuelSensorSpell.to_ms,
        )
        .join(FuelSensor, FuelSensor.key == FuelSensorSpell.sensor_key)
        .where(FuelSensorSpell.tank_id == tank_id)
        .order_by(FuelSensorSpell.from_ms, FuelSensorSpell.id)
    )  # fmt: skip
    rows = connection.execute(query).all()
    former = former_units(connection, (row.key for row in rows))
    return [spell for row in rows for spell in _by_unit(row, former.get(row.key, ()))]


def _by_unit(row: Any, former: Sequence[FormerUnit]) -> Iterator[Spell]:
    from_ms = row.from_ms
    for until_ms, unit in (*former, (None, row.unit)):
        ends = [end for end in (until_ms, row.to_ms) if end is not None]
        to_ms = min(ends, default=None)
        if to_ms is None or from_ms < to_ms:
            yield Spell(row.key, row.id, row.name or row.unique_id, unit, from_ms, to_ms)
            from_ms = to_ms


def sensor_keys_of(connection: Connection, vehicle_id: str) -> list[int]:
    """The sensors that were ever in a tank of a vehicle."""
    query = (
        select(FuelSensorSpell.sensor_key)
        .join(Tank, Tank.id == FuelSensorSpell.tank_id)
        .where(Tank.vehicle_id == vehicle_id)
        .distinct()
    )
    return sorted(connection.execute(query).scalars())
