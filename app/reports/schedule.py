"""Sending stock by the clock: every so many days at a local time, once; what failed is tried again with fresh stock."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection, select

from adapters.errors import AdapterError
from adapters.reporting import StockSchedule
from app.catalogue import Catalogue
from app.clock import from_ms
from app.engine.ports import Ports, read
from app.errors import OperatorError
from app.integrations.settings import placeholders, validate
from app.reports.delays import delayed_runs
from app.reports.programmes import list_programmes
from app.reports.runner import ReportRuns
from app.reports.runs import UNDER_WAY, begin_scheduled
from app.reports.sending import report_kinds
from app.store.errors import StoreError
from app.store.tables import Integration, ReportRun

LOOK_S = 60.0
FIRST_DELAY = timedelta(minutes=5)
"""Before the second attempt of a day; each further one waits twice as long."""
LONGEST_DELAY = timedelta(hours=3)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One earlier run of the schedule."""

    at: datetime
    state: str


class ReportSchedule:
    """Starts runs; :class:`ReportRuns` carries them out."""

    def __init__(self, ports: Ports, runs: ReportRuns) -> None:
        self._ports = ports
        self._runs = runs

    async def watch(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            await self._ports.clock.sleep(LOOK_S)
            try:
                await self.look()
            except StoreError as err:
                _log.warning("the schedule of reports cannot be read now, looking again in a minute: %s", err)

    async def look(self) -> int:
        """Carry out every run that is due, one after the other; how many that were. Raises StoreError."""
        ports, now = self._ports, from_ms(self._ports.clock.now_ms())
        due = await read(ports.store, partial(due_integrations, catalogue=ports.catalogue, now=now))
        for integration_id in due:
            run_id = await self._runs.write(partial(begin_scheduled, integration_id=integration_id, now=now))
            await self._runs.run(run_id)
        delayed = await read(ports.store, partial(delayed_runs, now=now))
        for run_id in delayed:
            await self._runs.run(run_id)
        return len(due) + len(delayed)


def due_integrations(connection: Connection, catalogue: Catalogue, now: datetime) -> list[str]:
    """Which integrations are to be told the stock now. One whose way of sending nobody has approved never is."""
    table = Integration
    rows = connection.execute(
        select(table.id, table.type, table.config, table.name).where(
            table.type.in_(report_kinds(catalogue)), table.enabled.is_(True), table.removed_at.is_(None)
        )
    ).all()
    wanted = {one.reports_to for one in list_programmes(connection, only_on=True)}
    due = []
    for row in rows:
        if row.id not in wanted:
            continue
        try:
            settings = validate(catalogue, row.type, row.config, placeholders(catalogue, row.type))
            reporter = catalogue.reporter(row.type)
            schedule = reporter.schedule(settings)
            is_approved = reporter.plan(settings, ()).is_approved
        except (AdapterError, OperatorError) as err:
            _log.debug("%s has no schedule of reports now: %s", row.name, err)
            continue
        if is_approved and is_due(schedule, _attempts(connection, row.id, now), now):
            due.append(row.id)
    return due


def is_due(schedule: StockSchedule, attempts: Sequence[Attempt], now: datetime) -> bool:
    """Whether a run begins now. ``attempts`` are those of the schedule, the newest first.

    A day on which the engine did not run is not made up for: only the newest stock is told (nhlmis.md, C4). What is
    in doubt waits for the next day or for an operator, because some of it may have been taken.
    """
    local = now.astimezone()
    hour, _, minute = schedule.at.partition(":")
    if local.time() < time(int(hour), int(minute)):
        return False
    last = attempts[0] if attempts else None
    if last is None:
        return True
    if last.state in UNDER_WAY:
        return False
    last_day = _day(last.at)
    if last_day < local.date():
        good = next((one for one in attempts if one.state not in ("failed", "held")), None)
        return good is None or _day(good.at) + timedelta(days=schedule.every_days) <= local.date()
    tries = sum(1 for one in attempts if _day(one.at) == local.date())
    if last.state != "failed" or tries >= schedule.attempts:
        return False
    delay: timedelta = min(FIRST_DELAY * 2 ** (tries - 1), LONGEST_DELAY)
    return now - last.at >= delay


def _day(moment: datetime) -> date:
    return moment.astimezone().date()


def _attempts(connection: Connection, integration_id: str, now: datetime) -> list[Attempt]:
    table = ReportRun
    query = (
        select(table.created_at, table.state)
        .where(
            table.integration_id == integration_id,
            table.trigger == "schedule",
            table.created_at >= now - timedelta(days=100),
        )
        .order_by(table.created_at.desc(), table.id.desc())
        .limit(200)
    )
    return [Attempt(row.created_at, row.state) for row in connection.execute(query)]
