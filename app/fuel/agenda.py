"""What of which tank is to be computed, since when and why: kept in the store, with the cursors that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from app.fuel.days import first_standing_ms
from app.fuel.parameters import to_values
from app.fuel.settings import parameters_of
from app.fuel.spells import spells_of
from app.fuel.tanks import bind_by_settings, list_tanks
from app.store.changes import topic_versions
from app.store.facts import get_fact, set_fact
from app.store.tables import Calibration, FuelEventRow, FuelReadingRow, FuelSensorSpell

FACT = "fuel_worker"
TANKS_FACT = "fuel_worker_tanks"
READINGS_AT_ONCE = 50_000
EARLIEST_MS = 946_684_800_000
"""2000-01-01: what is dated before was dated by a clock without a battery, and is not computed."""

LIVE, BINDING, TABLE, DECISION = "new data", "parameters, tank or sensors changed", "calibration", "decision"
_WATCHED = ("calibrations", "fuel_events", "fuel_parameters", "tanks", "vehicles")
_HOW = ("fuel_parameters", "tanks", "vehicles")


@dataclass(frozen=True, slots=True)
class Work:
    """A tank that is to be computed from a time on."""

    tank_id: str
    since_ms: int
    why: str

    @property
    def is_live(self) -> bool:
        """Whether only new data asked for it."""
        return self.why == LIVE


def open_work(connection: Connection) -> dict[str, Work]:
    """What is to be computed, by tank."""
    return _read(get_fact(connection, FACT) or {})


def cross_out(connection: Connection, work: Work, next_ms: int | None) -> None:
    """It is done, up to ``next_ms`` where something is left; whatever came meanwhile stays."""
    state = get_fact(connection, FACT) or {}
    book = _read(state)
    if book.get(work.tank_id) != work:
        return
    del book[work.tank_id]
    if next_ms is not None:
        book[work.tank_id] = Work(work.tank_id, next_ms, work.why)
    set_fact(connection, FACT, {**state, "open": _written(book)})


def learn(connection: Connection, now_ms: int) -> None:
    """Note what has to be computed, from everything that moved since the last look."""
    state = get_fact(connection, FACT) or {}
    bind_by_settings(connection, now_ms)
    current = topic_versions(connection)
    versions = {topic: current.get(topic, 0) for topic in _WATCHED}
    seen: Mapping[str, int] = state.get("versions", {})
    agenda = _Agenda(connection, _read(state))
    last_id = agenda.take_new_readings(int(state.get("reading_id", 0)))
    if any(versions[topic] > seen.get(topic, -1) for topic in _HOW):
        agenda.take_changed_tanks()
    if versions["calibrations"] > seen.get("calibrations", 0):
        agenda.take_calibrations(seen.get("calibrations", 0))
    if versions["fuel_events"] > seen.get("fuel_events", 0):
        agenda.take_decisions(seen.get("fuel_events", 0))
    new = {"reading_id": last_id, "open": _written(agenda.book), "versions": versions}
    if new != state:
        set_fact(connection, FACT, new)


class _Agenda:
    """The book of open work while something is added to it."""

    def __init__(self, connection: Connection, book: dict[str, Work]) -> None:
        self._connection = connection
        self.book = book

    def _mark(self, tank_id: str, since_ms: int | None, why: str) -> None:
        if since_ms is None:
            return
        old = self.book.get(tank_id)
        if old is not None:
            since_ms, why = min(since_ms, old.since_ms), old.why if why == LIVE else why
        self.book[tank_id] = Work(tank_id, max(since_ms, EARLIEST_MS), why)

    def take_new_readings(self, after_id: int) -> int:
        """Mark the tanks of readings stored since; returns the newest id that was looked at."""
        row, spell = FuelReadingRow, FuelSensorSpell
        newest = self._connection.execute(select(func.coalesce(func.max(row.id), 0))).scalar_one()
        until = min(int(newest), after_id + READINGS_AT_ONCE)
        if until <= after_id:
            return after_id
        was_in = and_(
            spell.sensor_key == row.sensor_key,
            spell.from_ms <= row.measured_at_ms,
            or_(spell.to_ms.is_(None), spell.to_ms > row.measured_at_ms),
        )
        query = (
            select(spell.tank_id, func.min(row.measured_at_ms).label("first_ms"))
            .select_from(row)
            .join(spell, was_in)
            .where(row.id > after_id, row.id <= until)
            .group_by(spell.tank_id)
        )
        for found in self._connection.execute(query):
            self._mark(found.tank_id, found.first_ms, LIVE)
        return until

    def take_changed_tanks(self) -> None:
        """Mark the tanks for which other parameters hold, another size, or other sensors."""
        known = get_fact(self._connection, TANKS_FACT) or {}
        how = {tank.id: self._how(tank.vehicle_id, tank.id, tank.capacity_l, tank.combine) for tank in self._tanks()}
        for tank_id, digest in how.items():
            if known.get(tank_id) != digest:
                self._mark(tank_id, self._beginning(tank_id), BINDING)
        if how != known:
            set_fact(self._connection, TANKS_FACT, how)

    def take_calibrations(self, version: int) -> None:
        """Mark the tanks whose tables changed; the first table of a sensor holds for everything before as well."""
        row = Calibration
        query = select(row.tank_id, row.sensor_id, row.unit, row.valid_from_ms).where(row.changed_version > version)
        for changed in self._connection.execute(query).all():
            of_this = row.sensor_id.is_(None) if changed.sensor_id is None else row.sensor_id == changed.sensor_id
            earlier = select(func.count()).where(
                row.tank_id == changed.tank_id, of_this, row.unit == changed.unit, row.removed_at.is_(None),
                row.valid_from_ms < changed.valid_from_ms,
            )  # fmt: skip
            is_first = not self._connection.execute(earlier).scalar_one()
            since_ms = self._beginning(changed.tank_id) if is_first else changed.valid_from_ms
            self._mark(changed.tank_id, since_ms, TABLE)

    def take_decisions(self, version: int) -> None:
        """Mark the tanks with a decision since; totals follow."""
        row = FuelEventRow
        query = (
            select(row.tank_id, func.min(row.start_ms).label("first_ms"))
            .where(row.changed_version > version, row.decided_at.is_not(None))
            .group_by(row.tank_id)
        )
        for found in self._connection.execute(query):
            self._mark(found.tank_id, found.first_ms, DECISION)

    def _tanks(self) -> list[Any]:
        return list(list_tanks(self._connection))

    def _how(self, vehicle_id: str, tank_id: str, capacity_l: float | None, combine: str) -> str:
        spells = [
            (spell.sensor_key, spell.unit, spell.from_ms, spell.to_ms)  # a label changes no litres
            for spell in spells_of(self._connection, tank_id)
        ]
        parts = (to_values(parameters_of(self._connection, vehicle_id)), capacity_l, combine, spells)
        return sha256(repr(parts).encode()).hexdigest()[:16]

    def _beginning(self, tank_id: str) -> int | None:
        """Of its readings, and of what was found in readings that are another tank's now."""
        row = FuelReadingRow
        firsts = [first_standing_ms(self._connection, tank_id)]
        for spell in spells_of(self._connection, tank_id):
            query = select(func.min(row.measured_at_ms)).where(
                row.sensor_key == spell.sensor_key, row.measured_at_ms >= spell.from_ms
            )
            firsts.append(self._connection.execute(query).scalar_one())
        return min((first for first in firsts if first is not None), default=None)


def _read(state: Mapping[str, Any]) -> dict[str, Work]:
    return {tank_id: Work(tank_id, int(since), why) for tank_id, (since, why) in state.get("open", {}).items()}


def _written(book: Mapping[str, Work]) -> dict[str, list[Any]]:
    return {tank_id: [work.since_ms, work.why] for tank_id, work in sorted(book.items())}
