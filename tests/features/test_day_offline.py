"""Story of a day without a line: edits, shipment steps, a report and what was shipped, all accepted afterwards, once.

The three systems are the adapters' own simulators, the engine is a whole one; time is lent (tests/soak/peers.py).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from sqlalchemy import Connection, insert, select

from adapters.nhlmis.simulator_world import PRODUCTS
from adapters.supply import Program, StockLine
from app.clock import from_ms
from app.reports.periods import local_day
from app.reports.runs import ask_for_run, run_listing
from app.reports.setup import set_up
from app.store.tables import OutboxItem, RequisitionLineRow, RequisitionRow, ShipmentRow, StreamState
from app.sync.listing import outbox_row
from app.sync.outbox import queue_change
from app.sync.shipped import queue_shipped
from app.sync.words import STATE_WORDS
from tests.helpers.stores import make_store
from tests.soak.peers import OWN, FastClock, Peers
from tests.soak.three_peers import Site


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    store = make_store(tmp_path)
    peers = Peers(FastClock(), random.Random(1), tmp_path)
    async with peers.running():
        made = Site(store, tmp_path, peers, 1)
        await made.begin()
        try:
            await made.until_read()
            yield made
        finally:
            await made.stop()
            store.close()
        assert not made.failures


async def take_line(site: Site, *, down: bool) -> None:
    for line in site.peers.lines.values():
        if down:
            await line.stop()
            line.break_all()
        else:
            await line.start()


async def test_a_day_without_a_line_is_accepted_afterwards_in_order_and_once(site: Site) -> None:
    await take_line(site, down=True)
    line = site.read(_line_of, site.ids["msupply"], "response")
    for units in (711_001.0, 711_002.0):  # typed twice: only what stood last need go
        await site.write(queue_change, site.catalogue, "requisition_line", line, {"supply_units": units}, who="ada")
    asked = site.read(_line_of, site.ids["openlmis"], "")
    await site.write(queue_change, site.catalogue, "requisition_line", asked, {"requested_units": 711_003.0}, who="ada")
    shipment = site.read(_shipment_of, site.ids["msupply"])
    for values in ({"transport_reference": "ABJ-214-KT, trip 9"}, {"stage": "picked"}, {"stage": "shipped"}):
        await site.write(queue_change, site.catalogue, "shipment", shipment, values, who="ada")
    await _tell_shipped(site)
    run = await _report(site)

    await asyncio.sleep(1.5)  # three minutes of the lent time, in which everything was tried in vain
    states = Counter(site.read(_states))
    assert set(states) <= {"waiting", "doubtful"}, "nothing is said to be sent, and nothing to be accepted"
    assert not {STATE_WORDS[state] for state in states} & {STATE_WORDS["accepted"], STATE_WORDS["refused"]}
    assert site.read(_row, RequisitionLineRow, line)["pending"] == {"supply_units": 711_002.0}
    assert site.read(_row, RequisitionLineRow, line)["supply_units"] != 711_002.0
    assert site.read(_row, ShipmentRow, shipment)["stage"] != "shipped"
    assert site.read(run_listing, run).state in ("waiting", "running", "delayed")
    assert site.peers.applied == []
    assert site.peers.nhlmis.world.counts == []

    await take_line(site, down=False)
    await _until(site, lambda: not (Counter(site.read(_states)).keys() - {"accepted"}), "the outbox is empty")
    await _until(site, lambda: site.read(run_listing, run).state == "accepted", "the report is accepted")
    applied = Counter(site.peers.applied)
    peer_line = site.read(_row, RequisitionLineRow, line)["peer_id"]
    assert applied["msupply", peer_line, "711002"] == 1
    assert ("msupply", peer_line, "711001") not in applied
    assert applied["openlmis", site.read(_row, RequisitionLineRow, asked)["peer_id"], "711003"] == 1
    steps = [to for kind, _found, to in site.peers.msupply.api.rules.applied if kind == "updateOutboundShipment"]
    assert [step for step in steps if step] == ["PICKED", "SHIPPED"]
    told = [body for order in site.peers.nhlmis.world.orders.values() for body in order.shipments]
    assert len(told) == 1
    counted = Counter(str(record) for record in site.peers.nhlmis.world.counts)
    assert len(counted) == 4
    assert set(counted.values()) == {1}
    assert site.read(_row, RequisitionLineRow, line)["pending"] is None
    assert site.read(_row, ShipmentRow, shipment)["stage"] == "shipped"


async def test_one_refused_among_them_holds_up_only_itself(site: Site) -> None:
    await take_line(site, down=True)
    line = site.read(_line_of, site.ids["msupply"], "response")
    peer_line = site.read(_row, RequisitionLineRow, line)["peer_id"]
    refused = await site.write(
        queue_change, site.catalogue, "requisition_line", line, {"supply_units": 712_001.0}, who="ada"
    )
    asked = site.read(_line_of, site.ids["openlmis"], "")
    good = await site.write(
        queue_change, site.catalogue, "requisition_line", asked, {"requested_units": 712_002.0}, who="ada"
    )
    site.peers.msupply.api.rules.refused_for_ever.add(peer_line)
    await take_line(site, down=False)
    await _until(site, lambda: site.read(outbox_row, good).state == "accepted", "the other is accepted")
    await _until(site, lambda: site.read(outbox_row, refused).state == "refused", "it is refused, with the reason")
    assert "annot" in site.read(outbox_row, refused).last_answer or site.read(outbox_row, refused).last_answer


async def _tell_shipped(site: Site) -> None:
    order = site.read(_order_of, site.ids["nhlmis"])
    await site.ship("S900001", site.read(_first_item, order))
    await site.write(queue_shipped, site.catalogue, order, site.read(_own_shipment, "S900001"), who="ada")


async def _report(site: Site) -> str:
    """What our own depot holds, for NHLMIS; asked to be sent while there is no line."""
    now = from_ms(site.clock.now_ms())
    today = local_day(site.clock.now_ms())
    first = (today - timedelta(days=70)).replace(day=1)
    donor = {"donor": "Global Fund"}
    await site.take(
        Program("malaria", "M", "Malaria"),
        *(
            StockLine(
                f"st-{n}", "own", product.code, 480.0, None, f"B{n}", "2099-06-30", product.pack_size, "", "malaria",
                attributes=donor,
            )
            for n, product in enumerate(PRODUCTS[:4])
        ),
    )  # fmt: skip

    def job(connection: Connection) -> str:
        for stream in ("stock_lines", "inbound_shipments", "outbound_shipments"):
            connection.execute(insert(StreamState).values(integration_id=OWN, stream=stream, last_read=now, trouble=""))
        fields = {"rhythm": "monthly", "starts_on": first.isoformat(), "reports_to": site.ids["nhlmis"]}
        set_up(connection, OWN, "malaria", fields, None, ["msupply"], today)
        return ask_for_run(connection, site.ids["nhlmis"], None, now=now)[0]

    return str(await asyncio.wrap_future(site.store.write(job)))


async def _until(site: Site, condition: Any, what: str, seconds: float = 40.0) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while not condition():
        assert loop.time() < ends, (what, site.read(_open_items))
        await asyncio.sleep(0.1)


def _line_of(connection: Connection, integration_id: str, side: str) -> str:
    line, paper = RequisitionLineRow, RequisitionRow
    query = (
        select(line.id)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(
            line.integration_id == integration_id,
            paper.stage.in_(("submitted", "ordered") if side else ("draft", "submitted")),
        )
        .order_by(paper.created_ms.desc(), line.key)
    )
    query = query.where(paper.side == side) if side else query
    return str(connection.execute(query.limit(1)).scalar_one())


def _shipment_of(connection: Connection, integration_id: str) -> str:
    query = select(ShipmentRow.id).where(
        ShipmentRow.integration_id == integration_id,
        ShipmentRow.side == "outbound",
        ShipmentRow.stage == "allocated",
        ShipmentRow.is_on_hold.is_(False),
    )
    return str(connection.execute(query.order_by(ShipmentRow.key).limit(1)).scalar_one())


def _states(connection: Connection) -> list[str]:
    return list(connection.execute(select(OutboxItem.state)).scalars())


def _open_items(connection: Connection) -> list[Any]:
    one = OutboxItem
    return list(connection.execute(select(one.subject, one.state, one.last_answer).where(one.state != "accepted")))


def _row(connection: Connection, table: Any, row_id: str) -> dict[str, Any]:
    found = connection.execute(select(table.__table__).where(table.id == row_id)).mappings().one()
    return {str(name): value for name, value in found.items()}


def _order_of(connection: Connection, integration_id: str) -> str:
    query = select(RequisitionRow.id).where(RequisitionRow.integration_id == integration_id)
    return str(connection.execute(query.order_by(RequisitionRow.key).limit(1)).scalar_one())


def _first_item(connection: Connection, order: str) -> str:
    line, paper = RequisitionLineRow, RequisitionRow
    query = (
        select(line.item)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(paper.id == order)
    )
    return str(connection.execute(query.limit(1)).scalar_one())


def _own_shipment(connection: Connection, peer_id: str) -> str:
    return str(connection.execute(select(ShipmentRow.id).where(ShipmentRow.peer_id == peer_id)).scalar_one())
