"""One thread per shipment or batch: order, shipment, batch, check, track, stops, fuel, proof, receipt.

Each step says what is known and since when. What is missing is a step too: a gap, with what is missing, since when,
and what would close it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries import thread_road, thread_supply
from app.deliveries.batch import BatchDetails, batch_details
from app.deliveries.departures import CheckListing, last_check
from app.deliveries.errors import NotFound
from app.deliveries.goods import stops_for
from app.deliveries.losses import FuelInBatch, fuel_of_batch
from app.deliveries.proofs import ProofListing, proofs_of
from app.deliveries.steps import Step
from app.deliveries.twin_list import TwinListing, list_twins
from app.store.tables import ShipmentBatch, ShipmentRow

MOST_BATCHES = 20


@dataclass(frozen=True, slots=True)
class BatchThread:
    """What a thread knows of one batch. ``joined`` is why the shipment is in it, "" for the thread of a batch."""

    details: BatchDetails
    joined: str
    how: str
    check: CheckListing | None
    track: thread_road.TrackSummary | None
    fuel: Sequence[FuelInBatch]
    proofs: Sequence[ProofListing]
    twins: Sequence[TwinListing]


@dataclass(frozen=True, slots=True)
class Thread:
    """A whole journey. ``steps`` are in its order; ``gaps`` are those of them that are missing."""

    title: str
    shipment: Any | None
    lines: Sequence[Any]
    requisition: Any | None
    batches: Sequence[BatchThread]
    steps: Sequence[Step]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gaps(self) -> list[Step]:
        return [step for step in self.steps if step.is_gap]

    def as_json(self) -> dict[str, Any]:
        """As commands and evidence packs hold it."""
        return {
            "title": self.title,
            "steps": [step.as_json() for step in self.steps],
            "gaps": [step.as_json() for step in self.gaps],
            "batches": [_batch_json(one) for one in self.batches],
            **self.facts,
        }


def thread_of(connection: Connection, record_id: str, now_ms: int) -> Thread:
    """The thread of a shipment or of a batch, by the id of either's row. Raises NotFound."""
    is_shipment = connection.execute(select(ShipmentRow.id).where(ShipmentRow.id == record_id)).one_or_none()
    if is_shipment is not None:
        return thread_of_shipment(connection, record_id, now_ms)
    return thread_of_batch(connection, record_id, now_ms)


def thread_of_shipment(connection: Connection, shipment_id: str, now_ms: int) -> Thread:
    """Raises NotFound."""
    found = thread_supply.shipment_of(connection, shipment_id)
    if found is None:
        raise NotFound(f"There is no shipment with the id {shipment_id}. Read the list again.")
    join = ShipmentBatch
    joined = list(
        connection.execute(
            select(join.batch_id, join.how, join.reason)
            .where(join.shipment_id == shipment_id, join.how != "declined")
            .order_by(join.joined_at, join.batch_id)
            .limit(MOST_BATCHES)
        )
    )
    batches = [_batch(connection, row.batch_id, row.how, row.reason, now_ms) for row in joined]
    steps = [*thread_supply.order_steps(found), *thread_supply.shipment_steps(found, now_ms)]
    if not batches:
        steps.append(thread_road.no_batch(found, now_ms))
    receivers = thread_supply.receiver_places(connection, found)
    targets = [stops_for(one.details, found, receivers) for one in batches]
    for one, facilities in zip(batches, targets, strict=True):
        steps += _steps(one, facilities, now_ms)
    steps += thread_supply.receipt_steps(found, _delivered_ms(batches, targets), now_ms)
    return Thread(
        found.title, found.shipment, found.lines, found.requisition, batches, steps, thread_supply.facts_of(found)
    )


def thread_of_batch(connection: Connection, batch_id: str, now_ms: int) -> Thread:
    """Raises NotFound."""
    join = ShipmentBatch
    one = _batch(connection, batch_id, "", "", now_ms)
    ids = connection.execute(
        select(join.shipment_id).where(join.batch_id == batch_id, join.how != "declined").limit(200)
    ).scalars()
    shipments = [found for shipment_id in ids if (found := thread_supply.shipment_of(connection, shipment_id))]
    steps = [step for found in shipments for step in thread_supply.shipment_steps(found, now_ms)]
    if not shipments:
        steps.append(thread_road.no_shipment(one.details.batch))
    steps += _steps(one, None, now_ms)
    for found in shipments:
        targets = stops_for(one.details, found, thread_supply.receiver_places(connection, found))
        steps += thread_supply.receipt_steps(found, _delivered_ms([one], [targets]), now_ms)
    facts = {"shipments": [thread_supply.facts_of(found)["shipment"] for found in shipments]}
    return Thread(f"Batch {one.details.batch.name}", None, (), None, [one], steps, facts)


def _batch(connection: Connection, batch_id: str, how: str, reason: str, now_ms: int) -> BatchThread:
    details = batch_details(connection, batch_id)
    batch = details.batch
    track = thread_road.track_summary(connection, batch, now_ms)
    return BatchThread(
        details=details,
        joined=reason,
        how=how,
        check=last_check(connection, batch_id),
        track=track,
        fuel=fuel_of_batch(connection, batch, details.stops, now_ms),
        proofs=proofs_of(connection, [batch], now_ms),
        twins=()
        if track is None or not batch.vehicle_id
        else list_twins(connection, vehicle_id=batch.vehicle_id, since_ms=track.from_ms, until_ms=track.to_ms),
    )


def _steps(one: BatchThread, targets: frozenset[str] | None, now_ms: int) -> list[Step]:
    return [
        thread_road.batch_step(one.details.batch, one.joined, now_ms),
        thread_road.check_step(one.details.batch, one.check),
        thread_road.track_step(one.details.batch, one.track),
        *thread_road.twin_steps(one.twins),
        *thread_road.stop_steps(one.details),
        *thread_road.fuel_steps(one.fuel),
        *thread_road.proof_steps(one.details, one.proofs, targets),
    ]


def _delivered_ms(batches: Sequence[BatchThread], targets: Sequence[frozenset[str]]) -> int | None:
    """When it was delivered at its receiver, by the proofs; None for not, or unknown."""
    times = [
        one.proof.at_ms
        for batch, facilities in zip(batches, targets, strict=True)
        for one in batch.proofs
        if one.proof.outcome == "delivered" and one.proof.at_ms is not None and one.proof.facility in facilities
    ]
    return min(times, default=None)


def _batch_json(one: BatchThread) -> dict[str, Any]:
    return {
        **one.details.batch.as_row(),
        "joined": one.joined,
        "how": one.how,
        "track": None if one.track is None else one.track.as_json(),
        "check": None if one.check is None else one.check.as_json(),
        "fuel": [thread_road.fuel_json(fuel) for fuel in one.fuel],
        "proofs": [proof.as_row() for proof in one.proofs],
        "twins": [twin.as_row() for twin in one.twins],
    }
