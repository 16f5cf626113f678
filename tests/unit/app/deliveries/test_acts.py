"""Acts: checked by the platform's rules, saved in the outbox, recorded; refusals are sentences."""

from __future__ import annotations

import pytest

from app.deliveries import acts
from app.deliveries.batches import BatchFilter, find_batch, page_of_batches, stage_counts
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.offers import new_offers, offers_of
from app.store.store import Store
from app.store.tables import (
    Act,
    DeliveryBatchRow,
    DispatchRunRow,
    DriverDeviceRow,
    DriverLinkRow,
    DriverRow,
    DriverSessionRow,
    FleetVehicleRow,
    InvitationRow,
    OnboardingRequestRow,
    OutboxItem,
)
from app.sync.errors import ChangeRefused
from tests.helpers.dispatch import (
    Depot,
    a_batch,
    a_driver,
    a_fleet_vehicle,
    a_link,
    a_phone,
    a_request,
    a_session,
    an_invitation,
)
from tests.helpers.fleet import T0_MS, count_of, rows_of


@pytest.fixture
def depot(sqlite_store: Store) -> Depot:
    return Depot(sqlite_store)


def test_an_invitation_is_saved_recorded_and_not_made_twice(depot: Depot) -> None:
    saved = depot.do(acts.invite, "mod4-1", "Hope@Example.org")
    (item,) = rows_of(depot.store, OutboxItem)
    assert (item.id, item.write, item.values, item.state) == (
        saved.outbox_id, "invite", {"email": "hope@example.org"}, "waiting",
    )  # fmt: skip
    assert count_of(depot.store, Act) == 1
    with pytest.raises(DeliveryError, match="waits in the outbox already"):
        depot.do(acts.invite, "mod4-1", "hope@example.org")
    with pytest.raises(DeliveryError, match="no e-mail address"):
        depot.do(acts.invite, "mod4-1", "hope at example")
    assert count_of(depot.store, OutboxItem) == 1


def test_an_address_that_is_linked_or_invited_is_not_invited_again(depot: Depot) -> None:
    depot.arrive(a_link(), an_invitation())
    with pytest.raises(DeliveryError, match="linked already"):
        depot.do(acts.invite, "mod4-1", "musa@example.org")
    with pytest.raises(DeliveryError, match="valid until 2026-01-08"):
        depot.do(acts.invite, "mod4-1", "new@example.org")


def test_an_expired_invitation_is_made_anew_and_a_revoked_one_taken_up_again(depot: Depot) -> None:
    depot.arrive(an_invitation(expires_ms=T0_MS - 1), an_invitation("inv-2", email="b@example.org", stage="revoked"))
    depot.do(acts.resend_invitation, depot.id_of(InvitationRow, "inv-1"))
    depot.do(acts.resend_invitation, depot.id_of(InvitationRow, "inv-2"))
    assert sorted(row.write for row in rows_of(depot.store, OutboxItem)) == ["invite", "resend_invitation"]
    depot.arrive(an_invitation("inv-3", email="c@example.org"))
    with pytest.raises(DeliveryError, match="still valid"):
        depot.do(acts.resend_invitation, depot.id_of(InvitationRow, "inv-3"))


def test_approving_leads_on_to_a_code(depot: Depot) -> None:
    depot.arrive(a_request(), a_request("request-2", email=""))
    saved = depot.do(acts.approve_request, depot.id_of(OnboardingRequestRow, "request-1"), "known to us")
    assert saved.code_for == "aisha@example.org"
    assert "one-time code" in saved.hint
    without = depot.do(acts.approve_request, depot.id_of(OnboardingRequestRow, "request-2"))
    assert without.code_for == ""
    assert {row.values.get("notes") for row in rows_of(depot.store, OutboxItem)} == {"known to us", None}
    with pytest.raises(ChangeRefused):
        depot.do(acts.approve_request, depot.id_of(OnboardingRequestRow, "request-1"), "known to us")


def test_links_and_phones(depot: Depot) -> None:
    depot.arrive(a_driver(), a_link(), a_phone(), a_link("link-2", user="user-2", driver="", stage="revoked"))
    assert "stay open" in depot.do(acts.set_link, depot.id_of(DriverLinkRow, "link-1"), "revoked").hint
    assert "no dispatch record" in depot.do(acts.set_link, depot.id_of(DriverLinkRow, "link-2"), "active").hint
    depot.do(acts.revoke_phone, depot.id_of(DriverDeviceRow, "phone-1"))
    depot.arrive(a_session(), a_session("session-2", stage="ended", ended_ms=T0_MS))
    assert "once the platform has" in depot.do(acts.end_session, depot.id_of(DriverSessionRow, "session-1")).hint
    assert count_of(depot.store, OutboxItem) == 4
    with pytest.raises(ChangeRefused):
        depot.do(acts.end_session, depot.id_of(DriverSessionRow, "session-2"))
    with pytest.raises(NotFound):
        depot.do(acts.end_session, "nothing")
    with pytest.raises(DeliveryError):
        depot.do(acts.set_link, depot.id_of(DriverLinkRow, "link-1"), "deleted")
    with pytest.raises(NotFound):
        depot.do(acts.set_link, "nothing", "active")


def test_a_batch_is_assigned_started_and_completed_one_step_after_the_other(depot: Depot) -> None:
    depot.arrive(
        a_driver(), a_link(), a_fleet_vehicle(),
        a_batch(status="planned", stage="planned", driver="", vehicle="", started_ms=None),
    )  # fmt: skip
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    with pytest.raises(DeliveryError, match="a driver and a vehicle"):
        depot.do(acts.start_batch, batch)
    driver, vehicle = depot.id_of(DriverRow, "drv-1"), depot.id_of(FleetVehicleRow, "veh-1")
    assert depot.do(acts.assign_batch, batch, driver, vehicle).hint == ""
    found = depot.ask(find_batch, batch)
    assert found is not None
    assert (found.stage, found.driver_name, found.plate, found.status) == (
        "assigned", "Musa drv-1", "KAN 123 XA", "planned",
    )  # fmt: skip
    depot.do(acts.start_batch, batch)
    depot.do(acts.complete_batch, batch)
    assert [row.values["stage"] for row in rows_of(depot.store, OutboxItem)] == ["assigned", "in_progress", "completed"]
    assert depot.ask(stage_counts, BatchFilter())["completed"] == 1
    with pytest.raises(ChangeRefused):
        depot.do(acts.cancel_batch, batch)


def test_assigning_says_when_the_driver_will_not_see_it(depot: Depot) -> None:
    depot.arrive(a_driver(), a_driver("drv-2"), a_link("link-2", driver="drv-2", stage="revoked"), a_fleet_vehicle())
    depot.arrive(a_batch(status="planned", stage="planned", driver="", started_ms=None))
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    assert "no login" in depot.do(acts.assign_batch, batch, depot.id_of(DriverRow, "drv-1")).hint
    assert "revoked" in depot.do(acts.assign_batch, batch, depot.id_of(DriverRow, "drv-2")).hint


def test_one_departure_at_a_time(depot: Depot) -> None:
    depot.usual()
    from adapters.dispatch import DispatchRun

    depot.arrive(DispatchRun("run-1", "batch-1", "pending", "pending"))
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    with pytest.raises(DeliveryError, match="under way"):
        depot.do(acts.new_run, batch)
    depot.do(acts.move_run, depot.id_of(DispatchRunRow, "run-1"), "cancelled", "truck broke down")
    depot.do(acts.new_run, batch, "second try")
    made = rows_of(depot.store, OutboxItem)[-1]
    assert made.values == {"batch": "batch-1", "driver": "drv-1", "vehicle": "veh-1", "notes": "second try"}


def test_offers_follow_the_stage_that_is_shown(depot: Depot) -> None:
    depot.usual()
    depot.arrive(
        a_batch("batch-2", stage="planned", status="planned", driver=""), a_batch("batch-3", stage="completed")
    )
    ids = {peer: depot.id_of(DeliveryBatchRow, peer) for peer in ("batch-1", "batch-2", "batch-3")}
    offers = depot.ask(offers_of, depot.catalogue, "delivery_batch", list(ids.values()))
    assert [one.name for one in offers[ids["batch-1"]].acts] == ["complete_batch", "cancel_batch"]
    planned = offers[ids["batch-2"]]
    start = planned.find("start_batch")
    assert start is not None
    assert start.hindrance == "It has no driver yet. Assign a driver first."
    assert offers[ids["batch-3"]].acts == ()
    assert "completed" in offers[ids["batch-3"]].reason


def test_offers_say_that_changes_are_switched_off(sqlite_store: Store) -> None:
    depot = Depot(sqlite_store, may_change=False)
    depot.usual()
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    offers = depot.ask(offers_of, depot.catalogue, "delivery_batch", [batch])[batch]
    assert offers.acts == ()
    assert "switched off" in offers.reason
    made = depot.ask(new_offers, depot.catalogue, "mod4-1")
    assert all("switched off" in offer.hindrance for offer in made.acts)
    with pytest.raises(ChangeRefused, match="switched off"):
        depot.do(acts.complete_batch, batch)


def test_lists_are_narrowed_and_paged(depot: Depot) -> None:
    depot.usual()
    depot.arrive(
        *(
            a_batch(f"b-{number}", scheduled_on=f"2026-01-{number + 2:02d}", stage="planned", driver="")
            for number in range(7)
        )
    )
    first, after = depot.ask(page_of_batches, BatchFilter(), limit=5)
    second, end = depot.ask(page_of_batches, BatchFilter(), after=after, limit=5)
    names = [one.peer_id for one in (*first, *second)]
    assert len(names) == len(set(names)) == 8
    assert end is None
    by_driver, _ = depot.ask(page_of_batches, BatchFilter(driver=depot.id_of(DriverRow, "drv-1")))
    assert [one.peer_id for one in by_driver] == ["batch-1"]
    by_word, _ = depot.ask(page_of_batches, BatchFilter(words=("musa", "kan")))
    assert [one.peer_id for one in by_word] == ["batch-1"]
    by_day, _ = depot.ask(page_of_batches, BatchFilter(from_day="2026-01-03", until_day="2026-01-04"))
    assert len(by_day) == 2
    assert depot.ask(stage_counts, BatchFilter())["planned"] == 7
