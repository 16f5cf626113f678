"""Requisitions by their change time; orders, shipments and proofs by status (openlmis.md, sections 5 to 7).

A list tells what changed; the papers themselves are asked for only then. Cursors:

- ``requisitions``: ``seen`` is the greatest change time that was handed over, ``recent`` what was handed over of the
  overlap before it, so that it is not asked for again;
- ``shipments``: ``known`` is change time, status and reading time of each order; ``all`` when orders of every status
  were listed, not the open ones alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from adapters.errors import RecordRejected
from adapters.openlmis import fields, mapping
from adapters.openlmis.client import Refused
from adapters.openlmis.fields import Json
from adapters.openlmis.lookups import facility_type_of
from adapters.openlmis.paging import whole
from adapters.openlmis.reading import SLACK_MS, Run, rejected
from adapters.records import Batch, Record, Rejected
from adapters.supply import Gone, Requisition, Shipment, StreamRead

OVERLAP_MS = 10 * 60_000
DAY_MS = 86_400_000
PIECE = 25
"""Papers handed over at once; each was a request or three."""
REREAD_SHIPPED_MS = 3_600_000
"""Filling in a proof of delivery does not change its order: those under way are read again this often."""
LONG_SILENCE_MS = 3_600_000
OPEN_ORDERS = ("CREATING", "ORDERED", "FULFILLING", "SHIPPED", "IN_ROUTE", "READY_TO_PACK", "TRANSFER_FAILED")


# --- requisitions ----------------------------------------------------------------------------------------------------


async def read_requisition(run: Run, key: str) -> Requisition:
    """One requisition with its lines and its ETag. Raises Refused and RecordRejected."""
    raw, etag = await run.client.item_with_etag(f"/v2/requisitions/{key}")
    months = await run.lookups.months([fields.reference(raw, "processingPeriod")])
    return mapping.requisition(raw, run.scope.ours, etag, months)


async def requisitions(run: Run) -> AsyncIterator[Batch]:
    state = run.state("requisitions")
    seen_ms = fields.stamp(state, "seen")
    since_ms = run.client.now_ms() - run.settings.history_days * DAY_MS if seen_ms is None else seen_ms - OVERLAP_MS
    noted_marks = fields.inner(state, "recent").items()
    recent = {key: mark for key, mark in noted_marks if isinstance(mark, list) and mark and isinstance(mark[0], int)}
    # One paper dated years ahead must not hide all that are changed until then.
    latest_ms = run.client.now_ms() + OVERLAP_MS
    listed = await _listed(run, since_ms)
    changed = [one for one in listed if recent.get(one[1]) != _mark(one)]
    newest_ms = seen_ms if seen_ms is not None else since_ms
    for at in range(0, len(changed), PIECE):
        records: list[Record] = []
        for one in changed[at : at + PIECE]:
            records.append(await _requisition_or_why(run, one[1], one[2]))
            recent[one[1]] = _mark(one)
            newest_ms = max(newest_ms, min(one[0], latest_ms))
        # In the order of their changes, so that an interrupted run goes on behind what was handed over.
        noted = run.note(seen=newest_ms, recent=_still_recent(recent, newest_ms), read=state.get("read", 0))
        yield Batch(records, {"requisitions": noted})
    noted = run.note(seen=newest_ms, recent=_still_recent(recent, newest_ms), read=run.now_ms)
    yield Batch((StreamRead("requisitions"),), {"requisitions": noted})


async def _listed(run: Run, since_ms: int) -> list[tuple[int, str, Json]]:
    """Change time, id and basic form of what changed, oldest first."""
    moment = ("modifiedDateFrom", fields.iso_time(max(since_ms, 0)))
    places: list[tuple[tuple[str, str], ...]] = [()]
    if run.scope.named:
        places = [((name, key),) for key in sorted(run.scope.ours) for name in ("facility", "supplyingFacility")]
    found: dict[str, tuple[int, str, Json]] = {}
    for place in places:
        raw = await whole(run.client, run.pace, run.kit.clock, "/requisitions/search", moment, *place)
        for key, one in mapping.by_id(raw).items():
            program = fields.reference(one, "program")
            if run.scope.follows(program):
                found[key] = (fields.time_ms(one, "modifiedDate") or since_ms, key, one)
    return sorted(found.values(), key=lambda one: one[:2])


def _mark(one: tuple[int, str, Json]) -> list[Any]:
    return [one[0], fields.text(one[2], "status", 40)]


def _still_recent(recent: Mapping[str, list[Any]], newest_ms: int) -> dict[str, list[Any]]:
    return {key: mark for key, mark in recent.items() if mark[0] >= newest_ms - OVERLAP_MS}


async def _requisition_or_why(run: Run, key: str, basic: Json) -> Requisition | Gone | Rejected:
    try:
        return await read_requisition(run, key)
    except Refused as err:
        if err.status == 404:
            return Gone("requisition", key)
        return Rejected(f"requisition {key}"[:100], err.why, err.sample[:500])
    except RecordRejected as err:
        return rejected(basic, "requisition", err)


# --- orders, shipments, proofs ---------------------------------------------------------------------------------------


class Papers:
    """One order with its shipment and its proof, as they were sent; ``troubles`` are parts that may not be read."""

    __slots__ = ("order", "proof", "shipment", "troubles")

    def __init__(self, order: Json) -> None:
        self.order = order
        self.shipment: Json | None = None
        self.proof: Json | None = None
        self.troubles: list[str] = []


async def read_papers(run: Run, key: str) -> Papers:
    """Ask for an order and all that belongs to it. Raises Refused where the order itself cannot be had."""
    papers = Papers(await run.client.item(f"/orders/{key}"))
    papers.shipment = await _first(run, papers, "/shipments", key)
    if papers.shipment is not None:
        papers.proof = await _first(run, papers, "/proofsOfDelivery", key)
    return papers


async def _first(run: Run, papers: Papers, path: str, order: str) -> Json | None:
    try:
        found = await run.client.items(path, ("orderId", order))
    except Refused as err:
        papers.troubles.append(err.why)
        return None
    return next((one for one in found if isinstance(one, dict)), None)


async def as_shipment(run: Run, papers: Papers) -> Shipment:
    """The record of an order's papers. Raises RecordRejected."""
    lots = await run.lookups.lots(mapping.lot_ids(papers.shipment, papers.proof))
    reasons: Mapping[str, str] = {}
    if any(line.get("rejectionReasonId") for line in mapping.proof_lines_by_place(papers.proof).values()):
        program = fields.reference(papers.order, "program")
        reasons = await run.lookups.reasons(program, facility_type_of(papers.order))
    ours = run.scope.ours
    return mapping.shipment(papers.order, papers.shipment, papers.proof, ours=ours, lots=lots, reasons=reasons)


async def shipments(run: Run) -> AsyncIterator[Batch]:
    state = run.state("shipments")
    known = {key: value for key, value in fields.inner(state, "known").items() if isinstance(value, list)}
    # Once a day, and after a silence, orders may have come and ended without being seen while they were open.
    everything = not 0 <= run.now_ms - (fields.stamp(state, "all") or 0) < DAY_MS - SLACK_MS
    everything = everything or not 0 <= run.now_ms - (fields.stamp(state, "read") or 0) < LONG_SILENCE_MS
    listed = await _orders(run, everything=everything)
    wanted = [key for key, one in listed.items() if _is_news(run, known.get(key), one)]
    wanted += [key for key, mark in known.items() if key not in listed and mark[1:2] != [] and mark[1] in OPEN_ORDERS]
    if everything:
        known = {key: mark for key, mark in known.items() if key in listed or key in wanted}
    troubles: list[str] = []
    for at in range(0, len(wanted), PIECE):
        records: list[Record] = []
        for key in wanted[at : at + PIECE]:
            record = await _shipment_or_why(run, key, troubles)
            records.append(record)
            if isinstance(record, Gone):
                known.pop(key, None)
                continue
            order = listed.get(key, {})
            status, changed = fields.text(order, "status", 40), fields.text(order, "lastUpdatedDate", 60)
            if isinstance(record, Shipment):
                status, changed = status or record.status, changed or record.version
            known[key] = [changed, status, run.now_ms]
        yield Batch(records, {"shipments": run.note(**{**state, "known": known})})
    noted = run.note(known=known, read=run.now_ms, all=run.now_ms if everything else state.get("all"))
    yield Batch((StreamRead("shipments", troubles[0] if troubles else ""),), {"shipments": noted})


def _is_news(run: Run, before: list[Any] | None, order: Json) -> bool:
    status = fields.text(order, "status", 40)
    if before is None or before[:2] != [fields.text(order, "lastUpdatedDate", 60), status]:
        return True
    read_ms = before[2] if len(before) > 2 and isinstance(before[2], int) else 0
    return status == "SHIPPED" and not 0 <= run.now_ms - read_ms < REREAD_SHIPPED_MS


async def _orders(run: Run, *, everything: bool) -> dict[str, Json]:
    """The basic form of open orders by id; at the first reading also of those that ended lately."""
    statuses = () if everything else tuple(("status", status) for status in OPEN_ORDERS)
    places: list[tuple[tuple[str, str], ...]] = [()]
    if run.scope.named:
        names = ("supplyingFacilityId", "requestingFacilityId")
        places = [((name, key),) for key in sorted(run.scope.ours) for name in names]
    oldest_ms = run.client.now_ms() - run.settings.history_days * DAY_MS
    found: dict[str, Json] = {}
    for place in places:
        raw = await whole(run.client, run.pace, run.kit.clock, "/orders", *statuses, *place)
        for key, order in mapping.by_id(raw).items():
            is_open = fields.text(order, "status", 40) in OPEN_ORDERS
            is_old = (fields.time_ms(order, "createdDate") or oldest_ms) < oldest_ms
            program = fields.reference(order, "program")
            if (is_open or not is_old) and run.scope.follows(program):
                found[key] = order
    return found


async def _shipment_or_why(run: Run, key: str, troubles: list[str]) -> Shipment | Gone | Rejected:
    try:
        papers = await read_papers(run, key)
        troubles += papers.troubles
        return await as_shipment(run, papers)
    except Refused as err:
        if err.status == 404:
            return Gone("shipment", key)
        return Rejected(f"order {key}"[:100], err.why, err.sample[:500])
    except RecordRejected as err:
        return Rejected(f"order {key}"[:100], err.why)
