"""Every fault of the server or the line: its own sentence, its own error, and no loss afterwards."""

from __future__ import annotations

import random
from typing import Any

import pytest

from adapters.base import Outgoing
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.openlmis.simulator import running
from adapters.openlmis.simulator_faults import FaultKind
from tests.adapters.openlmis.support import (
    MINUTE_MS,
    Memory,
    a_shipped_order,
    adapter_for,
    an_order,
    outgoing,
    pull,
    small_world,
)

FAULTS: dict[FaultKind, tuple[type[AdapterError], str]] = {
    "html": (BadReply, "a web page instead of data"),
    "html_502": (NotReady, "the server behind it does not"),
    "cut": (BadReply, "broke off its answer"),
    "cut_request": (BadReply, "broke off its answer"),
    "stall": (NotReady, "stopped answering"),
    "stall_body": (NotReady, "stopped answering"),
    "empty": (BadReply, "empty answer"),
    "text": (BadReply, "is not JSON"),
    "301": (BadReply, "sends us to another address"),
    "401": (AuthFailed, "refused the sign-in"),
    "429": (NotReady, "asked too often"),
    "500": (NotReady, "fault of its own (500)"),
    "502": (NotReady, "the server behind it does not"),
    "503": (NotReady, "not available at the moment"),
    "504": (NotReady, "the server behind it does not"),
}


@pytest.mark.parametrize("kind", list(FAULTS))
async def test_fault_of_everything_has_its_sentence_and_passes_without_loss(kind: FaultKind) -> None:
    error, words = FAULTS[kind]
    async with running(small_world()) as server, adapter_for(server, answer_within_s=1) as adapter:
        server.life.history(40)
        memory = Memory()
        await adapter._client.ensure_signed_in()
        server.faults.kind, server.faults.path = kind, "/api/"
        with pytest.raises(error) as failed:
            await pull(adapter, memory)
        why = failed.value.why
        assert words in why
        assert f"127.0.0.1:{server.port}" in why
        assert why.endswith(".")
        assert why.count(". ") >= 1, "what to do next is missing"
        assert server.accounts.password not in why
        server.faults.clear()
        await pull(adapter, memory)
        assert memory.count("requisition") == len(server.world.requisitions)
        assert memory.count("item") == len(server.world.orderables)


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("Wed, 25 Nov 2026 10:00:00 GMT", None), ("soon", None)])
async def test_retry_after_is_taken(text: str, seconds: float | None) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        await adapter._client.ensure_signed_in()
        server.faults.kind, server.faults.retry_after = "429", text
        with pytest.raises(NotReady) as busy:
            await pull(adapter, Memory())
        if seconds is not None:
            assert busy.value.retry_after_s == seconds


@pytest.mark.parametrize("kind", ["500", "502", "503", "504", "html_502", "html", "cut", "stall"])
async def test_a_change_whose_answer_is_a_fault_is_doubtful_and_then_applied_once(kind: FaultKind) -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True, answer_within_s=1) as adapter:
        order = an_order(server)
        server.faults.kind, server.faults.path, server.faults.method = kind, "/shipments", "POST"
        server.faults.left = 1
        change: dict[str, Any] = {"values": {"stage": "shipped"}, "seen": {"stage": "ordered"}}
        first = outgoing("ship", order["id"], **change)
        with pytest.raises(AdapterError) as lost:
            await adapter.send(first)
        assert lost.value.is_doubtful
        again = outgoing("ship", order["id"], **change, key=first.key, doubtful=True, tries=1)
        receipt = await adapter.send(again)
        assert receipt.was_applied_before == (kind == "cut")
        assert len(server.world.shipments) == len(server.world.stock_events) == 1


async def test_a_change_that_was_never_looked_at_is_not_doubtful() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, _ = a_shipped_order(server)
        await adapter._client.ensure_signed_in()
        server.faults.kind, server.faults.method = "429", "PUT"
        with pytest.raises(NotReady) as busy:
            await adapter.send(outgoing("proof", order["id"], {"received_by": "Amina"}))
        assert not busy.value.is_doubtful
        server.faults.clear()
        await server.stop()
        with pytest.raises(NotReady, match="nothing listens there") as gone:
            await adapter.send(outgoing("proof", order["id"], {"received_by": "Amina"}))
        assert not gone.value.is_doubtful


@pytest.mark.parametrize("seed", range(4))
async def test_with_faults_at_random_everything_converges_and_nothing_is_doubled(seed: int) -> None:
    """Changes and readings while a third of all requests fail; then the line heals."""
    rng = random.Random(seed)
    async with running(small_world(seed=seed)) as server, adapter_for(server, ship_orders=True) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.faults.rng, server.faults.slow_s = random.Random(seed), 0.01
        waiting: list[Outgoing] = []
        for _ in range(8):
            order = an_order(server)
            waiting.append(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        made, during = len(waiting), 0
        for round_number in range(60):
            server.faults.chance = 0.3 if round_number < 40 else 0.0
            server.world.now_ms += MINUTE_MS
            if waiting:
                at = rng.randrange(len(waiting))
                one = waiting[at]
                try:
                    await adapter.send(one)
                    del waiting[at]
                    during += server.faults.chance > 0
                except (NotReady, BadReply) as err:
                    doubtful = one.is_doubtful or err.is_doubtful
                    waiting[at] = outgoing(
                        "ship", one.peer_id, one.values, one.seen, key=one.key, doubtful=doubtful, tries=one.tries + 1
                    )
            if round_number % 10 == 0:
                try:
                    await pull(adapter, memory)
                except (NotReady, BadReply):
                    continue
        assert waiting == []
        assert during > 0, "something succeeded while the line was bad"
        assert len(server.world.shipments) == len(server.world.stock_events) == made
        server.world.now_ms += 61 * MINUTE_MS
        await pull(adapter, memory)
        assert {one.stage for one in memory.kept["shipment"].values()} == {"shipped"}
        assert memory.count("shipment") == made
