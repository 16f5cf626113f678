"""Sending reports through the engine's side to a real simulated NHLMIS: states, tasks, hashes, schedule, kills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, update

from adapters.nhlmis.simulator import KEY, NhlmisServer
from adapters.nhlmis.simulator_world import World
from adapters.reporting import BLANK, StockSchedule
from app.catalogue import Catalogue
from app.clock import to_ms
from app.engine.commands import SEND_REPORT, Wish, finish_command
from app.engine.ports import Ports
from app.engine.scribe import Scribe
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.kit import make_kit
from app.reports.calendar import ReportListing
from app.reports.errors import ReportRefused
from app.reports.forms import report_form
from app.reports.programmes import programme, save_programme
from app.reports.runner import ReportRuns
from app.reports.runs import (
    RunListing,
    ask_for_run,
    close_left_over_runs,
    list_runs,
    messages_of,
    rows_of,
    run_listing,
    save_dry_run,
)
from app.reports.schedule import Attempt, ReportSchedule, due_integrations, is_due
from app.reports.sending import prepare, report_kinds, supply_kinds
from app.reports.tasks import close_task, list_tasks
from app.reports.writing import enter, fill_report, receive
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Integration, IntegrationLog, ItemRow, Problem, ReportRun, ReportRunRow, StreamState
from app.sync.seal import OutboxSeal
from app.tasks import Tasks
from tests.helpers.fake_adapter import LentClock
from tests.helpers.report_site import ReportSite, at, inbound, make_site, outbound, stock

CATALOGUE = Catalogue.load()
DONOR = {"donor": "Global Fund"}


@dataclass
class Sending:
    site: ReportSite
    server: NhlmisServer
    taker: str
    programme: str
    runs: ReportRuns
    ports: Ports
    clock: LentClock

    async def settled(self) -> None:
        assert await self.ports.scribe.flush(10)

    async def send(self, report_id: str | None = None) -> RunListing:
        """Ask as a window does, carry out as the engine does."""
        run_id, _command = self.site.write(ask_for_run, self.taker, report_id, now=self.site.now)
        outcome = await self.runs.carry_out(Wish("c", SEND_REPORT, self.taker, {"run": run_id}))
        await self.settled()
        run = self.site.read(run_listing, run_id)
        assert (outcome["run"], outcome["state"]) == (run_id, run.state)
        return run

    def told(self) -> list[tuple[str, str]]:
        """Method and path of what arrived."""
        return [(one.method, one.target) for one in self.server.api.seen]

    def report(self) -> ReportListing:
        return self.site.report("cs", "2026-09-01")

    def configure(self, **config: Any) -> None:
        def job(connection: Any) -> None:
            row = connection.execute(select(Integration.config).where(Integration.id == self.taker)).scalar_one()
            connection.execute(update(Integration).where(Integration.id == self.taker).values(config={**row, **config}))

        self.site.write(job)


@pytest_asyncio.fixture
async def sending(store: Store, tmp_path: Path) -> AsyncIterator[Sending]:
    site = make_site(store)
    server = NhlmisServer(World(orders=0, start_ms=to_ms(site.now), seed=1))
    await server.start()
    vault, failures = MemoryVault(), []
    tasks = Tasks(lambda name, error: failures.append((name, error)))
    clock = LentClock()
    clock.set_wall(to_ms(site.now))
    ports = Ports(
        store, CATALOGUE, vault, clock, TelemetrySink(store), tasks, Scribe(store), make_kit, Random(1),
        OutboxSeal(store, tmp_path),
    )  # fmt: skip
    config = {"url": server.url, "profile_approved": True, "approved_code": server.approval_code}
    taker = add(Desk(store, CATALOGUE, vault), "nhlmis", "NHLMIS", config, {"api_key": KEY})
    own = site.programme(reports_to=taker)
    site.expect(own, "cs")
    site.feed(
        stock("b1", 480.0, attributes=DONOR),
        stock("b2", 240.0, attributes=DONOR, expires="2027-03-31", available_units=216.0),
        stock("b3", 24.0),  # no donor
    )
    site.read_streams(date(2026, 11, 9), "stock_lines", "inbound_shipments", "outbound_shipments")
    yield Sending(site, server, taker, own, ReportRuns(ports), ports, clock)
    await tasks.close()
    ports.scribe.close()
    await server.stop()
    assert failures == []


def ready_report(sending: Sending) -> str:
    """The store's report, filled, completed and handed in."""
    site = sending.site
    report_id = sending.report().id
    site.feed(inbound("i1", 1_200.0, at(2026, 9, 15)), outbound("o1", 960.0, at(2026, 9, 11)))
    site.write(fill_report, report_id, now=site.now)
    (line,) = site.read(report_form, report_id, date(2026, 11, 10)).lines
    figures = {
        "opening_balance": "504", "closing_balance": "744", "losses": "0", "adjustments_plus": "0",
        "adjustments_minus": "0", "stockout_days": "0",
    }  # fmt: skip
    site.write(enter, report_id, line.id, figures, now=site.now)
    site.write(receive, report_id, received_from="Ada", received_at=site.now, now=site.now)
    assert sending.report().state == "received"
    return report_id


async def test_a_dry_run_shows_the_exact_requests_and_sends_nothing(sending: Sending) -> None:
    prepared = sending.site.read(prepare, CATALOGUE, sending.taker, None)
    assert [request.step for request in prepared.plan.requests] == ["batches", "stock_counts"]
    run_id = sending.site.write(
        save_dry_run, sending.taker, None, prepared.plan, prepared.snapshot.rows, now=sending.site.now
    )
    run = sending.site.read(run_listing, run_id)
    assert (run.state, run.rows, run.held_back, run.approval_code) == ("shown", 3, 1, sending.server.approval_code)
    shown = sending.site.read(messages_of, run_id)
    assert ["X-API-Key", BLANK] in [list(pair) for pair in shown[0].headers]
    assert KEY not in str(shown)
    assert sending.told() == []
    (held,) = sending.site.read(rows_of, run_id, ("held",))
    assert "no donor" in held.why
    # What was shown is what is sent, to the byte.
    await sending.send()
    sent = sending.server.api.seen
    assert [one.body.decode() for one in sent] == [message.body for message in shown]


async def test_what_is_accepted_is_accepted_and_an_unchanged_row_goes_once_a_day(sending: Sending) -> None:
    run = await sending.send()
    assert (run.state, run.accepted, run.held_back, run.trigger) == ("accepted", 2, 1, "operator")
    assert run.detail == "2 lines were accepted. 1 line was held back."
    assert [(one.step, one.status, one.records) for one in sending.site.read(messages_of, run.id)] == [
        ("batches", 200, 2), ("stock_counts", 200, 2),
    ]  # fmt: skip
    again = await sending.send()
    assert (again.state, again.skipped, again.held_back) == ("nothing", 2, 1)
    assert "2 unchanged since they were accepted today" in again.detail
    assert len(sending.told()) == 2
    sending.site.feed(stock("b1", 456.0, attributes=DONOR))
    third = await sending.send()
    assert (third.accepted, third.skipped) == (1, 1)
    sending.clock.set_wall(to_ms(sending.site.now + timedelta(days=1)))
    assert (await sending.send()).accepted == 2, "another day, everything is told"


async def test_a_report_is_sent_and_accepted_in_two_words(sending: Sending) -> None:
    report_id = sending.report().id
    with pytest.raises(ReportRefused, match="not ready"):
        await sending.send(report_id)
    report_id = ready_report(sending)
    sending.site.feed(stock("b3", 24.0, attributes=DONOR))
    run = await sending.send(report_id)
    assert run.state == "accepted"
    report = sending.report()
    assert (report.state, report.sent_how, report.is_doubtful) == ("accepted", "call", False)
    with pytest.raises(ReportRefused, match="sent already"):
        sending.site.write(fill_report, report_id, now=sending.site.now)


async def test_a_line_that_stays_behind_keeps_the_report_from_being_accepted(sending: Sending) -> None:
    run = await sending.send(ready_report(sending))
    assert (run.state, run.held_back) == ("accepted", 1)
    assert sending.report().state == "sent"
    assert "1 line was held back" in sending.report().answer


async def test_refusals_line_by_line_become_tasks_and_go_when_they_are_accepted(sending: Sending) -> None:
    report_id = ready_report(sending)
    sending.server.rules.uncounted.add("AL-20-120-24")
    run = await sending.send(report_id)
    assert (run.state, run.refused, run.accepted) == ("refused", 2, 0)
    assert sending.report().state == "rejected"
    tasks = sending.site.read(list_tasks)
    assert {task.subject for task in tasks} == {
        "Artemether/Lumefantrine 20/120, batch B1, Central store",
        "Artemether/Lumefantrine 20/120, batch B2, Central store",
    }
    assert all(task.kind == "refused" and task.why and task.report_id == report_id for task in tasks)
    await sending.send()
    assert [task.times for task in sending.site.read(list_tasks)] == [2, 2], "the same trouble is the same task"
    (problem,) = problems(sending.site)
    assert problem.title == "Reports to NHLMIS did not go through"
    with pytest.raises(ReportRefused, match="why"):
        sending.site.write(close_task, tasks[0].id, now=sending.site.now, done=False)
    sending.site.write(close_task, tasks[0].id, now=sending.site.now, done=False, comment="Not stocked any more")
    sending.server.rules.uncounted.clear()
    await sending.send()
    assert sending.site.read(list_tasks) == []
    assert sorted(task.state for task in sending.site.read(list_tasks, with_closed=True)) == ["dismissed", "done"]
    assert problems(sending.site) == []


async def test_a_code_that_is_known_to_be_unknown_stays_here_and_the_rest_goes(sending: Sending) -> None:
    sending.site.feed(stock("o", 12.0, item="ors", attributes=DONOR))

    def list_of_items(connection: Any) -> None:
        connection.execute(
            insert(ItemRow).values(
                key=900, id="n1", integration_id=sending.taker, peer_id="x", code="AL-20-120-24", name="AL",
                pack_size=24.0,
                is_active=True, programs=[], content_hash=b"0" * 16, changed_version=0,
            )
        )  # fmt: skip
        connection.execute(
            insert(StreamState).values(
                integration_id=sending.taker, stream="items", last_read=sending.site.now, trouble=""
            )
        )

    sending.site.write(list_of_items)
    run = await sending.send()
    assert (run.state, run.accepted, run.held_back) == ("accepted", 2, 2)
    (task,) = sending.site.read(list_tasks)
    assert (task.kind, task.why) == (
        "held",
        "NHLMIS does not know the item code ORS-ZN-1. Correct it in the supply system, or ask NHLMIS to add it.",
    )


async def test_nothing_goes_without_an_approval_and_the_sentence_says_what_to_do(sending: Sending) -> None:
    sending.configure(approved_code="0000-0000")
    run = await sending.send()
    assert run.state == "held"
    assert "Make a dry run" in run.detail
    assert sending.told() == []
    assert sending.site.read(due_integrations, CATALOGUE, sending.site.now + timedelta(hours=12)) == []


async def test_a_lost_answer_is_doubtful_and_a_dead_line_is_not(sending: Sending) -> None:
    sending.server.faults.kind = "lost_answer"
    run = await sending.send()
    assert run.state == "doubtful"
    sending.server.faults.clear()
    assert (await sending.send()).state == "accepted", "what is in doubt is told again"
    await sending.server.stop()
    sending.clock.set_wall(to_ms(sending.site.now + timedelta(days=1)))
    assert (await sending.send()).state == "delayed"
    await sending.server.start()


async def test_a_success_that_says_nothing_is_sent_and_not_confirmed_and_told_again(sending: Sending) -> None:
    report_id = ready_report(sending)
    sending.server.faults.kind, sending.server.faults.path = "empty", "/stock-counts"
    run = await sending.send(report_id)
    assert (run.state, run.word, run.accepted, run.unsent) == ("doubtful", "Sent, not confirmed", 0, 0)
    assert run.unconfirmed == len(sending.site.read(rows_of, run.id, ("unconfirmed",))) > 0
    assert "sent, not confirmed" in run.detail
    report = sending.report()
    assert report.is_doubtful
    assert report.facts.sent_at is not None
    assert report.facts.accepted_at is None
    sending.server.faults.clear()
    again = await sending.send(report_id)
    assert (again.accepted, again.unconfirmed) == (run.unconfirmed, 0)


async def test_a_refused_key_is_said_and_no_secret_is_kept(sending: Sending) -> None:
    sending.server.revoke_key()
    run = await sending.send()
    assert run.state == "failed"
    assert KEY not in str(sending.site.read(messages_of, run.id)) + run.detail


async def test_only_one_run_at_a_time_and_only_to_who_is_there(sending: Sending) -> None:
    sending.site.write(ask_for_run, sending.taker, None, now=sending.site.now)
    with pytest.raises(ReportRefused, match="under way already"):
        sending.site.write(ask_for_run, sending.taker, None, now=sending.site.now)
    with pytest.raises(ReportRefused, match="No integration takes"):
        sending.site.write(ask_for_run, "nobody", None, now=sending.site.now)
    found = sending.site.read(programme, sending.programme)
    sending.site.write(save_programme, replace(found, reports_to=""))
    with pytest.raises(ReportRefused, match="No programme reports"):
        sending.site.write(ask_for_run, sending.taker, None, now=sending.site.now)


async def test_after_a_kill_what_was_under_way_is_doubtful_and_what_waited_is_not(sending: Sending) -> None:
    report_id = ready_report(sending)
    run_id, _ = sending.site.write(ask_for_run, sending.taker, report_id, now=sending.site.now)
    sending.site.write(lambda connection: connection.execute(update_state(run_id, "running")))
    assert sending.site.write(close_left_over_runs, sending.site.now) == [run_id]
    run = sending.site.read(run_listing, run_id)
    assert run.state == "doubtful"
    assert "was ended while this was being sent" in run.detail
    assert (sending.report().state, sending.report().is_doubtful) == ("sent", True)
    waiting, command = sending.site.write(ask_for_run, sending.taker, None, now=sending.site.now)
    assert sending.site.write(close_left_over_runs, sending.site.now) == []
    assert sending.site.read(run_listing, waiting).state == "waiting", "its command is still to come"
    sending.site.write(finish_command, command, {"ok": False}, to_ms(sending.site.now))
    sending.site.write(close_left_over_runs, sending.site.now)
    assert sending.site.read(run_listing, waiting).state == "failed"


def update_state(run_id: str, state: str) -> Any:
    return update(ReportRun).where(ReportRun.id == run_id).values(state=state)


async def test_the_schedule_sends_the_newest_stock_once(sending: Sending) -> None:
    schedule = ReportSchedule(sending.ports, sending.runs)
    evening = datetime(2026, 11, 10, 20, 5).astimezone().astimezone(UTC)
    sending.clock.set_wall(to_ms(evening - timedelta(hours=1)))
    assert await schedule.look() == 0
    sending.clock.set_wall(to_ms(evening))
    assert await schedule.look() == 1
    await sending.settled()
    assert await schedule.look() == 0
    (run,) = sending.site.read(list_runs)
    assert (run.trigger, run.state, run.created_by) == ("schedule", "accepted", "schedule")
    # Four days without an engine: one sending makes up for all of them, with what is held now.
    sending.site.feed(stock("b1", 360.0, attributes=DONOR))
    sending.clock.set_wall(to_ms(evening + timedelta(days=4)))
    assert await schedule.look() == 1
    await sending.settled()
    assert await schedule.look() == 0
    bodies = [one.body for one in sending.server.api.seen if one.target.endswith("stock-counts")]
    assert len(bodies) == 2
    assert b'"quantity":15' in bodies[1]


NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempts", "now", "due"),
    [
        ([], NOON, True),
        ([(0, "accepted")], NOON + timedelta(hours=1), False),
        ([(0, "accepted")], NOON + timedelta(days=1), True),
        ([(0, "failed")], NOON + timedelta(minutes=4), False),
        ([(0, "failed")], NOON + timedelta(minutes=6), True),
        ([(6, "failed"), (0, "failed")], NOON + timedelta(minutes=12), False),
        ([(6, "failed"), (0, "failed")], NOON + timedelta(minutes=17), True),
        ([(9, "failed"), (6, "failed"), (0, "failed")], NOON + timedelta(hours=3), False),
        ([(0, "doubtful")], NOON + timedelta(hours=3), False),
        ([(0, "doubtful")], NOON + timedelta(days=1), True),
        ([(0, "running")], NOON + timedelta(days=1), False),
    ],
)
def test_when_the_schedule_begins(attempts: list[tuple[int, str]], now: datetime, due: bool) -> None:
    made = [Attempt(NOON + timedelta(minutes=minutes), state) for minutes, state in attempts]
    assert is_due(StockSchedule(1, "00:00", 3), made, now) is due
    if attempts and attempts[0][1] == "accepted":
        assert not is_due(StockSchedule(7, "00:00", 3), made, now + timedelta(days=1))


async def test_a_disabled_integration_and_a_store_that_is_a_copy_send_nothing(sending: Sending) -> None:
    run_id, _ = sending.site.write(ask_for_run, sending.taker, None, now=sending.site.now)
    one = Integration.id == sending.taker
    sending.site.write(lambda connection: connection.execute(update(Integration).where(one).values(enabled=False)))
    ended = await sending.runs.run(run_id)
    assert (ended.state, sending.told()) == ("failed", [])
    assert "disabled" in ended.detail
    await sending.settled()
    assert (await sending.runs.run(run_id)).detail == "This sending is not waiting any more (not sent)."


def test_who_reports_and_who_takes(store: Store) -> None:
    assert report_kinds(CATALOGUE) == ["nhlmis"]
    assert set(supply_kinds(CATALOGUE)) == {"msupply", "openlmis"}
    assert store is not None


def problems(site: ReportSite) -> list[Any]:
    with site.store.read() as connection:
        query = select(Problem.title, Problem.detail).where(Problem.cleared_at.is_(None))
        return list(connection.execute(query))


async def test_the_log_tells_each_run_once_and_the_rows_keep_their_hash(sending: Sending) -> None:
    await sending.send()
    with sending.site.store.read() as connection:
        texts = connection.execute(select(IntegrationLog.text).where(IntegrationLog.event_type == "report_sent"))
        assert len(texts.all()) == 1
        hashes = connection.execute(select(ReportRunRow.row_hash)).scalars().all()
    assert len(set(hashes)) == 3


async def test_a_sending_without_a_line_waits_for_it_and_goes_once(sending: Sending) -> None:
    """Saved, then sent, then accepted: none of them is said before it is so (product.md, rules for every screen)."""
    report_id = ready_report(sending)
    await sending.server.stop()
    run = await sending.send(report_id)
    assert (run.state, run.word) == ("delayed", "Waits for the line")
    assert (sending.report().facts.sent_at, sending.report().facts.accepted_at) == (None, None)
    schedule = ReportSchedule(sending.ports, sending.runs)
    await schedule.look()
    assert sending.site.read(run_listing, run.id).progress["tries"] == 1, "its time has not come"
    sending.clock.set_wall(sending.clock.now_ms() + 60_000)
    await schedule.look()
    await sending.settled()
    again = sending.site.read(run_listing, run.id)
    assert (again.state, again.progress["tries"]) == ("delayed", 2)
    logged = select(IntegrationLog.text).where(IntegrationLog.event_type == "report_waits")
    assert len(sending.site.read(lambda c: c.execute(logged).all())) == 1, "the loss is told once"

    sending.site.write(close_left_over_runs, now=sending.site.now)  # an engine that starts anew leaves it waiting
    await sending.server.start()
    sending.clock.set_wall(sending.clock.now_ms() + 600_000)
    await schedule.look()
    await sending.settled()
    assert sending.site.read(run_listing, run.id).state == "accepted"
    assert sending.report().facts.sent_at is not None
    taken = len(sending.server.world.counts)
    assert taken > 0
    sending.clock.set_wall(sending.clock.now_ms() + 600_000)
    await schedule.look()
    assert len(sending.server.world.counts) == taken


async def test_asking_again_for_what_waits_is_the_same_sending(sending: Sending) -> None:
    await sending.server.stop()
    first = await sending.send()
    second = await sending.send()
    assert first.id == second.id
    await sending.server.start()
    done = await sending.send()
    assert (done.id, done.state) == (first.id, "accepted")
