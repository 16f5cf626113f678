"""The simulated mSupply's records and how they move by themselves: requisitions arrive, receiving stores receive.

Records are objects as the interface has them; names that begin with “_” are the server's own. Everything happens at
``now_ms``, so that a test decides what time it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.msupply.simulator_catalogue import PROGRAMS, Catalogue, Node, made_id
from adapters.msupply.simulator_shapes import (
    DAY_MS,
    HOUR_MS,
    MOMENT_OF,
    STATUS_ORDER,
    blank_invoice,
    blank_requisition,
    moment,
)

FACILITY_STORES = 8
"""So many facilities work in this same mSupply; the others are names without a store."""


class World:
    """One site: a state medical store, a zonal store, facilities with and without a store of their own."""

    def __init__(
        self,
        *,
        now_ms: int,
        items: int = 333,
        facilities: int = 40,
        history_days: int = 90,
        papers: int = 90,
        seed: int = 1,
    ) -> None:
        self.now_ms = now_ms
        self.catalogue = Catalogue(items=items, facilities=facilities, seed=seed)
        self.stores: dict[str, Node] = {}
        self.names: dict[str, Node] = {}
        self.stock: dict[str, dict[str, Node]] = {}
        self.requisitions: dict[str, Node] = {}
        self.invoices: dict[str, Node] = {}
        self.ledger: list[Node] = []
        self.history: list[Node] = []
        self.version = 0
        """Counts changes, so that a cache of answers knows when it is old."""
        self._numbers: dict[str, Iterator[int]] = {}
        self._made = itertools.count(1)
        self._rng = self.catalogue.rng("life")
        self._next_arrival_ms = now_ms + HOUR_MS
        self.arrival_every_ms = HOUR_MS
        self.receive_after_ms = 4 * HOUR_MS
        self._build_places()
        self._build_stock()
        self._build_papers(history_days, papers)

    @property
    def central(self) -> Node:
        """The state's central medical store."""
        return next(store for store in self.stores.values() if store["code"] == "SCMS")

    @property
    def zonal(self) -> Node:
        return next(store for store in self.stores.values() if store["code"] == "ZMS")

    def store_of(self, name_id: str) -> Node | None:
        """The store behind a name; None for a facility that works on paper or elsewhere."""
        return next((store for store in self.stores.values() if store["nameId"] == name_id), None)

    def new_id(self) -> str:
        return made_id(self.catalogue.seed, "record", next(self._made))

    def number(self, store_id: str, kind: str) -> int:
        """The next number of a kind of paper in a store."""
        return next(self._numbers.setdefault(f"{store_id}/{kind}", itertools.count(1)))

    def touch(self) -> None:
        self.version += 1

    # -- what is there

    def _build_places(self) -> None:
        self._add_store("SCMS", "Niger State Central Medical Store", customer=True)
        self._add_store("ZMS", "Zonal Medical Store Kontagora", customer=True)
        for index, (code, name) in enumerate(self.catalogue.facility_names()):
            if index < FACILITY_STORES:
                self._add_store(code, name, customer=True)
            else:
                self._add_name(code, name, "FACILITY", customer=True)
        self._add_name("NPSCMP", "National Product Supply Chain", "OTHERS", customer=False)

    def _add_store(self, code: str, name: str, *, customer: bool) -> None:
        name_node = self._add_name(code, name, "STORE", customer=customer)
        store_id = made_id("store", code)
        name_node["store"] = {"id": store_id, "code": code}
        self.stores[store_id] = {
            "id": store_id,
            "code": code,
            "name": name,
            "nameId": name_node["id"],
            "isDisabled": False,
            "storeMode": "STORE",
        }
        self.stock[store_id] = {}

    def _add_name(self, code: str, name: str, kind: str, *, customer: bool) -> Node:
        place = name.rsplit(maxsplit=1)[-1]
        node: Node = {
            "id": made_id("name", code),
            "code": code,
            "name": name,
            "type": kind,
            "isCustomer": customer,
            "isSupplier": code in ("SCMS", "NPSCMP"),
            "isDonor": False,
            "isOnHold": False,
            "address1": f"{place} road",
            "address2": place,
            "country": "Nigeria",
            "phone": None,
            "email": None,
            "hshCode": None,
            "properties": "{}",
            "store": None,
        }
        self.names[node["id"]] = node
        return node

    def _build_stock(self) -> None:
        for store, share, most in ((self.central, 1.0, 3), (self.zonal, 0.5, 1)):
            rng = self.catalogue.rng("stock", store["code"])
            for index in range(self.catalogue.listed):
                if rng.random() > share:
                    continue
                for batch in range(rng.randint(1, most)):
                    self.add_stock(store["id"], self.catalogue.item(index), rng.randint(0, 800), batch, rng.random())

    def add_stock(self, store_id: str, item: Node, packs: float, batch: int, chance: float) -> Node:
        """A batch in a store; expiry from ten days ago to three years ahead by ``chance``."""
        expiry = datetime.fromtimestamp(self.now_ms / 1000, UTC) + timedelta(days=int(chance * 1100) - 10)
        node: Node = {
            "id": made_id("stock", store_id, item["id"], batch),
            "itemId": item["id"],
            "itemName": item["name"],
            "batch": f"B{item['code'][-4:]}{batch + 1}",
            "expiryDate": f"{expiry:%Y-%m-%d}",
            "packSize": item["defaultPackSize"],
            "totalNumberOfPacks": float(packs),
            "availableNumberOfPacks": float(packs),
            "costPricePerPack": round(1 + chance * 40, 2),
            "sellPricePerPack": round(1 + chance * 44, 2),
            "onHold": False,
            "barcode": None,
            "locationId": None,
            "locationName": f"R{batch + 1}-{item['_index'] % 40 + 1:02d}",
            "supplierName": "National Product Supply Chain",
            "item": item,
            "program": self.catalogue.program(item["_program"]),
            "donor": None,
            "_store": store_id,
        }
        self.stock[store_id][node["id"]] = node
        return node

    def _build_papers(self, history_days: int, papers: int) -> None:
        """Requisitions of the past, most of them long delivered, a few at every step of the way."""
        now_ms, rng = self.now_ms, self.catalogue.rng("papers")
        customers = [name for name in self.names.values() if name["code"].startswith("NGS")]
        for index in range(papers):
            self.now_ms = now_ms - int((1 - index / max(papers, 1)) * history_days * DAY_MS)
            requisition = self.arrive(rng.choice(customers), rng.randint(3, 12), rng.choice((*PROGRAMS, None, None)))
            age = index / max(papers, 1)
            if age > 0.97:
                continue
            invoice = self.shipment_for(requisition)
            steps = 6 if age < 0.7 else rng.randint(0, 3)
            for status in STATUS_ORDER[1 : min(steps, 3) + 1]:
                self.now_ms += HOUR_MS
                self.move_outbound(invoice, status)
            inbound = self.invoices.get(invoice["_linked"])
            if steps == 6 and inbound is not None:
                for status in ("DELIVERED", "RECEIVED", "VERIFIED"):
                    self.now_ms += 2 * HOUR_MS
                    self.move_inbound(inbound, status)
            if steps >= 3:
                self.finalise(requisition)
        self.now_ms = now_ms
        for _ in range(3):
            self.draft(rng.randint(3, 8))

    def ship_in_the_past(
        self, *, customer: str, ordered_ms: int, shipped_ms: int, received_ms: int, transport_reference: str
    ) -> Node:
        """A shipment that was asked for, sent and received; the customer, by name, works on this site."""
        now_ms = self.now_ms
        name = next(one for one in self.names.values() if one["name"] == customer)
        self.now_ms = ordered_ms
        requisition = self.arrive(name, 5)
        invoice = self.shipment_for(requisition)
        invoice["transportReference"] = transport_reference
        self.now_ms = shipped_ms
        for status in STATUS_ORDER[1:4]:
            self.move_outbound(invoice, status)
        self.finalise(requisition)
        self.now_ms = received_ms
        inbound = self.invoices.get(invoice["_linked"])
        if inbound is not None:
            for status in ("DELIVERED", "RECEIVED"):
                self.move_inbound(inbound, status)
        self.now_ms = now_ms
        return invoice

    # -- requisitions

    def _requisition(self, store_id: str, kind: str, other: Node, status: str, **more: Any) -> Node:
        node = blank_requisition(self.now_ms, other) | {
            "id": self.new_id(),
            "requisitionNumber": self.number(store_id, "requisition"),
            "type": kind,
            "status": status,
            "_store": store_id,
            **more,
        }
        self.requisitions[node["id"]] = node
        self.touch()
        return node

    def _line(self, requisition: Node, index: int) -> Node:
        item = self.catalogue.item(index)
        rng = self.catalogue.rng("line", requisition["id"], index)
        monthly = float(rng.randint(2, 60) * int(max(item["defaultPackSize"], 10)))
        held = float(int(monthly * rng.random() * 1.5))
        wanted = max(0.0, 3 * monthly - held)
        node: Node = {
            "__typename": "RequisitionLineNode",
            "id": self.new_id(),
            "itemId": item["id"],
            "itemName": item["name"],
            "requestedQuantity": wanted,
            "suggestedQuantity": wanted,
            "supplyQuantity": 0.0,
            "approvedQuantity": 0.0,
            "availableStockOnHand": held,
            "averageMonthlyConsumption": monthly,
            "initialStockOnHandUnits": held + monthly,
            "incomingUnits": 0.0,
            "outgoingUnits": monthly,
            "lossInUnits": 0.0,
            "additionInUnits": 0.0,
            "expiringUnits": 0.0,
            "daysOutOfStock": float(rng.choice((0, 0, 0, 4, 9))),
            "comment": None,
            "item": item,
            "_requisition": requisition["id"],
        }
        requisition["_lines"][node["id"]] = node
        return node

    def arrive(self, customer: Node, lines: int, program: tuple[str, str, bool] | None = None) -> Node:
        """A customer's request reaches the central store; a customer that works here has its own paper beside it."""
        central = self.central
        code = program[1] if program else ""
        choice = [i for i in range(self.catalogue.listed) if self.catalogue.item(i)["_program"] == code]
        chosen = self._rng.sample(choice, min(lines, len(choice)))
        facts = {"programName": program[0] if program else None, "period": self._period() if program else None}
        response = self._requisition(central["id"], "RESPONSE", customer, "NEW", **facts)
        response["theirReference"] = f"{customer['code']}/{response['requisitionNumber']}"
        for index in sorted(chosen):
            self._line(response, index)
        place = self.store_of(customer["id"])
        if place is not None:
            supplier = self.names[central["nameId"]]
            request = self._requisition(place["id"], "REQUEST", supplier, "SENT", **facts)
            request["sentDatetime"] = request["createdDatetime"]
            request["_linked"], response["_linked"] = response["id"], request["id"]
            for line in response["_lines"].values():
                copy = {**line, "id": self.new_id(), "_requisition": request["id"]}
                request["_lines"][copy["id"]] = copy
        return response

    def draft(self, lines: int) -> Node:
        """The zonal store begins a request to the central store."""
        supplier = self.names[self.central["nameId"]]
        request = self._requisition(self.zonal["id"], "REQUEST", supplier, "DRAFT")
        for index in sorted(self._rng.sample(range(self.catalogue.listed), min(lines, self.catalogue.listed))):
            self._line(request, index)
        return request

    def send_request(self, request: Node) -> None:
        """The supplying store on this site gets its response at once (section 6)."""
        request["status"], request["sentDatetime"] = "SENT", moment(self.now_ms)
        place = self.stores[request["_store"]]
        supplier = self.store_of(request["otherPartyId"])
        if supplier is not None:
            customer = self.names[place["nameId"]]
            response = self._requisition(supplier["id"], "RESPONSE", customer, "NEW")
            response["_linked"], request["_linked"] = request["id"], response["id"]
            for line in request["_lines"].values():
                copy = {**line, "id": self.new_id(), "_requisition": response["id"]}
                response["_lines"][copy["id"]] = copy
        self.touch()

    def finalise(self, requisition: Node) -> None:
        requisition["status"], requisition["finalisedDatetime"] = "FINALISED", moment(self.now_ms)
        self.touch()

    def _period(self) -> Node:
        now = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        first = now.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        return {
            "id": made_id("period", f"{first:%Y-%m}"),
            "name": f"{first:%B %Y}",
            "startDate": f"{first:%Y-%m-%d}",
            "endDate": f"{last:%Y-%m-%d}",
        }

    # -- shipments

    def new_invoice(self, store_id: str, kind: str, other: Node, invoice_id: str = "") -> Node:
        node = blank_invoice(self.now_ms, other) | {
            "id": invoice_id or self.new_id(),
            "invoiceNumber": self.number(store_id, kind),
            "type": kind,
            "_store": store_id,
        }
        self.invoices[node["id"]] = node
        self.touch()
        return node

    def shipment_for(self, requisition: Node, *, placeholders: bool = False) -> Node:
        """A shipment of what is still to be supplied, from the batches that expire first."""
        customer = self.names[requisition["otherPartyId"]]
        invoice = self.new_invoice(requisition["_store"], "OUTBOUND_SHIPMENT", customer)
        invoice["_requisition"] = requisition["id"]
        program = next((p for p in self.catalogue.programs if p["name"] == requisition["programName"]), None)
        invoice["programId"] = program["id"] if program else None
        for line in requisition["_lines"].values():
            line["supplyQuantity"] = line["supplyQuantity"] or line["requestedQuantity"]
            if placeholders:
                self.add_line(invoice, line["item"], None, line["supplyQuantity"] / line["item"]["defaultPackSize"])
                continue
            left = line["supplyQuantity"]
            for stock in self._first_to_expire(requisition["_store"], line["itemId"]):
                packs = min(float(int(left / stock["packSize"])), stock["availableNumberOfPacks"])
                if packs > 0:
                    self.add_line(invoice, line["item"], stock, packs)
                    left -= packs * stock["packSize"]
        return invoice

    def _first_to_expire(self, store_id: str, item_id: str) -> list[Node]:
        found = [line for line in self.stock[store_id].values() if line["itemId"] == item_id and not line["onHold"]]
        return sorted(found, key=lambda line: line["expiryDate"])

    def add_line(self, invoice: Node, item: Node, stock: Node | None, packs: float, line_id: str = "") -> Node:
        """A line; what it takes of a batch is no longer available, the batch itself goes when it is picked."""
        node: Node = {
            "__typename": "InvoiceLineNode",
            "id": line_id or self.new_id(),
            "type": "UNALLOCATED_STOCK" if stock is None else "STOCK_OUT",
            "itemId": item["id"],
            "itemCode": item["code"],
            "itemName": item["name"],
            "batch": stock["batch"] if stock else None,
            "expiryDate": stock["expiryDate"] if stock else None,
            "packSize": stock["packSize"] if stock else item["defaultPackSize"],
            "numberOfPacks": packs,
            "shippedPackSize": None,
            "shippedNumberOfPacks": None,
            "costPricePerPack": stock["costPricePerPack"] if stock else 0.0,
            "sellPricePerPack": stock["sellPricePerPack"] if stock else 0.0,
            "locationName": stock["locationName"] if stock else None,
            "volumePerPack": 0.0,
            "stockLine": stock,
        }
        invoice["_lines"][node["id"]] = node
        if stock is not None:
            stock["availableNumberOfPacks"] -= packs
        self.touch()
        return node

    def move_outbound(self, invoice: Node, status: str) -> None:
        """On to a later status: skipped moments are filled, stock goes at PICKED, the copy for a store is made then."""
        before = STATUS_ORDER.index(invoice["status"])
        after = STATUS_ORDER.index(status)
        for passed in STATUS_ORDER[before + 1 : after + 1]:
            invoice[MOMENT_OF[passed]] = moment(self.now_ms)
        invoice["status"] = status
        if before < 2 <= after:
            for line in invoice["_lines"].values():
                stock = line["stockLine"]
                if stock is not None:
                    stock["totalNumberOfPacks"] -= line["numberOfPacks"]
                    self.book(invoice, line, -line["numberOfPacks"])
        if after >= 2:
            self._copy_to_receiver(invoice)
        self.touch()

    def _copy_to_receiver(self, outbound: Node) -> None:
        receiver = self.store_of(outbound["otherPartyId"])
        if receiver is None:
            return
        inbound = self.invoices.get(outbound["_linked"])
        if inbound is None:
            sender = self.names[self.stores[outbound["_store"]]["nameId"]]
            inbound = self.new_invoice(receiver["id"], "INBOUND_SHIPMENT", sender)
            inbound["_linked"], outbound["_linked"] = outbound["id"], inbound["id"]
            for line in outbound["_lines"].values():
                copy = {**line, "id": self.new_id(), "type": "STOCK_IN", "stockLine": None}
                copy |= {"shippedPackSize": line["packSize"], "shippedNumberOfPacks": line["numberOfPacks"]}
                inbound["_lines"][copy["id"]] = copy
        inbound["status"] = outbound["status"]
        inbound["theirReference"] = f"From invoice number: {outbound['invoiceNumber']}"
        for name in ("pickedDatetime", "shippedDatetime", "transportReference", "expectedDeliveryDate"):
            inbound[name] = outbound[name]

    def move_inbound(self, inbound: Node, status: str) -> None:
        """On to a later status; what the receiving store says is copied to the sending store's paper."""
        before, after = STATUS_ORDER.index(inbound["status"]), STATUS_ORDER.index(status)
        outbound = self.invoices.get(inbound["_linked"])
        for passed in STATUS_ORDER[before + 1 : after + 1]:
            inbound[MOMENT_OF[passed]] = inbound[MOMENT_OF[passed]] or moment(self.now_ms)
            if outbound is not None and passed in ("DELIVERED", "RECEIVED", "VERIFIED"):
                outbound[MOMENT_OF[passed]] = inbound[MOMENT_OF[passed]]
        inbound["status"] = status
        if outbound is not None and after >= STATUS_ORDER.index("DELIVERED"):
            outbound["status"] = status
        if before < STATUS_ORDER.index("RECEIVED") <= after:
            self._book_in(inbound)
        self.touch()

    def _book_in(self, inbound: Node) -> None:
        for line in inbound["_lines"].values():
            item = self.catalogue.item(self.catalogue.index_of(line["itemId"]) or 0)
            batch = len(self.stock[inbound["_store"]]) + 1000
            stock = self.add_stock(inbound["_store"], item, line["numberOfPacks"], batch, 0.5)
            stock |= {"batch": line["batch"], "expiryDate": line["expiryDate"], "packSize": line["packSize"]}
            line["stockLine"] = stock
            self.book(inbound, line, line["numberOfPacks"])

    def book(self, invoice: Node, line: Node, packs: float) -> None:
        """A movement in the item's ledger."""
        held = sum(
            stock["totalNumberOfPacks"] * stock["packSize"]
            for stock in self.stock[invoice["_store"]].values()
            if stock["itemId"] == line["itemId"]
        )
        self.ledger.append(
            {
                "id": self.new_id(),
                "datetime": moment(self.now_ms),
                "itemId": line["itemId"],
                "invoiceId": invoice["id"],
                "invoiceNumber": invoice["invoiceNumber"],
                "invoiceType": invoice["type"],
                "invoiceStatus": invoice["status"],
                "name": invoice["otherPartyName"],
                "batch": line["batch"],
                "expiryDate": line["expiryDate"],
                "packSize": line["packSize"],
                "numberOfPacks": packs,
                "movementInUnits": packs * line["packSize"],
                "balance": held,
                "reason": None,
                "_store": invoice["_store"],
            }
        )

    # -- life

    def advance(self, now_ms: int) -> None:
        """Live on until then: a requisition arrives at each interval, stores receive what was sent long enough ago."""
        while self._next_arrival_ms <= now_ms:
            self.now_ms = max(self.now_ms, self._next_arrival_ms)
            customers = [name for name in self.names.values() if name["code"].startswith("NGS")]
            self.arrive(self._rng.choice(customers), self._rng.randint(3, 12), self._rng.choice((*PROGRAMS, None)))
            self._next_arrival_ms += self.arrival_every_ms
        self.now_ms = max(self.now_ms, now_ms)
        sent_before = moment(self.now_ms - self.receive_after_ms)
        for invoice in list(self.invoices.values()):
            if invoice["type"] != "INBOUND_SHIPMENT" or invoice["status"] not in ("SHIPPED", "DELIVERED", "RECEIVED"):
                continue
            since = invoice[MOMENT_OF[invoice["status"]]]
            if since is not None and since <= sent_before:
                self.move_inbound(invoice, STATUS_ORDER[STATUS_ORDER.index(invoice["status"]) + 1])
