"""What the platform's database lets happen, in both variants (biko.md 3, 4 and 7)."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest
from psycopg import errors

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.schema import CONSOLE_ROLE, SESSION_ROLE
from adapters.mod4.simulator.work import CODE_EMAIL, FRESH_CODE, STRANGER
from tests.helpers.mod4_platform import (  # noqa: F401 - fixtures
    as_committed,
    either,
    make_mod4,
    mod4_first_days,
    mod4_server,
    repaired,
)

BATCH = "SELECT status, is_snapshot_locked, batch_snapshot, actual_start_time, actual_end_time, driver_id, vehicle_id"


def scalar(platform: Platform, statement: str, *values: Any) -> Any:
    return platform.rows(statement, *values)[0][0]


def as_user(platform: Platform, statement: str, *values: Any, user: str = "") -> Any:
    """The first value, or the number of changed rows, of a statement of a signed-in user under row security."""
    person = user or platform.world.owner.id
    with platform.server.connect(platform.database, role=SESSION_ROLE) as connection:
        claims = json.dumps({"sub": person, "role": "authenticated"})
        connection.execute("SELECT set_config('request.jwt.claims', %s, false)", [claims])
        cursor = connection.execute(statement.encode(), values or None)
        if not cursor.description:
            return cursor.rowcount
        row = cursor.fetchone()
        return row[0] if row else None


def as_console(platform: Platform, statement: str, *values: Any) -> Any:
    with platform.server.connect(platform.database, role=CONSOLE_ROLE) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        if not cursor.description:
            return cursor.rowcount
        row = cursor.fetchone()
        return row[0] if row else None


def a_batch(platform: Platform, status: str) -> str:
    return platform.world.of(status)[0].id


# -- both variants install


def test_every_table_and_view_of_the_reference_is_there_and_under_row_security(either: Platform) -> None:  # noqa: F811
    secured = dict(either.rows("SELECT tablename, rowsecurity FROM pg_tables WHERE schemaname = 'public'"))
    wanted = """
        workspaces workspace_members roles user_roles profiles mod4_driver_links mod4_otp_codes onboarding_requests
        driver_devices user_invitations drivers driver_availability driver_documents driver_vehicle_history vehicles
        warehouses facilities delivery_batches batch_slot_assignments batch_invoice_links requisitions dispatch_runs
        delivery_schedules handoffs mod4_events mod4_event_sync_queue route_history delivery_logs facility_deliveries
        driver_sessions driver_events driver_gps_events vehicle_trips system_settings
    """.split()
    assert {table: secured.get(table) for table in wanted} == dict.fromkeys(wanted, True)
    views = {name for (name,) in either.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'")}
    assert views == {"all_invitations_view", "pending_invitations_view"}


def test_the_repair_may_run_again_and_changes_no_signature(repaired: Platform) -> None:  # noqa: F811
    signatures = (
        "SELECT oid::regprocedure::text, prosrc, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    before = sorted(repaired.rows(signatures))
    repaired.repair()
    assert sorted(repaired.rows(signatures)) == before


def test_a_platform_as_committed_becomes_a_repaired_one(as_committed: Platform, repaired: Platform) -> None:  # noqa: F811
    functions = "SELECT oid::regprocedure::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert sorted(as_committed.rows(functions)) != sorted(repaired.rows(functions))
    as_committed.repair()
    assert sorted(as_committed.rows(functions)) == sorted(repaired.rows(functions))
    as_committed.rows("SELECT public.start_dispatch(%s)", a_batch(as_committed, "assigned"))


# -- codes


def test_a_code_is_six_digits_kept_as_a_hash_and_voids_the_older_ones(repaired: Platform) -> None:  # noqa: F811
    code = scalar(
        repaired, "SELECT public.generate_mod4_otp(%s, %s)", f" {CODE_EMAIL.upper()} ", repaired.world.workspace_id
    )
    assert re.fullmatch(r"\d{6}", code)
    rows = repaired.rows("SELECT status, otp_code, expires_at - created_at = '15 minutes', max_attempts, created_by "
                         "FROM mod4_otp_codes WHERE target_email = %s ORDER BY created_at DESC", CODE_EMAIL)  # fmt: skip
    assert [row[0] for row in rows] == ["pending", "expired", "expired"]
    hashed = rows[0][1]
    assert (len(hashed), hashed[:7], code in hashed) == (60, "$2a$08$", False)
    assert (rows[0][2], rows[0][3], str(rows[0][4])) == (True, 5, repaired.world.owner.id)
    assert scalar(repaired, "SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None
    assert scalar(repaired, "SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, code) == CODE_EMAIL


def test_a_right_code_makes_link_role_membership_driver_and_password(repaired: Platform) -> None:  # noqa: F811
    assert scalar(repaired, "SELECT public.verify_mod4_otp('+2348036600001', %s)", FRESH_CODE) == CODE_EMAIL
    (found,) = repaired.rows(
        """SELECT l.status, l.link_method, l.linked_by = u.id, d.license_type, d.shift_start::text, d.max_hours,
            d.status, d.onboarding_completed, d.workspace_id::text, m.role, r.code,
            u.encrypted_password = extensions.crypt(%s, u.encrypted_password)
        FROM auth.users u JOIN mod4_driver_links l ON l.user_id = u.id JOIN drivers d ON d.id = l.driver_id
        JOIN workspace_members m ON m.user_id = u.id JOIN user_roles ur ON ur.user_id = u.id
        JOIN roles r ON r.id = ur.role_id WHERE u.email = %s""",
        FRESH_CODE, CODE_EMAIL,
    )  # fmt: skip
    assert found == ("active", "otp", True, "standard", "08:00:00", 8, "available", False, repaired.world.workspace_id,
                     "member", "driver", True)  # fmt: skip
    assert scalar(repaired, "SELECT status FROM mod4_otp_codes WHERE used_at > now() - interval '1 minute'") == "used"
    assert scalar(repaired, "SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None


def test_five_wrong_tries_use_a_code_up_and_leave_it_pending(either: Platform) -> None:  # noqa: F811
    for _ in range(5):
        assert scalar(either, "SELECT public.verify_mod4_otp(%s, '000000')", CODE_EMAIL) is None
    left = "SELECT status, attempts FROM mod4_otp_codes WHERE target_email = %s AND status = 'pending'"
    assert either.rows(left, CODE_EMAIL) == [("pending", 5)]
    assert scalar(either, "SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None
    assert either.rows(left, CODE_EMAIL) == [("pending", 5)]


def test_a_stranger_has_no_account_and_so_no_way_in(repaired: Platform) -> None:  # noqa: F811
    code = scalar(
        repaired, "SELECT public.generate_mod4_otp('nobody@nowhere.example', %s)", repaired.world.workspace_id
    )
    assert scalar(repaired, "SELECT public.verify_mod4_otp('nobody@nowhere.example', %s)", code) is None


def test_as_committed_no_code_is_made(as_committed: Platform) -> None:  # noqa: F811
    with pytest.raises(errors.UndefinedFunction, match="gen_random_bytes"):
        as_committed.rows("SELECT public.generate_mod4_otp(%s, %s)", CODE_EMAIL, as_committed.world.workspace_id)
    assert as_committed.rows("SELECT status FROM mod4_otp_codes WHERE target_email = %s ORDER BY 1", CODE_EMAIL) == [
        ("expired",), ("pending",)
    ]  # fmt: skip


def test_as_committed_a_right_code_fails_and_takes_its_count_back_a_wrong_one_counts(as_committed: Platform) -> None:  # noqa: F811
    attempts = "SELECT attempts FROM mod4_otp_codes WHERE target_email = %s AND status = 'pending'"
    assert scalar(as_committed, "SELECT public.verify_mod4_otp(%s, '000000')", CODE_EMAIL) is None
    assert scalar(as_committed, attempts, CODE_EMAIL) == 1
    with pytest.raises(errors.UndefinedColumn, match='column "role" of relation "user_roles"'):
        as_committed.rows("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE)
    assert scalar(as_committed, attempts, CODE_EMAIL) == 1


def test_as_committed_the_next_hurdle_is_the_driver_without_a_workspace(as_committed: Platform) -> None:  # noqa: F811
    as_committed.rows("ALTER TABLE user_roles ADD COLUMN role text, ALTER COLUMN role_id DROP NOT NULL")
    with pytest.raises(errors.NotNullViolation, match="workspace_id"):
        as_committed.rows("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE)


# -- linking by an administrator


def stranger(platform: Platform) -> str:
    return str(scalar(platform, "SELECT id FROM auth.users WHERE email = %s", STRANGER))


def test_linking_makes_everything_and_brings_a_revoked_link_back(repaired: Platform) -> None:  # noqa: F811
    link = as_user(repaired, "SELECT public.link_user_to_mod4(%s)", stranger(repaired))
    assert repaired.rows("SELECT l.link_method, l.linked_by::text, d.workspace_id::text FROM mod4_driver_links l "
                         "JOIN drivers d ON d.id = l.driver_id WHERE l.id = %s", link) == [
        ("admin_direct", repaired.world.owner.id, repaired.world.workspace_id)]  # fmt: skip
    repaired.rows("UPDATE mod4_driver_links SET status = 'revoked' WHERE id = %s", link)
    assert as_user(repaired, "SELECT public.link_user_to_mod4(%s, 'admin_direct')", stranger(repaired)) == link
    assert scalar(repaired, "SELECT status FROM mod4_driver_links WHERE id = %s", link) == "active"


def test_as_committed_the_default_method_is_one_that_the_table_refuses(as_committed: Platform) -> None:  # noqa: F811
    with pytest.raises(errors.CheckViolation, match="link_method"):
        as_user(as_committed, "SELECT public.link_user_to_mod4(%s)", stranger(as_committed))
    with pytest.raises(errors.UndefinedColumn, match='"role"'):
        as_user(as_committed, "SELECT public.link_user_to_mod4(%s, 'admin_direct')", stranger(as_committed))


def test_a_direct_connection_has_no_caller_whom_a_link_could_name(repaired: Platform) -> None:  # noqa: F811
    with pytest.raises(errors.NotNullViolation, match="linked_by"):
        repaired.rows(
            "SELECT public.link_user_to_mod4(%s, 'admin_direct', %s)", stranger(repaired), repaired.world.workspace_id
        )


# -- batches


def test_a_batch_goes_from_planned_to_completed(repaired: Platform) -> None:  # noqa: F811
    batch, driver = repaired.world.of("planned")[0], repaired.world.working()[0]
    with pytest.raises(errors.RaiseException, match="driver and vehicle are required"):
        repaired.rows("SELECT public.start_dispatch(%s)", batch.id)
    repaired.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch.id, driver.driver_id)
    assert scalar(repaired, "SELECT status FROM delivery_batches WHERE id = %s", batch.id) == "assigned"
    repaired.rows("UPDATE delivery_batches SET vehicle_id = %s WHERE id = %s",
                  next(iter(repaired.world.vehicles.values())), batch.id)  # fmt: skip
    repaired.rows("SELECT public.start_dispatch(%s)", batch.id)
    (row,) = repaired.rows(f"{BATCH} FROM delivery_batches WHERE id = %s", batch.id)
    assert (row[0], row[1], row[3] is not None) == ("in-progress", True, True)
    assert row[2]["facility_ids"] == list(batch.stops)
    states = "SELECT DISTINCT status FROM requisitions WHERE batch_id = %s"
    assert repaired.rows(states, batch.id) == [("in_transit",)]
    repaired.rows("SELECT public.complete_dispatch(%s)", batch.id)
    assert repaired.rows(states, batch.id) == [("fulfilled",)]
    assert scalar(repaired, "SELECT actual_end_time IS NOT NULL FROM delivery_batches WHERE id = %s", batch.id)


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("facility_ids = facility_ids[2:]", ()),
        ("total_quantity = total_quantity + 1", ()),
        ("optimized_route = '{}'", ()),
        ("vehicle_id = (SELECT v.id FROM vehicles v WHERE v.id <> delivery_batches.vehicle_id LIMIT 1)", ()),
        ("status = 'planned'", ()),
    ],
)
def test_a_batch_that_left_is_locked(repaired: Platform, change: str, values: tuple[Any, ...]) -> None:  # noqa: F811
    with pytest.raises(errors.RaiseException, match="is locked"):
        repaired.rows(f"UPDATE delivery_batches SET {change} WHERE id = %s", a_batch(repaired, "in-progress"))


def test_the_lock_leaves_open_what_the_platform_leaves_open(repaired: Platform) -> None:  # noqa: F811
    batch = a_batch(repaired, "in-progress")
    other = repaired.world.working()[-1].driver_id
    repaired.rows("UPDATE delivery_batches SET driver_id = %s, vehicle_id = NULL WHERE id = %s", other, batch)
    with pytest.raises(errors.RaiseException, match="locked"):
        repaired.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch, other)
    for status in ("completed", "in-progress", "cancelled"):
        repaired.rows("UPDATE delivery_batches SET status = %s WHERE id = %s", status, batch)
    assert repaired.rows("SELECT DISTINCT status FROM requisitions WHERE batch_id = %s", batch) == [("in_transit",)]


def test_cancelling_before_the_start_gives_requisitions_back(either: Platform) -> None:  # noqa: F811
    batch = a_batch(either, "assigned")
    (first, *_), count = either.rows("SELECT id FROM requisitions WHERE batch_id = %s", batch)[0], "ready_for_dispatch"
    either.rows("UPDATE delivery_batches SET status = 'cancelled' WHERE id = %s", batch)
    assert either.rows("SELECT status, batch_id FROM requisitions WHERE id = %s", first) == [(count, None)]


def test_refusals_name_what_is_not_there(either: Platform) -> None:  # noqa: F811
    nobody = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(errors.RaiseException, match="Driver .* not found"):
        either.rows("SELECT public.assign_driver_to_batch(%s, %s)", a_batch(either, "planned"), nobody)
    with pytest.raises(errors.RaiseException, match="Batch .* not found"):
        either.rows("SELECT public.start_dispatch(%s)", nobody)
    with pytest.raises(errors.RaiseException, match="in status completed"):
        either.rows("SELECT public.complete_dispatch(%s)", a_batch(either, "completed"))


def test_as_committed_no_batch_starts_by_function_or_by_hand(as_committed: Platform) -> None:  # noqa: F811
    batch = as_committed.world.of("planned")[0]
    driver = as_committed.world.working()[0].driver_id
    as_committed.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch.id, driver)
    as_committed.rows("UPDATE delivery_batches SET vehicle_id = %s WHERE id = %s",
                      next(iter(as_committed.world.vehicles.values())), batch.id)  # fmt: skip
    for statement in ("SELECT public.start_dispatch(%s)",
                      "UPDATE delivery_batches SET status = 'in-progress' WHERE id = %s"):  # fmt: skip
        with pytest.raises(errors.UndefinedTable, match='relation "requisitions" does not exist'):
            as_committed.rows(statement, batch.id)
    assert scalar(as_committed, "SELECT status FROM delivery_batches WHERE id = %s", batch.id) == "assigned"


def test_states_that_the_app_asks_for_are_none(either: Platform) -> None:  # noqa: F811
    for state in ("active", "in_progress"):
        with pytest.raises(errors.InvalidTextRepresentation, match="batch_status"):
            either.rows("SELECT 1 FROM delivery_batches WHERE status = %s::batch_status", state)
    for column in ("latitude", "contact_name", "contact_phone"):
        with pytest.raises(errors.UndefinedColumn):
            either.rows(f"SELECT {column} FROM facilities")
    with pytest.raises(errors.UndefinedColumn):
        either.rows("SELECT setting_key FROM system_settings")


def test_a_batch_without_its_amount_is_refused(either: Platform) -> None:  # noqa: F811
    with pytest.raises(errors.NotNullViolation, match="medication_type"):
        either.rows(
            "INSERT INTO delivery_batches (name, warehouse_id, scheduled_date, scheduled_time, total_distance, "
            "estimated_duration, optimized_route, facility_ids, workspace_id) "
            "SELECT 'x', id, current_date, '08:00', 1, 1, '{}', '{}', workspace_id FROM warehouses LIMIT 1"
        )


# -- runs


def test_a_run_follows_its_trigger_and_stamps_its_times(either: Platform) -> None:  # noqa: F811
    run = either.world.id("run", a_batch(either, "assigned"))
    for status, stamp in (
        ("dispatched", "dispatched_at"),
        ("in_transit", "departed_at"),
        ("completed", "completed_at"),
    ):
        with pytest.raises(errors.RaiseException, match="Invalid dispatch run transition"):
            either.rows("UPDATE dispatch_runs SET status = 'loading' WHERE id = %s", run)
        either.rows("UPDATE dispatch_runs SET status = %s WHERE id = %s", status, run)
        assert scalar(either, f"SELECT {stamp} IS NOT NULL FROM dispatch_runs WHERE id = %s", run)
    with pytest.raises(errors.RaiseException, match="completed -> cancelled"):
        either.rows("UPDATE dispatch_runs SET status = 'cancelled' WHERE id = %s", run)


def test_a_batch_has_one_open_run(either: Platform) -> None:  # noqa: F811
    with pytest.raises(errors.UniqueViolation):
        either.rows("INSERT INTO dispatch_runs (workspace_id, batch_id) VALUES (%s, %s)",
                    either.world.workspace_id, a_batch(either, "assigned"))  # fmt: skip


# -- console role


def test_the_consoles_role_reads_everything_it_shows_and_no_code(either: Platform) -> None:  # noqa: F811
    for table in ("mod4_driver_links", "onboarding_requests", "driver_devices", "delivery_batches", "mod4_events"):
        assert as_console(either, f"SELECT count(*) FROM {table}") > 0
    assert as_console(either, "SELECT count(id) FROM mod4_otp_codes WHERE status = 'pending'") == 3
    for forbidden in ("SELECT otp_code FROM mod4_otp_codes", "SELECT encrypted_password FROM auth.users"):
        with pytest.raises(errors.InsufficientPrivilege):
            as_console(either, forbidden)


def test_the_consoles_role_changes_what_the_console_changes_and_nothing_else(repaired: Platform) -> None:  # noqa: F811
    assert as_console(repaired, "UPDATE mod4_driver_links SET status = 'suspended', updated_at = now() WHERE status = 'active' "
                                "AND link_method = 'admin_direct'") == 1  # fmt: skip
    assert as_console(repaired, "UPDATE onboarding_requests SET status = 'approved' WHERE status = 'pending'") == 3
    as_console(repaired, "SELECT public.start_dispatch(%s)", a_batch(repaired, "assigned"))
    assert re.fullmatch(r"\d{6}", as_console(
        repaired, "SELECT public.generate_mod4_otp(%s, %s)", CODE_EMAIL, repaired.world.workspace_id))  # fmt: skip
    for forbidden in (
        "DELETE FROM mod4_driver_links", "UPDATE mod4_driver_links SET user_id = NULL", "DELETE FROM delivery_batches",
        "UPDATE workspace_members SET role = 'owner'", "UPDATE auth.users SET email = 'x'",
        "INSERT INTO mod4_events DEFAULT VALUES", "SELECT public.verify_mod4_otp('a', 'b')",
    ):  # fmt: skip
        with pytest.raises(errors.InsufficientPrivilege):
            as_console(repaired, forbidden)


def test_the_consoles_role_acts_as_a_user_where_a_function_asks_for_one(either: Platform) -> None:  # noqa: F811
    workspace = either.world.workspace_id
    with pytest.raises(psycopg.Error, match="owners and admins"):
        as_console(either, "SELECT public.invite_user('x@mail.example', %s, 'driver')", workspace)
    with either.server.connect(either.database, role=CONSOLE_ROLE) as connection:
        claims = json.dumps({"sub": either.world.owner.id})
        connection.execute("SELECT set_config('request.jwt.claims', %s, false)", [claims])
        row = connection.execute("SELECT public.invite_user(' X@Mail.example ', %s, 'driver')", [workspace]).fetchone()
        again = connection.execute("SELECT public.invite_user('x@mail.example', %s, 'driver')", [workspace]).fetchone()
    assert row is not None
    assert again is not None
    assert row[0]["id"] == again[0]["id"]
    assert row[0]["invitation_token"] != again[0]["invitation_token"]


def test_without_the_right_to_pass_row_security_the_script_gives_policies(either: Platform) -> None:  # noqa: F811
    """The owner on some hosted platforms may not make such a role: then the role's own policies do."""
    from adapters.mod4.simulator.schema import script

    with either.server.connect(either.database) as connection, connection.transaction(force_rollback=True):
        connection.execute("ALTER ROLE biko_console NOBYPASSRLS")
        connection.execute("CREATE ROLE a_modest_owner CREATEROLE")
        connection.execute("GRANT biko_console TO a_modest_owner WITH ADMIN TRUE")
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        connection.execute("ALTER SCHEMA public OWNER TO a_modest_owner")
        for (table,) in tables:
            connection.execute(f"ALTER TABLE public.{table} OWNER TO a_modest_owner".encode())
        connection.execute("GRANT USAGE ON SCHEMA auth TO a_modest_owner WITH GRANT OPTION")
        functions = connection.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
        for (function,) in functions:
            connection.execute(f"ALTER FUNCTION {function} OWNER TO a_modest_owner".encode())
        connection.execute("SET ROLE a_modest_owner")
        connection.execute(script("console_role.sql").encode())
        connection.execute("RESET ROLE")
        connection.execute("SET ROLE biko_console")
        shown = connection.execute("SELECT count(*) FROM public.onboarding_requests").fetchone()
        changed = connection.execute("UPDATE public.onboarding_requests SET status = 'approved'").rowcount
    assert shown == (5,)
    assert changed == 5
