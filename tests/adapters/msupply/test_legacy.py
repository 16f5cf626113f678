"""The older mSupply (4D): sign-in, stock and customer invoices, read only (msupply.md, section 10)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.base import CheckStep, Layer
from adapters.errors import AuthFailed, BadReply, NotReady, RecordRejected, Unsupported
from adapters.msupply import legacy
from adapters.msupply.compare import compare
from adapters.msupply.simulator_legacy import LegacyServer
from tests.adapters.msupply.support import HOUR_MS, MINUTE_MS, Memory, adapter_for, change, pull, small_world


@contextlib.asynccontextmanager
async def legacy_server(**options: Any) -> AsyncIterator[LegacyServer]:
    server = LegacyServer(small_world(**options))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_stock_and_invoices_are_read() -> None:
    async with legacy_server() as server, adapter_for(server) as adapter:
        world = server.world
        customer = next(name for name in world.names.values() if name["code"] == server.customer)
        invoice = world.shipment_for(world.arrive(customer, 4))
        world.move_outbound(invoice, "PICKED")
        memory = Memory()
        await pull(adapter, memory)
    held = [line for line in world.stock[world.central["id"]].values() if line["totalNumberOfPacks"] > 0]
    assert not memory.rejected
    assert len(memory.of("stock_line")) == len(held)
    total = sum(line["totalNumberOfPacks"] * line["packSize"] for line in held)
    assert sum(line.units for line in memory.of("stock_line")) == pytest.approx(total)
    assert {line.item for line in memory.of("stock_line")} <= {item.peer_id for item in memory.of("item")}
    found = memory.records["shipment", str(invoice["invoiceNumber"])]
    assert (found.side, found.stage, found.status) == ("inbound", "picked", "confirmed")
    assert len(found.lines) == len(invoice["_lines"])
    assert set(memory.streams) == {"facilities", "stock", "shipments"}


async def test_a_check_walks_what_there_is() -> None:
    async with legacy_server() as server, adapter_for(server) as adapter:
        steps: list[CheckStep] = []
        identity = await adapter.check(steps.append)
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.TLS, Layer.SIGN_IN, Layer.PERMISSION]
    assert identity.unique_id.endswith("/api/v4#depot-console")


async def test_a_token_lives_two_hours_and_is_then_made_anew() -> None:
    async with legacy_server() as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.world.now_ms += 90 * MINUTE_MS
        await pull(adapter, memory)
        assert server.account.sign_ins == 1
        server.world.now_ms += HOUR_MS
        await pull(adapter, memory)
        assert server.account.sign_ins == 2
        server._tokens.clear()
        server.world.now_ms += 10 * MINUTE_MS
        await pull(adapter, memory)
        assert server.account.sign_ins == 3


@pytest.mark.parametrize("wrong", [{"password": "planted-wrong"}, {"login_type": "storeInvoice"}])
async def test_a_refused_sign_in(wrong: dict[str, Any]) -> None:
    async with legacy_server() as server, adapter_for(server, **wrong) as adapter:
        with pytest.raises(AuthFailed, match="kind of account") as found:
            await adapter.check(lambda _: None)
        assert "planted" not in str(found.value)


async def test_paths_are_a_sites_own() -> None:
    async with legacy_server() as server, adapter_for(server, invoices_path="/elsewhere") as adapter:
        with pytest.raises(BadReply, match="does not know the page"):
            await pull(adapter, Memory())


@pytest.mark.parametrize(("kind", "error"), [("html_502", NotReady), ("half_json", BadReply), ("html", BadReply)])
async def test_faults_are_told(kind: Any, error: type[Exception]) -> None:
    async with legacy_server() as server, adapter_for(server) as adapter:
        await adapter.check(lambda _: None)
        server.faults.kind = kind
        with pytest.raises(error):
            await pull(adapter, Memory())


async def test_it_is_read_only_and_not_compared() -> None:
    async with legacy_server() as server, adapter_for(server) as adapter:
        with pytest.raises(RecordRejected, match="only read"):
            await adapter.send(change("ship_shipment", "7", {"stage": "shipped"}))
        with pytest.raises(Unsupported, match="no GraphQL"):
            await compare(adapter)


@pytest.mark.parametrize(
    ("dates", "stage"),
    [
        ({}, "unknown"),
        ({"confirmedDate": "2026-11-01T08:00:00Z"}, "picked"),
        ({"confirmedDate": "2026-11-01T08:00:00Z", "acknowledgedDate": "2026-11-02T08:00:00Z"}, "shipped"),
        ({"receivedDate": "2026-11-03T08:00:00Z"}, "received"),
        ({"receivedDate": "2026-11-03T08:00:00Z", "cancelledDate": "2026-11-04T08:00:00Z"}, "cancelled"),
    ],
)
def test_dates_that_are_filled_in_are_the_stage(dates: dict[str, str], stage: str) -> None:
    blank = dict.fromkeys(("confirmedDate", "acknowledgedDate", "receivedDate", "cancelledDate"), "")
    raw: dict[str, Any] = {"invoiceNumber": 8, **blank, **dates}
    (record,) = legacy._read([raw], "customer invoice", legacy._invoice, {})
    assert getattr(record, "stage", None) == stage
