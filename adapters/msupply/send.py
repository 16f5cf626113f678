"""Writing one change back: read the record, compare with what was seen, write, read back (msupply.md, section 8).

The server has no versions, so the comparison is all that keeps two editors apart. A status is written once however
often the change is sent: what stands there already, or lies behind already, is found by the reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from adapters.base import Outgoing, Receipt
from adapters.errors import AdapterError, Conflict, RecordRejected
from adapters.msupply import fields, mapping
from adapters.msupply.client import BadInput, Forbidden, MSupplyClient
from adapters.msupply.mapping import Store
from adapters.msupply.pull import Pull
from adapters.msupply.settings import MSupplySettings
from adapters.msupply.words import DONE, FINAL, refusal
from adapters.msupply.writes import BY_NAME
from adapters.records import Record
from adapters.supply import Requisition, RequisitionLine, Shipment
from adapters.vocabulary import JsonScalar

SHIPMENT_ORDER = tuple(mapping.SHIPMENT_STAGES.values())[:-1]  # a cancelled one is not “further on”
REQUISITION_ORDER = ("draft", "submitted", "closed")
SHIPMENT_WORDS = {str(stage): word for word, stage in mapping.SHIPMENT_STAGES.items()}
NEEDED = {
    "supply_quantity": "REQUISITION_MUTATE",
    "requested_quantity": "REQUISITION_MUTATE",
    "requisition_comment": "REQUISITION_MUTATE",
    "send_request": "REQUISITION_SEND",
    "close_response": "REQUISITION_MUTATE",
    "deliver_shipment": "INBOUND_SHIPMENT_MUTATE",
}
"""The permission behind each write; OUTBOUND_SHIPMENT_MUTATE behind the others (section 2)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record as it is at the server now. ``values`` are its fields in our names, ``order`` the stages it walks."""

    store: Store
    paper: Requisition | Shipment
    values: Mapping[str, JsonScalar]
    order: Sequence[str] = ()


class _Refused(Exception):
    """A typed error in the answer to a mutation."""

    def __init__(self, kind: str, description: str, lines: int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.description = description
        self.lines = lines


class Writer:
    """Sends changes of one integration."""

    def __init__(self, client: MSupplyClient, pull: Pull, settings: MSupplySettings) -> None:
        self._client = client
        self._pull = pull
        self._settings = settings

    async def send(self, outgoing: Outgoing) -> Receipt:
        """See :meth:`adapters.base.Adapter.send`."""
        write = BY_NAME.get(outgoing.write)
        if write is None or not set(outgoing.values) <= set(write.fields) or not outgoing.values:
            raise RecordRejected(
                outgoing.peer_id, f"This console does not know how to send “{outgoing.write}” to mSupply. Give it up."
            )
        if write.switch and not getattr(self._settings, write.switch):
            raise RecordRejected(
                outgoing.peer_id,
                f"“{write.label}” is switched off for this integration. Switch it on in its settings, then send again.",
            )
        for name, allowed in write.values.items():
            if name in outgoing.values and outgoing.values[name] not in allowed:
                raise RecordRejected(outgoing.peer_id, f"{outgoing.values[name]} is no value of “{write.label}”.")
        before = await self._find(outgoing)
        missing = differing(outgoing, before)
        if not missing:
            return _receipt(before, was_there=True)
        try:
            await self._write(outgoing, before, missing)
        except _Refused as err:
            return await self._after_refusal(outgoing, err)
        except Forbidden as err:
            permission = NEEDED.get(outgoing.write, "OUTBOUND_SHIPMENT_MUTATE")
            raise RecordRejected(
                outgoing.peer_id,
                f"The account may not do this in the store {before.store.code} ({err.details}). Ask the mSupply "
                f"administrator for {permission} there, then send this again.",
            ) from err
        except BadInput as err:
            raise RecordRejected(
                outgoing.peer_id,
                f"mSupply does not take the change: {err.details}. Correct it, or give it up.",
            ) from err
        return await self._read_back(outgoing, before)

    # -- reading

    async def _find(self, outgoing: Outgoing) -> Found:
        """The record in whichever followed store holds it. Raises RecordRejected where none does."""
        paper_id = outgoing.parent_peer_id if outgoing.record.endswith("_line") else outgoing.peer_id
        await self._client.connect()
        if not self._pull.stores:
            await self._pull.learn_stores()
        refused: Forbidden | None = None
        for store in self._candidates(paper_id):
            try:
                found = await self._find_in(store, paper_id, outgoing)
            except Forbidden as err:
                refused = err
                continue
            if found is not None:
                return found
        if refused is not None:
            raise RecordRejected(
                outgoing.peer_id,
                f"The account may not read this record ({refused.details}), so that nothing can be compared before it "
                "is changed. Ask the mSupply administrator for the permission, then send this again.",
            ) from refused
        raise RecordRejected(outgoing.peer_id, refusal("RecordNotFound", ""))

    def _candidates(self, paper_id: str) -> list[Store]:
        home = self._pull.homes.get(paper_id)
        first = [home] if home is not None else []
        return first + [store for store in self._pull.followed if store != home]

    async def _find_in(self, store: Store, paper_id: str, outgoing: Outgoing) -> Found | None:
        if outgoing.record in ("requisition", "requisition_line"):
            node = await self._pull.papers.requisition_detail(store, paper_id)
            return None if node is None else self._requisition(node, store, outgoing)
        refused: Forbidden | None = None
        for kind in ("OUTBOUND_SHIPMENT", "INBOUND_SHIPMENT"):
            try:
                node = await self._pull.papers.shipment_detail(store, paper_id, kind)
            except Forbidden as err:  # an account may have the rights of one direction only
                refused = err
                continue
            if node is not None:
                return _shipment(node, store)
            if not self._client.dialect.shipment_type:
                return None  # it was asked for without its type
        if refused is not None:
            raise refused
        return None

    def _requisition(self, node: fields.Json, store: Store, outgoing: Outgoing) -> Found:
        paper = mapping.requisition(node, store, self._pull.programs)
        if outgoing.record == "requisition":
            # Approval and shipments made of it are no steps of ours: for a change they all count as “submitted”.
            stage = paper.stage if paper.stage in REQUISITION_ORDER else "submitted"
            return Found(store, paper, {"comment": paper.comment, "stage": stage}, REQUISITION_ORDER)
        line = next((line for line in paper.lines or () if line.peer_id == outgoing.peer_id), None)
        if line is None:
            raise RecordRejected(outgoing.peer_id, "mSupply has this line no more: it was deleted there. Give it up.")
        return Found(store, paper, _line_values(line))

    # -- writing

    async def _write(self, outgoing: Outgoing, before: Found, missing: Mapping[str, JsonScalar]) -> None:
        store_id, found = before.store.id, outgoing.peer_id
        match outgoing.write:
            case "supply_quantity":
                change = {"id": found, "supplyQuantity": _amount(outgoing, missing["supply_units"])}
                await self._change("SetSupplyQuantity", "updateResponseRequisitionLine", store_id, change)
            case "requested_quantity":
                amount = _amount(outgoing, missing["requested_units"])
                await self._change_request_line(store_id, {"id": found, "requestedQuantity": amount})
            case "send_request":
                await self._change("SendRequest", "updateRequestRequisition", store_id, {"id": found, "status": "SENT"})
            case "close_response":
                change = {"id": found, "status": "FINALISED"}
                await self._change("FinaliseResponse", "updateResponseRequisition", store_id, change)
            case "requisition_comment":
                change = {"id": found, "comment": _text(missing["comment"])}
                if before.paper.side == "request":
                    await self._change("SendRequest", "updateRequestRequisition", store_id, change)
                else:
                    await self._change("FinaliseResponse", "updateResponseRequisition", store_id, change)
            case "deliver_shipment":
                await self._deliver(before)
            case _:
                change = {"id": found, **_shipment_change(missing)}
                await self._change("UpdateOutboundShipment", "updateOutboundShipment", store_id, change)

    async def _deliver(self, before: Found) -> None:
        """Set the receiving store's own copy to delivered (section 6, policy 3)."""
        paper = before.paper
        assert isinstance(paper, Shipment)  # noqa: S101 - the write is one of shipments
        inbound, store = paper.peer_id, before.store
        if paper.side == "outbound":
            linked = (paper.attributes or {}).get("linked")
            receiving = next((place for place in self._pull.stores if place.name_id == paper.receiver), None)
            if not linked:
                raise RecordRejected(
                    paper.peer_id,
                    "The receiving store has no copy of this shipment: it is not in this mSupply system, or has not "
                    "synchronised yet. Keep the proof of delivery here.",
                )
            if receiving is None:
                raise RecordRejected(
                    paper.peer_id,
                    "The account has no access to the receiving store. Ask the mSupply administrator for it, or keep "
                    "the proof of delivery here.",
                )
            inbound, store = str(linked), receiving
        change = {"id": inbound, "status": "DELIVERED"}
        await self._change("UpdateInboundShipment", "updateInboundShipment", store.id, change)

    async def _change(self, operation: str, root: str, store_id: str, change: Mapping[str, Any]) -> None:
        """One mutation. Raises _Refused for a typed error."""
        data = await self._client.call(operation, {"storeId": store_id, "input": dict(change)})
        _raise_typed(fields.nested(data, root))

    async def _change_request_line(self, store_id: str, change: Mapping[str, Any]) -> None:
        variables = {"storeId": store_id, "input": {"updateRequestRequisitionLines": [dict(change)]}}
        data = await self._client.call("SaveRequestLines", variables)
        answers = fields.nested(data, "batchRequestRequisition").get("updateRequestRequisitionLines")
        for answer in answers if isinstance(answers, list) else ():
            _raise_typed(fields.nested(answer, "response") if isinstance(answer, dict) else {})

    # -- afterwards

    async def _after_refusal(self, outgoing: Outgoing, err: _Refused) -> Receipt:
        if err.kind in FINAL or err.kind in DONE:
            now = await self._find(outgoing)
            if not differing(outgoing, now):
                return _receipt(now, was_there=True)
        raise RecordRejected(outgoing.peer_id, refusal(err.kind, err.description, err.lines)) from err

    async def _read_back(self, outgoing: Outgoing, before: Found) -> Receipt:
        """What the server holds now. The change is applied: whatever goes wrong here does not make it undone."""
        try:
            return _receipt(await self._find(outgoing), was_there=False)
        except RecordRejected:
            return _receipt(before, was_there=False, with_records=False)
        except AdapterError as err:
            err.is_doubtful = True
            raise


def differing(outgoing: Outgoing, found: Found) -> dict[str, JsonScalar]:
    """The fields that are still to be written. Raises Conflict where one was changed there meanwhile."""
    missing: dict[str, JsonScalar] = {}
    conflict: dict[str, JsonScalar] = {}
    for name, wanted in outgoing.values.items():
        theirs = found.values.get(name)
        if same(theirs, wanted) or (name == "stage" and _is_past(theirs, wanted, found.order)):
            continue
        missing[name] = wanted
        seen = outgoing.seen.get(name)
        if name == "stage" and seen is not None and found.order and seen not in found.order:
            seen = "submitted"
        if name in outgoing.seen and not same(theirs, seen):
            conflict[name] = theirs
    if conflict:
        raise Conflict(outgoing.peer_id, {name: outgoing.values[name] for name in conflict}, conflict)
    return missing


def same(theirs: JsonScalar, ours: JsonScalar) -> bool:
    """Whether two values say the same: no text is an empty one, numbers agree to a millionth."""
    if isinstance(theirs, int | float) and isinstance(ours, int | float):
        return abs(theirs - ours) <= 1e-6 * max(1.0, abs(theirs), abs(ours))
    return (theirs or "") == (ours.strip() if isinstance(ours, str) else ours or "")


def _is_past(theirs: JsonScalar, wanted: JsonScalar, order: Sequence[str]) -> bool:
    return theirs in order and wanted in order and order.index(str(theirs)) >= order.index(str(wanted))


def _shipment(node: fields.Json, store: Store) -> Found:
    paper = mapping.shipment(node, store)
    values: dict[str, JsonScalar] = {
        "stage": paper.stage,
        "transport_reference": paper.transport_reference,
        "expected_on": paper.expected_on,
        "comment": paper.comment,
    }
    return Found(store, paper, values, SHIPMENT_ORDER)


def _line_values(line: RequisitionLine) -> dict[str, JsonScalar]:
    return {"supply_units": line.supply_units, "requested_units": line.requested_units}


def _shipment_change(missing: Mapping[str, JsonScalar]) -> dict[str, Any]:
    """All in one mutation: after “shipped” nothing more is taken, so references go with it."""
    change: dict[str, Any] = {}
    if "transport_reference" in missing:
        change["transportReference"] = _text(missing["transport_reference"])
    if "comment" in missing:
        change["comment"] = _text(missing["comment"])
    if "expected_on" in missing:
        change["expectedDeliveryDate"] = {"value": missing["expected_on"] or None}
    if "stage" in missing:
        change["status"] = SHIPMENT_WORDS[str(missing["stage"])]
    return change


def _amount(outgoing: Outgoing, value: JsonScalar) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= fields.LARGEST_QUANTITY:
        raise RecordRejected(outgoing.peer_id, f"{value} is no quantity. Enter a number from 0 on.")
    return float(value)


def _text(value: JsonScalar) -> str:
    return str(value).strip() if value is not None else ""


def _raise_typed(answer: fields.Json) -> None:
    """Layer 3: nothing for a node, _Refused for an error."""
    kind = fields.text(answer, "__typename", 80)
    error = fields.nested(answer, "error")
    if not error and not kind.endswith("Error"):
        return
    lines = fields.integer(fields.nested(error, "invoiceLines"), "totalCount") or 0
    _refuse(fields.text(error, "__typename", 80), fields.text(error, "description", 300), lines)


def _refuse(kind: str, description: str, lines: int) -> NoReturn:
    raise _Refused(kind, description, lines)


def _receipt(found: Found, *, was_there: bool, with_records: bool = True) -> Receipt:
    paper = found.paper
    name = "Requisition" if isinstance(paper, Requisition) else "Shipment"
    number = f" {paper.number}" if paper.number else ""
    answer = f"{name}{number} is {paper.status} in mSupply."
    if was_there:
        answer += " It held the change already."
    records: tuple[Record, ...] = (paper,) if with_records else ()
    return Receipt(answer, records, was_applied_before=was_there)
