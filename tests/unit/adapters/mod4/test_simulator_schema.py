"""What the platform's database lets happen, in both variants (biko.md 3, 4 and 7)."""

from __future__ import annotations

import re

import psycopg
import pytest
from psycopg import errors

from adapters.mod4.simulator.schema import repair, script
from adapters.mod4.simulator.work import CODE_EMAIL, FRESH_CODE, STRANGER
from tests.helpers.mod4_platform import CODE_IS_FRESH, Scratch

FUNCTIONS = "SELECT oid::regprocedure::text, prosrc"
OF_PUBLIC = "FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
BATCH = "SELECT status, is_snapshot_locked, batch_snapshot, actual_start_time, actual_end_time, driver_id, vehicle_id"


TABLES = (
    "workspaces", "workspace_members", "roles", "user_roles", "profiles", "mod4_driver_links", "mod4_otp_codes",
    "onboarding_requests", "driver_devices", "user_invitations", "drivers", "driver_availability", "driver_documents",
    "driver_vehicle_history", "vehicles", "warehouses", "facilities", "delivery_batches", "batch_slot_assignments",
    "batch_invoice_links", "requisitions", "dispatch_runs", "delivery_schedules", "handoffs", "mod4_events",
    "mod4_event_sync_queue", "route_history", "delivery_logs", "facility_deliveries", "driver_sessions",
    "driver_events", "driver_gps_events", "vehicle_trips", "system_settings",
)  # fmt: skip


def a_batch(platform: Scratch, status: str) -> str:
    return platform.world.of(status)[0].id


# -- both variants install


def test_every_table_and_view_of_the_reference_is_there_and_under_row_security(scratch: Scratch) -> None:
    secured = dict(scratch.rows("SELECT tablename, rowsecurity FROM pg_tables WHERE schemaname = 'public'"))
    assert {table: secured.get(table) for table in TABLES} == dict.fromkeys(TABLES, True)
    views = {name for (name,) in scratch.rows("SELECT viewname FROM pg_views WHERE schemaname = 'public'")}
    assert views == {"all_invitations_view", "pending_invitations_view"}


def test_the_repair_may_run_again_and_changes_no_signature(scratch_repaired: Scratch) -> None:
    signatures = (
        "SELECT oid::regprocedure::text, prosrc, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    before = sorted(scratch_repaired.rows(signatures))
    repair(scratch_repaired.connection)
    assert sorted(scratch_repaired.rows(signatures)) == before


def test_a_platform_as_committed_becomes_a_repaired_one(scratch_committed: Scratch, scratch_repaired: Scratch) -> None:
    functions = f"{FUNCTIONS} {OF_PUBLIC}"
    assert sorted(scratch_committed.rows(functions)) != sorted(scratch_repaired.rows(functions))
    repair(scratch_committed.connection)
    assert sorted(scratch_committed.rows(functions)) == sorted(scratch_repaired.rows(functions))
    scratch_committed.rows("SELECT public.start_dispatch(%s)", a_batch(scratch_committed, "assigned"))


# -- codes


def test_a_code_is_six_digits_kept_as_a_hash_and_voids_the_older_ones(scratch_repaired: Scratch) -> None:
    code = scratch_repaired.scalar(
        "SELECT public.generate_mod4_otp(%s, %s)", f" {CODE_EMAIL.upper()} ", scratch_repaired.world.workspace_id
    )
    assert re.fullmatch(r"\d{6}", code)
    rows = scratch_repaired.rows(
        "SELECT status, otp_code, expires_at - created_at = '15 minutes', max_attempts, created_by "
        "FROM mod4_otp_codes WHERE target_email = %s ORDER BY created_at DESC",
        CODE_EMAIL,
    )
    assert [row[0] for row in rows] == ["pending", "expired", "expired"]
    hashed = rows[0][1]
    assert (len(hashed), hashed[:7], code in hashed) == (60, "$2a$08$", False)
    assert (rows[0][2], rows[0][3], str(rows[0][4])) == (True, 5, scratch_repaired.world.owner.id)
    assert scratch_repaired.scalar("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None
    assert scratch_repaired.scalar("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, code) == CODE_EMAIL


def test_a_right_code_makes_link_role_membership_driver_and_password(scratch_repaired: Scratch) -> None:
    scratch_repaired.rows(CODE_IS_FRESH, CODE_EMAIL)
    assert scratch_repaired.scalar("SELECT public.verify_mod4_otp('+2348036600001', %s)", FRESH_CODE) == CODE_EMAIL
    (found,) = scratch_repaired.rows(
        """SELECT l.status, l.link_method, l.linked_by = u.id, d.license_type, d.shift_start::text, d.max_hours,
            d.status, d.onboarding_completed, d.workspace_id::text, m.role, r.code,
            u.encrypted_password = extensions.crypt(%s, u.encrypted_password)
        FROM auth.users u JOIN mod4_driver_links l ON l.user_id = u.id JOIN drivers d ON d.id = l.driver_id
        JOIN workspace_members m ON m.user_id = u.id JOIN user_roles ur ON ur.user_id = u.id
        JOIN roles r ON r.id = ur.role_id WHERE u.email = %s""",
        FRESH_CODE, CODE_EMAIL,
    )  # fmt: skip
    workspace = scratch_repaired.world.workspace_id
    ready = ("standard", "08:00:00", 8, "available", False, workspace)
    assert found == ("active", "otp", True, *ready, "member", "driver", True)
    assert scratch_repaired.scalar("SELECT count(*) FROM mod4_otp_codes WHERE used_by IS NOT NULL") == 1
    assert scratch_repaired.scalar("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None


def test_five_wrong_tries_use_a_code_up_and_leave_it_pending(scratch: Scratch) -> None:
    scratch.rows(CODE_IS_FRESH, CODE_EMAIL)
    for _ in range(5):
        assert scratch.scalar("SELECT public.verify_mod4_otp(%s, '000000')", CODE_EMAIL) is None
    left = "SELECT status, attempts FROM mod4_otp_codes WHERE target_email = %s AND status = 'pending'"
    assert scratch.rows(left, CODE_EMAIL) == [("pending", 5)]
    assert scratch.scalar("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE) is None
    assert scratch.rows(left, CODE_EMAIL) == [("pending", 5)]


def test_a_stranger_has_no_account_and_so_no_way_in(scratch_repaired: Scratch) -> None:
    code = scratch_repaired.scalar(
        "SELECT public.generate_mod4_otp('nobody@nowhere.example', %s)", scratch_repaired.world.workspace_id
    )
    assert scratch_repaired.scalar("SELECT public.verify_mod4_otp('nobody@nowhere.example', %s)", code) is None


def test_as_committed_no_code_is_made(scratch_committed: Scratch) -> None:
    with pytest.raises(errors.UndefinedFunction, match="gen_random_bytes"):
        scratch_committed.rows(
            "SELECT public.generate_mod4_otp(%s, %s)", CODE_EMAIL, scratch_committed.world.workspace_id
        )
    states = "SELECT status FROM mod4_otp_codes WHERE target_email = %s ORDER BY 1"
    assert scratch_committed.rows(states, CODE_EMAIL) == [("expired",), ("pending",)]


def test_as_committed_a_right_code_fails_with_its_count_and_a_wrong_one_counts(scratch_committed: Scratch) -> None:
    attempts = "SELECT attempts FROM mod4_otp_codes WHERE target_email = %s AND status = 'pending'"
    assert scratch_committed.scalar("SELECT public.verify_mod4_otp(%s, '000000')", CODE_EMAIL) is None
    assert scratch_committed.scalar(attempts, CODE_EMAIL) == 1
    with pytest.raises(errors.UndefinedColumn, match='column "role" of relation "user_roles"'):
        scratch_committed.rows("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE)
    assert scratch_committed.scalar(attempts, CODE_EMAIL) == 1


def test_as_committed_the_next_hurdle_is_the_driver_without_a_workspace(scratch_committed: Scratch) -> None:
    scratch_committed.rows("ALTER TABLE user_roles ADD COLUMN role text, ALTER COLUMN role_id DROP NOT NULL")
    with pytest.raises(errors.NotNullViolation, match="workspace_id"):
        scratch_committed.rows("SELECT public.verify_mod4_otp(%s, %s)", CODE_EMAIL, FRESH_CODE)


# -- linking by an administrator


def stranger(platform: Scratch) -> str:
    return str(platform.scalar("SELECT id FROM auth.users WHERE email = %s", STRANGER))


def test_linking_makes_everything_and_brings_a_revoked_link_back(scratch_repaired: Scratch) -> None:
    link = scratch_repaired.as_user("SELECT public.link_user_to_mod4(%s)", stranger(scratch_repaired))
    made = scratch_repaired.rows(
        "SELECT l.link_method, l.linked_by::text, d.workspace_id::text FROM mod4_driver_links l "
        "JOIN drivers d ON d.id = l.driver_id WHERE l.id = %s",
        link,
    )
    assert made == [("admin_direct", scratch_repaired.world.owner.id, scratch_repaired.world.workspace_id)]
    scratch_repaired.rows("UPDATE mod4_driver_links SET status = 'revoked' WHERE id = %s", link)
    assert (
        scratch_repaired.as_user("SELECT public.link_user_to_mod4(%s, 'admin_direct')", stranger(scratch_repaired))
        == link
    )
    assert scratch_repaired.scalar("SELECT status FROM mod4_driver_links WHERE id = %s", link) == "active"


def test_as_committed_the_default_method_is_one_that_the_table_refuses(scratch_committed: Scratch) -> None:
    with pytest.raises(errors.CheckViolation, match="link_method"):
        scratch_committed.as_user("SELECT public.link_user_to_mod4(%s)", stranger(scratch_committed))
    with pytest.raises(errors.UndefinedColumn, match='"role"'):
        scratch_committed.as_user("SELECT public.link_user_to_mod4(%s, 'admin_direct')", stranger(scratch_committed))


def test_a_direct_connection_has_no_caller_whom_a_link_could_name(scratch_repaired: Scratch) -> None:
    with pytest.raises(errors.NotNullViolation, match="linked_by"):
        scratch_repaired.rows(
            "SELECT public.link_user_to_mod4(%s, 'admin_direct', %s)",
            stranger(scratch_repaired),
            scratch_repaired.world.workspace_id,
        )


# -- batches


def test_a_batch_goes_from_planned_to_completed(scratch_repaired: Scratch) -> None:
    batch, driver = scratch_repaired.world.of("planned")[0], scratch_repaired.world.working()[0]
    with pytest.raises(errors.RaiseException, match="driver and vehicle are required"):
        scratch_repaired.rows("SELECT public.start_dispatch(%s)", batch.id)
    scratch_repaired.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch.id, driver.driver_id)
    assert scratch_repaired.scalar("SELECT status FROM delivery_batches WHERE id = %s", batch.id) == "assigned"
    scratch_repaired.rows("UPDATE delivery_batches SET vehicle_id = %s WHERE id = %s",
                  next(iter(scratch_repaired.world.vehicles.values())), batch.id)  # fmt: skip
    scratch_repaired.rows("SELECT public.start_dispatch(%s)", batch.id)
    (row,) = scratch_repaired.rows(f"{BATCH} FROM delivery_batches WHERE id = %s", batch.id)
    assert (row[0], row[1], row[3] is not None) == ("in-progress", True, True)
    assert row[2]["facility_ids"] == list(batch.stops)
    states = "SELECT DISTINCT status FROM requisitions WHERE batch_id = %s"
    assert scratch_repaired.rows(states, batch.id) == [("in_transit",)]
    scratch_repaired.rows("SELECT public.complete_dispatch(%s)", batch.id)
    assert scratch_repaired.rows(states, batch.id) == [("fulfilled",)]
    assert scratch_repaired.scalar("SELECT actual_end_time IS NOT NULL FROM delivery_batches WHERE id = %s", batch.id)


@pytest.mark.parametrize(
    "change",
    [
        "facility_ids = facility_ids[2:]",
        "total_quantity = total_quantity + 1",
        "optimized_route = '{}'",
        "vehicle_id = (SELECT v.id FROM vehicles v WHERE v.id <> delivery_batches.vehicle_id LIMIT 1)",
        "status = 'planned'",
    ],
)
def test_a_batch_that_left_is_locked(scratch_repaired: Scratch, change: str) -> None:
    with pytest.raises(errors.RaiseException, match="is locked"):
        scratch_repaired.rows(
            f"UPDATE delivery_batches SET {change} WHERE id = %s",  # noqa: S608
            a_batch(scratch_repaired, "in-progress"),
        )


def test_the_lock_leaves_open_what_the_platform_leaves_open(scratch_repaired: Scratch) -> None:
    batch = a_batch(scratch_repaired, "in-progress")
    other = scratch_repaired.world.working()[-1].driver_id
    scratch_repaired.rows("UPDATE delivery_batches SET driver_id = %s, vehicle_id = NULL WHERE id = %s", other, batch)
    with pytest.raises(errors.RaiseException, match="locked"):
        scratch_repaired.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch, other)
    for status in ("completed", "in-progress", "cancelled"):
        scratch_repaired.rows("UPDATE delivery_batches SET status = %s WHERE id = %s", status, batch)
    assert scratch_repaired.rows("SELECT DISTINCT status FROM requisitions WHERE batch_id = %s", batch) == [
        ("in_transit",)
    ]


def test_cancelling_before_the_start_gives_requisitions_back(scratch: Scratch) -> None:
    batch = a_batch(scratch, "assigned")
    (first, *_), count = scratch.rows("SELECT id FROM requisitions WHERE batch_id = %s", batch)[0], "ready_for_dispatch"
    scratch.rows("UPDATE delivery_batches SET status = 'cancelled' WHERE id = %s", batch)
    assert scratch.rows("SELECT status, batch_id FROM requisitions WHERE id = %s", first) == [(count, None)]


def test_refusals_name_what_is_not_there(scratch: Scratch) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(errors.RaiseException, match=r"Driver .* not found"):
        scratch.rows("SELECT public.assign_driver_to_batch(%s, %s)", a_batch(scratch, "planned"), nobody)
    with pytest.raises(errors.RaiseException, match=r"Batch .* not found"):
        scratch.rows("SELECT public.start_dispatch(%s)", nobody)
    with pytest.raises(errors.RaiseException, match="in status completed"):
        scratch.rows("SELECT public.complete_dispatch(%s)", a_batch(scratch, "completed"))


def test_as_committed_no_batch_starts_by_function_or_by_hand(scratch_committed: Scratch) -> None:
    batch = scratch_committed.world.of("planned")[0]
    driver = scratch_committed.world.working()[0].driver_id
    scratch_committed.rows("SELECT public.assign_driver_to_batch(%s, %s)", batch.id, driver)
    scratch_committed.rows("UPDATE delivery_batches SET vehicle_id = %s WHERE id = %s",
                      next(iter(scratch_committed.world.vehicles.values())), batch.id)  # fmt: skip
    for statement in ("SELECT public.start_dispatch(%s)",
                      "UPDATE delivery_batches SET status = 'in-progress' WHERE id = %s"):  # fmt: skip
        with pytest.raises(errors.UndefinedTable, match='relation "requisitions" does not exist'):
            scratch_committed.rows(statement, batch.id)
    assert scratch_committed.scalar("SELECT status FROM delivery_batches WHERE id = %s", batch.id) == "assigned"


def test_states_that_the_app_asks_for_are_none(scratch: Scratch) -> None:
    for state in ("active", "in_progress"):
        with pytest.raises(errors.InvalidTextRepresentation, match="batch_status"):
            scratch.rows("SELECT 1 FROM delivery_batches WHERE status = %s::batch_status", state)
    for column in ("latitude", "contact_name", "contact_phone"):
        with pytest.raises(errors.UndefinedColumn):
            scratch.rows(f"SELECT {column} FROM facilities")  # noqa: S608
    with pytest.raises(errors.UndefinedColumn):
        scratch.rows("SELECT setting_key FROM system_settings")


def test_a_batch_without_its_amount_is_refused(scratch: Scratch) -> None:
    with pytest.raises(errors.NotNullViolation, match="medication_type"):
        scratch.rows(
            "INSERT INTO delivery_batches (name, warehouse_id, scheduled_date, scheduled_time, total_distance, "
            "estimated_duration, optimized_route, facility_ids, workspace_id) "
            "SELECT 'x', id, current_date, '08:00', 1, 1, '{}', '{}', workspace_id FROM warehouses LIMIT 1"
        )


# -- runs


def test_a_run_follows_its_trigger_and_stamps_its_times(scratch: Scratch) -> None:
    run = scratch.world.id("run", a_batch(scratch, "assigned"))
    for status, stamp in (
        ("dispatched", "dispatched_at"),
        ("in_transit", "departed_at"),
        ("completed", "completed_at"),
    ):
        with pytest.raises(errors.RaiseException, match="Invalid dispatch run transition"):
            scratch.rows("UPDATE dispatch_runs SET status = 'loading' WHERE id = %s", run)
        scratch.rows("UPDATE dispatch_runs SET status = %s WHERE id = %s", status, run)
        assert scratch.scalar(f"SELECT {stamp} IS NOT NULL FROM dispatch_runs WHERE id = %s", run)  # noqa: S608
    with pytest.raises(errors.RaiseException, match="completed -> cancelled"):
        scratch.rows("UPDATE dispatch_runs SET status = 'cancelled' WHERE id = %s", run)


def test_a_batch_has_one_open_run(scratch: Scratch) -> None:
    with pytest.raises(errors.UniqueViolation):
        scratch.rows("INSERT INTO dispatch_runs (workspace_id, batch_id) VALUES (%s, %s)",
                    scratch.world.workspace_id, a_batch(scratch, "assigned"))  # fmt: skip


# -- console role


def test_the_consoles_role_reads_everything_it_shows_and_no_code(scratch: Scratch) -> None:
    for table in ("mod4_driver_links", "onboarding_requests", "driver_devices", "delivery_batches", "mod4_events"):
        assert scratch.as_console(f"SELECT count(*) FROM {table}") > 0  # noqa: S608
    assert scratch.as_console("SELECT count(id) FROM mod4_otp_codes WHERE status = 'pending'") == 3
    for forbidden in ("SELECT otp_code FROM mod4_otp_codes", "SELECT encrypted_password FROM auth.users"):
        with pytest.raises(errors.InsufficientPrivilege):
            scratch.as_console(forbidden)


def test_the_consoles_role_changes_what_the_console_changes_and_nothing_else(scratch_repaired: Scratch) -> None:
    suspend = "UPDATE mod4_driver_links SET status = 'suspended', updated_at = now() WHERE link_method = %s"
    assert scratch_repaired.as_console(suspend, "admin_direct") == 1
    assert (
        scratch_repaired.as_console("UPDATE onboarding_requests SET status = 'approved' WHERE status = 'pending'") == 3
    )
    scratch_repaired.as_console("SELECT public.start_dispatch(%s)", a_batch(scratch_repaired, "assigned"))
    generate = "SELECT public.generate_mod4_otp(%s, %s)"
    assert re.fullmatch(
        r"\d{6}", scratch_repaired.as_console(generate, CODE_EMAIL, scratch_repaired.world.workspace_id)
    )
    for forbidden in (
        "DELETE FROM mod4_driver_links", "UPDATE mod4_driver_links SET user_id = NULL", "DELETE FROM delivery_batches",
        "UPDATE workspace_members SET role = 'owner'", "UPDATE auth.users SET email = 'x'",
        "INSERT INTO mod4_events DEFAULT VALUES", "SELECT public.verify_mod4_otp('a', 'b')",
    ):  # fmt: skip
        with pytest.raises(errors.InsufficientPrivilege):
            scratch_repaired.as_console(forbidden)


def test_the_consoles_role_acts_as_a_user_where_a_function_asks_for_one(scratch: Scratch) -> None:
    workspace = scratch.world.workspace_id
    with pytest.raises(psycopg.Error, match="owners and admins"):
        scratch.as_console("SELECT public.invite_user('x@mail.example', %s, 'driver')", workspace)
    invite = "SELECT public.invite_user(%s, %s, 'driver')"
    first = scratch.as_console(invite, " X@Mail.example ", workspace, user=scratch.world.owner.id)
    again = scratch.as_console(invite, "x@mail.example", workspace, user=scratch.world.owner.id)
    assert first["id"] == again["id"]
    assert first["invitation_token"] != again["invitation_token"]


def test_without_the_right_to_pass_row_security_the_script_gives_policies(scratch: Scratch) -> None:
    """The owner on some hosted platforms may not make such a role: then the role's own policies do."""
    connection = scratch.connection
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
