"""Who sees and changes what at the platform, and how people come in (biko.md 3.3 to 3.9, 7 items 3, 5, 10, 13)."""

from __future__ import annotations

import pytest
from psycopg import errors

from adapters.mod4.simulator.people import Person
from adapters.mod4.simulator.work import STRANGER
from tests.helpers.mod4_platform import Scratch


def driver(scratch: Scratch, standing: str) -> Person:
    return next(person for person in scratch.world.crew.drivers if person.standing == standing)


def login(person: Person) -> str:
    assert person.user is not None
    return person.user.id


# -- row security


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("mod4_otp_codes", "status = 'expired'"),
        ("onboarding_requests", "status = 'approved'"),
        ("mod4_driver_links", "status = 'suspended'"),
        ("driver_devices", "is_trusted = false"),
    ],
)
def test_an_administrators_change_touches_no_row_and_says_nothing(scratch: Scratch, table: str, change: str) -> None:
    assert scratch.scalar(f"SELECT count(*) FROM {table}") > 0  # noqa: S608
    assert scratch.as_user(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    assert scratch.as_user(f"UPDATE {table} SET {change}") == 0  # noqa: S608


def test_a_driver_sees_the_own_link_and_devices_and_changes_only_the_devices(scratch: Scratch) -> None:
    user = login(driver(scratch, "active"))
    assert scratch.as_user("SELECT count(*) FROM mod4_driver_links", user=user) == 1
    assert scratch.as_user("UPDATE mod4_driver_links SET status = 'active'", user=user) == 0
    assert scratch.as_user("SELECT count(*) FROM driver_devices", user=user) == 1
    assert scratch.as_user("UPDATE driver_devices SET device_name = 'mine'", user=user) == 1


def test_requests_come_from_anybody_and_are_read_by_nobody(scratch: Scratch) -> None:
    insert = "INSERT INTO onboarding_requests (full_name) VALUES ('No Contact')"
    assert scratch.as_user(insert, role="anon") == 1
    assert scratch.as_user("SELECT count(*) FROM onboarding_requests", role="anon") == 0


def test_codes_cannot_be_written_either(scratch: Scratch) -> None:
    insert = "INSERT INTO mod4_otp_codes (target_email, otp_code, workspace_id) VALUES ('a', 'b', %s)"
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        scratch.as_user(insert, scratch.world.workspace_id)


def test_the_road_is_read_by_members_and_not_changed(scratch: Scratch) -> None:
    elsewhere = scratch.world.other_crew.staff[0].id
    for table in ("mod4_events", "driver_sessions", "route_history", "warehouses"):
        assert scratch.as_user(f"SELECT count(*) FROM {table}", user=elsewhere) > 0  # noqa: S608
    assert scratch.as_user("UPDATE route_history SET status = 'completed'") == 0
    assert scratch.as_user("SELECT count(*) FROM delivery_logs") > 0
    assert scratch.as_user("SELECT count(*) FROM delivery_logs", user=elsewhere) == 0


def test_batches_are_changed_by_their_workspace_only(scratch: Scratch) -> None:
    elsewhere = scratch.world.other_crew.staff[0].id
    change = "UPDATE delivery_batches SET notes = 'seen' WHERE workspace_id = %s"
    assert scratch.as_user("SELECT count(*) FROM delivery_batches", user=elsewhere) == 19
    assert scratch.as_user(change, scratch.world.workspace_id, user=elsewhere) == 0
    assert scratch.as_user(change, scratch.world.workspace_id) == 18


def test_records_stay_as_they_are(scratch: Scratch) -> None:
    for table in ("mod4_events", "delivery_logs"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET metadata = '{{}}'"):  # noqa: S608
            with pytest.raises(errors.RaiseException, match="append-only"):
                scratch.rows(statement)


# -- lists


def test_lists_ask_for_no_membership_of_the_caller(scratch: Scratch) -> None:
    elsewhere = scratch.world.other_crew.staff[0].id
    for function in ("get_mod4_linked_users", "get_driver_devices"):
        count = f"SELECT count(*) FROM public.{function}(%s)"  # noqa: S608
        assert scratch.as_user(count, scratch.world.workspace_id, user=elsewhere) == 11
        assert scratch.as_user(count, scratch.world.other_workspace_id) == 2
    everybody = scratch.as_user("SELECT count(*) FROM public.get_active_drivers_with_positions()", user=elsewhere)
    assert everybody == len(scratch.world.of("in-progress"))


def test_invitations_are_shown_to_members_and_never_to_a_direct_connection(scratch: Scratch) -> None:
    assert scratch.as_user("SELECT count(*) FROM all_invitations_view") == 5
    assert scratch.as_user("SELECT count(*) FROM pending_invitations_view WHERE hours_until_expiry > 0") == 2
    assert scratch.as_user("SELECT count(*) FROM all_invitations_view", user=scratch.world.other_crew.staff[0].id) == 0
    assert scratch.rows("SELECT * FROM all_invitations_view") == []
    with pytest.raises(errors.InsufficientPrivilege):
        scratch.as_console("SELECT * FROM all_invitations_view")


def test_nobody_expires_invitations_until_somebody_calls(scratch: Scratch) -> None:
    late = "SELECT status, expired_at IS NOT NULL FROM user_invitations WHERE email = 'late.reply@mail.example'"
    assert scratch.rows(late) == [("pending", False)]
    assert scratch.scalar("SELECT public.expire_old_invitations()") == 1
    assert scratch.rows(late) == [("expired", True)]


# -- coming in


def test_an_invitation_is_answered_with_an_object_and_accepted_by_its_addressee_only(scratch: Scratch) -> None:
    stranger = str(scratch.scalar("SELECT id FROM auth.users WHERE email = %s", STRANGER))
    made = scratch.as_user(
        "SELECT public.invite_user(%s, %s, 'driver', 'member')", STRANGER, scratch.world.workspace_id
    )
    assert set(made) == {"id", "invitation_token"}
    token = made["invitation_token"]
    seen = scratch.as_user("SELECT public.get_invitation_by_token(%s)", token, role="anon")
    assert (seen["email"], seen["is_valid"], seen["role_code"]) == (STRANGER, True, "driver")
    with pytest.raises(errors.RaiseException, match="different email"):
        scratch.as_user("SELECT public.accept_invitation(%s)", token)
    answer = scratch.as_user("SELECT public.accept_invitation(%s)", token, user=stranger)
    assert answer == {
        "success": True,
        "workspace_id": scratch.world.workspace_id,
        "workspace_name": "Northern Distribution",
        "role_code": "driver",
        "workspace_role": "member",
    }
    link = "SELECT status, link_method, driver_id FROM mod4_driver_links WHERE user_id = %s"
    assert scratch.rows(link, stranger) == [("active", "email_invitation", None)]
    with pytest.raises(errors.RaiseException, match="invalid or has expired"):
        scratch.as_user("SELECT public.accept_invitation(%s)", token, user=stranger)


def test_only_administrators_invite_and_revoke(scratch: Scratch) -> None:
    viewer = scratch.world.crew.staff[2].id
    pending = scratch.world.id("invitation", 0)
    with pytest.raises(errors.InsufficientPrivilege, match="owners and admins"):
        scratch.as_user("SELECT public.invite_user('x@y.example', %s)", scratch.world.workspace_id, user=viewer)
    with pytest.raises(errors.InsufficientPrivilege, match="owners and admins"):
        scratch.as_user("SELECT public.revoke_invitation(%s)", pending, user=viewer)
    assert scratch.as_user("SELECT public.revoke_invitation(%s)", pending) is True
    with pytest.raises(errors.RaiseException, match="not pending"):
        scratch.as_user("SELECT public.revoke_invitation(%s)", pending)


def test_a_revoked_driver_who_accepts_is_active_again(scratch: Scratch) -> None:
    person = driver(scratch, "revoked")
    scratch.rows("UPDATE workspace_members SET status = 'inactive' WHERE user_id = %s", login(person))
    token = scratch.as_user("SELECT public.invite_user(%s, %s, 'driver')", person.email, scratch.world.workspace_id)[
        "invitation_token"
    ]
    scratch.as_user("SELECT public.accept_invitation(%s)", token, user=login(person))
    link = "SELECT status, link_method, driver_id::text FROM mod4_driver_links WHERE user_id = %s"
    assert scratch.rows(link, login(person)) == [("active", "otp", person.driver_id)]


def test_a_device_asks_three_times_a_day(scratch: Scratch) -> None:
    submit = "SELECT public.submit_onboarding_request('Some One', '+2348', NULL, NULL, %s)"
    for _ in range(3):
        scratch.as_user(submit, "same", role="anon")
    with pytest.raises(errors.RaiseException, match="Too many requests"):
        scratch.as_user(submit, "same", role="anon")
    for _ in range(4):
        scratch.as_user(submit, None, role="anon")
    with pytest.raises(errors.RaiseException, match="Phone or email"):
        scratch.as_user("SELECT public.submit_onboarding_request('Some One', ' ')", role="anon")


def test_a_number_is_looked_up_for_active_drivers_only(scratch: Scratch) -> None:
    look = "SELECT public.lookup_driver_email(%s)"
    active, suspended = driver(scratch, "active"), driver(scratch, "suspended")
    assert scratch.as_user(look, active.phone, role="anon") == active.email
    assert scratch.as_user(look, suspended.phone, role="anon") is None


def test_a_device_is_valid_while_it_is_trusted(scratch: Scratch) -> None:
    user, valid = login(driver(scratch, "active")), "SELECT public.validate_driver_device('phone-0000')"
    assert scratch.as_user(valid, user=user) is True
    assert scratch.as_user("SELECT public.validate_driver_device('another')", user=user) is False
    scratch.as_console("UPDATE driver_devices SET is_trusted = false, revoked_at = now() WHERE user_id = %s", user)
    assert scratch.as_user(valid, user=user) is False


def test_a_pin_has_four_digits_and_makes_a_device_trusted_again(scratch: Scratch) -> None:
    user = login(driver(scratch, "active"))
    scratch.rows("UPDATE driver_devices SET is_trusted = false, revoked_at = now() WHERE user_id = %s", user)
    complete = "SELECT public.complete_driver_activation(%s, 'phone-0000', p_display_name => 'A New Name')"
    for bad in ("123", "12345", "12a4"):
        with pytest.raises(errors.RaiseException, match="exactly 4 digits"):
            scratch.as_user(complete, bad, user=user)
    assert scratch.as_user(complete, "4821", user=user) is True
    assert scratch.rows("SELECT is_trusted, revoked_at FROM driver_devices WHERE user_id = %s", user) == [(True, None)]
    assert scratch.scalar("SELECT name FROM drivers WHERE id = %s", driver(scratch, "active").driver_id) == "A New Name"
    with pytest.raises(errors.InsufficientPrivilege):
        scratch.as_user(complete, "4821", role="anon")
