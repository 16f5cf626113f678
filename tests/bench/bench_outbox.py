"""An outbox of 100,000 changes: opened, filtered, and drained to a fast peer over real sockets.

Targets: open < 1 s, filter < 300 ms, drain >= 200 changes/s. The baseline of the drain is a bare
loop of the same two requests per change, as many at a time, without any store.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import httpx
from sqlalchemy import Connection, func, insert, select

from app.clock import SystemClock
from app.engine.engine import Engine
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import OutboxItem, RequisitionLineRow
from app.sync.listing import Wanted, count_outbox, list_outbox
from app.sync.words import UNSENT, State
from app.tasks import Tasks
from tests.bench.common import built_store, report, scratch, timed_ms
from tests.helpers.depot import ROOT
from tests.helpers.stores import make_store_url
from tests.helpers.supply_desk import supply_rows
from tests.helpers.supply_peer import PeerKits, peer_catalogue

ITEMS = 100_000
FAMILIES = 5_000
DRAINED = 2_000
RUNS = 5
SHOWN = 1_000
STATES = (State.WAITING,) * 17 + (State.REFUSED, State.DOUBTFUL, State.SET_ASIDE)
FILTERS = {
    "everything unsent": Wanted(states=tuple(UNSENT)),
    "refused": Wanted(states=(State.REFUSED,)),
    "a word": Wanted(states=tuple(UNSENT), text="gwagwalada"),
    "two words, few found": Wanted(states=tuple(UNSENT), text="requisition 4711"),
    "a word that is nowhere": Wanted(states=tuple(UNSENT), text="carburettor"),
    "one author": Wanted(created_by="bola"),
}


def run() -> None:
    _measure_lists()
    for in_flight in (1, 4, 16):
        asyncio.run(_measure_drain(in_flight))


def _measure_lists() -> None:
    store = Store.open(built_store("outbox", _build))
    try:
        for name, wanted in FILTERS.items():
            target = "< 1,000" if name == "everything unsent" else "< 300"

            def open_it(wanted: Wanted = wanted) -> None:
                with store.read() as connection:
                    rows = list_outbox(connection, wanted, limit=SHOWN)
                    count = sum(count_outbox(connection, wanted).values())
                if min(count, SHOWN) != len(rows):
                    raise AssertionError("the counter is not that of the list")

            report(f"{ITEMS:,} changes, {name}", [timed_ms(open_it) for _ in range(RUNS)], "ms", target=target)
    finally:
        store.close()


async def _measure_drain(in_flight: int) -> None:
    command = [sys.executable, "-m", "tests.helpers.supply_peer", str(DRAINED)]
    with scratch() as folder, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as peer:  # noqa: ASYNC220
        assert peer.stdout is not None
        url = peer.stdout.readline().strip()
        bare_per_s = await _bare(url, in_flight)
        store = Store.open(make_store_url(folder))
        catalogue = peer_catalogue(max_in_flight=in_flight)
        desk = Desk(store, catalogue, MemoryVault())
        integration = add(desk, "small_peer", "Fast peer", {"url": url})
        store.write(partial(_fill_line_by_line, integration_id=integration)).result()
        engine = Engine(
            store,
            catalogue,
            MemoryVault(),
            clock=SystemClock(),
            sink=TelemetrySink(store),
            tasks=Tasks(),
            make_kit=PeerKits(),
            followers=(),
        )
        started = time.perf_counter()
        running = asyncio.get_running_loop().create_task(engine.run())
        await asyncio.to_thread(_wait_until_empty, store)
        per_s = DRAINED / (time.perf_counter() - started)
        engine.stop()
        await running
        store.close()
        applied = httpx.get(f"{url}/history", trust_env=False).json()["applied"]  # noqa: ASYNC210
        peer.kill()
    if applied != 2 * DRAINED:  # the baseline's, and ours
        raise AssertionError(f"{applied - DRAINED} applied of {DRAINED}")
    report(f"drained, {in_flight} at a time", [per_s], "changes/s", target=">= 200")
    report("  baseline bare requests", [bare_per_s], "changes/s")
    print(f"  ratio {per_s / bare_per_s:.2f}")


async def _bare(url: str, in_flight: int) -> float:
    """The same reads and writes of a copy of the records, with nothing around them."""
    names = iter(range(DRAINED))
    async with httpx.AsyncClient(trust_env=False) as client:

        async def work() -> None:
            for number in names:
                place = f"{url}/records/b{number}"
                (await client.get(place)).json()
                await client.post(place, json={"values": {"supply_units": 30.0}, "key": str(number)})

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        spent_s = time.perf_counter() - started
    return DRAINED / spent_s


def _wait_until_empty(store: Store) -> None:
    while _left(store):
        time.sleep(0.1)


def _left(store: Store) -> int:
    with store.read() as connection:
        open_ones = OutboxItem.state != State.ACCEPTED
        return connection.execute(select(func.count()).select_from(OutboxItem).where(open_ones)).scalar_one()


def _fill_line_by_line(connection: Connection, integration_id: str) -> None:
    """One change of one line each, every line in a family of its own."""
    supply_rows(connection, integration_id, papers=1, lines=1)
    lines, items = [], []
    for number in range(DRAINED):
        line = {"id": f"l{number}", "peer_id": f"p{number}", "requisition": "r0", "item": "i0", "supply_units": 10.0}
        lines.append({**line, "integration_id": integration_id, "content_hash": b"0" * 16})
        items.append(_item(integration_id, number, f"l{number}", f"f{number}", datetime.now(UTC)))
    connection.execute(insert(RequisitionLineRow), lines)
    connection.execute(insert(OutboxItem), items)


def _build(folder: Path) -> None:
    store = Store.open(make_store_url(folder))
    chance = Random(3)
    first = datetime(2026, 11, 1, tzinfo=UTC)

    def fill(connection: Connection, begin: int) -> None:
        rows = []
        for number in range(begin, begin + 5_000):
            at = first + timedelta(seconds=20 * number)
            row = _item("peer-1", number, f"line-{number}", f"family-{number % FAMILIES}", at)
            answer = "The line is closed for this period." if chance.random() < 0.1 else ""
            row |= {"state": chance.choice(STATES), "created_by": chance.choice(("ada", "bola")), "last_answer": answer}
            rows.append(row)
        connection.execute(insert(OutboxItem), rows)

    for begin in range(0, ITEMS, 5_000):
        store.write(partial(fill, begin=begin), rows=5_000).result()
    store.close()


def _item(integration_id: str, number: int, record_id: str, family: str, at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "integration_id": integration_id,
        "write": "line",
        "record": "requisition_line",
        "record_id": record_id,
        "peer_id": f"p{number}",
        "parent_peer_id": "r0",
        "family": family,
        "subject": f"Amoxicillin 250 mg, requisition {number} of Gwagwalada PHC",
        "values": {"supply_units": 30.0},
        "seen": {"supply_units": 10.0},
        "key": str(uuid.uuid4()),
        "state": State.WAITING,
        "created_at": at,
        "created_by": "ada",
    }
