"""The demo's government reports: one programme with facilities that owe them, some received, one filled, some late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, func, select

from app.store.tables import Integration, RequisitionRow, StockLineRow, StreamState

if TYPE_CHECKING:
    from app.reports.calendar import ReportListing
    from app.store.store import Store

SYSTEM: Final = "openlmis"
TAKER: Final = "nhlmis"
FACILITIES: Final = 8
_PERIODS_BACK: Final = 4
_NEEDED: Final = frozenset({"facilities", "programs", "items", "requisitions", "stock"})
_UNWRITTEN: Final = ("draft", "skipped", "rejected")
_WHO: Final = "demo"
_WAIT_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Ready:
    system: str
    taker: str
    program: str
    facilities: tuple[str, ...]


async def set_up(store: Store, kinds: Sequence[str], now: datetime) -> None:
    """Wait until the supply system was read, then set its first programme up and let time have passed over it."""
    while (ready := await asyncio.to_thread(_ready, store, kinds)) is None:  # noqa: ASYNC110 - another process reads
        await asyncio.sleep(_WAIT_S)
    await asyncio.wrap_future(store.write(partial(_begin, ready=ready, kinds=kinds, now=now)))


def _ready(store: Store, kinds: Sequence[str]) -> _Ready | None:
    from app.reports.programmes import suggest_programmes

    with store.read() as connection:
        rows = connection.execute(
            select(Integration.id, Integration.type).where(
                Integration.type.in_((SYSTEM, TAKER)), Integration.removed_at.is_(None)
            )
        )
        ids = {row.type: row.id for row in rows}
        if ids.keys() != {SYSTEM, TAKER}:
            return None
        streams = select(StreamState.stream).where(
            StreamState.integration_id == ids[SYSTEM], StreamState.last_read.is_not(None)
        )
        read = {stream.partition(":")[0] for stream in connection.execute(streams).scalars()}
        offered = [one for one in suggest_programmes(connection, kinds) if one.integration_id == ids[SYSTEM]]
        if not offered or not read >= _NEEDED:
            return None
        papers = _papers(connection, ids[SYSTEM])
        told = {one.program: sum(papers.get(one.program, {}).values()) for one in offered}
        program = max(told, key=lambda peer_id: told[peer_id])
        facilities = [*_stores(connection, ids[SYSTEM], program), *papers.get(program, ())]
        return _Ready(ids[SYSTEM], ids[TAKER], program, tuple(dict.fromkeys(facilities))[:FACILITIES])


def _papers(connection: Connection, system: str) -> dict[str, dict[str, int]]:
    """By programme how many requisitions each facility handed in, the busiest first: those have something to tell."""
    row = RequisitionRow
    count = func.count().label("papers")
    query = select(row.program, row.facility, count).where(row.integration_id == system, row.stage.not_in(_UNWRITTEN))
    found: dict[str, dict[str, int]] = {}
    for one in connection.execute(query.group_by(row.program, row.facility).order_by(count.desc(), row.facility)):
        found.setdefault(one.program, {})[one.facility] = one.papers
    return found


def _stores(connection: Connection, system: str, program: str) -> list[str]:
    row = StockLineRow
    query = select(row.facility).where(row.integration_id == system, row.program == program)
    return list(connection.execute(query.group_by(row.facility).order_by(row.facility)).scalars())


def _begin(connection: Connection, ready: _Ready, kinds: Sequence[str], now: datetime) -> None:
    from app.clock import to_ms
    from app.reports.calendar import WantedReports, ensure_reports, list_reports
    from app.reports.periods import local_day
    from app.reports.programmes import expect, expected_facilities
    from app.reports.setup import set_up as set_programme_up

    today = local_day(to_ms(now))
    first = (today.replace(day=1) - timedelta(days=61 * _PERIODS_BACK)).replace(day=1)
    fields = {"rhythm": "bimonthly", "starts_on": first.isoformat(), "reports_to": ready.taker, "due_days": "5"}
    saved = set_programme_up(connection, ready.system, ready.program, fields, (), kinds, today)
    known = {one.facility for one in expected_facilities(connection, str(saved["id"]))}
    expect(connection, str(saved["id"]), known.intersection(ready.facilities), today, who=_WHO)
    ensure_reports(connection, today)
    reports = list_reports(connection, WantedReports(programme_id=str(saved["id"])), today)
    _let_pass(connection, [one for one in reports if one.period.ends_on < today], now)


def _let_pass(connection: Connection, reports: Sequence[ReportListing], now: datetime) -> None:
    """Most came in time, one late, one was handed on and accepted, one rejected; the newest period is half in."""
    from app.reports.errors import ReportRefused
    from app.reports.writing import fill_report, note_accepted, note_handed_over, receive, take_back

    newest = max((one.period.starts_on for one in reports), default=None)
    for number, report in enumerate(sorted(reports, key=lambda one: (one.period.starts_on, one.facility_name))):
        try:
            fill_report(connection, report.id, now=now, who=_WHO)
        except ReportRefused:
            continue
        is_newest = report.period.starts_on == newest
        if number % 8 == 5 or (is_newest and number % 2):
            continue  # still owed
        late = timedelta(days=9 if number % 6 == 1 else 0)
        came = datetime.combine(report.due_on, now.timetz()) - timedelta(days=1) + late
        if report.facts.submission == 0:
            receive(
                connection, report.id, received_from=report.facility_name, received_at=min(came, now), now=now, who=_WHO
            )
        if is_newest:
            continue
        note_handed_over(connection, report.id, "Monthly file to the state store", now=min(came, now), who=_WHO)
        if number % 8 == 2:
            take_back(
                connection, report.id, "The closing balance does not follow from the lines above.", now=now, who=_WHO
            )
        else:
            note_accepted(connection, report.id, "Taken over.", now=now, who=_WHO)
