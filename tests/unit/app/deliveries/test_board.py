"""The board's reads on both databases: order, counts, marks, filters; proofs narrowed; a batch with all its parts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.clock import from_ms
from app.deliveries import acts
from app.deliveries.batch_desk import batch_desk
from app.deliveries.batches import BatchFilter, page_of_batches, stage_counts
from app.deliveries.board import gaps_by_batch, page_of_board
from app.deliveries.departures import Finding, keep_check, override_check
from app.deliveries.errors import NotFound
from app.deliveries.pictures import why_not_opened
from app.deliveries.proof_list import ProofFilter, page_of_proof_list
from app.store.store import Store
from app.store.tables import Act, DeliveryBatchRow, DriverRow, FleetVehicleRow
from tests.helpers.deliveries_depot import fill_depot
from tests.helpers.dispatch import Depot
from tests.helpers.fleet import T0_MS, rows_of

ORDER = ["Bwari north", "Kubwa morning", "Karu", "Nyanya", "Zuba"]


@pytest.fixture
def depot(store: Store) -> Depot:
    made = Depot(store)
    fill_depot(made, T0_MS)
    return made


def test_the_board_begins_with_what_is_on_the_road_and_goes_on_where_it_ended(depot: Depot) -> None:
    first, after = depot.ask(page_of_board, BatchFilter(), T0_MS, sort="board", limit=2)
    rest, end = depot.ask(page_of_board, BatchFilter(), T0_MS, sort="board", after=after, limit=10)
    assert [row.batch.name for row in (*first, *rest)] == ORDER
    assert end is None
    going, ready, planned, done, _cancelled = (*first, *rest)
    assert going.next_stop is not None
    assert (going.next_stop.stop.label, going.is_late) == ("Clinic 2", True)
    assert [row.lacks_check for row in (going, ready, planned)] == [False, True, False]
    assert (done.doubtful, done.eta, done.batch.stops_failed) == (1, None, 1)
    assert depot.ask(gaps_by_batch, T0_MS) == {depot.id_of(DeliveryBatchRow, "batch-1"): 2}


def test_days_keep_what_is_open_and_counts_are_of_the_same_question(depot: Depot) -> None:
    day = (from_ms(T0_MS).date() + timedelta(days=1)).isoformat()
    wanted = BatchFilter(from_day=day, until_day=day)
    names = [row.name for row in depot.ask(page_of_batches, wanted)[0]]
    assert names == ["Karu"]
    kept = BatchFilter(from_day=day, keeps_open=True)
    rows, _after = depot.ask(page_of_batches, kept, sort="board")
    assert [row.name for row in rows] == ORDER[:3]
    counts = depot.ask(stage_counts, kept)
    assert {stage: count for stage, count in counts.items() if count} == {
        "in_progress": 1, "assigned": 1, "planned": 1,
    }  # fmt: skip


def test_driver_vehicle_and_verdict_narrow_the_list(depot: Depot) -> None:
    mine = BatchFilter(vehicle=depot.id_of(FleetVehicleRow, "veh-1"), driver=depot.id_of(DriverRow, "drv-1"))
    assert sum(depot.ask(stage_counts, mine).values()) == 3
    other = BatchFilter(vehicle=depot.id_of(FleetVehicleRow, "veh-2"))
    assert sum(depot.ask(stage_counts, other).values()) == 0
    planned = depot.id_of(DeliveryBatchRow, "batch-3")
    ids = depot.id_of(DriverRow, "drv-2"), depot.id_of(FleetVehicleRow, "veh-2")
    depot.do(acts.assign_batch, planned, *ids)
    assert depot.ask(stage_counts, other)["assigned"] == 1, "as it will be once it is accepted"
    doubtful = BatchFilter(verdicts=("doubtful",))
    assert [row.name for row in depot.ask(page_of_batches, doubtful)[0]] == ["Nyanya"]


def test_what_waits_and_what_was_checked_stands_on_the_board(depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-2")
    now = from_ms(T0_MS)
    found = [Finding("fuel", "Fuel enough", False, "10 L.")]
    check = depot.write(lambda c: keep_check(c, batch, found, now=now))
    depot.do(acts.cancel_batch, batch, "The  road is\nflooded")

    def row() -> tuple[str, str, bool]:
        rows, _after = depot.ask(page_of_board, BatchFilter(words=("kubwa",)), T0_MS)
        assert rows[0].waiting is not None
        return rows[0].batch.stage, rows[0].check, rows[0].waiting.is_stuck

    assert row() == ("cancelled", "not_ready", False)
    depot.write(lambda c: override_check(c, check, "The gauge was looked at", now=now))
    assert row() == ("cancelled", "overridden", False)
    reasons = [act.after for act in rows_of(depot.store, Act) if act.what == "batch.cancel_reason"]
    assert reasons == [{"reason": "The road is flooded"}]


def test_a_batch_with_all_its_parts(depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    desk = depot.ask(batch_desk, depot.catalogue, batch, T0_MS)
    assert desk.driver is not None
    assert desk.match is not None
    assert (desk.driver.link, desk.tracked_ms, desk.match.plate) == ("active", T0_MS - 60_000, "KAN 123 XA")
    assert [offer.name for offer in desk.offers.acts] == ["complete_batch", "cancel_batch"]
    (run,) = desk.details.runs
    assert {offer.name for offer in desk.run_offers[run.id].acts} == {"complete_run", "cancel_run"}
    assert (desk.new_run is not None, desk.runs_wait) == (True, 0)
    ready = depot.id_of(DeliveryBatchRow, "batch-3")
    depot.do(acts.new_run, ready, "Two trips")
    assert depot.ask(batch_desk, depot.catalogue, ready, T0_MS).runs_wait == 1
    with pytest.raises(NotFound):
        depot.ask(batch_desk, depot.catalogue, "nowhere", T0_MS)


def test_proofs_are_narrowed(depot: Depot) -> None:
    for wanted, found in (
        (ProofFilter(), 3),
        (ProofFilter(verdict="doubtful"), 1),
        (ProofFilter(verdict="not_judged"), 0),
        (ProofFilter(state="not_uploaded"), 1),
        (ProofFilter(state="discrepancy"), 1),
        (ProofFilter(state="not_delivered"), 1),
        (ProofFilter(state="proxy"), 0),
        (ProofFilter(verdict="confirmed", state="not_delivered"), 0),
    ):
        rows, after = depot.ask(page_of_proof_list, wanted, T0_MS)
        assert (len(rows), after) == (found, None), wanted
        assert len({row.id for row in rows}) == found


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://files.example.org/a/photo.JPG", ""),
        ("https://files.example.org/sign/photo?token=1", ""),
        ("", "on the phone"),
        ("blob:https://app/1", "inside the phone"),
        ("data:image/png;base64,AAAA", "inside the phone"),
        ("file:///etc/passwd", "inside the phone"),
        ("javascript:alert(1)", "no address on the web"),
        ("https://files.example.org/setup.exe", "no photo"),
        ("https://user:word@files.example.org/a.png", "carries a sign-in"),
        ("https://[::1/a.png", "no address"),
        ("https://files.example.org/a.png\n", "no address"),
        ("https:///a.png", "no address on the web"),
        ("x" * 5_000, "no address"),
    ],
)
def test_what_is_no_photo_is_told_and_not_offered(url: str, why: str) -> None:
    told = why_not_opened(url)
    assert (why in told) if why else told == ""
