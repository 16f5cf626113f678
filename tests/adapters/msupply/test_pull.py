"""Reading: what comes, what is left alone, what disappears, and what one missing permission costs."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import cast

import pytest

from adapters.errors import AdapterError, BadReply, NotReady
from adapters.msupply import mapping
from adapters.msupply.pages import SMALLEST, Sizes
from adapters.msupply.papers import OVERLAP_MS
from adapters.msupply.simulator import line_to, running
from adapters.msupply.simulator_access import INVOICE_QUERIES
from adapters.records import Batch
from tests.adapters.msupply.support import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Memory,
    adapter_for,
    outbound,
    pull,
    small_world,
)

STREAMS = {"facilities", "programs", "items", "stock", "requisitions", "shipments"}


async def test_a_first_run_brings_what_the_stores_hold() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
    ours = {world.central["nameId"], world.zonal["nameId"]}
    assert memory.streams == dict.fromkeys(STREAMS, "")
    assert not memory.rejected
    assert {place.peer_id for place in memory.of("facility") if place.is_ours} == ours
    assert len(memory.of("facility")) == len(world.names)
    assert len(memory.of("item")) == world.catalogue.count
    held = [line for store in (world.central, world.zonal) for line in world.stock[store["id"]].values()]
    stock = {line.peer_id: line for line in memory.of("stock_line")}
    assert set(stock) == {line["id"] for line in held if line["totalNumberOfPacks"] > 0}
    for line in held:
        if line["id"] in stock:
            assert stock[line["id"]].units == line["totalNumberOfPacks"] * line["packSize"]
    read = (world.central["id"], world.zonal["id"])
    papers = [paper for paper in world.requisitions.values() if paper["_store"] in read]
    assert {paper.peer_id for paper in memory.of("requisition")} == {paper["id"] for paper in papers}
    assert all(paper.lines for paper in memory.of("requisition"))
    assert all(shipment.sender in ours or shipment.receiver in ours for shipment in memory.of("shipment"))
    named = [paper for paper in memory.of("requisition") if paper.program]
    assert {paper.program for paper in named} <= {program.peer_id for program in memory.of("program")}
    assert {paper.period for paper in named} <= {period.peer_id for period in memory.of("period")}
    assert any(line.average_monthly_units for line in stock.values())


async def test_nothing_is_asked_before_it_is_due() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        for minutes, due in ((2, set()), (4, {"shipments"}), (10, {"shipments", "requisitions"}), (45, STREAMS_HOURLY)):
            memory.streams.clear()
            world.now_ms += minutes * MINUTE_MS
            await pull(adapter, memory)
            assert set(memory.streams) == due, minutes
        world.now_ms += 24 * HOUR_MS
        memory.streams.clear()
        await pull(adapter, memory)
        assert set(memory.streams) == STREAMS


STREAMS_HOURLY = {"shipments", "requisitions", "stock"}


async def test_a_clock_that_went_back_silences_nothing() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        world.now_ms -= 10 * DAY_MS
        memory.streams.clear()
        await pull(adapter, memory)
        assert set(memory.streams) == STREAMS


async def test_what_moves_at_the_server_is_seen_at_the_next_run() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        invoice = outbound(world, "PICKED", to_store=True)
        world.now_ms += 6 * MINUTE_MS
        await pull(adapter, memory)
        assert memory.records["shipment", invoice["id"]].stage == "picked"
        world.move_outbound(invoice, "SHIPPED")
        world.now_ms += 6 * MINUTE_MS
        await pull(adapter, memory)
        world.move_inbound(world.invoices[invoice["_linked"]], "VERIFIED")
        world.now_ms += 6 * MINUTE_MS
        await pull(adapter, memory)
        found = memory.records["shipment", invoice["id"]]
    assert found.stage == "verified"
    assert found.delivered_ms == found.verified_ms == world.now_ms - 6 * MINUTE_MS


async def test_a_moment_that_was_dated_back_is_found_all_the_same() -> None:
    """With backdating a status moment may lie before every window (section 5)."""
    world = small_world()
    invoice = outbound(world, "SHIPPED", to_store=True)
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        now_ms, world.now_ms = world.now_ms, world.now_ms - 3 * DAY_MS
        world.move_inbound(world.invoices[invoice["_linked"]], "VERIFIED")
        world.now_ms = now_ms + HOUR_MS
        await pull(adapter, memory)
        assert memory.records["shipment", invoice["id"]].stage == "verified"


async def test_what_is_deleted_there_is_gone_here() -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        del world.invoices[invoice["id"]]
        line = next(iter(world.stock[world.central["id"]].values()))
        line["totalNumberOfPacks"] = 0.0
        world.now_ms += 2 * HOUR_MS
        await pull(adapter, memory)
        assert ("shipment", invoice["id"]) in memory.gone
        assert ("stock_line", line["id"]) in memory.gone
        world.now_ms += 2 * HOUR_MS
        await pull(adapter, memory)
        asked = [request["variables"].get("id") for request in server.seen].count(invoice["id"])
    assert asked == 1, "what is gone is not asked for again"


async def test_an_item_that_a_store_no_longer_sees_is_gone_after_a_day() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        last = world.catalogue.item(world.catalogue.count - 1)
        world.catalogue.count -= 1
        world.now_ms += DAY_MS
        await pull(adapter, memory)
        assert ("item", last["id"]) in memory.gone
        assert len([key for key in memory.gone if key[0] == "item"]) == 1


async def test_a_shipment_to_nobodys_store_is_not_followed_for_ever() -> None:
    world = small_world()
    invoice = outbound(world, "SHIPPED")
    async with running(world) as server, adapter_for(server, follow_days=30) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        cursor = f"shipments:{world.central['id']}:outbound"
        assert invoice["id"] in json.loads(memory.cursors[cursor])["open"]
        world.now_ms += 31 * DAY_MS
        await pull(adapter, memory)
        assert invoice["id"] not in json.loads(memory.cursors[cursor]).get("open", [])
        assert ("shipment", invoice["id"]) not in memory.gone


async def test_high_water_is_the_servers_moment_less_an_overlap_and_never_ours() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server, skew_ms=5 * HOUR_MS) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        # Nothing in the window between the newest paper and now: a paper that appears late with an older moment.
        central = [paper for paper in memory.of("requisition") if paper.attributes["store_id"] == world.central["id"]]
        newest = max(at for paper in central for at in (paper.created_ms, paper.closed_ms) if at is not None)
        cursor = json.loads(memory.cursors[f"requisitions:{world.central['id']}"])
        assert cursor["high_ms"] == newest
        customer = next(name for name in world.names.values() if name["code"] == "NGS012")
        now_ms, world.now_ms = world.now_ms, newest - OVERLAP_MS + MINUTE_MS
        late = world.arrive(customer, 3)
        world.finalise(late)
        world.now_ms = now_ms + 20 * MINUTE_MS
        await pull(adapter, memory)
        assert memory.records["requisition", late["id"]].stage == "closed"


async def test_a_moment_in_the_future_does_not_hide_what_comes_before_it() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        outbound(world, "SHIPPED")["shippedDatetime"] = "2199-01-01T00:00:00.000Z"
        memory = Memory()
        await pull(adapter, memory)
        for name, cursor in memory.cursors.items():
            assert json.loads(cursor).get("high_ms", 0) <= world.now_ms, name


# -- one stream in trouble


@pytest.mark.parametrize(
    ("permission", "stream", "still"),
    [
        ("STOCK_LINE_QUERY", "stock", "requisition"),
        ("REQUISITION_QUERY", "requisitions", "stock_line"),
        ("OUTBOUND_SHIPMENT_QUERY", "shipments", "stock_line"),
        ("INBOUND_SHIPMENT_QUERY", "shipments", "shipment"),
    ],
)
async def test_a_missing_permission_costs_one_stream_only(permission: str, stream: str, still: str) -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        for held in server.account.permissions.values():
            held.discard(permission)
        memory = Memory()
        await pull(adapter, memory)
        assert {name for name, trouble in memory.streams.items() if trouble} == {stream}
        assert permission in memory.streams[stream]
        assert "SCMS" in memory.streams[stream]
        assert memory.of(still)
        for held in server.account.permissions.values():
            held.add(permission)
        world.now_ms += 2 * HOUR_MS
        await pull(adapter, memory)
        assert memory.streams[stream] == ""


async def test_invoices_are_asked_for_by_type_or_six_permissions_would_be_needed() -> None:
    """The trap of section 2: the account has two of the six."""
    world = small_world()
    invoice = outbound(world, "PICKED")
    async with running(world) as server, adapter_for(server) as adapter:
        held = server.account.permissions[world.central["id"]]
        assert len(held & set(INVOICE_QUERIES)) == 2
        memory = Memory()
        await pull(adapter, memory)
        assert memory.records["shipment", invoice["id"]].lines
        variables = {"storeId": world.central["id"], "first": 10, "offset": 0}
        with pytest.raises(AdapterError, match=r"PRESCRIPTION_QUERY|INBOUND_SHIPMENT_EXTERNAL_QUERY"):
            await adapter.client.call("Shipments", variables)


@pytest.mark.parametrize("version", ["2.12", "2.17", "2.18"])
async def test_older_servers_are_read_all_the_same(version: str) -> None:
    world = small_world()
    async with running(world, version=version) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
    assert memory.streams == dict.fromkeys(STREAMS, "")
    assert memory.of("shipment")


async def test_a_removed_field_costs_its_stream_or_only_itself() -> None:
    world = small_world()
    removed = ["StockLineNode.packSize", "ItemNode.venCategory", "InvoiceNode.transportReference"]
    async with running(world, removed=removed) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
    assert {name for name, trouble in memory.streams.items() if trouble} == {"stock"}
    assert "StockLineNode.packSize" in memory.streams["stock"]
    assert len(memory.of("item")) == world.catalogue.count
    assert memory.of("shipment")


async def test_records_that_come_twice_are_kept_once_and_do_not_hide_deletions_for_ever() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        server.api.duplicates = True
        memory = Memory()
        await pull(adapter, memory)
        assert any("sent it twice" in rejected.why for rejected in memory.rejected)
        line = list(world.stock[world.central["id"]].values())[5]
        line["totalNumberOfPacks"] = 0.0
        for _ in range(3):
            world.now_ms += 2 * HOUR_MS
            await pull(adapter, memory)
        assert ("stock_line", line["id"]) in memory.gone


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("totalNumberOfPacks", -4.0, "negative"),
        ("packSize", 0.0, "pack size"),
        ("totalNumberOfPacks", 1e300, "no sensible quantity"),
        ("totalNumberOfPacks", 9e11, "more than any store has"),
    ],
)
async def test_absurd_quantities_are_set_aside_one_by_one(field: str, value: float, words: str) -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        lines = [line for line in world.stock[world.central["id"]].values() if line["packSize"] > 1]
        lines[0][field] = value
        memory = Memory()
        await pull(adapter, memory)
        others = len(memory.of("stock_line"))
    assert [words in rejected.why for rejected in memory.rejected] == [True]
    assert lines[0]["id"] in memory.rejected[0].key
    assert others > 100
    assert memory.streams["stock"] == ""


async def test_a_failing_server_in_one_stream_lets_the_others_go_on() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.operation = "internal_error", "query StockLines("
        memory = Memory()
        await pull(adapter, memory)
        assert {name for name, trouble in memory.streams.items() if trouble} == {"stock"}
        assert "database is locked" in memory.streams["stock"]
        server.faults.operation = "query ItemsWithStats("
        world.now_ms += 2 * HOUR_MS
        await pull(adapter, memory)
    assert memory.streams["stock"] == "", "the stock comes without its consumption"


async def test_a_store_that_cannot_be_read_is_a_bad_reply() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        world.central["nameId"] = ""
        with pytest.raises(BadReply, match="describes a store"):
            await pull(adapter, Memory())


# -- the line


async def test_a_first_reading_of_items_goes_on_where_it_broke_off() -> None:
    world = small_world(items=3000)
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        batches = adapter.fetch({})
        async for batch in batches:
            memory.take(batch)
            if len(memory.of("item")) >= 1000:
                break
        await cast("AsyncGenerator[Batch, None]", batches).aclose()
        assert json.loads(memory.cursors["items"])["offset"] >= 800
        before = memory.taken
        await pull(adapter, memory)
        assert len(memory.of("item")) == 3000
        assert not [key for key in memory.gone if key[0] == "item"]
        assert memory.taken - before < 3000 + 1500


async def test_pages_shrink_on_a_bad_line_and_grow_again() -> None:
    world = small_world(items=2000)
    async with running(world) as server, line_to(server) as line:
        url = f"http://127.0.0.1:{line.port}"
        async with adapter_for(server, url=url, stores="SCMS", consumption=False) as adapter:
            memory = Memory()
            line.cut_reply_after = 60_000
            for _ in range(20):
                try:
                    await pull(adapter, memory)
                    break
                except (NotReady, BadReply):
                    world.now_ms += 6 * MINUTE_MS
            else:
                pytest.fail("it never came through")
            assert len(memory.of("item")) == 2000
            sizes = [r["variables"]["first"] for r in server.seen if "query Items(" in r["query"]]
            assert min(sizes) < 200
    assert any(later > earlier for earlier, later in pairwise(sizes))


def test_sizes_halve_at_once_and_grow_slowly() -> None:
    sizes = Sizes(500)
    assert sizes.of("Items") == 500
    assert sizes.halve("Items")
    assert sizes.of("Items") == 250
    sizes.came("Items", 0.1)
    assert 250 < sizes.of("Items") < 400
    for _ in range(10):
        sizes.came("Items", 0.1)
    assert sizes.of("Items") == 500
    while sizes.halve("Items"):
        pass
    assert sizes.of("Items") == SMALLEST
    assert sizes.of("RequisitionsWithLines") < 50


async def test_a_line_cut_anywhere_in_a_reading_is_told_and_mended() -> None:
    world = small_world(items=40, papers=3)
    async with running(world) as server, line_to(server) as line:
        url = f"http://127.0.0.1:{line.port}"
        async with adapter_for(server, url=url, consumption=False) as adapter:
            for after in (1, 17, 100, 400, 900, 2500):
                line.cut_reply_after = after
                with pytest.raises((NotReady, BadReply)):
                    await pull(adapter, Memory())
            line.cut_reply_after = None
            memory = Memory()
            await pull(adapter, memory)
    assert memory.streams == dict.fromkeys(STREAMS, "")


async def test_a_hundred_thousand_items_in_pages() -> None:
    """Measured, not asserted: the simulated server answers in the same process."""
    world = small_world(items=100_000, papers=2)
    async with running(world) as server, adapter_for(server, stores="SCMS", page_size=1000) as adapter:
        kinds: Counter[str] = Counter()
        began = time.perf_counter()
        async for batch in adapter.fetch({}):
            kinds.update(type(record).__name__ for record in batch.records)
        spent = time.perf_counter() - began
    print(f"\n{kinds['Item']} items in {spent:.1f} s: {kinds['Item'] / spent:.0f} records/s, server included")
    assert kinds["Item"] == 100_000


def test_stages_are_all_known() -> None:
    assert list(mapping.SHIPMENT_STAGES)[:7] == [
        "NEW", "ALLOCATED", "PICKED", "SHIPPED", "DELIVERED", "RECEIVED", "VERIFIED",
    ]  # fmt: skip
