"""The page Reports with a depot behind it whose facilities report: every state, runs, tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from PySide6.QtWidgets import QDialog
from sqlalchemy import insert, update

from adapters.reporting import Plan
from adapters.supply import Facility, Item, Program, StockLine
from app.catalogue import Catalogue
from app.clock import utc_now
from app.integrations.changes import Desk, add
from app.reports.calendar import ReportListing, WantedReports, ensure_reports, list_reports
from app.reports.forms import report_form
from app.reports.periods import local_day, period_of
from app.reports.programmes import Programme, expect, save_programme
from app.reports.runner import Ended, write_end
from app.reports.runs import begin_run, begin_scheduled, save_dry_run
from app.reports.sending import prepare
from app.reports.writing import enter, excuse, fill_report, note_accepted, note_handed_over, receive, take_back
from app.security.vault import Vault
from app.store.tables import ReportRun, StreamState
from dialogs.doors import dialogs
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.supply import SupplyFeed, make_supply_feed
from widgets.reports.page import ReportsPage

D = TypeVar("D", bound=QDialog)
SYSTEM = "msupply-1"
PLACES: tuple[tuple[str, str, str, Any, bool], ...] = (
    ("cs", "FC-CMS-01", "FCT Central Medical Store", "store", True),
    ("gw", "FC-GWA-003", "Gwagwalada Township Clinic", "facility", False),
    ("ku", "FC-KUJ-001", "Kuje General Hospital", "facility", False),
    ("bw", "FC-BWA-002", "Bwari Primary Health Centre", "facility", False),
    ("dt", "KN-DTF-001", "Dawakin Tofa General Hospital", "facility", False),
    ("gz", "KN-GWZ-004", "Gwarzo Primary Health Centre", "facility", False),
)
ITEMS = (
    ("al24", "AL-20-120-24", "Artemether/Lumefantrine 20/120 mg, 24", "tablet", 24.0),
    ("al6", "AL-20-120-06", "Artemether/Lumefantrine dispersible, 6", "tablet", 6.0),
    ("rdt", "MRDT-25", "Malaria rapid diagnostic test", "test", 25.0),
    ("sp", "SP-525", "Sulfadoxine/Pyrimethamine 525 mg", "tablet", 150.0),
)


@dataclass
class ReportDesk:
    console: Console
    page: ReportsPage
    feed: SupplyFeed
    taker: str
    programme: str

    def write(self, job: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self.console.store.write(lambda connection: job(connection, *arguments, **named)).result(20)

    def read(self, query: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self.console.store.read() as connection:
            return query(connection, *arguments, **named)

    def report(self, facility: str, back: int = 1) -> ReportListing:
        """``back`` periods before the one that runs."""
        found = self.read(list_reports, WantedReports(facility=facility, programme_id=self.programme), today())
        ended: list[ReportListing] = [one for one in found if one.period.ends_on < today()]
        return ended[back - 1]

    async def dialog(self, kind: type[D]) -> D:
        await until(lambda: isinstance(open_dialog(), kind))
        found = open_dialog()
        assert isinstance(found, kind)
        return found


def today() -> date:
    return local_day(round(utc_now().timestamp() * 1000))


@asynccontextmanager
async def report_desk(console: Console, *, size: tuple[int, int] = (1_300, 800)) -> AsyncIterator[ReportDesk]:
    """The page, shown, on a store where a programme reports and its reports are still to be made."""
    services: Any = console.context.services
    catalogue = await asyncio.to_thread(lambda: services.catalogue)
    vault: Vault = await asyncio.to_thread(lambda: services.vault)
    feed = await asyncio.to_thread(make_supply_feed, console.store, SYSTEM)
    await asyncio.to_thread(_fill, feed)
    taker = await asyncio.to_thread(
        add, Desk(console.store, catalogue, vault), "nhlmis", "NHLMIS", {"url": "http://127.0.0.1:9/v1"},
        {"api_key": "nh-secret-0123456789"},
    )  # fmt: skip
    programme = await asyncio.to_thread(_expect, console, taker)
    console.context.doors.dialogs = dialogs()
    page = ReportsPage(console.context)
    page.resize(*size)
    page.show()
    await until(lambda: page.is_ready)
    yield ReportDesk(console, page, feed, taker, programme)
    page.close_page()
    page.hide()
    page.deleteLater()


def _fill(feed: SupplyFeed) -> None:
    feed(
        *(Facility(key, code, name, kind, is_ours=ours, zone="FCT" if code.startswith("FC") else "Kano")
          for key, code, name, kind, ours in PLACES),
        Program("malaria", "M", "Malaria"), Program("nutrition", "N", "Nutrition"),
        *(Item(key, code, name, unit, pack, programs=("malaria",)) for key, code, name, unit, pack in ITEMS),
    )  # fmt: skip
    ends = (today() + timedelta(days=200)).isoformat()
    soon = (today() + timedelta(days=70)).isoformat()
    lines = []
    for place, *_rest in PLACES:
        for number, (item, _code, _name, _unit, pack) in enumerate(ITEMS):
            units = pack * (40 + 13 * number)
            donor = {"donor": "Global Fund"} if number != 3 else None
            lines += [
                StockLine(f"{place}-{item}", place, item, units, None, f"B{number}77", ends, pack, "", "malaria",
                          average_monthly_units=units / 2.6, attributes=donor),
                StockLine(f"{place}-{item}-2", place, item, pack * 3, None, f"C{number}12", soon, pack, "", "malaria",
                          attributes=donor),
            ]  # fmt: skip
    feed(*lines)

    def streams(connection: Any) -> None:
        for stream in ("stock_lines", "inbound_shipments", "outbound_shipments", "requisitions"):
            connection.execute(
                insert(StreamState).values(integration_id=SYSTEM, stream=stream, last_read=utc_now(), trouble="")
            )

    feed.store.write(streams).result(10)


def _expect(console: Console, taker: str) -> str:
    first = period_of(today(), "bimonthly", 1).starts_on - timedelta(days=300)

    def job(connection: Any) -> str:
        wanted = Programme(
            "", SYSTEM, "malaria", "Malaria", starts_on=first.isoformat(), reports_to=taker, name_there="Malaria"
        )
        programme_id = save_programme(connection, wanted)
        expect(connection, programme_id, [key for key, *_rest in PLACES], today())
        ensure_reports(connection, today())
        return programme_id

    return console.store.write(job).result(20)


def complete(desk: ReportDesk, report_id: str, *, off: float = 0.0) -> None:
    """Fill a report and enter what evidence does not tell; ``off``: the balance of the first line differs by it."""
    now = utc_now()
    desk.write(fill_report, report_id, now=now)
    for number, line in enumerate(desk.read(report_form, report_id, today()).lines):
        closing = 120 + 60 * number
        figures = {
            "opening_balance": "300", "received": "240", "consumed": str(420 - 60 * number + 0), "losses": "0",
            "adjustments_plus": "0", "adjustments_minus": "0",
            "closing_balance": str(closing + (off if number == 0 else 0)), "stockout_days": "0",
        }  # fmt: skip
        desk.write(enter, report_id, line.id, figures, now=now)


def fill_everything(desk: ReportDesk) -> dict[str, str]:
    """Reports in every state, runs and tasks; ids of the reports by state."""
    now = utc_now()
    yesterday = now - timedelta(days=1)
    made = {}

    def ready(facility: str, back: int = 1, *, at: datetime = yesterday) -> str:
        report = desk.report(facility, back)
        complete(desk, report.id)
        early = datetime(report.due_on.year, report.due_on.month, report.due_on.day, 9).astimezone()
        desk.write(receive, report.id, received_from="Ada Obi", received_at=min(at, early, now), now=now, who="bola")
        return report.id

    for back in (2, 3, 4):
        for number, (facility, *_rest) in enumerate(PLACES):
            if (number + back) % 5 == 0:
                continue
            key = ready(facility, back)
            desk.write(note_handed_over, key, "by e-mail to the state office", now=now)
            desk.write(note_accepted, key, "Stamped.", now=now)
    made["received"] = ready("cs")
    made["accepted"] = ready("gw")
    desk.write(note_handed_over, made["accepted"], "by e-mail", now=now)
    desk.write(note_accepted, made["accepted"], "Stamped.", now=now)
    made["rejected"] = ready("ku")
    desk.write(note_handed_over, made["rejected"], "by e-mail", now=now)
    desk.write(take_back, made["rejected"], "The closing balance of the rapid tests cannot be right.", now=now)
    made["incomplete"] = desk.report("bw").id
    desk.write(fill_report, made["incomplete"], now=now)
    desk.write(receive, made["incomplete"], received_from="Musa Bello", received_at=yesterday, now=now)
    made["excused"] = desk.report("dt").id
    desk.write(excuse, made["excused"], "The facility was flooded in October.", now=now)
    made["late"] = desk.report("gz").id
    _runs(desk)
    return made


def _runs(desk: ReportDesk) -> None:
    now = utc_now()
    prepared = desk.read(prepare, Catalogue.load(), desk.taker, None)
    plan: Plan = prepared.plan
    desk.write(save_dry_run, desk.taker, None, plan, prepared.snapshot.rows, now=now, who="ada")
    rows = tuple(prepared.snapshot.rows)
    held = {one.key for one in plan.held_back}
    for hours, state in ((50, "accepted"), (26, "doubtful"), (2, "refused")):
        run_id = desk.write(begin_scheduled, desk.taker, now=now - timedelta(hours=hours))
        run = desk.write(begin_run, run_id, now - timedelta(hours=hours))
        outcomes = {
            one.row.key: ("held", "Not reportable: the line has no donor.") for one in rows if one.row.key in held
        }
        for number, one in enumerate(row for row in rows if row.row.key not in held):
            outcomes[one.row.key] = ("accepted", "")
            if state == "refused" and number < 3:
                outcomes[one.row.key] = ("refused", "Batch B077 is not known for this item. Register the batch first.")
        detail = {
            "accepted": "36 lines were accepted. 12 lines were held back.",
            "doubtful": "The stock counts of FC-CMS-01 were not sent to the end: the line broke after the request had "
                        "gone out. It may have been taken all the same.",
            "refused": "NHLMIS refused 3 lines of the stock counts of FC-CMS-01. Correct what is refused, send again.",
        }[state]  # fmt: skip
        desk.write(write_end, run, Ended(state, detail, rows, outcomes), now - timedelta(hours=hours))

    def ended(connection: Any) -> None:
        connection.execute(update(ReportRun).where(ReportRun.is_dry.is_(False)).values(created_by="schedule"))

    desk.write(ended)
