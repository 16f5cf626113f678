"""One batch as the dispatcher works on it: its parts, who and what carries it, what may be done, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from app.catalogue import Catalogue
from app.deliveries.batch import BatchDetails, batch_details
from app.deliveries.batches import BatchListing
from app.deliveries.departures import CheckListing, last_check
from app.deliveries.drivers import DriverListing, list_drivers
from app.deliveries.eta import BatchEta, batch_eta
from app.deliveries.offers import Offer, Offers, new_offers, offers_of
from app.deliveries.vehicles import VehicleMatch, match_vehicles
from app.deliveries.waiting import Waiting, waiting_of
from app.store.tables import Device, DeviceState, OutboxItem
from app.supply.filters import Place
from app.sync.words import UNSENT


@dataclass(frozen=True, slots=True)
class BatchDesk:
    """``tracked_ms`` is the newest fix of the vehicle's trackers, None for none. ``offers`` are the batch's acts,
    ``run_offers`` those of its runs by their ids; ``new_run`` None where the platform makes none, for ``no_run``.

    ``waiting`` holds the batch and its runs by id; ``runs_wait`` counts new runs that are saved here.
    """

    details: BatchDetails
    eta: BatchEta
    driver: DriverListing | None
    match: VehicleMatch | None
    tracked_ms: int | None
    offers: Offers
    run_offers: Mapping[str, Offers]
    new_run: Offer | None
    no_run: str
    waiting: Mapping[str, Waiting]
    runs_wait: int
    check: CheckListing | None

    @property
    def batch(self) -> BatchListing:
        return self.details.batch


def batch_desk(connection: Connection, catalogue: Catalogue, batch_id: str, now_ms: int) -> BatchDesk:
    """Raises NotFound."""
    details = batch_details(connection, batch_id)
    batch = details.batch
    only = [batch.driver_id] if batch.driver_id else []
    drivers = list_drivers(connection, now_ms, batch.integration_id, only=only) if only else []
    vehicle = Place(batch.integration_id, batch.vehicle)
    match = match_vehicles(connection, [vehicle]).get(vehicle) if batch.vehicle else None
    runs = [run.id for run in details.runs]
    made = new_offers(connection, catalogue, batch.integration_id)
    new_run = made.find("new_run")
    return BatchDesk(
        details=details,
        eta=batch_eta(connection, batch, now_ms),
        driver=drivers[0] if drivers else None,
        match=match,
        tracked_ms=None if match is None else tracked_ms(connection, match.vehicle_id),
        offers=offers_of(connection, catalogue, "delivery_batch", [batch_id]).get(batch_id, Offers()),
        run_offers=offers_of(connection, catalogue, "dispatch_run", runs),
        new_run=new_run,
        no_run=made.reason,
        waiting=waiting_of(connection, [batch_id, *runs]),
        runs_wait=len(_new_runs(connection, batch)),
        check=last_check(connection, batch_id),
    )


def tracked_ms(connection: Connection, vehicle_id: str) -> int | None:
    """When a vehicle of ours was last placed by one of its trackers."""
    if not vehicle_id:
        return None
    newest = func.max(DeviceState.fixed_at_ms)
    query = select(newest).join(Device, Device.key == DeviceState.device_key).where(Device.vehicle_id == vehicle_id)
    found: int | None = connection.execute(query).scalar_one()
    return found


def _new_runs(connection: Connection, batch: BatchListing) -> Sequence[Any]:
    """Runs of the batch that are saved here, and that the platform does not know yet."""
    item = OutboxItem
    query = select(item.values).where(
        item.integration_id == batch.integration_id,
        item.record == "dispatch_run",
        item.peer_id == "",
        item.state.in_(UNSENT),
    )
    return [row for row in connection.execute(query) if row.values.get("batch") == batch.peer_id]
