"""Orders, shipments and proofs of delivery of the simulated server (fulfillment service 9.4), and its stock events."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from adapters.openlmis.simulator_world import Json, RefusedError, World, day, moment

TO_BE_SHIPPED = ("ORDERED", "FULFILLING")
PROOF_HEAD = ("receivedBy", "deliveredBy", "receivedDate")
PROOF_LINE = ("quantityAccepted", "quantityRejected", "rejectionReasonId", "vvmStatus", "notes")


class Goods:
    """What happens to goods in one world. Every method raises RefusedError as the service would."""

    def __init__(self, world: World) -> None:
        self.world = world

    # -- orders

    def order_from(self, requisition: Json) -> Json:
        """The order of a released requisition; its external id is the requisition's."""
        lines = [
            (line["orderable"]["id"], line["approvedQuantity"] or 0) for line in requisition["requisitionLineItems"]
        ]
        return self.add_order(
            requisition["id"],
            requisition["facility"]["id"],
            requisition["program"]["id"],
            requisition["processingPeriod"]["id"],
            [(item, units) for item, units in lines if units > 0],
            emergency=requisition["emergency"],
        )

    def add_order(
        self,
        external_id: str,
        facility: str,
        program: str,
        period: str,
        lines: Iterable[tuple[str, int]],
        *,
        emergency: bool = False,
    ) -> Json:
        """A new order; ``lines`` are (item, units). Refused where the external id exists."""
        world = self.world
        if any(order["externalId"] == external_id for order in world.orders.values()):
            raise RefusedError(400, "fulfillment.error.order.externalId.duplicated", "The order exists already.")
        key, now = world.new_id("order"), moment(world.tick())
        made = []
        for item, units in lines:
            pack = int(world.orderables[item][-1]["netContent"])
            packs = -(-units // pack)
            made.append(
                {
                    "id": world.new_id("order line"),
                    "orderable": copy.deepcopy(world.orderables[item][-1]),
                    "orderedQuantity": packs,
                    "totalDispensingUnits": packs * pack,
                }
            )
        receiver = world.facilities[facility]
        world.orders[key] = {
            "id": key,
            "externalId": external_id,
            "emergency": emergency,
            "facility": receiver,
            "processingPeriod": world.periods[period],
            "createdDate": now,
            "createdBy": {"id": world.users["officer"], "username": "officer"},
            "program": world.programs[program],
            "requestingFacility": receiver,
            "receivingFacility": receiver,
            "supplyingFacility": world.store,
            "orderCode": f"ORDER-{len(world.orders) + 1:05d}",
            "status": "ORDERED",
            "quotedCost": 0.0,
            "lastUpdatedDate": now,
            "lastUpdater": {"id": world.users["officer"]},
            "orderLineItems": made,
            "statusMessages": [],
        }
        return world.orders[key]

    def order(self, key: str) -> Json:
        found = self.world.orders.get(key)
        if found is None:
            raise RefusedError(404, "fulfillment.error.order.notFound", f"The order {key} does not exist.")
        return found

    def search(
        self, statuses: Iterable[str], supplier: str | None, asker: str | None, program: str | None
    ) -> list[Json]:
        """The basic form of orders."""
        wanted = set(statuses)
        return [
            {name: value for name, value in order.items() if name not in ("orderLineItems", "statusMessages")}
            for order in self.world.orders.values()
            if (not wanted or order["status"] in wanted)
            and supplier in (None, order["supplyingFacility"]["id"])
            and asker in (None, order["requestingFacility"]["id"])
            and program in (None, order["program"]["id"])
        ]

    def _set_status(self, order: Json, status: str, user: str) -> None:
        order["status"], order["lastUpdater"] = status, {"id": user}
        order["lastUpdatedDate"] = moment(self.world.tick())

    # -- shipments

    def draft(self, order_id: str, lines: list[Json], notes: str | None = None) -> Json:
        """Saved work of a warehouse clerk; the order counts as begun."""
        order = self.order(order_id)
        if order["status"] not in TO_BE_SHIPPED:
            raise RefusedError(400, "fulfillment.error.shipment.order.status", "This order cannot be shipped.")
        key = next((k for k, d in self.world.drafts.items() if d["order"]["id"] == order_id), "")
        key = key or self.world.new_id("draft")
        self.world.drafts[key] = {"id": key, "order": {"id": order_id}, "notes": notes, "lineItems": lines}
        self._set_status(order, "FULFILLING", self.world.users["storeman"])
        return self.world.drafts[key]

    def ship(self, body: Json, user: str) -> Json:
        """``POST /shipments``: books the issue at the store and creates the proof of delivery. Once per order."""
        world = self.world
        order_id = str((body.get("order") or {}).get("id") or "")
        order = self.order(order_id)
        if order_id in world.refuses:
            raise RefusedError(400, "fulfillment.error.shipment.notAllowed", "Shipments of this order are not allowed.")
        if any(shipment["order"]["id"] == order_id for shipment in world.shipments.values()):
            raise RefusedError(
                400, "fulfillment.error.shipment.order.duplicated", "A shipment for this order exists already."
            )
        if order["status"] not in TO_BE_SHIPPED:
            raise RefusedError(
                400,
                "fulfillment.error.shipment.order.status",
                f"An order with status {order['status']} cannot be shipped.",
            )
        key, now_ms = world.new_id("shipment"), world.tick()
        lines = [self._shipment_line(line) for line in body.get("lineItems") or ()]
        facility, program = order["supplyingFacility"]["id"], order["program"]["id"]
        self._book(facility, program, lines, sign=-1, quantity="quantityShipped", document=order["orderCode"])
        shipment = world.shipments[key] = {
            "id": key,
            "order": {"id": order_id, "href": f"/api/orders/{order_id}"},
            "shippedBy": {"id": user},
            "shippedDate": moment(now_ms),
            "notes": body.get("notes"),
            "lineItems": lines,
            "extraData": body.get("extraData") or {},
        }
        for draft in [k for k, d in world.drafts.items() if d["order"]["id"] == order_id]:
            del world.drafts[draft]
        self._set_status(order, "SHIPPED", user)
        self._new_proof(shipment)
        return shipment

    def _shipment_line(self, sent: Json) -> Json:
        reference, lot = sent.get("orderable") or {}, sent.get("lot")
        item, units = reference.get("id"), sent.get("quantityShipped")
        if item not in self.world.orderables or not isinstance(units, int) or units < 0:
            raise RefusedError(
                400, "fulfillment.error.shipmentLineItem.invalid", "A line of the shipment is not valid."
            )
        numbers = [version["meta"]["versionNumber"] for version in self.world.orderables[item]]
        if reference.get("versionNumber") not in numbers:
            raise RefusedError(400, "fulfillment.error.orderable.version.unknown", "The version does not exist.")
        if lot is not None and lot.get("id") not in self.world.lots:
            raise RefusedError(400, "fulfillment.error.lot.notFound", "The lot does not exist.")
        return {
            "id": self.world.new_id("shipment line"),
            "orderable": {"id": item, "versionNumber": reference["versionNumber"]},
            "lot": None if lot is None else {"id": lot["id"]},
            "quantityShipped": units,
        }

    def _book(self, facility: str, program: str, lines: list[Json], *, sign: int, quantity: str, document: str) -> None:
        """One stock event of all lines, or none of it where a line is refused."""
        saved = copy.deepcopy(self.world.cards.get((facility, program), {}))
        try:
            for line in lines:
                lot = (line["lot"] or {}).get("id")
                units = sign * int(line[quantity] or 0)
                self.world.move(facility, program, line["orderable"]["id"], lot, units, self.world.now_ms)
        except RefusedError:
            self.world.cards[facility, program] = saved
            raise
        self.world.stock_events.append(
            {
                "id": self.world.new_id("event"),
                "facilityId": facility,
                "programId": program,
                "documentNumber": document,
                "lineItems": [
                    {"orderableId": line["orderable"]["id"], "quantity": sign * int(line[quantity] or 0)}
                    for line in lines
                ],
            }
        )

    # -- proofs of delivery

    def _new_proof(self, shipment: Json) -> None:
        key = self.world.new_id("proof")
        vaccines = next(k for k, facts in self.world.rules.items() if facts.code == "VAC")
        has_monitor = self.order(shipment["order"]["id"])["program"]["id"] == vaccines
        self.world.proofs[key] = {
            "id": key,
            "shipment": {"id": shipment["id"], "href": f"/api/shipments/{shipment['id']}"},
            "status": "INITIATED",
            "receivedBy": None,
            "deliveredBy": None,
            "receivedDate": None,
            "lineItems": [
                {
                    "id": self.world.new_id("proof line"),
                    "orderable": line["orderable"],
                    "lot": line["lot"],
                    "quantityAccepted": None,
                    "quantityRejected": None,
                    "rejectionReasonId": None,
                    "useVvm": has_monitor and "vaccine" in self._name(line),
                    "vvmStatus": None,
                    "notes": None,
                }
                for line in shipment["lineItems"]
            ],
        }

    def _name(self, line: Json) -> str:
        return str(self.world.orderables[line["orderable"]["id"]][-1]["fullProductName"])

    def proof(self, key: str) -> Json:
        found = self.world.proofs.get(key)
        if found is None:
            raise RefusedError(404, "fulfillment.error.proofOfDelivery.notFound", "The proof does not exist.")
        return found

    def proofs_of(self, order_id: str | None, shipment_id: str | None) -> list[Json]:
        found = []
        for proof in self.world.proofs.values():
            shipment = self.world.shipments[proof["shipment"]["id"]]
            if order_id in (None, shipment["order"]["id"]) and shipment_id in (None, shipment["id"]):
                found.append(proof)
        return found

    def update_proof(self, key: str, body: Json, user: str) -> Json:
        """``PUT /proofsOfDelivery/{id}``; ``CONFIRMED`` books the receipt and ends every change."""
        stored = self.proof(key)
        if stored["status"] == "CONFIRMED":
            raise RefusedError(
                400, "fulfillment.error.proofOfDelivery.confirmed", "A confirmed proof of delivery cannot be changed."
            )
        if key in self.world.refuses:
            raise RefusedError(400, "fulfillment.error.proofOfDelivery.locked", "This proof of delivery is locked.")
        proof = copy.deepcopy(stored)
        proof |= {name: body.get(name) for name in PROOF_HEAD}
        by_id = {line["id"]: line for line in proof["lineItems"]}
        for sent in body.get("lineItems") or ():
            line = by_id.get(sent.get("id"))
            if line is None:
                raise RefusedError(400, "fulfillment.error.proofOfDelivery.line.unknown", "A line does not exist.")
            line |= {name: sent.get(name) for name in PROOF_LINE}
        for line in proof["lineItems"]:
            self._check_line(line)
        if body.get("status") == "CONFIRMED":
            self._confirm(proof, user)
        self.world.proofs[key] = proof
        self.world.tick()
        return proof

    def _check_line(self, line: Json) -> None:
        reasons = {reason["id"] for reason in self.world.rejection_reasons}
        for name in ("quantityAccepted", "quantityRejected"):
            value = line[name]
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise RefusedError(
                    400, "fulfillment.error.proofOfDelivery.quantity.negative", f"{name} must not be negative."
                )
        if line["rejectionReasonId"] is not None and line["rejectionReasonId"] not in reasons:
            raise RefusedError(400, "fulfillment.error.proofOfDelivery.reason.notFound", "The reason does not exist.")

    def _confirm(self, proof: Json, user: str) -> None:
        missing = [name for name in PROOF_HEAD if not proof[name]]
        if missing:
            raise RefusedError(
                400, "fulfillment.error.proofOfDelivery.field.required", f"{missing[0]} is required for confirming."
            )
        shipment = self.world.shipments[proof["shipment"]["id"]]
        shipped = {
            (line["orderable"]["id"], (line["lot"] or {}).get("id")): line["quantityShipped"]
            for line in shipment["lineItems"]
        }
        for line in proof["lineItems"]:
            accepted, rejected = line["quantityAccepted"] or 0, line["quantityRejected"] or 0
            if accepted + rejected != shipped[line["orderable"]["id"], (line["lot"] or {}).get("id")]:
                raise RefusedError(
                    400,
                    "fulfillment.error.proofOfDelivery.quantity.sum",
                    f"Accepted and rejected quantity of {self._name(line)} must equal the shipped quantity.",
                )
            if rejected and not line["rejectionReasonId"]:
                raise RefusedError(
                    400, "fulfillment.error.proofOfDelivery.reason.required", "A rejection needs a reason."
                )
            if line["useVvm"] and accepted and line["vvmStatus"] not in ("STAGE_1", "STAGE_2", "STAGE_3", "STAGE_4"):
                raise RefusedError(
                    400, "fulfillment.error.proofOfDelivery.vvmStatus.required", "The vial monitor needs a status."
                )
        order = self.order(shipment["order"]["id"])
        facility, program = order["receivingFacility"]["id"], order["program"]["id"]
        self._book(
            facility, program, proof["lineItems"], sign=1, quantity="quantityAccepted", document=order["orderCode"]
        )
        proof["status"] = "CONFIRMED"
        self._set_status(order, "RECEIVED", user)

    # -- stock

    def post_event(self, body: Json) -> str:
        """``POST /stockEvents``: adjustments by signed reason are not told apart here; quantities are issued.

        An event with ``destinationId`` takes, one with ``sourceId`` adds; neither is a count.
        """
        facility, program = str(body.get("facilityId")), str(body.get("programId"))
        seen: set[tuple[Any, Any]] = set()
        lines = body.get("lineItems") or []
        for line in lines:
            pair = (line.get("orderableId"), line.get("lotId"))
            if pair in seen:
                raise RefusedError(400, "stockmanagement.error.event.orderable.lot.duplication", "A line comes twice.")
            seen.add(pair)
            if line.get("sourceId") and line.get("destinationId"):
                raise RefusedError(400, "stockmanagement.error.event.sourceAndDestination", "Source or destination.")
            if str(line.get("occurredDate") or "") > day(self.world.now_ms):
                raise RefusedError(
                    400, "stockmanagement.error.event.occurredDate.inFuture", "The date is in the future."
                )
        made = [
            {
                "orderable": {"id": line["orderableId"]},
                "lot": {"id": line["lotId"]} if line.get("lotId") else None,
                "moved": self._signed(facility, program, line),
            }
            for line in lines
        ]
        document = str(body.get("documentNumber") or "")
        self._book(facility, program, made, sign=1, quantity="moved", document=document)
        return str(self.world.stock_events[-1]["id"])

    def _signed(self, facility: str, program: str, line: Json) -> int:
        units = int(line["quantity"])
        if line.get("destinationId"):
            return -units
        if line.get("sourceId") or line.get("reasonId"):
            return units
        card = self.world.cards.get((facility, program), {}).get((line["orderableId"], line.get("lotId")))
        return units - (int(card["units"]) if card else 0)
