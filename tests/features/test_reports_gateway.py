"""Story of a report on the command line: set up, filled, completed, looked at, sent by a gateway; and a kill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.nhlmis.simulator import KEY, NhlmisServer
from adapters.nhlmis.simulator_world import World
from app.reports.periods import day_begins_ms, local_day, period_of, previous_period
from tests.helpers.command_line import Outcome, run_program
from tests.helpers.depot import Depot, Gateway
from tests.helpers.report_site import ReportSite, make_site, stock

START_S = 60.0


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    with Depot(tmp_path / "depot") as made:
        yield made


@pytest_asyncio.fixture
async def server() -> AsyncIterator[NhlmisServer]:
    made = NhlmisServer(World(orders=0, start_ms=round(datetime.now(UTC).timestamp() * 1000), seed=1))
    await made.start()
    yield made
    await made.stop()


class Desk:
    """The program of one data folder, off the loop on which its peer runs."""

    def __init__(self, depot: Depot) -> None:
        self.depot = depot

    async def __call__(self, *words: object) -> Outcome:
        return await asyncio.to_thread(run_program, "--data-dir", self.depot.paths.data_dir, *words)

    async def json(self, *words: object) -> Any:
        done = await self(*words, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """A running one; killed at the end of the block."""
        made = Gateway(self.depot)
        try:
            yield await asyncio.to_thread(made.wait_ready)
        finally:
            await asyncio.to_thread(made.__exit__)


def fill_store(depot: Depot) -> ReportSite:
    site = make_site(depot.store)
    site.now = datetime.now(UTC)
    site.feed(stock("b1", 480.0, attributes={"donor": "Global Fund"}, expires="2099-06-30"))
    site.read_streams(date.today(), "stock_lines", "inbound_shipments", "outbound_shipments")  # noqa: DTZ011 - local
    return site


async def test_a_report_from_its_due_day_to_its_acceptance(depot: Depot, server: NhlmisServer) -> None:
    site, desk = fill_store(depot), Desk(depot)
    (depot.paths.data_dir / "key").write_text(KEY, encoding="utf-8")
    added = await desk.json(
        "integrations", "add", "nhlmis", "--name", "NHLMIS", "--no-check", "--set", f"url={server.url}",
        "--secret", f"api_key=file:{depot.paths.data_dir / 'key'}",
    )  # fmt: skip
    taker = added["id"]
    last = previous_period(period_of(local_day(day_begins_ms(date.today())), "monthly", 1), "monthly", 1)  # noqa: DTZ011
    own = await desk.json(
        "reports", "expect", site.feed.integration_id, "malaria", "rhythm=monthly", f"starts_on={last.starts_on}",
        f"reports_to={taker}", "--facility", "FC-CMS-01",
    )  # fmt: skip
    assert (own["rhythm"], own["facilities"]) == ("monthly", 1)
    rows = await desk.json("reports", "list")
    assert [row["period"] for row in rows][-1] == last.name
    report_id = rows[-1]["id"]
    filled = await desk.json("reports", "fill", report_id)
    assert filled["lines"] == 1
    refused = await desk("reports", "check", report_id)
    assert refused.status == 1
    assert "Losses is not known" in refused.out
    figures = ("opening_balance=480", "received=0", "consumed=0", "losses=0", "adjustments_plus=0",
               "adjustments_minus=0", "closing_balance=480", "stockout_days=0")  # fmt: skip
    line = await desk.json("reports", "enter", report_id, "AL-20-120-24", *figures)
    assert line["difference"] == 0
    await desk.json("reports", "receive", report_id, "--from", "Ada Obi")
    assert (await desk("reports", "check", report_id)).status == 0

    preview = await desk.json("reports", "preview", report_id)
    assert [one["step"] for one in preview["requests"]] == ["batches", "stock_counts"]
    assert preview["approved"] is False
    dry = await desk.json("reports", "send", report_id, "--dry-run")
    assert dry["requests"] == preview["requests"]
    assert KEY not in json.dumps(dry)
    assert server.api.seen == []

    async with desk.gateway():
        unapproved = await desk("reports", "send", report_id)
        assert unapproved.status == 1
        assert "Make a dry run" in unapproved.err
        await desk.json(
            "integrations", "set", taker, "--no-check", "--set", "profile_approved=true", "--set",
            f"approved_code={dry['approval_code']}",
        )  # fmt: skip
        server.rules.uncounted.add("AL-20-120-24")
        again = await desk("reports", "send", report_id)
        assert again.status == 1
        (task,) = await desk.json("reports", "tasks")
        assert task["line"].startswith("Artemether/Lumefantrine")
        server.rules.uncounted.clear()
        await desk.json("reports", "receive", report_id, "--from", "Ada Obi")
        done = await desk.json("reports", "send", report_id)
        assert (done["state"], done["accepted"]) == ("accepted", 1)
        assert await desk.json("reports", "tasks") == []
        (row,) = await desk.json("reports", "list", "--where", f"id={report_id}")
        assert (row["state"], row["submission"]) == ("accepted", 2)
    exported = await desk("reports", "export", report_id, "--format", "jsonl")
    assert json.loads(exported.out)["item_code"] == "AL-20-120-24"
    assert (await desk.json("reports", "compliance"))[0]["reporting_of"][0] >= 1


async def test_a_kill_while_it_is_sent_leaves_it_in_doubt_and_says_so(depot: Depot, server: NhlmisServer) -> None:
    site, desk = fill_store(depot), Desk(depot)
    (depot.paths.data_dir / "key").write_text(KEY, encoding="utf-8")
    added = await desk.json(
        "integrations", "add", "nhlmis", "--name", "NHLMIS", "--no-check", "--set", f"url={server.url}",
        "--set", "profile_approved=true", "--set", f"approved_code={server.approval_code}",
        "--secret", f"api_key=file:{depot.paths.data_dir / 'key'}",
    )  # fmt: skip
    taker = added["id"]
    first = date.today() - timedelta(days=40)  # noqa: DTZ011 - local
    await desk.json(
        "reports", "expect", site.feed.integration_id, "malaria", f"starts_on={first}", f"reports_to={taker}",
        "--all-facilities",
    )  # fmt: skip
    server.faults.kind, server.faults.path = "stall", "/stock-counts"
    async with desk.gateway():
        asked = await desk.json("reports", "send", taker, "--no-wait")
        assert asked["state"] in ("waiting", "running")
        for _ in range(400):
            if any(one.target.endswith("/batches") for one in server.api.seen):
                break
            await asyncio.sleep(0.05)
    server.faults.clear()
    async with desk.gateway():
        run = await run_of(desk, asked["id"])
        assert run["state"] == "doubtful"
        assert "was ended while this was being sent" in run["detail"]
        done = await desk.json("reports", "send", taker)
        assert (done["state"], done["accepted"]) == ("accepted", 1)


async def run_of(desk: Desk, run_id: str) -> Any:
    """The run as the command line tells it."""
    rows = await desk.json("reports", "runs")
    return next(row for row in rows if row["id"] == run_id)
