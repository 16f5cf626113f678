"""What the setup page reads: figures, invitations, linked users, codes, requests, phones."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from adapters.supply import Gone
from app.deliveries import acts
from app.deliveries.codes import list_codes, list_requests
from app.deliveries.drivers import licence_word, list_drivers
from app.deliveries.invitations import list_invitations
from app.deliveries.linked import list_linked, phones_of_user, sessions_of_user
from app.deliveries.statistics import setup_statistics
from app.store.store import Store
from app.store.tables import (
    DriverDeviceRow,
    DriverLinkRow,
    DriverSessionRow,
    InvitationRow,
    OnboardingRequestRow,
    OutboxItem,
)
from app.sync.words import State
from tests.helpers.dispatch import (
    HOUR_MS,
    MINUTE_MS,
    Depot,
    a_code,
    a_driver,
    a_link,
    a_phone,
    a_request,
    a_session,
    an_invitation,
)
from tests.helpers.fleet import T0_MS, a_position


@pytest.fixture
def depot(sqlite_store: Store) -> Depot:
    return Depot(sqlite_store)


def test_the_figures_count_what_is_pending_now(depot: Depot) -> None:
    depot.arrive(
        a_link(), a_link("link-2", user="user-2", stage="suspended", status="suspended"),
        a_code(), a_code("code-2", expires_ms=T0_MS), a_code("code-3", tries=5), a_code("code-4", stage="used"),
        an_invitation(), an_invitation("inv-2", expires_ms=T0_MS), an_invitation("inv-3", stage="revoked"),
        a_request(), a_request("request-2", stage="approved"),
    )  # fmt: skip
    found = depot.ask(setup_statistics, T0_MS)
    assert (found.active_integrations, found.connected, found.pending_codes) == (3, 1, 1)
    assert (found.pending_invites, found.expired_invites, found.pending_requests) == (2, 1, 1)
    assert found.badge == 4
    assert depot.ask(setup_statistics, T0_MS, "msupply-1").badge == 0


def test_what_is_gone_at_the_platform_counts_no_more(depot: Depot) -> None:
    depot.arrive(a_link(), an_invitation())
    depot.arrive(Gone("driver_link", "link-1"), Gone("invitation", "inv-1"))
    found = depot.ask(setup_statistics, T0_MS)
    assert (found.connected, found.pending_invites) == (0, 0)
    assert depot.ask(list_linked, T0_MS) == []


def test_an_invitation_that_waits_here_stands_on_top_and_says_so(depot: Depot) -> None:
    depot.arrive(an_invitation(), an_invitation("inv-2", email="late@example.org", expires_ms=T0_MS - 1))
    saved = depot.do(acts.invite, "mod4-1", " Hope@Example.org ")
    rows = depot.ask(list_invitations, T0_MS)
    assert [row.state for row in rows] == ["here", "expired", "pending"]
    assert (rows[0].email, rows[0].outbox_id, rows[0].outbox_state) == (
        "hope@example.org",
        saved.outbox_id,
        "Saved here",
    )
    assert depot.ask(setup_statistics, T0_MS).waiting == 1
    assert [row.email for row in depot.ask(list_invitations, T0_MS, text="late")] == ["late@example.org"]


def test_a_linked_user_is_joined_with_driver_phones_and_sessions(depot: Depot) -> None:
    depot.arrive(
        a_driver(), a_link(), a_phone(), a_phone("phone-2", device="app-2", stage="revoked", seen_ms=None),
        a_session(active_ms=T0_MS + HOUR_MS), a_session("session-0", stage="ended", ended_ms=T0_MS),
    )  # fmt: skip
    (row,) = depot.ask(list_linked, T0_MS + HOUR_MS + MINUTE_MS)
    assert (row.driver_name, row.method_word, row.problem) == ("Musa drv-1", "OTP", "")
    assert (row.signs.phones, row.signs.trusted, row.signs.is_signed_in) == (2, 1, True)
    assert (row.signs.heard_ms, row.silence) == (T0_MS + HOUR_MS, "online")
    assert [one.stage for one in depot.ask(phones_of_user, "mod4-1", "user-1")] == ["trusted", "revoked"]
    assert {one.stage for one in depot.ask(sessions_of_user, "mod4-1", "user-1")} == {"open", "ended"}


def test_a_link_without_a_dispatch_record_says_that_no_batch_reaches_it(depot: Depot) -> None:
    depot.arrive(a_link(driver=""), a_link("link-2", user="user-2", driver="drv-9"))
    rows = depot.ask(list_linked, T0_MS)
    assert all("no dispatch record" in row.problem for row in rows)
    assert {row.silence for row in rows} == {"never"}


def test_a_change_that_waits_is_shown_and_not_claimed(depot: Depot) -> None:
    depot.arrive(a_driver(), a_link())
    depot.do(acts.set_link, depot.id_of(DriverLinkRow, "link-1"), "suspended")
    (row,) = depot.ask(list_linked, T0_MS)
    assert (row.status, row.stage, row.pending) == ("active", "suspended", {"stage": "suspended"})
    assert [one.peer_id for one in depot.ask(list_linked, T0_MS, stage="suspended")] == ["link-1"]


def test_codes_tell_time_and_tries_left(depot: Depot) -> None:
    depot.arrive(a_code(), a_code("code-2", expires_ms=T0_MS - 1), a_code("code-3", tries=5))
    (code,) = depot.ask(list_codes, T0_MS + 30_000)
    assert (code.minutes_left, code.tries_left, code.state) == (15, 4, "pending")
    everything = depot.ask(list_codes, T0_MS + 30_000, only_pending=False)
    assert sorted(one.state for one in everything) == ["expired", "no_tries", "pending"]
    assert all(one.minutes_left == 0 for one in everything if one.state != "pending")


def test_requests_that_wait_come_first_and_know_who_is_linked(depot: Depot) -> None:
    depot.arrive(
        a_request("request-1", stage="approved", submitted_ms=T0_MS + 9),
        a_request("request-2", email="MUSA@example.org"),
        a_link(),
    )
    rows = depot.ask(list_requests)
    assert [row.peer_id for row in rows] == ["request-2", "request-1"]
    assert [row.is_linked for row in rows] == [True, False]
    assert depot.ask(list_requests, text="nobody") == []


def test_drivers_carry_both_ids_and_their_problems(depot: Depot) -> None:
    depot.arrive(
        a_driver(away_on=("2026-01-01",), licence_expires_on="2025-12-31"),
        a_driver("drv-2", licence_expires_on="2026-01-15", is_available=False),
        a_link(stage="suspended", status="suspended"),
        a_phone(),
    )
    first, second = depot.ask(list_drivers, T0_MS)
    assert (first.user, first.link, first.availability, first.licence) == ("user-1", "suspended", "away", "expired")
    assert len(first.problems) == 2
    assert (second.user, second.availability, second.licence) == ("", "unavailable", "soon")
    assert "No login" in second.problems[0]


def test_a_phone_that_reports_positions_is_a_sign_of_life(depot: Depot) -> None:
    depot.arrive(a_driver(), a_position("driver-drv-1", T0_MS, source="mod4"))
    (driver,) = depot.ask(list_drivers, T0_MS + 5 * MINUTE_MS)
    assert driver.place is not None
    assert (driver.silence, driver.place.fixed_ms) == ("online", T0_MS)
    (later,) = depot.ask(list_drivers, T0_MS + 3 * HOUR_MS)
    assert later.silence == "silent"


def test_a_licence_is_good_until_the_end_of_its_day() -> None:
    assert licence_word("2026-01-01", T0_MS) == "soon"
    assert licence_word("2025-12-31", T0_MS) == "expired"
    assert licence_word("2026-06-01", T0_MS) == "valid"
    assert licence_word(None, T0_MS) == licence_word("", T0_MS) == "unknown"


def test_rows_of_commands_hold_no_code(depot: Depot) -> None:
    depot.arrive(a_code(), a_request(), a_link(), an_invitation(), a_driver(), a_phone())
    assert "code" not in depot.ask(list_codes, T0_MS)[0].as_row()
    for rows in (depot.ask(list_invitations, T0_MS), depot.ask(list_linked, T0_MS), depot.ask(list_drivers, T0_MS)):
        assert "token" not in str(rows[0].as_row())
    assert depot.id_of(DriverDeviceRow, "phone-1")
    assert depot.id_of(OnboardingRequestRow, "request-1")


def test_what_was_refused_is_said_in_the_lists_until_somebody_decides(depot: Depot) -> None:
    depot.arrive(a_driver(), a_link(), a_phone(), a_session(), a_request(), an_invitation())
    depot.do(acts.set_link, depot.id_of(DriverLinkRow, "link-1"), "suspended")
    depot.do(acts.revoke_phone, depot.id_of(DriverDeviceRow, "phone-1"))
    depot.do(acts.end_session, depot.id_of(DriverSessionRow, "session-1"))
    depot.do(acts.reject_request, depot.id_of(OnboardingRequestRow, "request-1"))
    depot.do(acts.revoke_invitation, depot.id_of(InvitationRow, "inv-1"))
    depot.do(acts.invite, "mod4-1", "hope@example.org")

    def refusals() -> list[str]:
        return [
            *(one.refusal for one in depot.ask(list_linked, T0_MS)),
            *(one.refusal for one in depot.ask(phones_of_user, "mod4-1", "user-1")),
            *(one.refusal for one in depot.ask(sessions_of_user, "mod4-1", "user-1")),
            *(one.refusal for one in depot.ask(list_requests)),
            *(one.refusal for one in depot.ask(list_invitations, T0_MS)),
        ]

    assert refusals() == [""] * 6, "saved here, and nobody has refused it"
    told = update(OutboxItem).values(state=State.REFUSED, last_answer="It changed no row.")
    depot.store.write(lambda connection: connection.execute(told)).result()
    assert refusals() == ["It changed no row."] * 6
    silent = update(OutboxItem).values(state=State.CONFLICT, last_answer="")
    depot.store.write(lambda connection: connection.execute(silent)).result()
    assert refusals() == ["The platform will not have it."] * 6
