"""Every read once on SQLite and once on PostgreSQL: what the one takes the other must take."""

from __future__ import annotations

from adapters.dispatch import DispatchRun
from app.deliveries import acts
from app.deliveries.batch import batch_details
from app.deliveries.batches import BatchFilter, count_batches, page_of_batches, stage_counts
from app.deliveries.codes import list_codes, list_requests
from app.deliveries.drivers import list_drivers
from app.deliveries.invitations import list_invitations
from app.deliveries.linked import list_linked
from app.deliveries.proofs import page_of_proofs, proofs_of_batch
from app.deliveries.statistics import setup_statistics
from app.deliveries.vehicles import list_fleet, match_vehicles, platform_vehicles
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, DriverRow
from app.supply.filters import Place
from tests.helpers.dispatch import Depot, a_code, a_paper, a_request, a_stop, an_event, an_invitation
from tests.helpers.fleet import T0_MS


def test_every_read(store: Store) -> None:
    depot = Depot(store)
    depot.usual(a_stop("clinic-1", 1, stage="delivered"), a_stop("clinic-2", 2))
    depot.arrive(
        a_code(), a_request(), an_invitation(), a_paper(), DispatchRun("run-1", "batch-1", "pending", "pending"),
        an_event(recipient="Ade"), an_event("mod4_events:2", "photo", facility="elsewhere"),
    )  # fmt: skip
    own = depot.vehicle()
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    assert depot.ask(setup_statistics, T0_MS).badge == 3
    assert len(depot.ask(list_codes, T0_MS)) == len(depot.ask(list_requests)) == len(depot.ask(list_invitations, T0_MS))
    assert len(depot.ask(list_linked, T0_MS, text="musa")) == len(depot.ask(list_drivers, T0_MS, text="musa")) == 1
    depot.do(acts.cancel_batch, batch)
    wanted = BatchFilter(
        words=("musa",), stages=("cancelled",), from_day="2026-01-01", until_day="2026-01-01",
        driver=depot.id_of(DriverRow, "drv-1"), is_waiting=True,
    )  # fmt: skip
    (row,), _ = depot.ask(page_of_batches, wanted)
    assert (row.id, row.stops, row.stops_done, row.vehicle_id, row.status) == (batch, 2, 1, own, "in-progress")
    assert depot.ask(count_batches, wanted) == depot.ask(stage_counts, wanted)["cancelled"] == 1
    details = depot.ask(batch_details, batch)
    assert [stop.label for stop in details.stops] == ["Clinic 1", "Clinic 2"]
    assert (details.papers[0].facility_name, details.runs[0].stage) == ("Clinic 1", "pending")
    first, second = depot.ask(proofs_of_batch, batch, T0_MS)
    assert (first.proof.outcome, first.proof.recipient, second.proof.outcome) == ("delivered", "Ade", "open")
    page, _ = depot.ask(page_of_proofs, BatchFilter(), T0_MS)
    assert [one.label for one in page] == ["Clinic 1"]
    assert depot.ask(match_vehicles, [Place("mod4-1", "veh-1")])[Place("mod4-1", "veh-1")].vehicle_id == own
    assert depot.ask(platform_vehicles, own) == [Place("mod4-1", "veh-1")]
    assert [one.vehicle_id for one in depot.ask(list_fleet)] == [own]
