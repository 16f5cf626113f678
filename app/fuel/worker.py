"""Beside the engine: new readings, calibrations, parameters and decisions become events and daily totals.

What is still to be computed stands in the store itself, written in the transaction that learnt of it
(:mod:`app.fuel.agenda`), and is crossed out in the transaction that writes what was computed: whatever is killed
begins again where it was.
"""

from __future__ import annotations

import logging
from datetime import UTC
from functools import partial

from sqlalchemy import Connection, func, select

from app.clock import from_ms
from app.fuel.agenda import Work, cross_out, learn, open_work
from app.fuel.analyse import analyse
from app.fuel.arrays import Floats
from app.fuel.columns import MILLIONTHS, WHOLE, read_columns
from app.fuel.days import Computed, first_standing_ms, write_days
from app.fuel.events import list_events
from app.fuel.motion import vehicle_motion
from app.fuel.readings import tank_readings
from app.fuel.reconcile import LONGEST_MS as LONGEST_EVENT_MS
from app.fuel.reconcile import reconcile
from app.fuel.settings import parameters_of
from app.fuel.spells import sensor_keys_of, spells_of
from app.fuel.tanks import TankListing, list_tanks
from app.store.errors import StoreError
from app.store.retention import get_retention
from app.store.store import Store
from app.store.tables import EngineReadingRow, FuelReadingRow

DAY_MS = 86_400_000
LOOKBACK_MS = 2 * DAY_MS
LOOKBACK_READINGS = 300
"""The analysis begins so far before what is new: the larger of both, so that gaps of days are seen from both sides."""
SETTLED_MS = DAY_MS
"""Events that began so long before the first new reading cannot change any more by it."""
LONGEST_MS = 32 * DAY_MS
"""Computed in one go; a longer stretch is worked off in parts."""
EVERY_MS = 5_000
"""Readings that lie closer are averaged: no refuel shows better in ten of a second."""
LIVE_MS = 30_000
"""Between two computations of one tank for what comes in; what a person did is computed at once."""
AFTER_FAILURE_MS = 300_000
TANKS_AT_ONCE = 4
AGAIN_S = 30.0
BUSY_S = 0.05

_log = logging.getLogger(__name__)


class FuelWorker:
    """A follower: see :mod:`app.engine.followers`."""

    name = "fuel"
    topics = frozenset(
        {"fuel_readings", "fuel_sensors", "tanks", "calibrations", "fuel_parameters", "fuel_events", "vehicles"}
    )

    def __init__(self) -> None:
        self._computed_ms: dict[str, int] = {}
        self._failed_ms: dict[str, int] = {}

    def step(self, store: Store, now_ms: int) -> float | None:
        """Learn what moved, compute a few tanks. Returns soon for more, later while live data wait for their turn."""
        store.write(partial(learn, now_ms=now_ms)).result()
        with store.read() as connection:
            waiting = {tank_id: self._due_ms(work) for tank_id, work in open_work(connection).items()}
        due = sorted((due_ms, tank_id) for tank_id, due_ms in waiting.items() if due_ms <= now_ms)
        for _due_ms, tank_id in due[:TANKS_AT_ONCE]:
            self._try(store, tank_id, now_ms)
        if len(due) > TANKS_AT_ONCE:
            return BUSY_S
        with store.read() as connection:
            left = [self._due_ms(work) for work in open_work(connection).values()]
        return max((min(left) - now_ms) / 1000, BUSY_S) if left else AGAIN_S

    def _try(self, store: Store, tank_id: str, now_ms: int) -> None:
        """Compute a tank. A defect that one of them meets costs the others nothing; what the store cannot do, all."""
        try:
            is_done = compute(store, tank_id, now_ms)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - a defect in one must not end the others
            if tank_id not in self._failed_ms:
                _log.exception("the fuel of tank %s cannot be computed; it is tried again now and then", tank_id)
            self._failed_ms[tank_id] = now_ms
            return
        self._failed_ms.pop(tank_id, None)
        if is_done:
            self._computed_ms[tank_id] = now_ms

    def _due_ms(self, work: Work) -> int:
        failed_ms = self._failed_ms.get(work.tank_id)
        if failed_ms is not None:
            return failed_ms + AFTER_FAILURE_MS
        last_ms = self._computed_ms.get(work.tank_id)
        return 0 if last_ms is None or not work.is_live else last_ms + LIVE_MS


def compute(store: Store, tank_id: str, now_ms: int) -> bool:
    """Compute what is open of a tank, a month of it at most, and store it. Returns whether nothing of it is left."""
    with store.read() as connection:
        work = open_work(connection).get(tank_id)
        if work is None:
            return True
        tank = next((one for one in list_tanks(connection) if one.id == tank_id), None)
        if tank is not None:
            forgotten_ms = now_ms - (get_retention(connection).positions_days - 1) * DAY_MS
            since_ms = max(work.since_ms, forgotten_ms)
            until_ms = min(since_ms + LONGEST_MS, now_ms + DAY_MS)
            computed = _computed(connection, tank, since_ms, until_ms)
            next_ms = None if until_ms >= now_ms else _next_known(connection, tank_id, until_ms - SETTLED_MS)
    if tank is None:
        store.write(partial(cross_out, work=work, next_ms=None)).result()
        return True
    # Whose readings are not kept any more stays as it was found.
    settled_ms = max(work.since_ms - SETTLED_MS, forgotten_ms)

    def save(connection: Connection) -> None:
        reconcile(connection, tank, computed.found.events, settled_ms, until_ms, now_ms)
        events = list_events(
            connection,
            vehicle_id=tank.vehicle_id,
            tank_id=tank_id,
            since_ms=settled_ms - LONGEST_EVENT_MS,
            limit=100_000,
        )
        first_day = from_ms(settled_ms).astimezone(UTC).date()
        write_days(connection, tank, computed, events, first_day, until_ms, now_ms, work.why)
        cross_out(connection, work, next_ms)

    store.write(save).result()
    return next_ms is None


def _computed(connection: Connection, tank: TankListing, since_ms: int, until_ms: int) -> Computed:
    first_ms = _first_needed(connection, tank.id, since_ms)
    motion = vehicle_motion(connection, tank.vehicle_id, first_ms, until_ms)
    readings = tank_readings(connection, tank, first_ms, until_ms, motion=motion, every_ms=EVERY_MS)
    parameters = parameters_of(connection, tank.vehicle_id)
    found = analyse(readings.samples, readings.table, parameters)
    return Computed(readings, found, motion, _counter(connection, tank.vehicle_id, first_ms, until_ms), parameters)


def _first_needed(connection: Connection, tank_id: str, since_ms: int) -> int:
    """A sensor that told nothing for a month while others of its tank did is not waited for."""
    row = FuelReadingRow
    spans: list[tuple[int, int]] = []
    for key in {spell.sensor_key for spell in spells_of(connection, tank_id)}:
        before = (
            select(row.measured_at_ms)
            .where(row.sensor_key == key, row.measured_at_ms < since_ms)
            .order_by(row.measured_at_ms.desc())
            .limit(LOOKBACK_READINGS)
            .subquery()
        )
        times = before.c.measured_at_ms
        oldest, newest = connection.execute(select(func.min(times), func.max(times))).one()
        if oldest is not None:
            spans.append((oldest, newest))
    last_ms = max((newest for _oldest, newest in spans), default=since_ms)
    needed = (oldest for oldest, newest in spans if newest > last_ms - LONGEST_MS)
    return min([since_ms - LOOKBACK_MS, *needed])


def _next_known(connection: Connection, tank_id: str, from_ms_: int) -> int | None:
    """The first reading of a tank from a time on, or what was found there once: the rest is not worked through."""
    row = FuelReadingRow
    keys = {spell.sensor_key for spell in spells_of(connection, tank_id)}
    query = select(func.min(row.measured_at_ms)).where(row.measured_at_ms >= from_ms_)
    firsts: list[int | None] = [connection.execute(query.where(row.sensor_key == key)).scalar_one() for key in keys]
    firsts.append(first_standing_ms(connection, tank_id, from_ms_))
    return min((first for first in firsts if first is not None), default=None)


def _counter(connection: Connection, vehicle_id: str, from_ms_: int, until_ms: int) -> tuple[Floats, Floats]:
    """Unix seconds and litres of the engine's own total."""
    row = EngineReadingRow
    query = (
        select(row.measured_at_ms, row.total_fuel_l)
        .where(
            row.sensor_key.in_(sensor_keys_of(connection, vehicle_id)),
            row.measured_at_ms >= from_ms_,
            row.measured_at_ms < until_ms,
            row.total_fuel_l.is_not(None),
        )
        .order_by(row.measured_at_ms)
    )
    time_ms, total_l = read_columns(connection, query, (WHOLE, MILLIONTHS))
    return time_ms / 1000, total_l
