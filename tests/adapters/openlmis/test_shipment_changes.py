"""Changes of proofs of delivery and shipments: what moves stock only with its switch, and only once."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import Conflict, RecordRejected
from adapters.openlmis.simulator import OpenLmisServer, running
from adapters.openlmis.simulator_world import Json
from adapters.supply import Shipment
from tests.adapters.openlmis.schemas import faults
from tests.adapters.openlmis.support import a_shipped_order, adapter_for, an_order, outgoing, small_world

HEAD = {"received_by": "Amina Yusuf", "delivered_by": "Musa Bello", "received_on": "2026-11-25"}
EMPTY = {"received_by": "", "delivered_by": "", "received_on": None}


def sent(server: OpenLmisServer, method: str, part: str) -> list[Any]:
    return [body for how, path, body in server.api.bodies if how == method and part in path]


def stored(server: OpenLmisServer, proof: Json) -> Json:
    return server.world.proofs[proof["id"]]


async def fill(adapter: Any, server: OpenLmisServer, order: Json, proof: Json, reject: int = 0) -> None:
    """Fill in a proof from here: the head, then every line."""
    await adapter.send(outgoing("proof", order["id"], HEAD, EMPTY))
    quantities = {
        line["orderable"]["id"]: line["quantityShipped"]
        for line in server.world.shipments[proof["shipment"]["id"]]["lineItems"]
    }
    for line in proof["lineItems"]:
        units = quantities[line["orderable"]["id"]]
        values: dict[str, Any] = {"accepted_units": units - reject, "rejected_units": reject}
        if reject:
            values |= {"rejection_reason": "Damaged in transport"}
        await adapter.send(outgoing("proof_line", line["id"], values, parent=order["id"]))


async def test_a_proof_is_filled_in_and_left_open() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, proof = a_shipped_order(server)
        receipt = await adapter.send(outgoing("proof", order["id"], HEAD, EMPTY))
        after = stored(server, proof)
        assert (after["receivedBy"], after["deliveredBy"], after["receivedDate"]) == tuple(HEAD.values())
        assert after["status"] == "INITIATED"
        assert server.world.orders[order["id"]]["status"] == "SHIPPED"
        record = receipt.records[0]
        assert isinstance(record, Shipment)
        assert record.stage == "delivered"
        line = proof["lineItems"][0]
        values: dict[str, Any] = {
            "accepted_units": 50,
            "rejected_units": 10,
            "rejection_reason": "damaged in transport",
            "comment": "Wet",
        }
        await adapter.send(outgoing("proof_line", line["id"], values, {"accepted_units": None}, parent=order["id"]))
        after = stored(server, proof)["lineItems"][0]
        assert (after["quantityAccepted"], after["quantityRejected"], after["notes"]) == (50, 10, "Wet")
        assert after["rejectionReasonId"] == server.world.rejection_reasons[0]["id"]
        assert stored(server, proof)["status"] == "INITIATED"
        assert stored(server, proof)["receivedBy"] == "Amina Yusuf"


async def test_bodies_are_of_the_published_shape() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True, confirm_proofs=True) as adapter:
        order = an_order(server, lines=2)
        await adapter.send(
            outgoing("ship", order["id"], {"stage": "shipped", "comment": "Lorry 4"}, {"stage": "ordered"})
        )
        proof = server.goods.proofs_of(order["id"], None)[0]
        await fill(adapter, server, order, proof, reject=1)
        await adapter.send(outgoing("confirm", order["id"], {"stage": "received"}, {"stage": "shipped"}))
        bodies = sent(server, "POST", "/shipments")
        assert len(bodies) == 1
        for body in bodies:
            assert faults("fulfillment", "shipment.json", body) == []
        bodies = sent(server, "PUT", "/proofsOfDelivery/")
        assert len(bodies) == 1 + len(proof["lineItems"]) + 1
        for body in bodies:
            assert faults("fulfillment", "proofOfDeliveryDto.json", body) == []


async def test_a_name_that_somebody_else_wrote_is_a_conflict() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, proof = a_shipped_order(server)
        stored(server, proof)["receivedBy"] = "Zainab"
        with pytest.raises(Conflict) as both:
            await adapter.send(outgoing("proof", order["id"], HEAD, EMPTY))
        assert both.value.theirs == {"received_by": "Zainab"}
        assert stored(server, proof)["deliveredBy"] is None


async def test_an_unknown_reason_names_those_there_are() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, proof = a_shipped_order(server)
        values: dict[str, Any] = {"rejected_units": 10, "rejection_reason": "Eaten by goats"}
        with pytest.raises(RecordRejected, match="Cold chain broken"):
            await adapter.send(outgoing("proof_line", proof["lineItems"][0]["id"], values, parent=order["id"]))


async def test_a_day_that_is_none_is_refused_here() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, _ = a_shipped_order(server)
        with pytest.raises(RecordRejected, match="is not a day"):
            await adapter.send(outgoing("proof", order["id"], {"received_on": "yesterday"}))


async def test_an_order_that_was_not_shipped_has_no_proof() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order = an_order(server)
        with pytest.raises(RecordRejected, match="was not shipped"):
            await adapter.send(outgoing("proof", order["id"], HEAD))


@pytest.mark.parametrize("write", ["confirm", "ship"])
async def test_what_moves_stock_is_off_until_switched_on(write: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        order, _ = a_shipped_order(server)
        values: dict[str, Any] = {"stage": "received" if write == "confirm" else "shipped"}
        with pytest.raises(RecordRejected, match="is switched off"):
            await adapter.send(outgoing(write, order["id"], values))
        assert sent(server, "PUT", "/proofsOfDelivery/") == sent(server, "POST", "/shipments") == []
        spec = next(found for found in adapter.manifest.writes if found.name == write)
        assert spec.effect
        assert getattr(adapter.settings, spec.switch) is False


async def test_confirming_books_the_receipt_once() -> None:
    async with running(small_world()) as server, adapter_for(server, confirm_proofs=True) as adapter:
        order, proof = a_shipped_order(server)
        await fill(adapter, server, order, proof)
        events = len(server.world.stock_events)
        receipt = await adapter.send(outgoing("confirm", order["id"], {"stage": "received"}, {"stage": "delivered"}))
        assert server.world.orders[order["id"]]["status"] == "RECEIVED"
        record = receipt.records[0]
        assert isinstance(record, Shipment)
        assert record.stage == "received"
        again = await adapter.send(outgoing("confirm", order["id"], {"stage": "received"}, doubtful=True))
        assert again.was_applied_before
        assert len(server.world.stock_events) == events + 1
        with pytest.raises(RecordRejected, match="cannot be changed again"):
            await adapter.send(outgoing("proof", order["id"], {"received_by": "Late"}))


async def test_a_proof_that_does_not_add_up_is_refused_in_plain_words() -> None:
    async with running(small_world()) as server, adapter_for(server, confirm_proofs=True) as adapter:
        order, proof = a_shipped_order(server)
        await adapter.send(outgoing("proof", order["id"], HEAD, EMPTY))
        await adapter.send(
            outgoing("proof_line", proof["lineItems"][0]["id"], {"accepted_units": 1}, parent=order["id"])
        )
        with pytest.raises(RecordRejected, match="must together equal what was shipped"):
            await adapter.send(outgoing("confirm", order["id"], {"stage": "received"}))


# --- shipments -------------------------------------------------------------------------------------------------------


async def test_a_shipment_takes_what_expires_first_and_leaves_expired_stock_alone() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        world = server.world
        order = an_order(server, units=100)
        program, item = order["program"]["id"], order["orderLineItems"][0]["orderable"]["id"]
        wanted = order["orderLineItems"][0]["totalDispensingUnits"]
        first, second = world.lots_of[item]
        expired = world.add_lot("any", "EXPIRED", -2)
        first["expirationDate"], second["expirationDate"] = "2027-01-31", "2028-01-31"
        world.move(world.store["id"], program, item, expired["id"], 10_000, world.now_ms)
        card = world.cards[world.store["id"], program][item, first["id"]]
        card["units"] = 40
        receipt = await adapter.send(
            outgoing("ship", order["id"], {"stage": "shipped", "transport_reference": "KN-123"}, {"stage": "ordered"})
        )
        shipment = next(iter(world.shipments.values()))
        taken = {line["lot"]["id"]: line["quantityShipped"] for line in shipment["lineItems"]}
        assert taken == {first["id"]: 40, second["id"]: wanted - 40}
        assert world.orders[order["id"]]["status"] == "SHIPPED"
        record = receipt.records[0]
        assert isinstance(record, Shipment)
        assert (record.stage, record.transport_reference) == ("shipped", "KN-123")


async def test_the_saved_draft_of_a_clerk_is_what_is_shipped() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        order = an_order(server)
        item = order["orderLineItems"][0]["orderable"]["id"]
        lot = server.world.lots_of[item][1]["id"]
        reference = {"id": item, "versionNumber": order["orderLineItems"][0]["orderable"]["meta"]["versionNumber"]}
        server.goods.draft(
            order["id"], [{"orderable": reference, "lot": {"id": lot}, "quantityShipped": 7}], "Half now"
        )
        with pytest.raises(Conflict):  # the operator saw an order that nobody had begun
            await adapter.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        await adapter.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "new"}))
        shipment = next(iter(server.world.shipments.values()))
        assert [(line["lot"]["id"], line["quantityShipped"]) for line in shipment["lineItems"]] == [(lot, 7)]
        assert shipment["notes"] == "Half now"


async def test_too_little_stock_ships_nothing() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        order = an_order(server, units=10_000_000)
        with pytest.raises(RecordRejected, match="not enough unexpired stock"):
            await adapter.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        assert server.world.shipments == {}


async def test_a_shipment_of_somebody_else_is_never_taken_for_ours() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        order, _ = a_shipped_order(server)
        for doubtful in (False, True):
            with pytest.raises(RecordRejected, match="shipped by somebody else"):
                await adapter.send(outgoing("ship", order["id"], {"stage": "shipped"}, doubtful=doubtful))
        assert len(server.world.shipments) == 1


async def test_without_the_right_to_see_shipments_none_is_made() -> None:
    async with running(small_world()) as server, adapter_for(server, ship_orders=True) as adapter:
        order = an_order(server)
        server.accounts.rights.discard("SHIPMENTS_VIEW")
        with pytest.raises(RecordRejected, match="cannot be read"):
            await adapter.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        assert server.world.shipments == {}


async def test_two_consoles_ship_one_order_once() -> None:
    async with (
        running(small_world()) as server,
        adapter_for(server, ship_orders=True) as one,
        adapter_for(server, ship_orders=True) as other,
    ):
        order = an_order(server)
        await one.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        with pytest.raises(RecordRejected, match="shipped by somebody else"):
            await other.send(outgoing("ship", order["id"], {"stage": "shipped"}, {"stage": "ordered"}))
        assert len(server.world.shipments) == len(server.world.stock_events) == 1
