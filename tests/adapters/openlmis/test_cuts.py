"""The line breaks at every byte of a request that changes something, and of its reply: applied exactly once.

A try whose answer is lost may have been applied; the next try, told so, asks first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Outgoing, Receipt
from adapters.errors import AdapterError, BadReply, NotReady
from adapters.openlmis import OpenLmisAdapter
from adapters.openlmis.simulator import OpenLmisServer, running
from adapters.openlmis.simulator_line import Line, line_to
from tests.adapters.openlmis.support import (
    a_requisition,
    a_shipped_order,
    adapter_for,
    an_order,
    outgoing,
    small_world,
)

Broken = Callable[[OpenLmisAdapter, Line, Outgoing], Awaitable[Receipt]]


EVERY_BYTE = pytest.mark.parametrize("step", [17, pytest.param(1, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
"""Each so many-th byte in every run of the tests, every single one in the long proof."""


def places_in(size: int, step: int) -> list[int]:
    """Every ``step``-th byte, and all of the last ones: there a request is nearly whole."""
    return sorted({*range(0, size, step), *range(max(size - 10, 0), size)})


def broken_at(begins: bytes, side: str, at: int) -> Broken:
    """Send with the line breaking there, then again as the host does, until it is accepted."""

    async def send(adapter: OpenLmisAdapter, line: Line, change: Outgoing) -> Receipt:
        line.cut(begins, **{f"{side}_at": at})
        doubtful = False
        for tries in range(4):
            try:
                return await adapter.send(replace(change, is_doubtful=doubtful, tries=tries))
            except (NotReady, BadReply) as err:
                if tries or not err.is_doubtful:  # only the first try meets the break, and it may have been applied
                    raise
                doubtful = True
        raise AssertionError("it was never accepted")

    return send


async def sizes(
    server: OpenLmisServer, line: Line, adapter: OpenLmisAdapter, begins: bytes, change: Outgoing
) -> tuple[int, int]:
    """Bytes of the request and of its reply when nothing breaks."""
    line.cut(begins)
    await adapter.send(change)
    assert line.request_bytes > 0
    return line.request_bytes, line.reply_bytes


def _proof_change(order: dict[str, Any], at: int) -> Outgoing:
    # As many bytes as every other, so that the request has the same length.
    return outgoing("proof", order["id"], {"received_by": f"Amina {at:05d}"}, {"received_by": ""})


@EVERY_BYTE
@pytest.mark.parametrize("side", ["request", "reply"])
async def test_a_proof_is_written_once_wherever_the_line_breaks(side: str, step: int) -> None:
    async with (
        running(small_world()) as server,
        line_to(server.port) as line,
        adapter_for(server, url=line.url) as adapter,
    ):
        order, proof = a_shipped_order(server)
        request, reply = await sizes(server, line, adapter, b"PUT /api/proofs", _proof_change(order, 99_999))
        applied_before = 0
        places = places_in(request if side == "request" else reply, step)
        for at in places:
            server.world.proofs[proof["id"]]["receivedBy"] = None
            server.api.bodies.clear()
            receipt = await broken_at(b"PUT /api/proofs", side, at)(adapter, line, _proof_change(order, at))
            assert server.world.proofs[proof["id"]]["receivedBy"] == f"Amina {at:05d}"
            puts = [path for method, path, _ in server.api.bodies if method == "PUT"]
            assert len(puts) == 1, f"applied {len(puts)} times, broken at byte {at} of the {side}"
            applied_before += receipt.was_applied_before
        assert line.cuts == len(places)
        assert applied_before == (0 if side == "request" else len(places))


@EVERY_BYTE
@pytest.mark.parametrize("side", ["request", "reply"])
async def test_a_shipment_is_created_once_wherever_the_line_breaks(side: str, step: int) -> None:
    async with (
        running(small_world()) as server,
        line_to(server.port) as line,
        adapter_for(server, url=line.url, ship_orders=True) as adapter,
    ):
        # Stock for all of them, of which each takes the same.
        program = an_order(server)["program"]["id"]
        for card in server.world.cards[server.world.store["id"], program].values():
            card["units"] += 10_000_000

        def change() -> Outgoing:
            order = an_order(server)
            return outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"})

        request, reply = await sizes(server, line, adapter, b"POST /api/shipments", change())
        places = places_in(request if side == "request" else reply, step)
        for at in places:
            server.world.orders.clear()
            server.world.shipments.clear()
            server.world.proofs.clear()
            server.world.stock_events.clear()
            await broken_at(b"POST /api/shipments", side, at)(adapter, line, change())
            assert len(server.world.shipments) == 1, f"broken at byte {at} of the {side}"
            assert len(server.world.stock_events) == 1
            assert len(server.world.proofs) == 1
        assert line.cuts == len(places)


@pytest.mark.parametrize("write", ["submit", "approve"])
async def test_a_step_is_taken_once_wherever_the_line_breaks(write: str) -> None:
    status, seen, wanted, begins = {
        "submit": ("INITIATED", "draft", "submitted", b"POST /api/requisitions"),
        "approve": ("AUTHORIZED", "in_approval", "approved", b"POST /api/requisitions"),
    }[write]
    async with (
        running(small_world()) as server,
        line_to(server.port) as line,
        adapter_for(server, url=line.url) as adapter,
    ):

        def change() -> Outgoing:
            raw = a_requisition(server, status, "HIV")
            return outgoing(write, raw["id"], {"stage": wanted}, {"stage": seen})

        request, reply = await sizes(server, line, adapter, begins, change())
        for side, size in (("request", request), ("reply", min(reply, 400))):
            for at in places_in(size, 17):
                one = change()
                raw = server.world.requisitions[one.peer_id]
                steps = len(raw["statusHistory"])
                await broken_at(begins, side, at)(adapter, line, one)
                assert len(raw["statusHistory"]) == steps + 1, f"broken at byte {at} of the {side}"


async def test_a_break_while_signing_in_is_not_doubtful() -> None:
    async with (
        running(small_world()) as server,
        line_to(server.port) as line,
        adapter_for(server, url=line.url) as adapter,
    ):
        order, _ = a_shipped_order(server)
        line.cut(b"POST /api/oauth", reply_at=30)
        with pytest.raises(AdapterError) as broken:
            await adapter.send(_proof_change(order, 1))
        assert not broken.value.is_doubtful


async def test_a_read_that_breaks_anywhere_changes_nothing_and_is_whole_the_next_time() -> None:
    """Of every tenth byte of a list: never a shorter list, always an error."""
    async with (
        running(small_world(items=4)) as server,
        line_to(server.port) as line,
        adapter_for(server, url=line.url) as adapter,
    ):
        line.cut(b"GET /api/orderables")
        await adapter._client.page("/orderables", (), 0, 100)
        size = line.reply_bytes
        for at in range(0, size, 10):
            line.cut(b"GET /api/orderables", reply_at=at)
            with pytest.raises((NotReady, BadReply)):
                await adapter._client.page("/orderables", (), 0, 100)
        page = await adapter._client.page("/orderables", (), 0, 100)
        assert page is not None
        assert len(page.items) == 4
