"""Everything at once: shipments and stock through random faults and cut lines; nothing lost, nothing twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.errors import AuthFailed, BadReply, NotReady
from adapters.nhlmis.profile_files import profile_text
from adapters.nhlmis.report import REPORTER
from adapters.nhlmis.simulator import KEY, NhlmisServer, running
from adapters.nhlmis.simulator_faults import Cut, FaultKind, breaking_line
from adapters.nhlmis.simulator_world import PRODUCTS, STORES
from adapters.reporting import StockRow
from tests.adapters.nhlmis.support import (
    Memory,
    adapter_for,
    kit_for,
    outgoing_for,
    profile,
    pull,
    rows,
    settings_for,
    shipped_for,
    world,
)

# A refusal (403, 404) is the peer's last word on a shipment: those have tests of their own.
PASSING = sorted(set(get_args(FaultKind)) - {"403", "404", "stall", "garbage"})


def trouble(server: NhlmisServer, cut: Cut, chance: random.Random, kinds: Sequence[str] = PASSING) -> None:
    """Perhaps a fault of the server, perhaps a cut line, for the next requests."""
    server.faults.clear()
    cut.left = 0
    kind: Any = chance.choice(kinds)
    if chance.random() < 0.6:
        server.faults.kind, server.faults.left = kind, chance.randint(1, 2)
        server.faults.slow_s = 0.01
    if chance.random() < 0.6:
        cut.left = 1
        cut.request_at = chance.choice([None, chance.randint(1, 900)])
        cut.answer_at = chance.choice([None, chance.randint(1, 900)])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_shipment_is_applied_once_through_any_faults(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    said: list[str] = []
    made = world(20)
    waiting = {order.id: (0, False) for order in made.orders.values()}
    cut = Cut()
    succeeded_meanwhile = 0
    own = profile(shipments={"accepted_when": "shown"})
    async with running(made, own) as server, breaking_line(server.port, cut) as port:
        server.rules.knows_repeats = False
        file = tmp_path / "profile.json"
        file.write_text(profile_text(own), encoding="utf-8")
        for turn in range(300):
            if not waiting:
                break
            if turn == 250:  # it heals
                server.faults.clear()
                cut.left = 0
            elif turn < 250:
                trouble(server, cut, chance)
            order_id = chance.choice(sorted(waiting))
            tries, doubtful = waiting[order_id]
            outgoing = outgoing_for(shipped_for(made.orders[order_id]), tries=tries, is_doubtful=doubtful)
            async with adapter_for(server, port=port, profile=str(file)) as adapter:
                try:
                    await adapter.send(outgoing)
                except (NotReady, BadReply, AuthFailed) as err:
                    said.append(err.why)
                    waiting[order_id] = (tries + 1, doubtful or err.is_doubtful)
                else:
                    del waiting[order_id]
                    succeeded_meanwhile += turn < 250
    assert waiting == {}
    assert [len(order.shipments) for order in made.orders.values()] == [1] * 20
    assert succeeded_meanwhile
    assert all(why.endswith(".") and KEY not in why for why in said)


@pytest.mark.parametrize("seed", [1, 2])
async def test_stock_converges_and_never_claims_more_than_was_taken(seed: int) -> None:
    chance = random.Random(seed)
    made = world(0)
    waiting: dict[str, StockRow] = {row.key: row for code, _ in STORES for row in rows(code)}
    cut = Cut()
    async with running(made) as server, breaking_line(server.port, cut) as port:
        for turn in range(40):
            if not waiting:
                break
            trouble(server, cut, chance)
            if turn >= 30:
                server.faults.clear()
                cut.left = 0
            async with kit_for() as kit:
                settings = settings_for(server, port=port)
                result = await REPORTER.run(settings, kit, list(waiting.values()), lambda _: None)
            told = {(one["storeCode"], one["itemCode"]) for one in made.counts}
            for store in result.stores:
                keys = [*store.accepted, *(one.key for one in store.refused), *store.unsent, *store.unconfirmed]
                assert sorted(keys) == sorted(key for key, row in waiting.items() if row.store_code == store.store)
                for key in store.accepted:
                    row = waiting.pop(key)
                    assert (row.store_code, row.item_code) in told, "accepted here, but not there"
    assert waiting == {}
    assert len(made.counts) == len(STORES) * len(PRODUCTS)


@pytest.mark.parametrize("seed", [1, 2])
async def test_orders_converge_through_any_faults(seed: int) -> None:
    chance = random.Random(seed)
    made = world(120)
    memory = Memory()
    said: list[str] = []
    cut = Cut()
    async with running(made) as server, breaking_line(server.port, cut) as port:
        for turn in range(40):
            made.advance(made.now_ms + 60_000)
            made.add_order()
            trouble(server, cut, chance)
            if turn >= 38:
                server.faults.clear()
                cut.left = 0
            async with adapter_for(server, port=port) as adapter:
                try:
                    await pull(adapter, memory)
                except (NotReady, BadReply, AuthFailed) as err:
                    said.append(err.why)
    assert memory.orders.keys() == made.orders.keys()
    assert all(why.endswith(".") and KEY not in why for why in said)
