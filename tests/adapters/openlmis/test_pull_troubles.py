"""Polling in trouble: a missing right, a service that is down, an odd server, a wrong clock."""

from __future__ import annotations

import pytest

from adapters.errors import BadReply, NotReady
from adapters.openlmis.simulator import running
from adapters.openlmis.simulator_world import moment
from tests.adapters.openlmis.support import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    Memory,
    a_requisition,
    a_shipped_order,
    adapter_for,
    mirrors,
    pull,
    small_world,
)


@pytest.mark.parametrize(
    ("right", "stream"),
    [
        ("STOCK_CARDS_VIEW", "stock"),
        ("REQUISITION_VIEW", "requisitions"),
        ("ORDERS_VIEW", "shipments"),
        ("SHIPMENTS_VIEW", "shipments"),
        ("PODS_VIEW", "shipments"),
    ],
)
async def test_a_missing_right_costs_its_own_stream_only(right: str, stream: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(120)
        a_shipped_order(server)
        server.accounts.rights.discard(right)
        memory = Memory()
        await pull(adapter, memory)
        assert {name for name, trouble in memory.read.items() if trouble} == {stream}
        assert right in memory.read[stream]
        assert len(memory.read) == 7
        server.accounts.rights.add(right)
        server.world.now_ms += 61 * MINUTE_MS
        await pull(adapter, memory)
        assert memory.read[stream] == ""


async def test_one_service_that_is_down_leaves_the_others_at_work() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(120)
        server.faults.kind, server.faults.path = "502", "/requisitions"
        memory = Memory()
        await pull(adapter, memory)
        assert {name for name, trouble in memory.read.items() if trouble} == {"requisitions"}
        assert memory.count("stock_line") > 0
        server.faults.clear()
        await pull(adapter, memory)
        mirrors(memory, server)


async def test_a_server_that_is_down_as_a_whole_is_not_ready() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 2 * HOUR_MS
        server.faults.kind = "503"
        with pytest.raises(NotReady):
            await pull(adapter, memory)


async def test_lists_that_bring_everything_twice_are_taken_once() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(80)
        server.faults.doubled = True
        memory = Memory()
        await pull(adapter, memory)
        assert memory.count("requisition") == len(server.world.requisitions)
        assert memory.count("item") == len(server.world.orderables)


async def test_a_renamed_id_sets_records_aside_and_marks_nothing_gone() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 8 * DAY_MS
        server.faults.renamed = {"productCode": "code2", "fullProductName": "", "startDate": "begins"}
        await pull(adapter, memory)
        assert memory.gone == set()
        assert {bad.key.split()[0] for bad in memory.rejected} == {"period"}
        assert memory.count("item") == len(server.world.orderables)


async def test_a_server_that_ignores_pages_is_not_asked_for_ever() -> None:
    async with running(small_world(items=60)) as server, adapter_for(server) as adapter:
        server.faults.renamed = {"last": "", "totalPages": "", "number": "", "size": ""}
        memory = Memory()
        await pull(adapter, memory)
        assert set(memory.kept["item"]) == set(server.world.orderables)


async def test_garbage_in_a_list_is_set_aside() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.path, server.faults.left = "array_of_garbage", "/processingPeriods", 1
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.rejected) == 6
        assert memory.count("period") == 0
        assert all(bad.why for bad in memory.rejected)


async def test_a_web_page_in_place_of_an_answer_ends_the_run() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.path = "html", "/orders"
        with pytest.raises(BadReply, match="a web page instead of data"):
            await pull(adapter, Memory())


async def test_unreadable_cursors_begin_anew() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.life.history(60)
        memory = Memory()
        memory.cursors = dict.fromkeys(
            ("facilities", "items", "requisitions", "shipments"), '{"seen": "x", "known": [1]'
        )
        await pull(adapter, memory)
        mirrors(memory, server)


async def test_a_clock_that_was_set_back_does_not_stop_the_streams() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms = START_MS - 30 * DAY_MS
        await pull(adapter, memory)
        assert set(memory.read) >= {"facilities", "items", "stock", "shipments", "requisitions"}


async def test_the_server_clock_decides_what_is_new() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.clock_ahead_ms = 5 * HOUR_MS
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 11 * MINUTE_MS
        raw = a_requisition(server)
        assert raw["modifiedDate"] > moment(START_MS)
        await pull(adapter, memory)
        assert raw["id"] in memory.kept["requisition"]
