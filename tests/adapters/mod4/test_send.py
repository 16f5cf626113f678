"""Changes by the platform's rules against real PostgreSQL: no success that is none, no change twice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from adapters.dispatch import DeliveryBatch, DispatchRun, DriverLink, Invitation, OnboardingRequest
from adapters.errors import Conflict, RecordRejected
from tests.adapters.mod4.support import (
    AISHA,
    ASSIGNED,
    BOSS,
    CLINIC,
    DATABASE_ALONE,
    DRIVER_LOGIN,
    FOREIGN,
    FOREIGN_BATCH,
    FOREIGN_VAN,
    HOSPITAL,
    INVITATION,
    LINK,
    MUSA,
    OTHER_LINK,
    PHONE,
    PLANNED,
    REQUEST,
    RIVAL,
    TRUCK,
    VAN,
    Site,
    an_id,
    send,
)


@pytest.fixture
def site(either: Site) -> Site:
    """Every test runs over the database and over the web service."""
    return either


def status(site: Site, table: str, row: str) -> str:
    return str(site.one(f"SELECT status::text FROM {table} WHERE id = %s::uuid", row))  # noqa: S608 - names of ours


async def refused(site: Site, write: str, row: str, values: Mapping[str, Any], role: str = "", **more: Any) -> str:
    with pytest.raises(RecordRejected) as found:
        await send(site.settings(role), write, row, values, **more)
    assert found.value.why.endswith((".", "”"))
    return found.value.why


# Links, requests, phones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "before", "after"),
    [
        ("suspend_link", "active", "suspended"),
        ("revoke_link", "active", "revoked"),
        ("activate_link", "revoked", "active"),
    ],
)
async def test_a_link_changes_and_is_read_back(site: Site, write: str, before: str, after: str) -> None:
    site.unhide()
    site.run("UPDATE mod4_driver_links SET status = %s WHERE id = %s::uuid", before, LINK)
    receipt = await send(site.settings(), write, LINK, {"stage": after}, {"stage": before})
    (link,) = receipt.records
    assert isinstance(link, DriverLink)
    assert (link.stage, link.email, link.driver) == (after, "musa@depot.test", MUSA)
    assert status(site, "mod4_driver_links", LINK) == after
    assert not receipt.was_applied_before


async def test_a_link_of_another_workspace_is_out_of_reach(site: Site) -> None:
    site.unhide()
    why = await refused(site, "suspend_link", OTHER_LINK, {"stage": "suspended"})
    assert "no such record in this workspace" in why
    assert status(site, "mod4_driver_links", OTHER_LINK) == "active"


@pytest.mark.parametrize("variant", ["repaired", "committed"])
@pytest.mark.parametrize(
    ("write", "row", "table", "values"),
    [
        ("suspend_link", LINK, "mod4_driver_links", {"stage": "suspended"}),
        ("approve_request", REQUEST, "onboarding_requests", {"stage": "approved"}),
        ("revoke_device", PHONE, "driver_devices", {"stage": "revoked"}),
    ],
)
async def test_row_security_makes_no_false_success(
    request: pytest.FixtureRequest, variant: str, write: str, row: str, table: str, values: dict[str, Any]
) -> None:
    site: Site = request.getfixturevalue(variant)
    whole = f"SELECT * FROM {table} WHERE id = %s::uuid"  # noqa: S608 - names of ours
    before = site.run(whole, row)
    assert "Row security" in await refused(site, write, row, values, role="session")
    assert site.run(whole, row) == before


@DATABASE_ALONE
async def test_an_update_that_touches_no_row_is_a_refusal(site: Site) -> None:
    """A policy that lets rows be seen and none be changed answers without an error."""
    site.run("CREATE POLICY see ON mod4_driver_links FOR SELECT TO mod4_session USING (true)")
    site.run("CREATE POLICY touch ON mod4_driver_links FOR UPDATE TO mod4_session USING (status = 'revoked')")
    why = await refused(site, "suspend_link", LINK, {"stage": "suspended"}, role="session")
    assert "changed no row" in why
    assert "console_role.sql" in why
    assert status(site, "mod4_driver_links", LINK) == "active"


async def test_a_request_is_decided_with_who_and_when_and_notes(site: Site) -> None:
    site.unhide()
    values = {"stage": "approved", "notes": "Seen his licence."}
    receipt = await send(site.settings(), "approve_request", REQUEST, values, {"stage": "pending", "notes": ""})
    (request,) = receipt.records
    assert isinstance(request, OnboardingRequest)
    assert (request.stage, request.notes, request.reviewed_by) == ("approved", "Seen his licence.", BOSS)
    assert request.reviewed_ms is not None


async def test_two_consoles_that_approve_the_same_request_do_it_once(site: Site) -> None:
    site.unhide()
    seen = {"stage": "pending"}
    mine, theirs = site.settings(), site.settings(acting_user="rival@depot.test")
    first, second = await asyncio.gather(
        send(mine, "approve_request", REQUEST, {"stage": "approved"}, seen),
        send(theirs, "approve_request", REQUEST, {"stage": "approved"}, seen),
        return_exceptions=True,
    )
    told = [one for one in (first, second) if not isinstance(one, BaseException)]
    assert sum(not one.was_applied_before for one in told) == 1
    for one in (first, second):
        assert not isinstance(one, BaseException) or isinstance(one, Conflict), repr(one)
    assert site.one("SELECT reviewed_by::text FROM onboarding_requests WHERE id = %s::uuid", REQUEST) in (BOSS, RIVAL)
    again = await send(theirs, "approve_request", REQUEST, {"stage": "approved"}, seen)
    assert again.was_applied_before
    assert "somebody else" in again.answer


async def test_a_request_that_was_rejected_meanwhile_is_a_conflict(site: Site) -> None:
    site.unhide()
    await send(site.settings(), "reject_request", REQUEST, {"stage": "rejected"}, {"stage": "pending"})
    with pytest.raises(Conflict) as found:
        await send(site.settings(), "approve_request", REQUEST, {"stage": "approved"}, {"stage": "pending"})
    assert found.value.theirs == {"stage": "rejected"}


async def test_a_phone_is_revoked_with_who_did_it(site: Site) -> None:
    site.unhide()
    await send(site.settings(), "revoke_device", PHONE, {"stage": "revoked"}, {"stage": "trusted"})
    row = site.run("SELECT is_trusted, revoked_at IS NOT NULL, revoked_by::text FROM driver_devices")
    assert row == [(False, True, BOSS)]


# Invitations and linking ---------------------------------------------------------------------------------------------


async def test_an_invitation_is_made_once_whatever_the_tries(site: Site) -> None:
    receipt = await send(site.settings(), "invite", "", {"email": " Fresh@Depot.test "})
    (made,) = receipt.records
    assert isinstance(made, Invitation)
    assert (made.email, made.stage, made.role) == ("fresh@depot.test", "pending", "driver")
    token = site.one("SELECT invitation_token FROM user_invitations WHERE email = 'fresh@depot.test'")
    again = await send(site.settings(), "invite", "", {"email": "fresh@depot.test"}, doubtful=True)
    assert again.was_applied_before
    assert site.one("SELECT invitation_token FROM user_invitations WHERE email = 'fresh@depot.test'") == token
    assert str(token) not in repr(receipt)


@pytest.mark.parametrize("email", ["", "no address", "a@b", "a@b c.test"])
async def test_what_is_no_address_is_refused_here(site: Site, email: str) -> None:
    assert "no e-mail address" in await refused(site, "invite", "", {"email": email})


async def test_who_is_no_administrator_cannot_invite(site: Site) -> None:
    with pytest.raises(RecordRejected, match="Only an owner or administrator"):
        await send(site.settings(acting_user="member@depot.test"), "invite", "", {"email": "x@depot.test"})


async def test_an_invitation_is_revoked_and_sent_again(site: Site) -> None:
    settings = site.settings()
    receipt = await send(settings, "revoke_invitation", INVITATION, {"stage": "revoked"}, {"stage": "pending"})
    assert getattr(receipt.records[0], "stage", "") == "revoked"
    receipt = await send(settings, "resend_invitation", INVITATION, {"stage": "pending"}, {"stage": "revoked"})
    assert {getattr(one, "stage", "") for one in receipt.records} == {"revoked", "pending"}
    assert site.one("SELECT count(*) FROM user_invitations WHERE status = 'pending'") == 1


async def test_an_expired_invitation_is_renewed_in_place(site: Site) -> None:
    site.run("UPDATE user_invitations SET expires_at = now() - interval '1 day'")
    receipt = await send(site.settings(), "resend_invitation", INVITATION, {"stage": "pending"}, {"stage": "expired"})
    assert getattr(receipt.records[0], "stage", "") == "pending"
    assert site.one("SELECT count(*) FROM user_invitations") == 1


async def test_an_account_is_linked_directly_where_the_function_works(site: Site, committed: Site) -> None:
    receipt = await send(site.settings(), "link_directly", "", {"email": "stranger@else.test"})
    (link,) = receipt.records
    assert isinstance(link, DriverLink)
    assert (link.stage, link.method) == ("active", "admin_direct")
    assert link.driver
    assert "user_roles.role" in await refused(committed, "link_directly", "", {"email": "stranger@else.test"})
    assert committed.one("SELECT count(*) FROM mod4_driver_links") == 2


async def test_an_address_without_an_account_cannot_be_linked(site: Site) -> None:
    assert "no account" in await refused(site, "link_directly", "", {"email": "unheard@of.test"})


# Batches -------------------------------------------------------------------------------------------------------------


async def test_a_batch_is_assigned_started_and_completed(site: Site) -> None:
    settings = site.settings()
    wanted = {"driver": AISHA, "vehicle": TRUCK, "stage": "assigned"}
    seen = {"driver": "", "vehicle": "", "stage": "planned"}
    receipt = await send(settings, "assign_batch", PLANNED, wanted, seen)
    (batch,) = receipt.records
    assert isinstance(batch, DeliveryBatch)
    assert (batch.driver, batch.vehicle, batch.stage) == (AISHA, TRUCK, "assigned")
    assert [stop.facility for stop in batch.lines or ()] == [CLINIC, HOSPITAL]
    receipt = await send(settings, "start_batch", PLANNED, {"stage": "in_progress"}, {"stage": "assigned"})
    (batch,) = receipt.records
    assert isinstance(batch, DeliveryBatch)
    assert batch.is_locked
    assert batch.started_ms is not None
    receipt = await send(settings, "complete_batch", PLANNED, {"stage": "completed"}, {"stage": "in_progress"})
    assert status(site, "delivery_batches", PLANNED) == "completed"
    again = await send(
        settings, "complete_batch", PLANNED, {"stage": "completed"}, {"stage": "in_progress"}, doubtful=True
    )
    assert again.was_applied_before


async def test_starting_moves_the_requisitions(site: Site) -> None:
    await send(site.settings(), "start_batch", ASSIGNED, {"stage": "in_progress"}, {"stage": "assigned"})
    assert site.one("SELECT status FROM requisitions") == "in_transit"


async def test_as_committed_a_batch_can_be_assigned_and_not_started(committed: Site) -> None:
    wanted = {"driver": AISHA, "vehicle": TRUCK, "stage": "assigned"}
    await send(committed.settings(), "assign_batch", PLANNED, wanted)
    assert status(committed, "delivery_batches", PLANNED) == "assigned"
    why = await refused(committed, "start_batch", PLANNED, {"stage": "in_progress"})
    assert "freeze_batch" in why
    assert "repair.sql" in why
    assert status(committed, "delivery_batches", PLANNED) == "assigned"
    await send(committed.settings(), "cancel_batch", PLANNED, {"stage": "cancelled"}, {"stage": "assigned"})
    assert status(committed, "delivery_batches", PLANNED) == "cancelled"


async def test_a_function_that_fails_inside_is_told_in_the_server_s_words(site: Site) -> None:
    site.run(
        "DROP FUNCTION start_dispatch(uuid);"
        "CREATE FUNCTION start_dispatch(p_batch_id uuid) RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'The depot is closed'; END $$;"
        "GRANT EXECUTE ON FUNCTION start_dispatch(uuid) TO biko_console"
    )
    why = await refused(site, "start_batch", ASSIGNED, {"stage": "in_progress"})
    assert "The depot is closed" in why
    assert status(site, "delivery_batches", ASSIGNED) == "assigned"


async def test_a_function_that_does_nothing_and_says_so_or_not_is_no_success(site: Site) -> None:
    for returned, kind in (("false", "boolean"), ("true", "boolean")):
        site.run("DROP FUNCTION start_dispatch(uuid)")
        site.run(
            f"CREATE FUNCTION start_dispatch(p_batch_id uuid) RETURNS {kind} LANGUAGE sql AS $$ SELECT {returned} $$"
        )
        site.run("GRANT EXECUTE ON FUNCTION start_dispatch(uuid) TO biko_console")
        await refused(site, "start_batch", ASSIGNED, {"stage": "in_progress"})
        assert status(site, "delivery_batches", ASSIGNED) == "assigned"


@pytest.mark.parametrize(
    ("write", "values", "word"),
    [
        ("start_batch", {"stage": "in_progress"}, "no driver and no vehicle"),
        ("complete_batch", {"stage": "completed"}, "only one in progress"),
        ("assign_batch", {"driver": FOREIGN}, "none of the workspace"),
        ("assign_batch", {"driver": AISHA, "vehicle": FOREIGN_VAN}, "none of the workspace"),
        ("assign_batch", {"vehicle": VAN}, "Choose one"),
        ("assign_batch", {"driver": "no id at all"}, "none of the workspace"),
    ],
)
async def test_what_the_lifecycle_forbids_is_refused_before(
    site: Site, write: str, values: dict[str, Any], word: str
) -> None:
    assert word in await refused(site, write, PLANNED, values)
    assert status(site, "delivery_batches", PLANNED) == "planned"
    assert site.run("SELECT driver_id, vehicle_id FROM delivery_batches WHERE id = %s::uuid", PLANNED) == [(None, None)]


async def test_a_batch_of_another_workspace_is_out_of_reach(site: Site) -> None:
    await refused(site, "cancel_batch", FOREIGN_BATCH, {"stage": "cancelled"})
    assert status(site, "delivery_batches", FOREIGN_BATCH) == "planned"


async def test_a_driver_changed_there_meanwhile_is_a_conflict(site: Site) -> None:
    site.run("UPDATE delivery_batches SET driver_id = %s::uuid WHERE id = %s::uuid", MUSA, PLANNED)
    with pytest.raises(Conflict) as found:
        await send(site.settings(), "assign_batch", PLANNED, {"driver": AISHA}, {"driver": ""})
    assert found.value.theirs == {"driver": MUSA}


async def test_without_the_function_the_table_serves_by_the_same_rules(site: Site) -> None:
    site.run("DROP FUNCTION start_dispatch(uuid); DROP FUNCTION assign_driver_to_batch(uuid, uuid)")
    settings = site.settings()
    await send(settings, "assign_batch", PLANNED, {"driver": AISHA, "vehicle": TRUCK})
    assert status(site, "delivery_batches", PLANNED) == "assigned"
    await send(settings, "start_batch", PLANNED, {"stage": "in_progress"})
    assert site.one("SELECT is_snapshot_locked FROM delivery_batches WHERE id = %s::uuid", PLANNED)


# Runs ----------------------------------------------------------------------------------------------------------------


async def test_a_run_walks_its_stages_and_no_others(site: Site) -> None:
    settings, key = site.settings(), an_id("run key")
    receipt = await send(settings, "new_run", "", {"batch": ASSIGNED, "notes": "First"}, key=key)
    (run,) = receipt.records
    assert isinstance(run, DispatchRun)
    assert (run.peer_id, run.driver, run.vehicle, run.stops_total) == (key, MUSA, VAN, 1)
    again = await send(settings, "new_run", "", {"batch": ASSIGNED, "notes": "First"}, key=key, doubtful=True)
    assert again.was_applied_before
    assert "finish or cancel it first" in await refused(site, "new_run", "", {"batch": ASSIGNED})
    assert "only from dispatched" in await refused(site, "depart_run", key, {"stage": "in_transit"})
    for write, stage in (("dispatch_run", "dispatched"), ("depart_run", "in_transit"), ("complete_run", "completed")):
        receipt = await send(settings, write, key, {"stage": stage})
        assert getattr(receipt.records[0], "stage", "") == stage
    assert "only from" in await refused(site, "cancel_run", key, {"stage": "cancelled", "cancel_reason": "Rain"})
    assert site.one("SELECT count(*) FROM dispatch_runs") == 1


async def test_a_run_is_cancelled_with_its_reason(site: Site) -> None:
    key = an_id("another key")
    await send(site.settings(), "new_run", "", {"batch": ASSIGNED}, key=key)
    await send(site.settings(), "cancel_run", key, {"stage": "cancelled", "cancel_reason": "Rain"})
    assert site.run("SELECT status, cancel_reason FROM dispatch_runs") == [("cancelled", "Rain")]


# Switches and defects ------------------------------------------------------------------------------------------------


async def test_a_switched_off_console_changes_nothing(site: Site) -> None:
    with pytest.raises(RecordRejected, match="switched off"):
        await send(site.settings(changes=False), "suspend_link", LINK, {"stage": "suspended"})
    assert status(site, "mod4_driver_links", LINK) == "active"


async def test_an_id_that_is_none_is_a_refusal_and_not_a_crash(site: Site) -> None:
    await refused(site, "suspend_link", "'; DROP TABLE drivers; --", {"stage": "suspended"})
    assert site.one("SELECT count(*) FROM drivers") == 3


async def test_a_driver_without_a_dispatch_record_stays_linked_and_is_told(site: Site) -> None:
    site.unhide()
    site.run("UPDATE mod4_driver_links SET driver_id = NULL WHERE user_id = %s::uuid", DRIVER_LOGIN)
    receipt = await send(site.settings(), "suspend_link", LINK, {"stage": "suspended"})
    assert getattr(receipt.records[0], "driver", None) == ""
