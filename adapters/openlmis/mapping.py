"""From OpenLMIS's objects to the supply vocabulary (openlmis.md, sections 3 to 6). Quantities stay in units.

Every function raises RecordRejected for an object that cannot be the record; a field that makes no sense reads as not
told. Fields that are not known are left alone: they stay at the server.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from adapters.errors import RecordRejected
from adapters.openlmis import fields
from adapters.openlmis.fields import Json
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

REQUISITION_STAGES: Mapping[str, RequisitionStage] = {
    "INITIATED": "draft",
    "SUBMITTED": "submitted",
    "AUTHORIZED": "in_approval",
    "IN_APPROVAL": "in_approval",
    "APPROVED": "approved",
    "RELEASED": "ordered",
    "RELEASED_WITHOUT_ORDER": "closed",
    "REJECTED": "rejected",
    "SKIPPED": "skipped",
}
ORDER_STAGES: Mapping[str, ShipmentStage] = {
    "CREATING": "ordered",
    "ORDERED": "ordered",
    "IN_ROUTE": "ordered",  # the order is on its way to an outside warehouse, not the goods
    "TRANSFER_FAILED": "ordered",
    "READY_TO_PACK": "new",
    "FULFILLING": "new",
    "SHIPPED": "shipped",
    "RECEIVED": "received",
}
ASKING = ("INITIATED", "REJECTED", "SUBMITTED")
"""Statuses in which the asking side writes; the comment of a line is then its explanation, later the remark."""


def facility(raw: object, ours: Collection[str]) -> Facility:
    record = fields.as_object(raw, "facility")
    key = fields.identity(record, "facility")
    kind = fields.inner(record, "type")
    lat, lon = _place(record)
    type_code = fields.text(kind, "code", 60)
    return Facility(
        peer_id=key,
        code=fields.text(record, "code", 100),
        name=fields.text(record, "name") or fields.text(record, "code", 100),
        kind="store" if "warehouse" in f"{type_code} {fields.text(kind, 'name')}".lower() else "facility",
        is_ours=key in ours,
        is_active=fields.flag(record, "active", True) and fields.flag(record, "enabled", True),
        zone=fields.text(fields.inner(record, "geographicZone"), "name", 200),
        lat=lat,
        lon=lon,
        attributes=fields.attributes(type=fields.text(kind, "name", 100) or type_code),
    )


def _place(record: Json) -> tuple[float | None, float | None]:
    """GeoJSON puts the longitude first."""
    found = fields.items(fields.inner(record, "location"), "coordinates")
    if len(found) < 2:
        return None, None
    lon, lat = (fields.number({"value": value}, "value") for value in found[:2])
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None, None
    return lat, lon


def program(raw: object) -> Program:
    record = fields.as_object(raw, "programme")
    return Program(
        peer_id=fields.identity(record, "programme"),
        code=fields.text(record, "code", 100),
        name=fields.text(record, "name") or fields.text(record, "code", 100),
        is_active=fields.flag(record, "active", True),
    )


def period(raw: object) -> Period:
    record = fields.as_object(raw, "period")
    key = fields.identity(record, "period")
    begins, ends = fields.day(record, "startDate"), fields.day(record, "endDate")
    if begins is None or ends is None:
        raise RecordRejected(f"period {key}"[:100], "The period has no first or last day.")
    return Period(
        peer_id=key,
        name=fields.text(record, "name"),
        starts_on=begins,
        ends_on=ends,
        schedule=fields.text(fields.inner(record, "processingSchedule"), "code", 200),
    )


def item(raw: object) -> Item:
    """An orderable, in the version that was sent."""
    record = fields.as_object(raw, "item")
    key = fields.identity(record, "item")
    unit = fields.inner(record, "dispensable")
    entries = [entry for entry in fields.items(record, "programs") if isinstance(entry, dict)]
    programs = [found for entry in entries if fields.flag(entry, "active", True)
                and (found := fields.reference(entry, "programId"))]  # fmt: skip
    return Item(
        peer_id=key,
        code=fields.text(record, "productCode", 100),
        name=fields.text(record, "fullProductName") or fields.text(record, "productCode", 100),
        unit=fields.text(unit, "dispensingUnit", 60) or fields.text(unit, "displayUnit", 60),
        pack_size=pack_size(record),
        is_active=not entries or bool(programs),
        version=_version(fields.inner(record, "meta")),
        programs=tuple(dict.fromkeys(programs)),
        attributes=fields.attributes(
            description=fields.text(record, "description", 500),
            trade_item=fields.reference(fields.inner(record, "identifiers"), "tradeItem"),
            commodity_type=fields.reference(fields.inner(record, "identifiers"), "commodityType"),
        ),
    )


def pack_size(orderable: Json) -> float:
    found = fields.number(orderable, "netContent")
    return found if found is not None and found > 0 else 1.0


def _version(meta: Json) -> str:
    found = fields.number(meta, "versionNumber")
    return "" if found is None else f"{found:g}"


def stock_lines(raw: object, facility_id: str, program_id: str, lots: Mapping[str, Json]) -> list[StockLine]:
    """The cards of one stock card summary. ``lots`` are the objects of the lots it names, by id."""
    record = fields.as_object(raw, "stock card summary")
    found = []
    for entry in fields.items(record, "canFulfillForMe"):
        card = fields.as_object(entry, "stock card")
        key = fields.reference(card, "stockCard")
        item_id, lot_id = fields.reference(card, "orderable"), fields.reference(card, "lot")
        units = fields.number(card, "stockOnHand")
        if not key or not item_id or units is None:
            raise RecordRejected(f"stock card {key}"[:100], "It names no item, no card or no quantity.")
        lot = lots.get(lot_id, {})
        found.append(
            StockLine(
                peer_id=key,
                facility=facility_id,
                item=item_id,
                units=units,
                batch=fields.text(lot, "lotCode", 100),
                expires_on=fields.day(lot, "expirationDate"),
                program=program_id,
                attributes=fields.attributes(
                    lot=lot_id, moved_on=fields.day(card, "occurredDate"), lot_is_active=lot.get("active") is not False
                ),
            )
        )
    return found


def cards_of(summaries: Sequence[object]) -> list[tuple[str, str, float]]:
    """Item, lot ("" for none) and units of every card, each once."""
    found: dict[str, tuple[str, str, float]] = {}
    for summary in summaries:
        for card in fields.items(summary, "canFulfillForMe") if isinstance(summary, dict) else ():
            if isinstance(card, dict) and (units := fields.number(card, "stockOnHand")) is not None:
                item_id, lot_id = place_of(card)
                found[fields.reference(card, "stockCard")] = (item_id, lot_id, units)
    return list(found.values())


# --- requisitions ----------------------------------------------------------------------------------------------------


def comment_field(status: str) -> str:
    """Which field of a line the comment is, in a requisition of this status."""
    return "requestedQuantityExplanation" if status in ASKING else "remarks"


def requisition(
    raw: object, ours: Collection[str], etag: str = "", months: Mapping[str, float] | None = None
) -> Requisition:
    """A requisition in the form of ``GET /v2/requisitions/{id}``, with its lines.

    ``months`` are the lengths of periods by id: the server's average consumption is that of a period.
    """
    record = fields.as_object(raw, "requisition")
    key = fields.identity(record, "requisition")
    status = fields.text(record, "status", 40)
    asker, supplier = fields.reference(record, "facility"), fields.reference(record, "supplyingFacility")
    history = [change for change in fields.items(record, "statusHistory") if isinstance(change, dict)]
    sent = [at for change in history if change.get("status") == "SUBMITTED" and (at := _changed_ms(change))]
    ended = [at for change in history if change.get("status") in _ENDS and (at := _changed_ms(change))]
    lines = record.get("requisitionLineItems")
    lines = lines if isinstance(lines, list) else None
    length = (months or {}).get(fields.reference(record, "processingPeriod"))
    return Requisition(
        peer_id=key,
        number=key[:8],  # the server numbers none; the beginning of the id is enough to find it
        side="request" if asker in ours and supplier not in ours else "response",
        status=status or "unknown",
        stage=REQUISITION_STAGES.get(status, "unknown"),
        facility=asker,
        supplier=supplier,
        program=fields.reference(record, "program"),
        period=fields.reference(record, "processingPeriod"),
        is_emergency=fields.flag(record, "emergency"),
        created_ms=fields.time_ms(record, "createdDate"),
        sent_ms=max(sent, default=None),
        closed_ms=max(ended, default=None) if status in _ENDS else None,
        changed_ms=fields.time_ms(record, "modifiedDate"),
        comment=fields.text(record, "draftStatusMessage", fields.LONGEST_COMMENT),
        version=etag[:60],
        lines=None if lines is None else tuple(requisition_line(line, status, length) for line in lines),
        attributes=fields.attributes(
            supervisory_node=fields.reference(record, "supervisoryNode"),
            report_only=fields.flag(record, "reportOnly") or None,
        ),
    )


_ENDS = ("RELEASED", "RELEASED_WITHOUT_ORDER", "SKIPPED")


def _changed_ms(change: Json) -> int | None:
    return fields.time_ms(change, "createdDate")


def requisition_line(raw: object, status: str, months: float | None = None) -> RequisitionLine:
    record = fields.as_object(raw, "requisition line")
    key = fields.identity(record, "requisition line")
    item_id = fields.reference(record, "orderable")
    if not item_id:
        raise RecordRejected(f"requisition line {key}"[:100], "The line names no item.")
    average = fields.number(record, "averageConsumption")
    other = "remarks" if comment_field(status) != "remarks" else "requestedQuantityExplanation"
    return RequisitionLine(
        peer_id=key,
        item=item_id,
        requested_units=fields.number(record, "requestedQuantity"),
        approved_units=fields.number(record, "approvedQuantity"),
        suggested_units=fields.number(record, "calculatedOrderQuantity"),
        stock_units=fields.number(record, "stockOnHand"),
        opening_units=fields.number(record, "beginningBalance"),
        received_units=fields.number(record, "totalReceivedQuantity"),
        consumed_units=fields.number(record, "totalConsumedQuantity"),
        adjusted_units=fields.number(record, "totalLossesAndAdjustments"),
        stockout_days=fields.number(record, "totalStockoutDays"),
        average_monthly_units=average / months if average is not None and months else None,
        comment=fields.text(record, comment_field(status), fields.LONGEST_COMMENT),
        attributes=fields.attributes(
            item_version=_version(fields.inner(record, "orderable")),
            average_of_period=average,
            adjusted_consumption=fields.number(record, "adjustedConsumption"),
            maximum_units=fields.number(record, "maximumStockQuantity"),
            ideal_units=fields.number(record, "idealStockAmount"),
            packs_to_ship=fields.number(record, "packsToShip"),
            new_patients=fields.number(record, "numberOfNewPatientsAdded"),
            skipped=fields.flag(record, "skipped") or None,
            **{"remarks" if other == "remarks" else "explanation": fields.text(record, other, 1000)},
        ),
    )


# --- orders, shipments, proofs of delivery: one shipment -------------------------------------------------------------


def shipment(
    order: object,
    sent: Json | None,
    proof: Json | None,
    *,
    ours: Collection[str],
    lots: Mapping[str, Json],
    reasons: Mapping[str, str],
) -> Shipment:
    """An order with what became of it. ``sent`` is its shipment, ``proof`` its proof of delivery, where there are any.

    The peer id is the order's, which stays the same from the first day to the last; ``reasons`` are the names of
    rejection reasons by id.
    """
    record = fields.as_object(order, "order")
    key = fields.identity(record, "order")
    status = fields.text(record, "status", 40)
    stage = ORDER_STAGES.get(status, "unknown")
    sender = fields.reference(record, "supplyingFacility")
    receiver = fields.reference(record, "receivingFacility") or fields.reference(record, "requestingFacility")
    received_by, received_on = (proof and fields.text(proof, "receivedBy", 200)) or "", None
    if proof is not None:
        received_on = fields.day(proof, "receivedDate")
        if stage == "shipped" and received_by and received_on:
            stage = "delivered"
    side: Literal["outbound", "inbound"] = "inbound" if receiver in ours and sender not in ours else "outbound"
    extra = fields.inner(sent or {}, "extraData")
    return Shipment(
        peer_id=key,
        number=fields.text(record, "orderCode", 60) or key[:8],
        side=side,
        status=status or "unknown",
        stage=stage,
        sender=sender,
        receiver=receiver,
        requisition=fields.text(record, "externalId", fields.LONGEST_ID),
        program=fields.reference(record, "program"),
        created_ms=fields.time_ms(record, "createdDate"),
        shipped_ms=fields.time_ms(sent, "shippedDate") if sent is not None else None,
        received_ms=fields.time_ms(record, "lastUpdatedDate") if stage == "received" else None,
        transport_reference=fields.text(extra, "transportReference"),
        received_by=received_by,
        delivered_by=fields.text(proof or {}, "deliveredBy", 200),
        received_on=received_on,
        comment=fields.text(sent or {}, "notes", fields.LONGEST_COMMENT),
        version=fields.text(record, "lastUpdatedDate", 60),
        lines=_shipment_lines(record, sent, proof, lots, reasons),
        attributes=fields.attributes(
            shipment=fields.reference({"id": sent}, "id") if sent is not None else "",
            proof=fields.reference({"id": proof}, "id") if proof is not None else "",
            proof_status=fields.text(proof or {}, "status", 40),
            emergency=fields.flag(record, "emergency") or None,
            period=fields.reference(record, "processingPeriod"),
        ),
    )


def _shipment_lines(
    order: Json, sent: Json | None, proof: Json | None, lots: Mapping[str, Json], reasons: Mapping[str, str]
) -> tuple[ShipmentLine, ...] | None:
    ordered = order.get("orderLineItems")
    packs = {
        fields.reference(line, "orderable"): pack_size(fields.inner(line, "orderable"))
        for line in fields.items(order, "orderLineItems")
        if isinstance(line, dict)
    }
    if sent is None:
        if not isinstance(ordered, list):
            return None
        return tuple(_ordered_line(line) for line in ordered)
    proved = proof_lines_by_place(proof)
    return tuple(_sent_line(line, proved, packs, lots, reasons) for line in fields.items(sent, "lineItems"))


def place_of(line: Json) -> tuple[str, str]:
    """What a line of a shipment and that of its proof have in common: item and lot."""
    return fields.reference(line, "orderable"), fields.reference(line, "lot")


def proof_lines_by_place(proof: Json | None) -> dict[tuple[str, str], Json]:
    found = [line for line in fields.items(proof or {}, "lineItems") if isinstance(line, dict)]
    return {place_of(line): line for line in found}


def _ordered_line(raw: object) -> ShipmentLine:
    record = fields.as_object(raw, "order line")
    key = fields.identity(record, "order line")
    orderable = fields.inner(record, "orderable")
    item_id = fields.reference(record, "orderable")
    units, pack = ordered_units(record), pack_size(orderable)
    if not item_id or units is None:
        raise RecordRejected(f"order line {key}"[:100], "The line names no item or no quantity.")
    return ShipmentLine(peer_id=key, item=item_id, units=units, pack_size=pack, is_placeholder=True)


def ordered_units(line: Json) -> float | None:
    """What an order line asks for, in units: orders count packs, and most servers tell the units beside them."""
    units, packs = fields.number(line, "totalDispensingUnits"), fields.number(line, "orderedQuantity")
    if units is None and packs is not None:
        return packs * pack_size(fields.inner(line, "orderable"))
    return units


def _sent_line(
    raw: object,
    proved: Mapping[tuple[str, str], Json],
    packs: Mapping[str, float],
    lots: Mapping[str, Json],
    reasons: Mapping[str, str],
) -> ShipmentLine:
    record = fields.as_object(raw, "shipment line")
    item_id, lot_id = place_of(record)
    proof = proved.get((item_id, lot_id), {})
    units = fields.number(record, "quantityShipped")
    key = fields.text(proof, "id", 200) or fields.text(record, "id", 200) or f"{item_id}/{lot_id}"
    if not item_id or units is None:
        raise RecordRejected(f"shipment line {key}"[:100], "The line names no item or no quantity.")
    lot = lots.get(lot_id, {})
    reason = fields.reference(proof, "rejectionReasonId")
    return ShipmentLine(
        peer_id=key,
        item=item_id,
        units=units,
        batch=fields.text(lot, "lotCode", 100),
        expires_on=fields.day(lot, "expirationDate"),
        pack_size=packs.get(item_id, 1.0),
        accepted_units=fields.number(proof, "quantityAccepted"),
        rejected_units=fields.number(proof, "quantityRejected"),
        rejection_reason=reasons.get(reason, reason)[:300],
        comment=fields.text(proof, "notes", fields.LONGEST_COMMENT),
        attributes=fields.attributes(
            lot=lot_id,
            vial_monitor=fields.text(proof, "vvmStatus", 40),
            needs_vial_monitor=fields.flag(proof, "useVvm") or None,
        ),
    )


def lot_ids(*papers: Json | None) -> list[str]:
    """The lots that the lines of shipments and proofs name."""
    found = [
        fields.reference(line, "lot")
        for paper in papers
        for line in fields.items(paper or {}, "lineItems")
        if isinstance(line, dict)
    ]
    return [lot for lot in dict.fromkeys(found) if lot]


def by_id(records: Sequence[object]) -> dict[str, Json]:
    """Objects by their ids; what has none is left out."""
    return {str(one["id"]): one for one in records if isinstance(one, dict) and isinstance(one.get("id"), str)}
