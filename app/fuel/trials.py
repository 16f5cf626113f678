"""Trying other parameters of a vehicle on its stored days, before they are saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from app.fuel.detect.events import FuelEvent
from app.fuel.events import StoredEvent, list_events
from app.fuel.parameters import Parameters
from app.fuel.readings import TankReadings, vehicle_readings
from app.fuel.rehearsal import Rehearsal, rehearse
from app.fuel.settings import parameters_of
from app.fuel.spells import sensor_keys_of
from app.store.tables import FuelReadingRow

DAY_MS = 86_400_000
TRIED_DAYS = 30

Outcome = Literal["appears", "vanishes", "changes"]


@dataclass(frozen=True, slots=True, eq=False)
class StoredDays:
    """What a trial is made with: the newest stored days of a vehicle, one entry per tank, and what holds now."""

    tanks: tuple[TankReadings, ...]
    now: Parameters
    decided: tuple[StoredEvent, ...]
    from_ms: int
    to_ms: int

    @property
    def readings(self) -> int:
        return sum(len(tank.samples) for tank in self.tanks)

    @property
    def first_ms(self) -> int:
        """The time of the oldest reading among them."""
        firsts = [round(tank.samples.time_s[0] * 1000) for tank in self.tanks if len(tank.samples)]
        return min(firsts, default=self.from_ms)


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One event that is not the same. ``decision`` is what a dispatcher said about it: "", confirmed or false."""

    outcome: Outcome
    tank: str
    now: FuelEvent | None
    then: FuelEvent | None
    decision: str

    @property
    def event(self) -> FuelEvent:
        """The one that gives time and kind."""
        found = self.now or self.then
        if found is None:
            raise ValueError("a line of a trial has an event")
        return found


@dataclass(frozen=True, slots=True)
class Trial:
    """``stay`` counts the events that are the same; litres are None where a tank's are not known."""

    lines: tuple[TrialLine, ...]
    stay: int
    used_now_l: float | None
    used_then_l: float | None


def stored_days(connection: Connection, vehicle_id: str, now_ms: int, days: int = TRIED_DAYS) -> StoredDays:
    """The last days up to the newest reading; what a wrong clock dated after tomorrow does not count."""
    newest = select(func.max(FuelReadingRow.measured_at_ms)).where(
        FuelReadingRow.sensor_key.in_(sensor_keys_of(connection, vehicle_id)),
        FuelReadingRow.measured_at_ms < now_ms + DAY_MS,
    )
    to_ms = int(connection.execute(newest).scalar_one() or now_ms) + 1
    from_ms = to_ms - days * DAY_MS
    events = list_events(connection, vehicle_id=vehicle_id, since_ms=from_ms, until_ms=to_ms)
    decided = tuple(event for event in events if event.decision)
    tanks = tuple(vehicle_readings(connection, vehicle_id, from_ms, to_ms))
    return StoredDays(tanks, parameters_of(connection, vehicle_id), decided, from_ms, to_ms)


def try_parameters(days: StoredDays, then: Parameters) -> Trial:
    """Every tank with both sets of parameters. Pure, and takes seconds for a month of readings."""
    lines: list[TrialLine] = []
    found = [(tank, rehearse(tank.samples, tank.table, days.now, then)) for tank in days.tanks]
    for tank, one in found:
        decided = [event for event in days.decided if event.tank_id == tank.tank.id]
        lines += _lines(tank.tank.name, one, decided)
    lines.sort(key=lambda line: -line.event.start_s)
    return Trial(
        tuple(lines),
        sum(one.stay for _tank, one in found),
        _sum([one.used_now_l for _tank, one in found]),
        _sum([one.used_then_l for _tank, one in found]),
    )


def _lines(tank: str, found: Rehearsal, decided: Sequence[StoredEvent]) -> list[TrialLine]:
    pairs: list[tuple[Outcome, FuelEvent | None, FuelEvent | None]] = [
        *(("appears", None, event) for event in found.appear),
        *(("vanishes", event, None) for event in found.vanish),
        *(("changes", now, then) for now, then in found.changed),
    ]  # fmt: skip
    return [TrialLine(outcome, tank, now, then, _decision(decided, now or then)) for outcome, now, then in pairs]


def _decision(decided: Sequence[StoredEvent], event: FuelEvent | None) -> str:
    if event is None:
        return ""
    meet = (
        one.decision
        for one in decided
        if one.kind == event.kind and one.start_ms / 1000 <= event.end_s and event.start_s <= one.end_ms / 1000
    )
    return next(meet, "")


def _sum(parts: list[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
