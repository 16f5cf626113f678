"""Custody gaps: where goods are in nobody's hands as far as the records tell, how long already, and what is next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, func, select

from app.deliveries.batches import BatchListing, find_batches
from app.deliveries.proofs import ProofListing, proofs_of
from app.deliveries.rows import of_integrations
from app.deliveries.settings import DeliverySettings, load_settings
from app.deliveries.targets import stops_and_papers, target_facilities
from app.deliveries.thread_supply import ARRIVED, SENT
from app.deliveries.times import DAY_MS, HOUR_MS, span_words
from app.fleet.times import iso_ms
from app.identity.kinds import in_chunks
from app.identity.lookup import identity_of
from app.store.tables import (
    BatchPaperRow,
    DeliveryBatchRow,
    FacilityRow,
    IdentityLink,
    Integration,
    ShipmentBatch,
    ShipmentLineRow,
    ShipmentRow,
)

KINDS: Mapping[str, str] = {
    "no_batch": "Shipped, in no batch",
    "never_shipped": "In a batch, never shipped",
    "not_received": "Delivered, not received",
    "quantities": "Quantities differ",
}
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; ``kind`` is a key of :data:`KINDS`. ``since_ms`` is when custody became unknown, None for unknown."""

    kind: str
    subject: str
    detail: str
    next_step: str
    since_ms: int | None
    shipment_id: str = ""
    batch_id: str = ""
    facility: str = ""

    def age_words(self, now_ms: int) -> str:
        return "unknown" if self.since_ms is None else span_words(now_ms - self.since_ms)

    def as_row(self, now_ms: int) -> dict[str, Any]:
        return {
            "kind": self.kind, "subject": self.subject, "detail": self.detail, "next_step": self.next_step,
            "since": iso_ms(self.since_ms), "age": self.age_words(now_ms), "shipment_id": self.shipment_id,
            "batch_id": self.batch_id, "facility": self.facility,
        }  # fmt: skip


def custody_gaps(
    connection: Connection, now_ms: int, *, settings: DeliverySettings | None = None, kinds: Sequence[str] = ()
) -> list[Gap]:
    """The oldest first. Nothing without a driver platform: then no batch is to be expected."""
    settings = settings or load_settings(connection)
    if not connection.execute(select(exists().where(of_integrations(DeliveryBatchRow, None)))).scalar_one():
        return []
    since_ms = now_ms - settings.days * DAY_MS
    found: list[Gap] = []
    if not kinds or "no_batch" in kinds:
        found += _in_no_batch(connection, since_ms, now_ms)
    if not kinds or "never_shipped" in kinds:
        found += _never_shipped(connection, since_ms, now_ms)
    if not kinds or {"not_received", "quantities"} & set(kinds):
        delivered = _delivered(connection, since_ms, now_ms)
        found += [gap for gap in (*_not_received(delivered, settings, now_ms), *_different(connection, delivered))
                  if not kinds or gap.kind in kinds]  # fmt: skip
    return sorted(found, key=lambda gap: (gap.since_ms is None, gap.since_ms or 0, gap.subject))


def _in_no_batch(connection: Connection, since_ms: int, now_ms: int) -> Iterable[Gap]:
    shipment, join = ShipmentRow, ShipmentBatch
    joined = select(join.batch_id).where(join.shipment_id == shipment.id, join.how != "declined").exists()
    query = (
        select(shipment.id, shipment.number, shipment.peer_id, shipment.shipped_ms, *_receiver_columns())
        .outerjoin(FacilityRow, _is_receiver())
        .where(
            of_integrations(shipment, None),
            shipment.side == "outbound",
            shipment.stage == "shipped",
            shipment.shipped_ms >= since_ms,
            ~joined,
        )
        .order_by(shipment.shipped_ms)
        .limit(MOST)
    )
    for row in connection.execute(query):
        yield Gap(
            "no_batch", _subject(row), f"It was shipped {span_words(now_ms - row.shipped_ms)} ago and is in no batch.",
            "Join it with its batch, or write the batch's name into its transport reference.", row.shipped_ms, row.id,
        )  # fmt: skip


def _never_shipped(connection: Connection, since_ms: int, now_ms: int) -> Iterable[Gap]:
    """Joined shipments that were not shipped though their batch left, and papers that no shipment is known of."""
    shipment, join, batch = ShipmentRow, ShipmentBatch, DeliveryBatchRow
    query = (
        select(
            shipment.id, shipment.number, shipment.peer_id, shipment.stage, batch.id.label("batch_id"), batch.name,
            batch.started_ms, *_receiver_columns(),
        )
        .join(join, join.shipment_id == shipment.id)
        .join(batch, batch.id == join.batch_id)
        .outerjoin(FacilityRow, _is_receiver())
        .where(
            join.how != "declined", batch.stage.in_(("in_progress", "completed")), batch.started_ms >= since_ms,
            shipment.stage.not_in((*SENT, "cancelled")), shipment.gone_at.is_(None), of_integrations(batch, None),
        )
        .order_by(batch.started_ms)
        .limit(MOST)
    )  # fmt: skip
    for row in connection.execute(query):
        yield Gap(
            "never_shipped", _subject(row),
            f"Batch {row.name} left {span_words(now_ms - row.started_ms)} ago, and it is still “{row.stage}”.",
            "Ship it in its supply system, or take it out of the batch.", row.started_ms, row.id, row.batch_id,
        )  # fmt: skip
    yield from _papers_unknown(connection, since_ms, now_ms)


def _papers_unknown(connection: Connection, since_ms: int, now_ms: int) -> Iterable[Gap]:
    paper, batch, join = BatchPaperRow, DeliveryBatchRow, ShipmentBatch
    query = (
        select(paper.number, batch.id, batch.name, batch.started_ms, paper.facility)
        .join(batch, (batch.integration_id == paper.integration_id) & (batch.peer_id == paper.batch))
        .where(
            of_integrations(paper, None), paper.kind == "invoice", paper.number != "",
            batch.stage.in_(("in_progress", "completed")), batch.started_ms >= since_ms, batch.gone_at.is_(None),
            ~select(join.batch_id).where(join.batch_id == batch.id, join.how != "declined").exists(),
        )
        .order_by(batch.started_ms)
        .limit(MOST)
    )  # fmt: skip
    rows = list(connection.execute(query))
    known = _known_numbers(connection, {row.number for row in rows})
    for row in rows:
        if row.number not in known:
            yield Gap(
                "never_shipped", f"Invoice {row.number} in batch {row.name}",
                f"The batch left {span_words(now_ms - row.started_ms)} ago, and no supply system knows this shipment.",
                "Look whether its supply system is read, and whether the number is right.", row.started_ms,
                batch_id=row.id, facility=row.facility,
            )  # fmt: skip


def _known_numbers(connection: Connection, numbers: set[str]) -> set[str]:
    found: set[str] = set()
    for some in in_chunks(sorted(numbers)):
        query = select(ShipmentRow.number).where(ShipmentRow.number.in_(some), ShipmentRow.gone_at.is_(None))
        found.update(connection.execute(query).scalars())
    return found


@dataclass(frozen=True, slots=True)
class _Delivered:
    shipment: Any
    source: str
    batch: BatchListing
    proof: ProofListing


def _delivered(connection: Connection, since_ms: int, now_ms: int) -> list[_Delivered]:
    """Shipments whose batch has a proof of delivery at their receiver."""
    shipment, join, batch = ShipmentRow, ShipmentBatch, DeliveryBatchRow
    query = (
        select(
            shipment.id, shipment.number, shipment.peer_id, shipment.stage, shipment.integration_id,
            shipment.received_ms, join.batch_id, Integration.name.label("source"), *_receiver_columns(),
            FacilityRow.id.label("receiver_id"),
        )
        .join(join, join.shipment_id == shipment.id)
        .join(batch, batch.id == join.batch_id)
        .join(Integration, Integration.id == shipment.integration_id)
        .outerjoin(FacilityRow, _is_receiver())
        .where(
            join.how != "declined", batch.started_ms >= since_ms, shipment.gone_at.is_(None),
            shipment.stage.in_(SENT), of_integrations(batch, None),
        )
        .order_by(batch.started_ms.desc())
        .limit(MOST)
    )  # fmt: skip
    rows = list(connection.execute(query))
    batches = find_batches(connection, [row.batch_id for row in rows])
    proofs: dict[str, list[ProofListing]] = {}
    for one in proofs_of(connection, list(batches.values()), now_ms):
        if one.proof.outcome == "delivered":
            proofs.setdefault(one.batch_id, []).append(one)
    receivers = _receivers(connection, rows)
    stops, papers = stops_and_papers(connection, [batch.place for batch in batches.values()])
    found: list[_Delivered] = []
    for row in rows:
        own = batches[row.batch_id]
        facilities = target_facilities(
            receivers.get(row.receiver_id or "", frozenset()), own.integration_id, stops.get(own.place, []),
            papers.get(own.place, {}), (row.number,),
        )  # fmt: skip
        found += [
            _Delivered(row, row.source, own, one)
            for one in proofs.get(row.batch_id, ())
            if one.proof.facility in facilities
        ]
    return found


def _receivers(connection: Connection, rows: Sequence[Any]) -> dict[str, frozenset[tuple[str, str]]]:
    """Receivers as every system knows them, by the id of their row in the supply system."""
    ids = {row.receiver_id for row in rows if row.receiver_id}
    identities = identity_of(connection, "facility", ids)
    link, facility = IdentityLink, FacilityRow
    places: dict[str, set[tuple[str, str]]] = {}
    for some in in_chunks(sorted(set(identities.values()))):
        query = (
            select(link.identity_id, facility.integration_id, facility.peer_id)
            .join(facility, facility.id == link.record_id)
            .where(link.identity_id.in_(some), link.kind == "facility")
        )
        for identity, integration_id, peer_id in connection.execute(query).all():
            places.setdefault(identity, set()).add((integration_id, peer_id))
    return {record: frozenset(places.get(identity, ())) for record, identity in identities.items()}


def _not_received(delivered: Sequence[_Delivered], settings: DeliverySettings, now_ms: int) -> Iterable[Gap]:
    for one in delivered:
        at_ms = one.proof.proof.at_ms
        if one.shipment.stage in ARRIVED or at_ms is None or now_ms - at_ms < settings.receipt_hours * HOUR_MS:
            continue
        yield Gap(
            "not_received", _subject(one.shipment),
            f"It was delivered {span_words(now_ms - at_ms)} ago, and {one.source} says “{one.shipment.stage}”.",
            f"Have {one.shipment.receiver_name or 'the receiver'} receive it in {one.source}.", at_ms,
            one.shipment.id, one.batch.id, one.proof.proof.facility,
        )  # fmt: skip


def _different(connection: Connection, delivered: Sequence[_Delivered]) -> Iterable[Gap]:
    """What the proof says was short, and what the receiver rejected or has taken in otherwise than it was sent."""
    lines = _short_lines(connection, [one.shipment.id for one in delivered])
    for one in delivered:
        told = [
            f"{item.item}: {item.delivered:g} of {item.expected:g}"
            for item in one.proof.proof.items
            if item.is_different and item.delivered is not None and item.expected is not None
        ]
        if one.proof.proof.has_discrepancy and not told:
            told = [one.proof.proof.discrepancy_reason or "the driver told of a discrepancy"]
        told += lines.get(one.shipment.id, [])
        if told:
            shown = "; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
            yield Gap(
                "quantities", _subject(one.shipment), f"{shown}.",
                "Clear it with driver and receiver, and correct the shipment or the receipt.", one.proof.proof.at_ms,
                one.shipment.id, one.batch.id, one.proof.proof.facility,
            )  # fmt: skip


def _short_lines(connection: Connection, shipment_ids: Sequence[str]) -> dict[str, list[str]]:
    line, shipment = ShipmentLineRow, ShipmentRow
    found: dict[str, list[str]] = {}
    for some in in_chunks(dict.fromkeys(shipment_ids)):
        query = (
            select(shipment.id, line.item, line.units, line.accepted_units, line.rejected_units, line.rejection_reason)
            .join(shipment, (shipment.integration_id == line.integration_id) & (shipment.peer_id == line.shipment))
            .where(shipment.id.in_(some), line.gone_at.is_(None))
            .where((func.coalesce(line.rejected_units, 0) > 0) | (line.accepted_units < line.units))
        )
        for row in connection.execute(query):
            taken = row.units - (row.rejected_units or 0) if row.accepted_units is None else row.accepted_units
            reason = f" ({row.rejection_reason})" if row.rejection_reason else ""
            found.setdefault(row.id, []).append(f"received {taken:g} of {row.units:g} of {row.item}{reason}")
    return found


def _receiver_columns() -> tuple[Any, ...]:
    return (FacilityRow.name.label("receiver_name"),)


def _is_receiver() -> Any:
    same = FacilityRow.integration_id == ShipmentRow.integration_id
    return same & (FacilityRow.peer_id == ShipmentRow.receiver)


def _subject(row: Any) -> str:
    return f"Shipment {row.number or row.peer_id}" + (f" to {row.receiver_name}" if row.receiver_name else "")
