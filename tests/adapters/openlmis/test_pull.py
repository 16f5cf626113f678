"""Polling: everything arrives, what did not change is not asked for again, and trouble of one stream stays its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.errors import NotReady
from adapters.openlmis.paging import Pace
from adapters.openlmis.simulator import running
from adapters.openlmis.simulator_world import day, moment
from adapters.supply import Requisition, Shipment
from tests.adapters.openlmis.support import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Memory,
    a_requisition,
    a_shipped_order,
    adapter_for,
    an_order,
    asked,
    mirrors,
    pull,
    small_world,
)


async def test_everything_arrives_and_a_quiet_run_costs_two_requests() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(150)
        memory = Memory()
        await pull(adapter, memory)
        mirrors(memory, server)
        assert set(memory.read.values()) == {""}
        assert len(memory.read) == 7
        server.world.now_ms += MINUTE_MS
        server.api.seen.clear()
        assert await pull(adapter, memory) == 0
        assert len(server.api.seen) <= 2, asked(server, "")


async def test_what_happens_meanwhile_arrives_without_reading_all_again() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(150)
        memory = Memory()
        await pull(adapter, memory)
        for _ in range(8):
            server.world.now_ms += 61 * MINUTE_MS
            server.life.history(6)
            server.api.seen.clear()
            await pull(adapter, memory)
            mirrors(memory, server)
            assert len(asked(server, "/v2/requisitions/")) <= 8
            assert asked(server, "/api/facilities?") == []


async def test_a_new_adapter_goes_on_from_the_cursors() -> None:
    async with running(small_world()) as server:
        server.life.history(100)
        memory = Memory()
        async with adapter_for(server) as adapter:
            await pull(adapter, memory)
        server.world.now_ms += 20 * MINUTE_MS
        server.api.seen.clear()
        async with adapter_for(server) as adapter:
            assert await pull(adapter, memory) == 0
        assert asked(server, "/v2/requisitions/") == []
        assert asked(server, "/api/orders/") == []


async def test_units_stages_and_references_of_one_shipment() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, proof = a_shipped_order(server, lines=2)
        memory = Memory()
        await pull(adapter, memory)
        found: Shipment = memory.kept["shipment"][order["id"]]
        assert (found.stage, found.side, found.number) == ("shipped", "outbound", order["orderCode"])
        assert found.sender == server.world.store["id"]
        assert found.receiver == order["receivingFacility"]["id"]
        assert found.lines is not None
        assert {line.peer_id for line in found.lines} == {line["id"] for line in proof["lineItems"]}
        lots = server.world.lots
        sent = server.world.shipments[proof["shipment"]["id"]]["lineItems"]
        assert sorted((line.item, line.batch, line.expires_on, line.units) for line in found.lines) == sorted(
            (
                line["orderable"]["id"],
                lots[line["lot"]["id"]]["lotCode"],
                lots[line["lot"]["id"]]["expirationDate"],
                float(line["quantityShipped"]),
            )
            for line in sent
        )
        proof |= {"receivedBy": "Amina", "receivedDate": day(server.world.now_ms)}
        server.world.now_ms += 2 * HOUR_MS  # the order itself does not change by that
        await pull(adapter, memory)
        found = memory.kept["shipment"][order["id"]]
        assert (found.stage, found.received_by) == ("delivered", "Amina")


async def test_an_order_not_yet_shipped_asks_for_units() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order = an_order(server, units=61)
        memory = Memory()
        await pull(adapter, memory)
        found: Shipment = memory.kept["shipment"][order["id"]]
        assert found.stage == "ordered"
        assert found.lines is not None
        line = found.lines[0]
        assert line.is_placeholder
        assert line.units == order["orderLineItems"][0]["totalDispensingUnits"]
        assert line.pack_size == order["orderLineItems"][0]["orderable"]["netContent"]


async def test_figures_of_a_requisition_are_its_own() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "SUBMITTED")
        memory = Memory()
        await pull(adapter, memory)
        found: Requisition = memory.kept["requisition"][raw["id"]]
        assert (found.stage, found.side, found.version) == (
            "submitted",
            "response",
            server.requisitions.etag(raw["id"]),
        )
        assert found.sent_ms is not None
        assert found.lines is not None
        line, sent = found.lines[0], raw["requisitionLineItems"][0]
        assert line.requested_units == sent["requestedQuantity"]
        assert line.opening_units == sent["beginningBalance"]
        assert line.consumed_units == sent["totalConsumedQuantity"]
        assert line.average_monthly_units == sent["averageConsumption"] / 2  # the period has two months


async def test_a_facility_or_programme_that_is_followed_later_brings_its_older_papers() -> None:
    async with running(small_world()) as server:
        server.life.history(150)
        world = server.world
        memory = Memory()
        clinic = world.clinics[0]
        async with adapter_for(server, facilities=clinic["code"], programs="MAL") as adapter:
            await pull(adapter, memory)
        malaria = next(key for key, facts in world.rules.items() if facts.code == "MAL")
        papers = world.requisitions.values()
        assert set(memory.kept["requisition"]) == {
            one["id"] for one in papers if one["facility"]["id"] == clinic["id"] and one["program"]["id"] == malaria
        }
        assert [key for key, one in memory.kept["facility"].items() if one.is_ours] == [clinic["id"]]
        world.now_ms += MINUTE_MS
        async with adapter_for(server) as adapter:
            await pull(adapter, memory)
        assert set(memory.kept["requisition"]) == set(world.requisitions)
        assert set(memory.kept["shipment"]) == set(world.orders)
        assert [key for key, one in memory.kept["facility"].items() if one.is_ours] == [world.store["id"]]


async def test_what_was_saved_a_little_earlier_but_came_late_is_found() -> None:
    """Another node of the server, or a long transaction: its change time lies before what was handed over."""
    async with running(small_world()) as server, adapter_for(server) as adapter:
        a_requisition(server)
        memory = Memory()
        await pull(adapter, memory)
        late = a_requisition(server)
        late["modifiedDate"] = moment(START_MS - 5 * MINUTE_MS)
        server.world.now_ms += 11 * MINUTE_MS
        assert await pull(adapter, memory) == 1
        assert late["id"] in memory.kept["requisition"]


async def test_a_paper_dated_years_ahead_hides_nothing_and_is_not_asked_for_at_every_run() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        a_requisition(server)["modifiedDate"] = "2099-01-01T00:00:00Z"
        memory = Memory()
        await pull(adapter, memory)
        for _ in range(3):
            server.world.now_ms += 30 * MINUTE_MS
            raw = a_requisition(server)
            server.api.seen.clear()
            await pull(adapter, memory)
            assert raw["id"] in memory.kept["requisition"]
            assert len(asked(server, "/v2/requisitions/")) == 1


# --- 304, pages, interruptions ---------------------------------------------------------------------------------------


async def test_an_unchanged_catalogue_costs_one_request_and_a_changed_item_arrives() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 25 * HOUR_MS
        server.api.seen.clear()
        before = len(memory.kept["item"])
        await pull(adapter, memory)
        catalogue = [headers for _, path, headers in server.api.seen if path.startswith("/api/orderables?")]
        assert len(catalogue) == 1
        assert "if-modified-since" in catalogue[0]
        key = next(iter(server.world.orderables))
        server.world.change_orderable(key, fullProductName="Renamed")
        server.world.now_ms += 25 * HOUR_MS
        await pull(adapter, memory)
        assert memory.kept["item"][key].name == "Renamed"
        assert memory.kept["item"][key].version == str(server.world.orderables[key][-1]["meta"]["versionNumber"])
        assert memory.count("item") == before


async def test_the_catalogue_is_read_without_the_header_once_a_week() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 8 * DAY_MS
        server.api.seen.clear()
        await pull(adapter, memory)
        first = next(headers for _, path, headers in server.api.seen if path.startswith("/api/orderables?"))
        assert "if-modified-since" not in first


async def test_an_interrupted_catalogue_goes_on_at_its_page() -> None:
    async with running(small_world(items=200)) as server, adapter_for(server, page_size=40) as adapter:
        memory = Memory()
        server.faults.kind, server.faults.path, server.faults.left = "503", "/orderables", None
        server.faults.left = 0
        pages = 0
        batches: Any = adapter.fetch({})
        async for batch in batches:
            memory.take(batch)
            pages += "items" in batch.cursors
            if pages == 3:
                await batches.aclose()
                break
        state = json.loads(memory.cursors["items"])
        assert state["at"] > 0
        server.api.seen.clear()
        had = len(memory.kept["item"])
        await pull(adapter, memory)
        assert set(memory.kept["item"]) == set(server.world.orderables)
        again = sum(1 for path in asked(server, "/api/orderables?"))
        assert again <= 1 + (len(server.world.orderables) - had) // 20 + 2
        assert memory.gone == set()


async def test_an_item_added_in_the_middle_of_an_interrupted_reading_is_not_missed() -> None:
    async with running(small_world(items=200)) as server, adapter_for(server, page_size=40) as adapter:
        memory = Memory()
        batches: Any = adapter.fetch({})
        async for batch in batches:
            memory.take(batch)
            if "at" in json.loads(memory.cursors.get("items", "{}")):
                await batches.aclose()
                break
        server.world.now_ms += 5000
        program = next(iter(server.world.programs))
        server.world.add_orderable("NEW001-1", "New item", "tablet", 1, [program])
        await pull(adapter, memory)
        assert set(memory.kept["item"]) == set(server.world.orderables)


def test_pages_follow_the_line() -> None:
    pace = Pace(400)
    assert pace.size == 200
    pace.took(0.2, full=True)
    assert pace.size == 400
    for size in (200, 100, 50, 25, 25):
        pace.took(9.0, full=True)
        assert pace.size == size
    assert pace.fitting(75) == 25
    assert pace.fitting(80) == 0
    pace.took(0.2, full=False)
    assert pace.size == 25


@pytest.mark.parametrize("largest", [7, 25, 30])
async def test_a_server_that_cuts_its_pages_is_read_to_the_end(largest: int) -> None:
    async with running(small_world(items=90), largest_page=largest) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        assert set(memory.kept["item"]) == set(server.world.orderables)
        assert memory.count("stock_line") > largest
        assert memory.rejected == []


async def test_a_page_that_never_comes_makes_the_next_one_smaller() -> None:
    async with running(small_world(items=60)) as server, adapter_for(server, answer_within_s=1) as adapter:
        server.faults.kind, server.faults.path, server.faults.left = "stall_body", "/orderables", 1
        memory = Memory()
        with pytest.raises(NotReady):
            await pull(adapter, memory)
        await pull(adapter, memory)
        sizes = [int(path.rpartition("size=")[2]) for path in asked(server, "/api/orderables?")]
        assert sizes == [100]  # the first one, that never came, asked for 200
        assert set(memory.kept["item"]) == set(server.world.orderables)


async def test_requisitions_of_an_interrupted_run_are_not_asked_for_again() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(250)
        memory = Memory()
        batches: Any = adapter.fetch({})
        async for batch in batches:
            memory.take(batch)
            if memory.kept["requisition"]:
                await batches.aclose()
                break
        server.api.seen.clear()
        had = set(memory.kept["requisition"])
        assert 0 < len(had) < len(server.world.requisitions)
        await pull(adapter, memory)
        mirrors(memory, server)
        again = {path.rpartition("/")[2] for path in asked(server, "/v2/requisitions/")}
        assert not again & had


# --- what comes to an end, what is gone ------------------------------------------------------------------------------


async def test_an_order_that_came_and_ended_during_a_silence_is_found() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 3 * HOUR_MS
        order, proof = a_shipped_order(server)
        server.goods.update_proof(proof["id"], server.life.filled(proof), server.world.users["clerk"])
        server.world.now_ms += 2 * HOUR_MS
        await pull(adapter, memory)
        assert memory.kept["shipment"][order["id"]].stage == "received"


async def test_an_open_order_that_ends_is_read_once_more() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, proof = a_shipped_order(server)
        memory = Memory()
        await pull(adapter, memory)
        server.goods.update_proof(proof["id"], server.life.filled(proof), server.world.users["clerk"])
        server.world.now_ms += 5 * MINUTE_MS
        await pull(adapter, memory)
        assert memory.kept["shipment"][order["id"]].stage == "received"
        server.api.seen.clear()
        server.world.now_ms += 5 * MINUTE_MS
        await pull(adapter, memory)
        assert asked(server, "/api/orders/") == []


async def test_deleted_papers_are_told_where_the_server_answers_that() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order = an_order(server)
        memory = Memory()
        await pull(adapter, memory)
        del server.world.orders[order["id"]]
        server.world.now_ms += 5 * MINUTE_MS
        await pull(adapter, memory)
        assert ("shipment", order["id"]) in memory.gone


async def test_a_facility_that_left_the_list_is_gone_and_stock_that_left_too() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        lost = server.world.clinics[-1]["id"]
        del server.world.facilities[lost]
        cards = next(cards for (f, _), cards in server.world.cards.items() if f == server.world.store["id"] and cards)
        _, card = cards.popitem()
        server.world.now_ms += 25 * HOUR_MS
        await pull(adapter, memory)
        assert memory.gone == {("facility", lost), ("stock_line", card["id"])}
