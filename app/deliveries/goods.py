"""What a batch carries for each of its stops: the lines of the shipments that travel in it, by their receiver."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.deliveries.batch import BatchDetails
from app.deliveries.targets import NOWHERE, target_facilities
from app.deliveries.thread_supply import Found, receiver_places, shipment_of
from app.store.tables import ShipmentBatch

MOST_SHIPMENTS = 500


@dataclass(frozen=True, slots=True)
class Parcel:
    """One shipment in a batch. ``facilities`` are the stops' that it is for, none where no stop fits."""

    shipment: Found
    facilities: frozenset[str]


def parcels_of(connection: Connection, details: BatchDetails) -> list[Parcel]:
    """Joined shipments by number."""
    join = ShipmentBatch
    ids = connection.execute(
        select(join.shipment_id).where(join.batch_id == details.batch.id, join.how != "declined").limit(MOST_SHIPMENTS)
    ).scalars()
    found = [one for shipment_id in ids if (one := shipment_of(connection, shipment_id)) is not None]
    parcels = [Parcel(one, stops_for(details, one, receiver_places(connection, one))) for one in found]
    return sorted(parcels, key=lambda parcel: parcel.shipment.number)


def stops_for(details: BatchDetails, found: Found, receivers: frozenset[tuple[str, str]]) -> frozenset[str]:
    """The facilities of a batch that a shipment is for; ``receivers`` are its receiver as every system knows it."""
    papers: dict[str, frozenset[str]] = {}
    for paper in details.papers:
        papers[paper.number] = papers.get(paper.number, NOWHERE) | {paper.facility}
    stops = [stop.facility for stop in details.stops]
    return target_facilities(receivers, details.batch.integration_id, stops, papers, found.numbers)
