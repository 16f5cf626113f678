"""Changes of orders, shipments and proofs of delivery (openlmis.md, section 6).

None of these has a version to compare with, so each is read just before it is written. A proof is sent as a whole, as
it was read, with the changed fields in it: what we do not know of goes back as it came.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date
from typing import Any

from adapters.base import Outgoing, Receipt
from adapters.errors import AdapterError, Conflict, RecordRejected
from adapters.openlmis import fields, mapping
from adapters.openlmis.client import Refused
from adapters.openlmis.fields import Json
from adapters.openlmis.lookups import facility_type_of
from adapters.openlmis.outgoing import differing, text, units, without_nulls
from adapters.openlmis.paging import whole
from adapters.openlmis.papers import Papers, as_shipment, read_papers
from adapters.openlmis.reading import Run
from adapters.openlmis.refusals import rejected
from adapters.vocabulary import JsonScalar

HEAD = {"received_by": "receivedBy", "delivered_by": "deliveredBy", "received_on": "receivedDate"}
LINE = {
    "accepted_units": "quantityAccepted",
    "rejected_units": "quantityRejected",
    "rejection_reason": "rejectionReasonId",
    "comment": "notes",
}
OUR_MARK = "consoleKey"
"""In a shipment's extra data: by it a shipment whose answer was lost is known again."""


async def _papers(run: Run, key: str) -> Papers:
    try:
        return await read_papers(run, key)
    except Refused as err:
        raise rejected(key, err) from err


async def _receipt(run: Run, key: str, answer: str, *, before: bool = False) -> Receipt:
    """What was read back. The change stands whether that can be read now or not."""
    try:
        return Receipt(answer, (await as_shipment(run, await read_papers(run, key)),), was_applied_before=before)
    except AdapterError:
        return Receipt(answer, (), was_applied_before=before)


# --- proofs of delivery ----------------------------------------------------------------------------------------------


async def _open_proof(run: Run, key: str) -> tuple[Papers, dict[str, Any]]:
    """An order's papers and a copy of its proof. Raises RecordRejected where there is none."""
    papers = await _papers(run, key)
    if papers.proof is None:
        why = (
            papers.troubles[0] if papers.troubles else "The order was not shipped in OpenLMIS yet. Send it again then."
        )
        raise RecordRejected(key, f"There is no proof of delivery that could be changed. {why}")
    return papers, copy.deepcopy(dict(papers.proof))


async def send_proof(run: Run, outgoing: Outgoing) -> Receipt:
    """Set names and day. Raises Conflict, RecordRejected, and what any call raises."""
    _, proof = await _open_proof(run, outgoing.peer_id)
    now: dict[str, JsonScalar] = {
        "received_by": fields.text(proof, "receivedBy", 200),
        "delivered_by": fields.text(proof, "deliveredBy", 200),
        "received_on": fields.day(proof, "receivedDate"),
    }
    to_set = differing(outgoing.peer_id, outgoing.values, outgoing.seen, now)
    if not to_set:
        before = outgoing.is_doubtful
        return await _receipt(run, outgoing.peer_id, "The proof of delivery has these values.", before=before)
    for name, value in to_set.items():
        made = _day(outgoing.peer_id, value) if name == "received_on" else text(outgoing.peer_id, value, 200)
        proof[HEAD[name]] = made
    return await _put(run, outgoing, outgoing.peer_id, proof, "OpenLMIS took the proof of delivery.")


async def send_proof_line(run: Run, outgoing: Outgoing) -> Receipt:
    """Set quantities of one line. Raises Conflict, RecordRejected, and what any call raises."""
    papers, proof = await _open_proof(run, outgoing.parent_peer_id)
    line = next(
        (
            one
            for one in fields.items(proof, "lineItems")
            if isinstance(one, dict) and one.get("id") == outgoing.peer_id
        ),
        None,
    )
    if line is None:
        raise RecordRejected(outgoing.peer_id, "The line is no longer in the proof of delivery. Cancel this change.")
    reasons: Mapping[str, str] = {}
    if "rejection_reason" in outgoing.values:
        program = fields.reference(papers.order, "program")
        reasons = await run.lookups.reasons(program, facility_type_of(papers.order))
    reason_now = fields.reference(line, "rejectionReasonId")
    now: dict[str, JsonScalar] = {
        "accepted_units": fields.number(line, "quantityAccepted"),
        "rejected_units": fields.number(line, "quantityRejected"),
        "rejection_reason": reasons.get(reason_now, reason_now),
        "comment": fields.text(line, "notes", fields.LONGEST_COMMENT),
    }
    wanted = {**outgoing.values}
    if "rejection_reason" in wanted:
        wanted["rejection_reason"] = _reason_name(wanted["rejection_reason"], reasons)
    to_set = differing(outgoing.peer_id, wanted, outgoing.seen, now)
    if not to_set:
        before = outgoing.is_doubtful
        return await _receipt(run, outgoing.parent_peer_id, "The line has these values.", before=before)
    for name, value in to_set.items():
        line[LINE[name]] = _line_value(outgoing.peer_id, name, value, reasons)
    return await _put(run, outgoing, outgoing.parent_peer_id, proof, "OpenLMIS took the received quantities.")


def _reason_name(value: JsonScalar, reasons: Mapping[str, str]) -> JsonScalar:
    """A reason may be given by name or by id; it is compared by name."""
    return reasons.get(value, value) if isinstance(value, str) else value


def _line_value(key: str, name: str, value: JsonScalar, reasons: Mapping[str, str]) -> JsonScalar:
    if name in ("accepted_units", "rejected_units"):
        return units(key, value)
    if name == "comment" or value in (None, ""):
        return text(key, value)
    by_name = {known.casefold(): reason for reason, known in reasons.items()}
    found = by_name.get(str(value).strip().casefold())
    if found is None:
        offered = ", ".join(sorted(reasons.values())) or "none that this account can read"
        raise RecordRejected(key, f"OpenLMIS has no reason “{value}” for refused goods here. Use one of: {offered}.")
    return found


def _day(key: str, value: JsonScalar) -> str | None:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise RecordRejected(key, f"“{value}” is not a day. Enter it as 2026-11-25.") from None


async def _put(run: Run, outgoing: Outgoing, order: str, proof: dict[str, Any], answer: str) -> Receipt:
    if proof.get("status") == "CONFIRMED":
        raise RecordRejected(
            outgoing.peer_id,
            "The proof of delivery was confirmed in OpenLMIS and cannot be changed again. Cancel this.",
        )
    try:
        await run.client.change("PUT", f"/proofsOfDelivery/{proof['id']}", without_nulls(proof))
    except Refused as err:
        raise rejected(outgoing.peer_id, err) from err
    return await _receipt(run, order, answer)


async def confirm(run: Run, outgoing: Outgoing) -> Receipt:
    """Confirm the proof: books stock, once and for ever. Raises Conflict, RecordRejected, and what any call raises."""
    key = outgoing.peer_id
    if not run.settings.confirm_proofs:
        raise RecordRejected(
            key,
            "Confirming proofs of delivery is switched off in this integration's settings. Switch it on, then retry.",
        )
    papers, proof = await _open_proof(run, key)
    if proof.get("status") == "CONFIRMED":
        return await _receipt(run, key, "The proof of delivery is confirmed.", before=outgoing.is_doubtful)
    _compare_stage(outgoing, (await as_shipment(run, papers)).stage)
    try:
        await run.client.change(
            "PUT", f"/proofsOfDelivery/{proof['id']}", without_nulls({**proof, "status": "CONFIRMED"})
        )
    except Refused as err:
        raise rejected(key, err) from err
    return await _receipt(run, key, "OpenLMIS has confirmed the proof of delivery and booked the receipt.")


def _compare_stage(outgoing: Outgoing, stage: str) -> None:
    """Raises Conflict where the paper is not where the operator saw it."""
    seen = outgoing.seen.get("stage", stage)
    under_way = ("shipped", "delivered")  # filling in the proof moves between these two, and that is our own work
    if seen != stage and not (seen in under_way and stage in under_way):
        raise Conflict(outgoing.peer_id, {"stage": outgoing.values["stage"]}, {"stage": stage})


# --- shipments -------------------------------------------------------------------------------------------------------


async def ship(run: Run, outgoing: Outgoing) -> Receipt:
    """Create the one shipment of an order. Raises Conflict, RecordRejected, and what any call raises."""
    key = outgoing.peer_id
    if not run.settings.ship_orders:
        raise RecordRejected(
            key, "Creating shipments is switched off in this integration's settings. Switch it on, then retry."
        )
    papers = await _papers(run, key)
    if papers.shipment is not None:
        return await _shipped_already(run, outgoing, papers.shipment)
    if papers.troubles:  # without that right nobody can tell whether there is one already
        raise RecordRejected(key, f"Whether this order was shipped already cannot be read. {papers.troubles[0]}")
    status = fields.text(papers.order, "status", 40)
    stage = mapping.ORDER_STAGES.get(status, "unknown")
    if status not in ("ORDERED", "FULFILLING") or outgoing.seen.get("stage", stage) != stage:
        # Also where somebody began a draft since: what would be shipped is no longer what was seen.
        raise Conflict(key, {"stage": outgoing.values["stage"]}, {"stage": stage})
    body = await _shipment_body(run, outgoing, papers.order)
    try:
        await run.client.change("POST", "/shipments", without_nulls(body))
    except Refused as err:
        again = await _papers(run, key)
        if again.shipment is not None and _is_ours(again.shipment, outgoing):
            return await _receipt(run, key, "The shipment was created at an earlier try.", before=True)
        raise rejected(key, err) from err
    return await _receipt(run, key, "OpenLMIS has created the shipment and booked the issue.")


def _is_ours(shipment: Json, outgoing: Outgoing) -> bool:
    return fields.inner(shipment, "extraData").get(OUR_MARK) == outgoing.key


async def _shipped_already(run: Run, outgoing: Outgoing, shipment: Json) -> Receipt:
    if _is_ours(shipment, outgoing):
        return await _receipt(run, outgoing.peer_id, "The shipment was created at an earlier try.", before=True)
    mine = fields.reference(shipment, "shippedBy") == run.client.user_id != ""
    if outgoing.is_doubtful and mine and OUR_MARK not in fields.inner(shipment, "extraData"):
        # This server keeps no extra data; its user is ours, and the answer to our request was lost.
        return await _receipt(run, outgoing.peer_id, "The shipment was created at an earlier try.", before=True)
    raise RecordRejected(
        outgoing.peer_id,
        "This order was shipped by somebody else in OpenLMIS; there can be only one shipment. Cancel this change, and "
        "look at the quantities there.",
    )


async def _shipment_body(run: Run, outgoing: Outgoing, order: Json) -> dict[str, Any]:
    """``POST /shipments``: the clerk's draft, or without one everything that was ordered."""
    key = outgoing.peer_id
    try:
        drafts = await run.client.items("/shipmentDrafts", ("orderId", key))
    except Refused:
        drafts = []  # older servers have none
    draft = next((one for one in drafts if isinstance(one, dict)), None)
    lines = _drafted(key, draft) if draft is not None else await _picked(run, key, order)
    extra: dict[str, JsonScalar] = {OUR_MARK: outgoing.key}
    if reference := text(key, outgoing.values.get("transport_reference")):
        extra["transportReference"] = reference
    notes = text(key, outgoing.values.get("comment")) or (fields.text(draft or {}, "notes", 255) or None)
    return {"order": {"id": key}, "lineItems": lines, "notes": notes, "extraData": extra}


def _drafted(key: str, draft: Json) -> list[dict[str, Any]]:
    lines = []
    for line in fields.items(draft, "lineItems"):
        if isinstance(line, dict) and (quantity := fields.number(line, "quantityShipped")) is not None:
            version = fields.number(fields.inner(line, "orderable"), "versionNumber")
            lines.append(_line(key, mapping.place_of(line), version, quantity))
    if not lines:
        raise RecordRejected(key, "The saved draft of this shipment is empty. Fill it in OpenLMIS, then retry.")
    return lines


def _line(key: str, place: tuple[str, str], version: float | None, quantity: float) -> dict[str, Any]:
    item, lot = place
    if version is None:
        raise RecordRejected(key, "OpenLMIS does not tell the version of an item of this order. Ship it there.")
    made: dict[str, Any] = {
        "orderable": {"id": item, "versionNumber": int(version)},
        "quantityShipped": units(key, quantity),
    }
    return {**made, "lot": {"id": lot}} if lot else made


async def _picked(run: Run, key: str, order: Json) -> list[dict[str, Any]]:
    """All that was ordered, first what expires first. Never less: that is for a person to decide, in a draft."""
    facility, program = fields.reference(order, "supplyingFacility"), fields.reference(order, "program")
    params = (("facilityId", facility), ("programId", program))
    try:
        raw = await whole(run.client, run.pace, run.kit.clock, "/v2/stockCardSummaries", *params)
    except Refused as err:
        raise rejected(key, err) from err
    found = mapping.cards_of(raw)
    lots = await run.lookups.lots(lot for _, lot, _ in found)
    today = fields.iso_time(run.client.now_ms())[:10]
    good = [card for card in found if _expires(lots, card[1]) >= today]
    good.sort(key=lambda card: _expires(lots, card[1]))
    left = [quantity for _, _, quantity in good]
    lines: list[dict[str, Any]] = []
    for ordered in fields.items(order, "orderLineItems"):
        line = fields.as_object(ordered, key)
        item, wanted = fields.reference(line, "orderable"), mapping.ordered_units(line) or 0.0
        version = fields.number(fields.inner(fields.inner(line, "orderable"), "meta"), "versionNumber")
        for at, (held, lot, _) in enumerate(good):
            taken = min(left[at], wanted) if held == item else 0.0
            if taken > 0:
                lines.append(_line(key, (item, lot), version, taken))
                wanted, left[at] = wanted - taken, left[at] - taken
        if wanted > 0:
            code = fields.text(fields.inner(line, "orderable"), "productCode", 100) or item
            raise RecordRejected(
                key,
                f"There is not enough unexpired stock of {code}: {wanted:g} units are missing. Save a draft "
                "of the shipment with the quantities to send in OpenLMIS, then retry.",
            )
    if not lines:
        raise RecordRejected(key, "The order has no quantities, so there is nothing to ship. Look at it in OpenLMIS.")
    return lines


def _expires(lots: Mapping[str, Json], lot: str) -> str:
    """The last day of a lot; what tells none comes last."""
    return fields.day(lots.get(lot, {}), "expirationDate") or "9999-12-31"
