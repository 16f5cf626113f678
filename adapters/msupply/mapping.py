"""What open mSupply's records mean in our vocabulary: packs become units, its words our stages.

Reference: msupply.md, sections 3 and 6. A record that cannot be read raises RecordRejected; a word that we do not know
is the stage “unknown”, with the word itself in ``status``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapters.errors import RecordRejected
from adapters.msupply import fields
from adapters.msupply.fields import Json
from adapters.supply import (
    Facility,
    Item,
    Period,
    Program,
    Requisition,
    RequisitionLine,
    RequisitionStage,
    Shipment,
    ShipmentLine,
    ShipmentStage,
    StockLine,
)
from adapters.vocabulary import Attributes, JsonScalar

SHIPMENT_STAGES: Mapping[str, ShipmentStage] = {
    "NEW": "new",
    "ALLOCATED": "allocated",
    "PICKED": "picked",
    "SHIPPED": "shipped",
    "DELIVERED": "delivered",
    "RECEIVED": "received",
    "VERIFIED": "verified",
    "CANCELLED": "cancelled",
}
"""In the server's order: a change to an earlier one is refused (section 6)."""

REQUEST_STAGES: Mapping[str, RequisitionStage] = {"DRAFT": "draft", "SENT": "submitted"}

FINAL_SHIPMENT = frozenset({"VERIFIED", "CANCELLED"})
EDITABLE_SHIPMENT = ("NEW", "ALLOCATED", "PICKED")
OPEN_REQUISITION = ("NEW", "DRAFT", "SENT")


@dataclass(frozen=True, slots=True)
class Store:
    """A store of the account. ``id`` is asked with, ``name_id`` is what papers call it and its facility's peer id."""

    id: str
    code: str
    name: str
    name_id: str
    is_disabled: bool = False


def units(packs: float, pack_size: float) -> float:
    """Packs as units, freed of what floating point adds (0.1 packs of 3 are 0.3 units)."""
    return round(packs * pack_size, 6)


def packs(amount: float, pack_size: float) -> float:
    """Units as packs of this size, as exactly as a Float says it."""
    return amount / pack_size


def store(raw: object) -> Store:
    record = fields.as_object(raw, "store")
    found = fields.identity(record, "id", "store")
    return Store(
        id=found,
        code=fields.text(record, "code", 100),
        name=fields.text(record, "name", 300),
        name_id=fields.identity(record, "nameId", f"store {found}"),
        is_disabled=fields.flag(record, "isDisabled"),
    )


def own_facility(place: Store) -> Facility:
    return Facility(
        peer_id=place.name_id,
        code=place.code,
        name=place.name,
        kind="store",
        is_ours=True,
        is_active=not place.is_disabled,
        attributes={"store_id": place.id},
    )


def facility(raw: object) -> Facility | None:
    """A name of mSupply; None for patients and for the names that mSupply uses for its own bookings."""
    record = fields.as_object(raw, "name")
    kind = fields.text(record, "type", 40)
    if kind in ("PATIENT", "INVAD", "REPACK", "BUILD"):
        return None
    found = fields.identity(record, "id", "name")
    name = fields.text(record, "name", 300)
    if not name:
        raise RecordRejected(f"name {found}", "It has no name. Enter one in mSupply.")
    is_store = kind == "STORE" or bool(fields.nested(record, "store"))
    is_supplier = fields.flag(record, "isSupplier") and not fields.flag(record, "isCustomer")
    place: Literal["store", "facility", "supplier", "other"]
    if is_store:
        place = "store"
    elif is_supplier:
        place = "supplier"
    else:
        place = "facility" if kind == "FACILITY" else "other"
    return Facility(
        peer_id=found,
        code=fields.text(record, "code", 100),
        name=name,
        kind=place,
        zone=fields.text(record, "address2", 200),
        attributes=_told(
            address=fields.text(record, "address1", 300),
            phone=fields.text(record, "phone", 60),
            email=fields.text(record, "email", 200),
            store_id=fields.text(fields.nested(record, "store"), "id", 200),
            is_on_hold=fields.flag(record, "isOnHold") or None,
        ),
    )


def program(raw: object) -> Program:
    record = fields.as_object(raw, "programme")
    found = fields.identity(record, "id", "programme")
    return Program(
        peer_id=found, code=fields.text(record, "elmisCode", 100), name=fields.text(record, "name", 300) or found
    )


def item(raw: object) -> Item:
    record = fields.as_object(raw, "item")
    found = fields.identity(record, "id", "item")
    name = fields.text(record, "name", 300)
    if not name:
        raise RecordRejected(f"item {found}", "It has no name. Enter one in mSupply.")
    size = fields.number(record, "defaultPackSize")
    return Item(
        peer_id=found,
        code=fields.text(record, "code", 100),
        name=name,
        unit=fields.text(record, "unitName", 60),
        pack_size=size if size and size > 0 else 1.0,
        attributes=_told(
            kind=fields.text(record, "type", 40),
            strength=fields.text(record, "strength", 100),
            ven=fields.text(record, "venCategory", 20),
            universal_code=fields.text(record, "msupplyUniversalCode", 60),
            is_vaccine=fields.flag(record, "isVaccine") or None,
            doses=fields.integer(record, "doses") or None,
        ),
    )


def stock_line(raw: object, place: Store, monthly: Mapping[str, float]) -> StockLine:
    """``monthly`` maps items to their average monthly consumption in this store, in units."""
    record = fields.as_object(raw, "stock line")
    found = fields.identity(record, "id", "stock line")
    what = f"stock line {found}"
    size = fields.number(record, "packSize")
    if size is None or size <= 0:
        raise RecordRejected(what, "Its pack size is missing or not above zero. Correct it in mSupply.")
    held = fields.quantity(record, "totalNumberOfPacks", what)
    free = fields.number(record, "availableNumberOfPacks")
    product = fields.identity(record, "itemId", what)
    if held * size > fields.LARGEST_QUANTITY:
        raise RecordRejected(what, f"It holds {held:g} packs of {size:g}: more than any store has. Correct it.")
    return StockLine(
        peer_id=found,
        facility=place.name_id,
        item=product,
        units=units(held, size),
        available_units=None if free is None or free < 0 else units(free, size),
        batch=fields.text(record, "batch", 100),
        expires_on=fields.day(record, "expiryDate"),
        pack_size=size,
        location=fields.text(record, "locationName", 100),
        program=fields.text(fields.nested(record, "program"), "id", 200),
        is_on_hold=fields.flag(record, "onHold"),
        average_monthly_units=monthly.get(product),
        attributes=_told(
            supplier=fields.text(record, "supplierName", 300),
            barcode=fields.text(record, "barcode", 100),
            cost_per_pack=fields.number(record, "costPricePerPack") or None,
            donor=fields.text(fields.nested(record, "donor"), "name", 300),
        ),
    )


def monthly_units(raw: object) -> tuple[str, float] | None:
    """An item's id and its average monthly consumption; None where the server tells none."""
    record = fields.as_object(raw, "item")
    amount = fields.number(fields.nested(record, "stats"), "averageMonthlyConsumption")
    if amount is None or amount < 0:
        return None
    return fields.identity(record, "id", "item"), round(amount, 3)


# --- requisitions ----------------------------------------------------------------------------------------------------


def requisition_stage(side: str, status: str, approval: str, shipments: int) -> RequisitionStage:
    """Requests go DRAFT, SENT, FINALISED; responses NEW, FINALISED, held or refused by their approval."""
    if status == "FINALISED":
        return "closed"
    if side == "request":
        return REQUEST_STAGES.get(status, "unknown")
    if status != "NEW":
        return "unknown"
    if approval in ("DENIED", "DENIED_BY_ANOTHER", "EXPIRED"):
        return "rejected"
    if approval == "PENDING":
        return "in_approval"
    if shipments > 0:
        return "ordered"
    return "approved" if approval in ("APPROVED", "AUTO_APPROVED", "APPROVED_BY_ANOTHER") else "submitted"


def requisition(raw: object, place: Store, programs: Mapping[str, str]) -> Requisition:
    """``programs`` maps a programme's name to its id: a requisition names it only."""
    record = fields.as_object(raw, "requisition")
    found = fields.identity(record, "id", "requisition")
    what = f"requisition {found}"
    kind = fields.text(record, "type", 40)
    if kind not in ("REQUEST", "RESPONSE"):
        raise RecordRejected(what, f"It is neither a request nor a response but “{kind[:40]}”. Update this console.")
    side: Literal["request", "response"] = "request" if kind == "REQUEST" else "response"
    status = fields.text(record, "status", 40)
    approval = fields.text(record, "approvalStatus", 40)
    other = fields.identity(record, "otherPartyId", what)
    named = fields.text(record, "programName", 300)
    shipments = fields.integer(fields.nested(record, "shipments"), "totalCount") or 0
    lines = fields.nodes(record, "lines")
    return Requisition(
        peer_id=found,
        number=_number(record, "requisitionNumber"),
        side=side,
        status=status,
        stage=requisition_stage(side, status, approval, shipments),
        facility=place.name_id if side == "request" else other,
        supplier=other if side == "request" else place.name_id,
        program=programs.get(named, ""),
        period=fields.text(fields.nested(record, "period"), "id", 200),
        is_emergency=fields.flag(record, "isEmergency"),
        created_ms=fields.time_ms(record, "createdDatetime"),
        sent_ms=fields.time_ms(record, "sentDatetime"),
        closed_ms=fields.time_ms(record, "finalisedDatetime"),
        reference=fields.text(record, "theirReference", 300),
        comment=fields.text(record, "comment", 4000),
        lines=None if lines is None else [_requisition_line(line, side, approval) for line in lines],
        attributes=_told(
            approval=approval if approval not in ("", "NONE") else "",
            order_type=fields.text(record, "orderType", 100),
            program_name=named if named not in programs else "",
            expected_on=fields.day(record, "expectedDeliveryDate"),
            most_months=fields.number(record, "maxMonthsOfStock"),
            linked=fields.text(fields.nested(record, "linkedRequisition"), "id", 200),
            store_id=place.id,
        ),
    )


def _requisition_line(raw: object, side: str, approval: str) -> RequisitionLine:
    record = fields.as_object(raw, "requisition line")
    found = fields.identity(record, "id", "requisition line")
    odd: list[str] = []

    def amount(name: str) -> float | None:
        value = fields.number(record, name)
        if record.get(name) is not None and (value is None or value < 0):
            odd.append(name)
            return None
        return value

    added, lost = amount("additionInUnits"), amount("lossInUnits")
    decided = approval not in ("", "NONE", "PENDING")
    return RequisitionLine(
        peer_id=found,
        item=fields.identity(record, "itemId", f"requisition line {found}"),
        requested_units=amount("requestedQuantity"),
        approved_units=amount("approvedQuantity") if decided else None,
        supply_units=amount("supplyQuantity") if side == "response" else None,
        suggested_units=amount("suggestedQuantity"),
        stock_units=amount("availableStockOnHand"),
        opening_units=amount("initialStockOnHandUnits"),
        received_units=amount("incomingUnits"),
        consumed_units=amount("outgoingUnits"),
        adjusted_units=None if added is None or lost is None else round(added - lost, 6),
        stockout_days=amount("daysOutOfStock"),
        average_monthly_units=amount("averageMonthlyConsumption"),
        comment=fields.text(record, "comment", 2000),
        attributes=_told(
            remaining_units=amount("remainingQuantityToSupply") if side == "response" else None,
            issued_units=amount("alreadyIssued") if side == "response" else None,
            expiring_units=amount("expiringUnits") or None,
            unreadable=", ".join(odd),
        ),
    )


def period(raw: object) -> Period | None:
    """The period of a requisition; None where it has none that can be read."""
    record = fields.nested(raw, "period") if isinstance(raw, dict) else {}
    found = fields.text(record, "id", 200)
    begins, ends = fields.day(record, "startDate"), fields.day(record, "endDate")
    if not found or begins is None or ends is None:
        return None
    return Period(peer_id=found, name=fields.text(record, "name", 300) or found, starts_on=begins, ends_on=ends)


# --- shipments -------------------------------------------------------------------------------------------------------


def shipment(raw: object, place: Store) -> Shipment:
    record = fields.as_object(raw, "shipment")
    found = fields.identity(record, "id", "shipment")
    what = f"shipment {found}"
    kind = fields.text(record, "type", 40)
    if kind not in ("OUTBOUND_SHIPMENT", "INBOUND_SHIPMENT"):
        raise RecordRejected(what, f"It is no shipment but “{kind[:40]}”. Nothing is to be done here.")
    is_outbound = kind == "OUTBOUND_SHIPMENT"
    status = fields.text(record, "status", 40)
    other = fields.identity(record, "otherPartyId", what)
    linked = fields.nested(record, "linkedShipment")
    lines = fields.nodes(record, "lines")
    return Shipment(
        peer_id=found,
        number=_number(record, "invoiceNumber"),
        side="outbound" if is_outbound else "inbound",
        status=status,
        stage=SHIPMENT_STAGES.get(status, "unknown"),
        sender=place.name_id if is_outbound else other,
        receiver=other if is_outbound else place.name_id,
        requisition=fields.text(fields.nested(record, "requisition"), "id", 200),
        program=fields.text(record, "programId", 200),
        is_on_hold=fields.flag(record, "onHold"),
        created_ms=fields.time_ms(record, "createdDatetime"),
        allocated_ms=fields.time_ms(record, "allocatedDatetime"),
        picked_ms=fields.time_ms(record, "pickedDatetime"),
        shipped_ms=fields.time_ms(record, "shippedDatetime"),
        delivered_ms=fields.time_ms(record, "deliveredDatetime"),
        received_ms=fields.time_ms(record, "receivedDatetime"),
        verified_ms=fields.time_ms(record, "verifiedDatetime"),
        expected_on=fields.day(record, "expectedDeliveryDate"),
        transport_reference=fields.text(record, "transportReference", 300),
        reference=fields.text(record, "theirReference", 300),
        comment=fields.text(record, "comment", 4000),
        lines=None if lines is None else [_shipment_line(line) for line in lines if not _is_service(line)],
        attributes=_told(
            linked=fields.text(linked, "id", 200),
            linked_status=fields.text(linked, "status", 40),
            store_id=place.id,
        ),
    )


def _is_service(raw: object) -> bool:
    """Freight and the like: nothing that lies on a vehicle."""
    return isinstance(raw, dict) and raw.get("type") == "SERVICE"


def _shipment_line(raw: object) -> ShipmentLine:
    record = fields.as_object(raw, "shipment line")
    found = fields.identity(record, "id", "shipment line")
    what = f"shipment line {found}"
    size = fields.number(record, "packSize")
    if size is None or size <= 0:
        raise RecordRejected(what, "Its pack size is missing or not above zero. Correct it in mSupply.")
    count = fields.quantity(record, "numberOfPacks", what)
    sent_size, sent_count = fields.number(record, "shippedPackSize"), fields.number(record, "shippedNumberOfPacks")
    return ShipmentLine(
        peer_id=found,
        item=fields.identity(record, "itemId", what),
        units=units(count, size),
        batch=fields.text(record, "batch", 100),
        expires_on=fields.day(record, "expiryDate"),
        pack_size=size,
        is_placeholder=record.get("type") == "UNALLOCATED_STOCK",
        attributes=_told(
            location=fields.text(record, "locationName", 100),
            shipped_units=None if sent_size is None or sent_count is None else units(sent_count, sent_size),
            volume_per_pack=fields.number(record, "volumePerPack") or None,
            stock_line=fields.text(fields.nested(record, "stockLine"), "id", 200),
        ),
    )


def _number(record: Json, name: str) -> str:
    """A paper's number; "" while the server has not assigned one (-1, section 3)."""
    value = fields.integer(record, name)
    return str(value) if value is not None and value >= 0 else ""


def _told(**facts: JsonScalar) -> Attributes | None:
    """What is there of these; None for nothing."""
    return {name: value for name, value in facts.items() if value is not None and value != ""} or None
