"""Beside the engine: new readings, calibrations, parameters and decisions become events and daily totals.

What is still to be computed stands in the store itself, written in the transaction that learnt of it: whatever is
killed begins again where it was.
"""

from __future__ import annotations

from datetime import UTC
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from app.clock import from_ms
from app.fuel.analyse import analyse
from app.fuel.days import write_days
from app.fuel.events import list_events, reconcile
from app.fuel.readings import tank_readings
from app.fuel.settings import parameters_of
from app.fuel.tanks import bind_by_settings, list_sensors, list_tanks
from app.store.changes import topic_versions
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import Calibration, FuelEventRow, FuelReadingRow, FuelSensor

FACT = "fuel_worker"
DAY_MS = 86_400_000
LOOKBACK_MS = 2 * DAY_MS
SETTLED_MS = DAY_MS
"""Events that began so long before the first new reading cannot change any more by it."""
LONGEST_MS = 32 * DAY_MS
"""Computed in one go; a longer stretch is worked off in parts."""
READINGS_AT_ONCE = 50_000
TANKS_AT_ONCE = 4
AGAIN_S = 30.0
BUSY_S = 0.05
_COMPARED = frozenset({"tanks", "calibrations", "fuel_parameters", "fuel_events"})


class FuelWorker:
    """A follower: see :mod:`app.engine.followers`."""

    name = "fuel"
    topics = frozenset(
        {"fuel_readings", "fuel_sensors", "tanks", "calibrations", "fuel_parameters", "fuel_events", "vehicles"}
    )

    def step(self, store: Store, now_ms: int) -> float | None:
        """Learn what moved, compute a few tanks. Returns soon for more, later while something is provisional."""
        store.write(partial(_learn, now_ms=now_ms)).result()
        with store.read() as connection:
            open_ones = dict((get_fact(connection, FACT) or {}).get("open", {}))
        for tank_id, since_ms in sorted(open_ones.items(), key=lambda item: item[1])[:TANKS_AT_ONCE]:
            _compute(store, tank_id, int(since_ms), now_ms)
        if len(open_ones) > TANKS_AT_ONCE:
            return BUSY_S
        with store.read() as connection:
            left = (get_fact(connection, FACT) or {}).get("open", {})
        return BUSY_S if left else AGAIN_S


def _learn(connection: Connection, now_ms: int) -> None:
    """Which tanks have to be computed from when on, from everything that moved since the last look."""
    state = get_fact(connection, FACT) or {}
    bind_by_settings(connection)
    versions = {topic: version for topic, version in topic_versions(connection).items() if topic in _COMPARED}
    seen: dict[str, int] = state.get("versions", {})
    open_ones: dict[str, int] = dict(state.get("open", {}))

    def mark(tank_id: str | None, since_ms: int | None) -> None:
        if tank_id is not None and since_ms is not None:
            open_ones[tank_id] = min(open_ones.get(tank_id, since_ms), since_ms)

    last_id = _mark_new_readings(connection, int(state.get("reading_id", 0)), mark)
    changed_sensors = _bound_anew(connection, state.get("bound", {}))
    for sensor_key, tank_id in changed_sensors:
        mark(tank_id, _first_reading(connection, sensor_key))
    query = select(Calibration.tank_id, Calibration.valid_from_ms, Calibration.version)
    for row in connection.execute(query.where(Calibration.changed_version > seen.get("calibrations", 0))):
        # The first version holds for everything before it as well.
        mark(row.tank_id, row.valid_from_ms if row.version > 1 else _first_of_tank(connection, row.tank_id))
    if _moved(versions, seen, "fuel_parameters") or _moved(versions, seen, "tanks"):
        for tank in list_tanks(connection):
            mark(tank.id, max(now_ms - LONGEST_MS, 0))
    if _moved(versions, seen, "fuel_events"):
        for tank_id, since_ms in _decided(connection, seen.get("fuel_events", 0)):
            mark(tank_id, since_ms)
    bound = {str(sensor.key): sensor.tank_id for sensor in list_sensors(connection)}
    new = {"reading_id": last_id, "open": open_ones, "versions": versions, "bound": bound}
    if new != state:
        set_fact(connection, FACT, new)


def _moved(versions: dict[str, int], seen: dict[str, int], topic: str) -> bool:
    return versions.get(topic, 0) > seen.get(topic, 0)


def _mark_new_readings(connection: Connection, after_id: int, mark: Any) -> int:
    """Mark the tanks of readings stored since; returns the newest id that was looked at."""
    newest = connection.execute(select(func.coalesce(func.max(FuelReadingRow.id), 0))).scalar_one()
    until = min(int(newest), after_id + READINGS_AT_ONCE)
    if until <= after_id:
        return after_id
    query = (
        select(FuelSensor.tank_id, func.min(FuelReadingRow.measured_at_ms).label("first_ms"))
        .join(FuelSensor, FuelSensor.key == FuelReadingRow.sensor_key)
        .where(FuelReadingRow.id > after_id, FuelReadingRow.id <= until)
        .group_by(FuelSensor.tank_id)
    )
    for row in connection.execute(query):
        mark(row.tank_id, row.first_ms)
    return until


def _bound_anew(connection: Connection, bound: dict[str, str | None]) -> list[tuple[int, str]]:
    """Sensors that are in another tank than at the last look, with both tanks."""
    found = []
    for sensor in list_sensors(connection):
        before = bound.get(str(sensor.key))
        if sensor.tank_id != before:
            found += [(sensor.key, tank_id) for tank_id in (before, sensor.tank_id) if tank_id is not None]
    return found


def _first_reading(connection: Connection, sensor_key: int) -> int | None:
    query = select(func.min(FuelReadingRow.measured_at_ms)).where(FuelReadingRow.sensor_key == sensor_key)
    return connection.execute(query).scalar_one()


def _first_of_tank(connection: Connection, tank_id: str) -> int | None:
    keys = [sensor.key for sensor in list_sensors(connection) if sensor.tank_id == tank_id]
    firsts = [first for key in keys if (first := _first_reading(connection, key)) is not None]
    return min(firsts, default=None)


def _decided(connection: Connection, version: int) -> list[tuple[str, int]]:
    """Tanks with a decision since, with the earliest time of each; totals follow."""
    query = (
        select(FuelEventRow.tank_id, func.min(FuelEventRow.start_ms).label("first_ms"))
        .where(FuelEventRow.changed_version > version, FuelEventRow.decided_at.is_not(None))
        .group_by(FuelEventRow.tank_id)
    )
    return [(row.tank_id, row.first_ms) for row in connection.execute(query)]


def _compute(store: Store, tank_id: str, since_ms: int, now_ms: int) -> None:
    """Analyse a tank from a time on and store what was found, in parts of a month."""
    until_ms = min(since_ms + LONGEST_MS, now_ms + DAY_MS)
    with store.read() as connection:
        tank = next((one for one in list_tanks(connection) if one.id == tank_id), None)
        if tank is not None:
            parameters = parameters_of(connection, tank.vehicle_id)
            readings = tank_readings(connection, tank, since_ms - LOOKBACK_MS, until_ms)
    if tank is None:
        store.write(partial(_done, tank_id=tank_id, since_ms=since_ms, next_ms=None)).result()
        return
    found = analyse(readings.samples, readings.table, parameters)
    from_s, until_s = (since_ms - SETTLED_MS) / 1000, until_ms / 1000
    events = [event for event in found.events if from_s <= event.start_s < until_s]
    is_last = until_ms >= now_ms
    next_ms = None if is_last else until_ms - SETTLED_MS

    def save(connection: Connection) -> None:
        reconcile(connection, tank, events, since_ms - SETTLED_MS, until_ms, now_ms)
        first_day = from_ms(max(since_ms - SETTLED_MS, 0)).astimezone(UTC).date()
        standing = list_events(connection, vehicle_id=tank.vehicle_id, since_ms=since_ms - LOOKBACK_MS)
        mine = [event for event in standing if event.tank_id == tank.id]
        write_days(connection, tank, readings.samples, found, mine, first_day, now_ms)
        _done(connection, tank_id, since_ms, next_ms)

    store.write(save).result()


def _done(connection: Connection, tank_id: str, since_ms: int, next_ms: int | None) -> None:
    """Take a tank off the list unless something earlier came meanwhile."""
    state = get_fact(connection, FACT) or {}
    open_ones = dict(state.get("open", {}))
    if open_ones.get(tank_id) == since_ms:
        del open_ones[tank_id]
        if next_ms is not None:
            open_ones[tank_id] = next_ms
        set_fact(connection, FACT, {**state, "open": open_ones})
