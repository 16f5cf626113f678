"""Writing back: compare, write, read back; refusals in words; nothing done twice, wherever the line is cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.base import Receipt
from adapters.errors import AdapterError, Conflict, NotReady, RecordRejected
from adapters.msupply import MSupplyAdapter
from adapters.msupply.simulator import MSupplyServer, line_to, running
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_faults import FaultKind
from adapters.msupply.simulator_world import World
from adapters.msupply.words import REFUSALS
from adapters.msupply.writes import WRITES
from adapters.supply import Requisition, Shipment
from tests.adapters.msupply.support import DAY_MS, Memory, adapter_for, change, outbound, pull, small_world


def response(world: World) -> Node:
    customer = next(name for name in world.names.values() if name["code"] == "NGS011")
    return world.arrive(customer, 3)


def applied(server: MSupplyServer, found: str) -> list[str]:
    return [value for _, record, value in server.api.rules.applied if record == found]


async def send(adapter: MSupplyAdapter, *words: Any, **more: Any) -> Receipt:
    async with asyncio.timeout(30):
        return await adapter.send(change(*words, **more))


# -- what can be done


async def test_quantities_of_a_response_and_of_a_request() -> None:
    world = small_world()
    asked, own = response(world), world.draft(3)
    line, own_line = next(iter(asked["_lines"].values())), next(iter(own["_lines"].values()))
    seen = own_line["requestedQuantity"]
    async with running(world) as server, adapter_for(server) as adapter:
        receipt = await send(
            adapter,
            "supply_quantity",
            line["id"],
            {"supply_units": 120},
            {"supply_units": 0.0},
            record="requisition_line",
            parent=asked["id"],
        )
        await send(
            adapter,
            "requested_quantity",
            own_line["id"],
            {"requested_units": 77.5},
            {"requested_units": seen},
            record="requisition_line",
            parent=own["id"],
        )
    assert line["supplyQuantity"] == 120
    assert own_line["requestedQuantity"] == 77.5
    (record,) = receipt.records
    assert isinstance(record, Requisition)
    assert record.lines is not None
    assert next(found.supply_units for found in record.lines if found.peer_id == line["id"]) == 120
    assert receipt.answer.endswith("is NEW in mSupply.")


async def test_the_steps_of_requisitions() -> None:
    world = small_world()
    asked, own = response(world), world.draft(3)
    async with running(world) as server, adapter_for(server) as adapter:
        words = {"comment": "Short of carriers this week"}
        await send(adapter, "requisition_comment", asked["id"], words, {"comment": ""}, record="requisition")
        await send(adapter, "requisition_comment", own["id"], words, record="requisition")
        seen = {"stage": "draft"}
        await send(adapter, "send_request", own["id"], {"stage": "submitted"}, seen, record="requisition")
        seen = {"stage": "submitted"}
        receipt = await send(adapter, "close_response", asked["id"], {"stage": "closed"}, seen, record="requisition")
    assert (own["status"], asked["status"]) == ("SENT", "FINALISED")
    assert asked["comment"] == own["comment"] == "Short of carriers this week"
    assert world.requisitions[own["_linked"]]["_store"] == world.central["id"]
    assert isinstance(receipt.records[0], Requisition)
    assert receipt.records[0].stage == "closed"


async def test_a_shipment_goes_its_way_and_the_reference_goes_along() -> None:
    world = small_world()
    invoice = outbound(world, "NEW", to_store=True)
    batches = [(line["stockLine"], line["numberOfPacks"]) for line in invoice["_lines"].values()]
    held = [stock["totalNumberOfPacks"] for stock, _ in batches]
    expected = "2026-11-28"
    async with running(world) as server, adapter_for(server) as adapter:
        await send(adapter, "allocate_shipment", invoice["id"], {"stage": "allocated"}, {"stage": "new"})
        assert [stock["totalNumberOfPacks"] for stock, _ in batches] == held
        await send(adapter, "pick_shipment", invoice["id"], {"stage": "picked"}, {"stage": "allocated"})
        assert [stock["totalNumberOfPacks"] for stock, _ in batches] == [
            before - taken for before, (_, taken) in zip(held, batches, strict=True)
        ]
        inbound = world.invoices[invoice["_linked"]]
        assert inbound["status"] == "PICKED"
        values = {"stage": "shipped", "transport_reference": "Trip 12, ABJ-123-XY", "expected_on": expected}
        receipt = await send(adapter, "ship_shipment", invoice["id"], values, {"stage": "picked"})
        shipped = receipt.records[0]
        receipt = await send(adapter, "deliver_shipment", invoice["id"], {"stage": "delivered"}, {"stage": "shipped"})
    assert isinstance(shipped, Shipment)
    assert (shipped.stage, shipped.transport_reference, shipped.expected_on) == (
        "shipped", "Trip 12, ABJ-123-XY", expected,
    )  # fmt: skip
    assert inbound["status"] == "DELIVERED"
    delivered = receipt.records[0]
    assert isinstance(delivered, Shipment)
    assert (delivered.peer_id, delivered.stage) == (invoice["id"], "delivered")
    assert applied(server, invoice["id"]) == ["ALLOCATED", "PICKED", "SHIPPED"]


async def test_details_can_be_set_and_cleared() -> None:
    world = small_world()
    invoice = outbound(world, "ALLOCATED")
    async with running(world) as server, adapter_for(server) as adapter:
        values: dict[str, Any] = {"transport_reference": "Trip 7", "expected_on": "2026-12-01", "comment": "Fragile"}
        await send(adapter, "shipment_details", invoice["id"], values)
        assert (invoice["transportReference"], invoice["expectedDeliveryDate"]) == ("Trip 7", "2026-12-01")
        cleared = {"expected_on": None, "comment": ""}
        receipt = await send(adapter, "shipment_details", invoice["id"], cleared, values)
    assert (invoice["expectedDeliveryDate"], invoice["comment"], invoice["transportReference"]) == (None, "", "Trip 7")
    assert isinstance(receipt.records[0], Shipment)


# -- both sides


async def test_a_field_changed_at_both_sides_is_a_conflict_and_nothing_is_sent() -> None:
    world = small_world()
    invoice = outbound(world, "ALLOCATED")
    invoice |= {"transportReference": "Trip 99", "comment": "from mSupply"}
    async with running(world) as server, adapter_for(server) as adapter:
        values = {"transport_reference": "Trip 12", "comment": "from mSupply", "expected_on": "2026-12-01"}
        seen = {"transport_reference": "", "comment": "", "expected_on": None}
        with pytest.raises(Conflict) as found:
            await send(adapter, "shipment_details", invoice["id"], values, seen)
        assert applied(server, invoice["id"]) == []
    assert found.value.ours == {"transport_reference": "Trip 12"}
    assert found.value.theirs == {"transport_reference": "Trip 99"}


async def test_a_quantity_changed_at_both_sides_is_a_conflict() -> None:
    world = small_world()
    asked = response(world)
    line = next(iter(asked["_lines"].values()))
    line["supplyQuantity"] = 50.0
    async with running(world) as server, adapter_for(server) as adapter:
        with pytest.raises(Conflict) as found:
            await send(
                adapter,
                "supply_quantity",
                line["id"],
                {"supply_units": 120},
                {"supply_units": 0.0},
                record="requisition_line",
                parent=asked["id"],
            )
    assert (found.value.ours, found.value.theirs) == ({"supply_units": 120}, {"supply_units": 50.0})


async def test_what_mSupply_holds_already_is_found_and_not_sent_again() -> None:
    world = small_world()
    invoice = outbound(world, "SHIPPED")
    async with running(world) as server, adapter_for(server) as adapter:
        receipt = await send(adapter, "pick_shipment", invoice["id"], {"stage": "picked"}, {"stage": "new"})
        assert receipt.was_applied_before
        assert "held the change already" in receipt.answer
        assert applied(server, invoice["id"]) == []


async def test_a_cancelled_shipment_is_no_shipment_that_went_on() -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    invoice["status"] = "CANCELLED"
    async with running(world) as server, adapter_for(server) as adapter:
        with pytest.raises(Conflict) as found:
            await send(adapter, "ship_shipment", invoice["id"], {"stage": "shipped"}, {"stage": "new"})
    assert found.value.theirs == {"stage": "cancelled"}


# -- refusals


def _on_hold(_: World, invoice: Node) -> None:
    invoice["onHold"] = True


def _placeholder(world: World, invoice: Node) -> None:
    world.add_line(invoice, world.catalogue.item(5), None, 3.0)


def _deleted(world: World, invoice: Node) -> None:
    del world.invoices[invoice["id"]]


def _shipped(world: World, invoice: Node) -> None:
    world.move_outbound(invoice, "SHIPPED")


@pytest.mark.parametrize(
    ("spoil", "write", "values", "words"),
    [
        (_on_hold, "pick_shipment", {"stage": "picked"}, "on hold in mSupply. Release"),
        (_placeholder, "allocate_shipment", {"stage": "allocated"}, r"no stock chosen yet \(1\)"),
        (_deleted, "pick_shipment", {"stage": "picked"}, "deleted there"),
        (_shipped, "shipment_details", {"comment": "late"}, "final in mSupply"),
        (None, "shipment_details", {"expected_on": "2026-01-01"}, "before the day of shipping"),
        (None, "pick_shipment", {"stage": "verified"}, "no value of “Picked”"),
        (None, "nonsense", {"stage": "picked"}, "does not know how to send"),
        (None, "pick_shipment", {"number": "7"}, "does not know how to send"),
    ],
)
async def test_refusals_are_said_in_the_operators_words(
    spoil: Any, write: str, values: dict[str, Any], words: str
) -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    if spoil is not None:
        spoil(world, invoice)
    async with running(world) as server, adapter_for(server) as adapter:
        with pytest.raises(RecordRejected, match=words) as found:
            await send(adapter, write, invoice["id"], values)
        assert applied(server, invoice["id"]) == []
    assert found.value.key == invoice["id"]
    assert found.value.why.endswith(".")


async def test_a_record_that_is_refused_for_ever_stays_refused_and_alone() -> None:
    world = small_world()
    bad, good = outbound(world, "NEW"), outbound(world, "NEW")
    async with running(world) as server, adapter_for(server) as adapter:
        server.api.rules.refused_for_ever.add(bad["id"])
        for _ in range(3):
            with pytest.raises(RecordRejected, match="final in mSupply"):
                await send(adapter, "pick_shipment", bad["id"], {"stage": "picked"}, {"stage": "new"})
        await send(adapter, "pick_shipment", good["id"], {"stage": "picked"}, {"stage": "new"})
    assert (bad["status"], good["status"]) == ("NEW", "PICKED")


async def test_a_missing_right_names_permission_and_store() -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    async with running(world) as server, adapter_for(server) as adapter:
        server.account.permissions[world.central["id"]].discard("OUTBOUND_SHIPMENT_MUTATE")
        with pytest.raises(RecordRejected, match=r"store SCMS.*OUTBOUND_SHIPMENT_MUTATE"):
            await send(adapter, "pick_shipment", invoice["id"], {"stage": "picked"}, {"stage": "new"})


@pytest.mark.parametrize(("write", "stage", "switch"), [
    ("pick_shipment", "picked", "ships"),
    ("ship_shipment", "shipped", "ships"),
    ("deliver_shipment", "delivered", "receives"),
])  # fmt: skip
async def test_what_is_switched_off_is_not_sent(write: str, stage: str, switch: str) -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    off: dict[str, Any] = {switch: False}
    async with running(world) as server, adapter_for(server, **off) as adapter:
        with pytest.raises(RecordRejected, match="switched off"):
            await send(adapter, write, invoice["id"], {"stage": stage}, {"stage": "new"})
        assert server.requests == 0


async def test_a_delivery_to_nobodys_store_keeps_the_proof_here() -> None:
    world = small_world()
    invoice = outbound(world, "SHIPPED")
    async with running(world) as server, adapter_for(server) as adapter:
        with pytest.raises(RecordRejected, match="has no copy of this shipment"):
            await send(adapter, "deliver_shipment", invoice["id"], {"stage": "delivered"}, {"stage": "shipped"})


async def test_an_unknown_refusal_shows_the_servers_own_words() -> None:
    world = small_world()
    invoice = outbound(world, "NEW")
    async with running(world) as server, adapter_for(server) as adapter:

        def refuse(*_: Any) -> Node:
            error = {"__typename": "OtherPartyNotVisible", "description": "Other party is not visible"}
            return {"__typename": "UpdateOutboundShipmentError", "error": error}

        server.api.rules._may_move = refuse  # type: ignore[assignment, method-assign]
        with pytest.raises(RecordRejected, match="not visible to this one"):
            await send(adapter, "pick_shipment", invoice["id"], {"stage": "picked"}, {"stage": "new"})


def test_every_refusal_and_every_effect_is_a_sentence() -> None:
    for text in (*REFUSALS.values(), *(write.effect for write in WRITES if write.effect)):
        assert text[0].isupper() or text.startswith("mSupply")
        assert text.endswith(".")
    assert all("{lines}" not in text or kind.startswith("CanOnly") for kind, text in REFUSALS.items())


# -- the line


async def settled(adapter: MSupplyAdapter, found: str, most: int = 6) -> Receipt:
    """Try as the host does: again while the line or the server fails, doubtful where it was said to be."""
    doubtful = False
    for tries in range(most):
        outgoing = change(
            "ship_shipment", found, {"stage": "shipped", "transport_reference": "Trip 12"},
            {"stage": "picked", "transport_reference": ""}, tries=tries, is_doubtful=doubtful,
        )  # fmt: skip
        try:
            return await adapter.send(outgoing)
        except (RecordRejected, Conflict):
            raise
        except AdapterError as err:
            doubtful = doubtful or err.is_doubtful
    raise AssertionError("it never came through")


async def _cut_everywhere(direction: str) -> tuple[int, int]:
    """Cut the line at every byte of the request for a status change, or of its reply; how many cuts, how many
    changes had been applied when the answer was lost."""
    world = small_world(items=40, papers=1)
    cuts = lost = 0
    async with running(world) as server, line_to(server) as line:
        url = f"http://127.0.0.1:{line.port}"
        async with adapter_for(server, url=url, stores="SCMS") as adapter:
            await adapter.client.call("Me")
            adapter._pull.homes.clear()
            await adapter._pull.learn_stores()
            after = 0
            while True:
                invoice = outbound(world, "PICKED")
                adapter._pull.homes[invoice["id"]] = (await adapter._pull.learn_stores())[0]
                line.break_all()
                await asyncio.sleep(0)
                was_cut = await _cut_once(server, adapter, line, invoice, direction, after)
                shipped = applied(server, invoice["id"])
                lost += len(shipped)
                receipt = await settled(adapter, invoice["id"])
                assert applied(server, invoice["id"]) == ["SHIPPED"], after
                assert receipt.was_applied_before == bool(shipped), after
                assert invoice["transportReference"] == "Trip 12"
                if not was_cut:
                    return cuts, lost
                cuts += 1
                after += 1


async def _cut_once(
    server: MSupplyServer, adapter: MSupplyAdapter, line: Any, invoice: Node, direction: str, after: int
) -> bool:
    """One mutation alone over a new connection that breaks after so many bytes."""
    variables = {
        "storeId": server.world.central["id"],
        "input": {"id": invoice["id"], "status": "SHIPPED", "transportReference": "Trip 12"},
    }
    setattr(line, f"cut_{direction}_after", after)
    told: AdapterError | None = None
    try:
        await adapter.client.call("UpdateOutboundShipment", variables)
    except AdapterError as err:
        told = err
    setattr(line, f"cut_{direction}_after", None)
    is_done = applied(server, invoice["id"]) != []
    assert told is None or told.is_doubtful or not is_done, f"done, and not doubtful, after {after} bytes"
    return told is not None


async def test_a_request_cut_at_any_byte_is_applied_exactly_once() -> None:
    cuts, lost = await _cut_everywhere("request")
    assert cuts > 900
    assert lost == 1, "a part of a request changes nothing; only the whole one, at the end, did"


async def test_a_reply_cut_at_any_byte_is_applied_exactly_once() -> None:
    cuts, lost = await _cut_everywhere("reply")
    assert cuts > 400
    assert lost == cuts + 1, "the change was applied before its reply was lost, each time"


@pytest.mark.parametrize("applies", [True, False])
@pytest.mark.parametrize("kind", ["html_502", "cut_reply", "empty", "half_json", "500", "503", "internal_error"])
async def test_a_doubtful_outcome_is_looked_for_before_it_is_sent_again(kind: FaultKind, applies: bool) -> None:
    world = small_world()
    invoice = outbound(world, "PICKED")
    async with running(world) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.applies = kind, applies
        server.faults.operation, server.faults.left = "mutation UpdateOutboundShipment", 1
        values = {"stage": "shipped", "transport_reference": "Trip 12"}
        with pytest.raises(AdapterError) as found:
            await send(adapter, "ship_shipment", invoice["id"], values, {"stage": "picked", "transport_reference": ""})
        assert found.value.is_doubtful
        receipt = await settled(adapter, invoice["id"])
        assert receipt.was_applied_before == applies
        assert applied(server, invoice["id"]) == ["SHIPPED"]


async def test_a_server_that_is_gone_before_the_request_leaves_no_doubt() -> None:
    world = small_world()
    invoice = outbound(world, "PICKED")
    async with running(world) as server, adapter_for(server) as adapter:
        await server.stop()
        with pytest.raises(NotReady) as found:
            await send(adapter, "ship_shipment", invoice["id"], {"stage": "shipped"}, {"stage": "picked"})
        assert not found.value.is_doubtful


async def test_two_editors_at_once_end_with_one_of_them() -> None:
    """Another console shipped it between our reading and our write: not editable any more, and done."""
    world = small_world()
    invoice = outbound(world, "PICKED")
    async with running(world) as server, adapter_for(server) as adapter:
        rules = server.api.rules
        original = rules._update_outbound

        def meanwhile(store_id: str, wanted: Node) -> Node:
            world.move_outbound(invoice, "SHIPPED")
            rules._update_outbound = original  # type: ignore[method-assign]
            return original(store_id, wanted)

        rules._update_outbound = meanwhile  # type: ignore[assignment, method-assign]
        receipt = await send(adapter, "ship_shipment", invoice["id"], {"stage": "shipped"}, {"stage": "picked"})
    assert receipt.was_applied_before
    assert receipt.records


async def test_a_change_is_found_in_whichever_store_holds_the_record() -> None:
    world = small_world()
    own = world.draft(3)
    async with running(world) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        world.now_ms += DAY_MS
        before = server.requests
        await send(adapter, "requisition_comment", own["id"], {"comment": "x"}, record="requisition")
        assert server.requests - before <= 4, "the store is known from the reading: renew, read, write, read back"
