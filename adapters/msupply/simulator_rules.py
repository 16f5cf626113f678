"""What the simulated mSupply lets be changed, and how it refuses (msupply.md, sections 6 to 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLError

from adapters.msupply.simulator_access import Account
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_shapes import STATUS_ORDER, day
from adapters.msupply.simulator_world import World

EDITABLE = ("NEW", "ALLOCATED", "PICKED")


def bad_input(details: str) -> GraphQLError:
    return GraphQLError("Bad user change", extensions={"details": details})


def typed(wrapper: str, kind: str, description: str, **more: Any) -> Node:
    """One branch of a response union that is an error."""
    return {"__typename": wrapper, "error": {"__typename": kind, "description": description, **more}}


def connector(nodes: list[Node], kind: str = "") -> Node:
    return {"__typename": kind, "totalCount": len(nodes), "nodes": nodes}


class Rules:
    """The mutations of one site."""

    def __init__(self, world: World, account: Account) -> None:
        self.world = world
        self.account = account
        self.refused_for_ever: set[str] = set()
        """Ids of records on which every change ends in an error that no try mends."""
        self.applied: list[tuple[str, str, str]] = []
        """Mutation, id and new status of everything that was changed: what tests count."""

    def mutations(self) -> dict[str, Callable[..., Any]]:
        """Resolvers by field of the root."""
        return {
            "insertRequestRequisition": self.insert_request,
            "batchRequestRequisition": self.batch_request,
            "updateRequestRequisition": self.update_request,
            "updateResponseRequisition": self.update_response,
            "updateResponseRequisitionLine": self.update_response_line,
            "supplyRequestedQuantity": self.supply_requested,
            "createRequisitionShipment": self.create_shipment,
            "insertOutboundShipment": self.insert_outbound,
            "insertOutboundShipmentLine": self.insert_outbound_line,
            "updateOutboundShipment": self.update_outbound,
            "updateInboundShipment": self.update_inbound,
            "batchOutboundShipment": self.batch_outbound,
            "manualSync": lambda *_: "Sync triggered",
        }

    # -- requisitions

    def _requisition(self, store_id: str, found: str) -> Node | None:
        node = self.world.requisitions.get(found)
        return node if node is not None and node["_store"] == store_id else None

    def insert_request(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "REQUISITION_MUTATE")
        if change["id"] in self.world.requisitions:
            raise bad_input("RequisitionAlreadyExists")
        supplier = self.world.names.get(change["otherPartyId"])
        if supplier is None:
            return typed("InsertRequestRequisitionError", "OtherPartyNotVisible", "Other party is not visible")
        if not supplier["isSupplier"]:
            return typed("InsertRequestRequisitionError", "OtherPartyNotASupplier", "Other party is not a supplier")
        node = self.world._requisition(store_id, "REQUEST", supplier, "DRAFT", id=change["id"])
        node |= {"comment": change.get("comment"), "maxMonthsOfStock": change["maxMonthsOfStock"]}
        return node

    def batch_request(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "REQUISITION_MUTATE")
        new, changed = change.get("insertRequestRequisitionLines"), change.get("updateRequestRequisitionLines")
        return {
            "insertRequestRequisitionLines": [
                {"id": line["id"], "response": self._insert_line(store_id, line)} for line in new or ()
            ],
            "updateRequestRequisitionLines": [
                {"id": line["id"], "response": self._update_line(store_id, line)} for line in changed or ()
            ],
        }

    def _insert_line(self, store_id: str, line: Node) -> Node:
        requisition = self._requisition(store_id, line["requisitionId"])
        if requisition is None:
            return typed("InsertRequestRequisitionLineError", "RecordNotFound", "Record not found")
        if requisition["status"] != "DRAFT":
            return typed("InsertRequestRequisitionLineError", "CannotEditRequisition", "Cannot edit requisition")
        if line["id"] in requisition["_lines"]:
            raise bad_input("RequisitionLineAlreadyExists")
        index = self.world.catalogue.index_of(line["itemId"])
        if index is None:
            raise bad_input("ItemDoesNotExist")
        node = self.world._line(requisition, index)
        del requisition["_lines"][node["id"]]
        node["id"] = line["id"]
        requisition["_lines"][line["id"]] = node
        return node

    def _update_line(self, store_id: str, line: Node) -> Node:
        wrapper = "UpdateRequestRequisitionLineError"
        for requisition in self.world.requisitions.values():
            node: Node | None = requisition["_lines"].get(line["id"])
            if node is None or requisition["_store"] != store_id or requisition["type"] != "REQUEST":
                continue
            if requisition["status"] != "DRAFT" or line["id"] in self.refused_for_ever:
                return typed(wrapper, "CannotEditRequisition", "Cannot edit requisition")
            if line.get("requestedQuantity") is not None:
                node["requestedQuantity"] = line["requestedQuantity"]
            if line.get("comment") is not None:
                node["comment"] = line["comment"]
            self._note("updateRequestRequisitionLine", line["id"], str(node["requestedQuantity"]))
            return node
        return typed(wrapper, "RecordNotFound", "Record not found")

    def update_request(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "UpdateRequestRequisitionError"
        needed = ("REQUISITION_MUTATE", "REQUISITION_SEND") if change.get("status") else ("REQUISITION_MUTATE",)
        self.account.require(store_id, *needed)
        node = self._requisition(store_id, change["id"])
        if node is None:
            return typed(wrapper, "RecordNotFound", "Record not found")
        if node["type"] != "REQUEST":
            raise bad_input("NotARequestRequisition")
        if node["status"] != "DRAFT" or node["id"] in self.refused_for_ever:
            return typed(wrapper, "CannotEditRequisition", "Cannot edit requisition")
        _set(node, change, "comment", "theirReference", "expectedDeliveryDate")
        if change.get("status") == "SENT":
            self.world.send_request(node)
        self._note("updateRequestRequisition", node["id"], node["status"])
        return node

    def update_response(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "UpdateResponseRequisitionError"
        self.account.require(store_id, "REQUISITION_MUTATE")
        node = self._requisition(store_id, change["id"])
        if node is None:
            return typed(wrapper, "RecordNotFound", "Record not found")
        if node["type"] != "RESPONSE":
            raise bad_input("NotAResponseRequisition")
        if node["status"] != "NEW" or node["id"] in self.refused_for_ever:
            return typed(wrapper, "CannotEditRequisition", "Cannot edit requisition")
        _set(node, change, "comment", "theirReference")
        if change.get("status") == "FINALISED":
            self.world.finalise(node)
        self._note("updateResponseRequisition", node["id"], node["status"])
        return node

    def update_response_line(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "UpdateResponseRequisitionLineError"
        self.account.require(store_id, "REQUISITION_MUTATE")
        for requisition in self.world.requisitions.values():
            node: Node | None = requisition["_lines"].get(change["id"])
            if node is None or requisition["_store"] != store_id or requisition["type"] != "RESPONSE":
                continue
            if requisition["status"] != "NEW" or change["id"] in self.refused_for_ever:
                return typed(wrapper, "CannotEditRequisition", "Cannot edit requisition")
            if change.get("supplyQuantity") is not None:
                if change["supplyQuantity"] < 0:
                    raise bad_input("supplyQuantity must not be negative")
                node["supplyQuantity"] = change["supplyQuantity"]
            if change.get("comment") is not None:
                node["comment"] = change["comment"]
            self._note("updateResponseRequisitionLine", change["id"], str(node["supplyQuantity"]))
            return node
        return typed(wrapper, "RecordNotFound", "Record not found")

    def supply_requested(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "REQUISITION_MUTATE")
        node = self._requisition(store_id, change["responseRequisitionId"])
        if node is None:
            return typed("SupplyRequestedQuantityError", "RecordNotFound", "Record not found")
        if node["status"] != "NEW":
            return typed("SupplyRequestedQuantityError", "CannotEditRequisition", "Cannot edit requisition")
        for line in node["_lines"].values():
            line["supplyQuantity"] = line["requestedQuantity"]
        return connector(list(node["_lines"].values()), "RequisitionLineConnector")

    def create_shipment(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "CreateRequisitionShipmentError"
        self.account.require(store_id, "REQUISITION_CREATE_OUTBOUND_SHIPMENT")
        node = self._requisition(store_id, change["responseRequisitionId"])
        if node is None:
            return typed(wrapper, "RecordNotFound", "Record not found")
        if node["status"] != "NEW":
            return typed(wrapper, "CannotEditRequisition", "Cannot edit requisition")
        if any(invoice["_requisition"] == node["id"] for invoice in self.world.invoices.values()):
            return typed(wrapper, "NothingRemainingToSupply", "Nothing remaining to supply")
        return self.world.shipment_for(node, placeholders=True)

    # -- shipments

    def insert_outbound(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "OUTBOUND_SHIPMENT_MUTATE")
        if change["id"] in self.world.invoices:
            raise bad_input("InvoiceAlreadyExists")
        customer = self.world.names.get(change["otherPartyId"])
        if customer is None:
            return typed("InsertOutboundShipmentError", "OtherPartyNotVisible", "Other party is not visible")
        if not customer["isCustomer"]:
            return typed("InsertOutboundShipmentError", "OtherPartyNotACustomer", "Other party is not a customer")
        node = self.world.new_invoice(store_id, "OUTBOUND_SHIPMENT", customer, change["id"])
        _set(node, change, "comment", "theirReference")
        return node

    def insert_outbound_line(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "InsertOutboundShipmentLineError"
        self.account.require(store_id, "OUTBOUND_SHIPMENT_MUTATE")
        invoice = self.world.invoices.get(change["invoiceId"])
        stock = self.world.stock[store_id].get(change["stockLineId"])
        if invoice is None or stock is None or invoice["_store"] != store_id:
            raise bad_input("InvoiceDoesNotExist" if invoice is None else "StockLineNotFound")
        if change["id"] in invoice["_lines"]:
            raise bad_input("LineAlreadyExists")
        if invoice["status"] not in EDITABLE:
            return typed(wrapper, "CannotEditInvoice", "Cannot edit invoice")
        if stock["onHold"]:
            return typed(wrapper, "StockLineIsOnHold", "Stock line is on hold")
        if stock["availableNumberOfPacks"] < change["numberOfPacks"]:
            return typed(wrapper, "NotEnoughStockForReduction", "Not enough stock for reduction")
        return self.world.add_line(invoice, stock["item"], stock, change["numberOfPacks"], change["id"])

    def update_outbound(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "OUTBOUND_SHIPMENT_MUTATE")
        return self._update_outbound(store_id, change)

    def batch_outbound(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        self.account.require(store_id, "OUTBOUND_SHIPMENT_MUTATE")
        changes = change.get("updateOutboundShipments") or ()
        return {
            "updateOutboundShipments": [
                {"id": one["id"], "response": self._update_outbound(store_id, one)} for one in changes
            ]
        }

    def _update_outbound(self, store_id: str, change: Node) -> Node:
        wrapper = "UpdateOutboundShipmentError"
        node = self.world.invoices.get(change["id"])
        if node is None or node["_store"] != store_id:
            return typed(wrapper, "RecordNotFound", "Record not found")
        if node["type"] != "OUTBOUND_SHIPMENT":
            return typed(wrapper, "NotAnOutboundShipmentError", "Not an outbound shipment")
        if node["status"] not in EDITABLE or node["id"] in self.refused_for_ever:
            return typed(wrapper, "InvoiceIsNotEditable", "Invoice is not editable")
        wanted = change.get("status")
        if wanted is not None and (refused := self._may_move(wrapper, node, wanted)) is not None:
            return refused
        expected = change.get("expectedDeliveryDate")
        if expected is not None and expected.get("value") is not None and expected["value"] < day(self.world.now_ms):
            kind = "CannotHaveEstimatedDeliveryDateBeforeShippedDate"
            return typed(wrapper, kind, "Expected delivery date is before shipped date")
        _set(node, change, "comment", "theirReference", "transportReference", "onHold")
        if expected is not None:
            node["expectedDeliveryDate"] = expected.get("value")
        if wanted is not None and wanted != node["status"]:
            self.world.move_outbound(node, wanted)
        self._note("updateOutboundShipment", node["id"], wanted or "")
        return node

    def _may_move(self, wrapper: str, node: Node, wanted: str) -> Node | None:
        if STATUS_ORDER.index(wanted) < STATUS_ORDER.index(node["status"]):
            return typed(wrapper, "CannotReverseInvoiceStatus", "Cannot reverse invoice status")
        if node["onHold"] and wanted != node["status"]:
            return typed(wrapper, "CannotChangeStatusOfInvoiceOnHold", "Invoice is on hold")
        placeholders = [line for line in node["_lines"].values() if line["type"] == "UNALLOCATED_STOCK"]
        if placeholders:
            kind = "CanOnlyChangeToAllocatedWhenNoUnallocatedLines"
            return typed(wrapper, kind, "Unallocated lines are left", invoiceLines=connector(placeholders))
        return None

    def update_inbound(self, _root: Any, _info: Any, store_id: str, change: Node) -> Node:
        wrapper = "UpdateInboundShipmentError"
        wanted = change.get("status")
        verify = ("INBOUND_SHIPMENT_VERIFY",) if wanted == "VERIFIED" else ()
        self.account.require(store_id, "INBOUND_SHIPMENT_MUTATE", *verify)
        node = self.world.invoices.get(change["id"])
        if node is None or node["_store"] != store_id:
            return typed(wrapper, "RecordNotFound", "Record not found")
        if node["type"] != "INBOUND_SHIPMENT":
            return typed(wrapper, "NotAnInboundShipment", "Not an inbound shipment")
        if node["status"] == "VERIFIED" or node["id"] in self.refused_for_ever:
            return typed(wrapper, "CannotEditInvoice", "Cannot edit invoice")
        if wanted is not None and STATUS_ORDER.index(wanted) < STATUS_ORDER.index(node["status"]):
            return typed(wrapper, "CannotReverseInvoiceStatus", "Cannot reverse invoice status")
        if node["onHold"] and wanted is not None and wanted != node["status"]:
            return typed(wrapper, "CannotChangeStatusOfInvoiceOnHold", "Invoice is on hold")
        _set(node, change, "comment", "theirReference", "onHold")
        if wanted is not None and wanted != node["status"]:
            self.world.move_inbound(node, wanted)
        self._note("updateInboundShipment", node["id"], wanted or "")
        return node

    def _note(self, mutation: str, found: str, value: str) -> None:
        self.applied.append((mutation, found, value))
        moment_now = self.world.now_ms
        self.world.history.append({"record": found, "type": mutation, "at": moment_now, "to": value})
        self.world.touch()


def _set(node: Node, change: Node, *names: str) -> None:
    for name in names:
        if change.get(name) is not None:
            node[name] = change[name]
