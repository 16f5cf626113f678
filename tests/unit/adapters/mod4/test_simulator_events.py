"""Sessions, positions and events at the platform (biko.md 4.8, 4.9, 7 items 7 and 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.helpers.mod4_platform import Scratch

SESSION = "SELECT public.start_driver_session(%s, 'phone-x')"
EVENT = "SELECT public.insert_mod4_event(%s, %s, %s, 'phone-x', 9.6, 6.5, now(), %s, NULL, %s)"
STATE = """
    INSERT INTO driver_events (driver_id, batch_id, event_type, driver_status, recorded_at)
    VALUES (%s, %s, %s, %s, now())
"""


def someone(scratch: Scratch) -> tuple[str, str]:
    """Login and driver of somebody without a session."""
    busy = {str(key) for (key,) in scratch.rows("SELECT driver_id FROM driver_sessions WHERE status = 'ACTIVE'")}
    for person in scratch.world.working():
        assert person.user is not None
        assert person.driver_id is not None
        if person.user.id not in busy:
            return person.user.id, person.driver_id
    raise AssertionError("everybody is busy")


def point(scratch: Scratch, session: str, driver: str, **changes: Any) -> dict[str, Any]:
    at = scratch.world.now + timedelta(minutes=1)
    return {
        "driver_id": driver, "session_id": session, "device_id": "phone-x", "lat": 9.61, "lng": 6.55,
        "captured_at": at.isoformat(), "battery_level": 55, **changes,
    }  # fmt: skip


# -- sessions


def test_a_new_session_ends_the_one_before(scratch: Scratch) -> None:
    user, driver = someone(scratch)
    first, second = scratch.as_user(SESSION, user, user=user), scratch.as_user(SESSION, user, user=user)
    states = "SELECT id, status, invalidation_reason FROM driver_sessions WHERE id = ANY (%s) ORDER BY status"
    assert scratch.rows(states, [first, second]) == [
        (second, "ACTIVE", None), (first, "INVALIDATED", "new_session_started")
    ]  # fmt: skip
    assert scratch.scalar("SELECT status FROM drivers WHERE id = %s", driver) == "busy"
    assert scratch.as_console("SELECT public.end_driver_session(%s, 'admin_terminated')", second) is True
    assert scratch.scalar("SELECT status FROM drivers WHERE id = %s", driver) == "available"
    assert scratch.as_console("SELECT public.end_driver_session(%s, 'admin_terminated')", second) is False


def test_signs_of_life_count_in_the_repaired_platform_only(
    scratch_committed: Scratch, scratch_repaired: Scratch
) -> None:
    beat, expire = "SELECT public.update_session_heartbeat(%s)", "SELECT public.expire_stale_sessions()"
    for statement, values in ((beat, (scratch_committed.world.id("x"),)), (expire, ())):
        with pytest.raises(errors.UndefinedTable, match="driver_sessions"):
            scratch_committed.rows(statement, *values)
    user, _ = someone(scratch_repaired)
    session = scratch_repaired.as_user(SESSION, user, user=user)
    assert scratch_repaired.as_user(beat, session, user=user) is True
    stale = "UPDATE driver_sessions SET last_heartbeat_at = now() - interval '2 days' WHERE id = %s"
    scratch_repaired.rows(stale, session)
    assert scratch_repaired.scalar(expire) >= 1
    assert scratch_repaired.as_user(beat, session, user=user) is False


# -- positions


def test_bad_points_are_told_and_the_others_taken(scratch_repaired: Scratch) -> None:
    user, driver = someone(scratch_repaired)
    session = str(scratch_repaired.as_user(SESSION, user, user=user))
    points = [
        point(scratch_repaired, session, driver),
        point(scratch_repaired, session, driver, lat=95),
        point(scratch_repaired, session, driver, battery_level=101),
        point(scratch_repaired, session, "no uuid"),
        point(scratch_repaired, session, driver, lat=9.7),
    ]
    ((inserted, failed, told),) = scratch_repaired.rows("SELECT * FROM public.ingest_gps_events(%s)", Jsonb(points))
    assert (inserted, failed, len(told)) == (2, 3, 3)
    place = scratch_repaired.rows("SELECT current_lat, location_updated_at FROM drivers WHERE id = %s", driver)
    assert place == [(9.7, None)]


def test_a_late_point_moves_the_driver_back(scratch_repaired: Scratch) -> None:
    user, driver = someone(scratch_repaired)
    session = str(scratch_repaired.as_user(SESSION, user, user=user))
    late = (scratch_repaired.world.now - timedelta(hours=2)).isoformat()
    newest = point(scratch_repaired, session, driver)
    for sent in (newest, {**newest, "lat": 9.1, "captured_at": late}):
        scratch_repaired.rows("SELECT * FROM public.ingest_gps_events(%s)", Jsonb([sent]))
    assert scratch_repaired.scalar("SELECT current_lat FROM drivers WHERE id = %s", driver) == 9.1
    positions = (
        "SELECT current_lat, battery_level FROM public.get_active_drivers_with_positions() WHERE session_id = %s"
    )
    (shown,) = scratch_repaired.rows(positions, session)
    assert shown == (9.61, 55)


def test_as_committed_every_point_fails_and_the_call_succeeds(scratch_committed: Scratch) -> None:
    user, driver = someone(scratch_committed)
    session = str(scratch_committed.as_user(SESSION, user, user=user))
    sent = Jsonb([point(scratch_committed, session, driver)] * 2)
    ((inserted, failed, told),) = scratch_committed.rows("SELECT * FROM public.ingest_gps_events(%s)", sent)
    assert (inserted, failed) == (0, 2)
    assert "driver_gps_events" in told[0]["error"]


# -- events


def test_events_are_taken_twice_and_come_newest_first(scratch_repaired: Scratch) -> None:
    user, driver = someone(scratch_repaired)
    session, batch = scratch_repaired.world.id("any"), scratch_repaired.world.of("assigned")[0].id
    made = [
        scratch_repaired.as_user(EVENT, "photo_captured", driver, session, Jsonb({"n": n}), batch, user=user)
        for n in range(2)
    ]
    assert made[0] != made[1]
    timeline = scratch_repaired.rows(
        "SELECT event_id, metadata FROM get_driver_event_timeline(%s, %s)", driver, session
    )
    assert {row[0] for row in timeline} == set(made)
    with pytest.raises(errors.CheckViolation, match="event_type"):
        scratch_repaired.as_user(EVENT, "slot_skipped", driver, session, Jsonb({}), batch, user=user)
    with pytest.raises(errors.ForeignKeyViolation, match="driver_id"):
        scratch_repaired.as_user(EVENT, "photo_captured", user, session, Jsonb({}), batch, user=user)


def test_as_committed_no_event_is_taken_and_none_read(scratch_committed: Scratch) -> None:
    user, driver = someone(scratch_committed)
    with pytest.raises(errors.UndefinedTable, match="mod4_events"):
        scratch_committed.as_user(EVENT, "photo_captured", driver, user, Jsonb({}), None, user=user)
    with pytest.raises(errors.UndefinedTable, match="mod4_events"):
        scratch_committed.rows("SELECT * FROM public.get_driver_event_timeline(%s)", driver)


def test_as_committed_no_state_of_a_driver_is_taken(scratch_committed: Scratch) -> None:
    batch = scratch_committed.world.of("assigned")[0]
    assert batch.driver is not None
    assert batch.driver.user is not None
    with pytest.raises(errors.UndefinedColumn, match="assigned_driver_id"):
        scratch_committed.rows(STATE, batch.driver.user.id, batch.id, "ROUTE_STARTED", "EN_ROUTE")


def test_the_repaired_platform_keeps_the_states_in_order(scratch_repaired: Scratch) -> None:
    batch = scratch_repaired.world.of("assigned")[0]
    assert batch.driver is not None
    assert batch.driver.user is not None
    user = batch.driver.user.id

    def told(kind: str, status: str) -> None:
        scratch_repaired.rows(STATE, user, batch.id, kind, status)
        assert scratch_repaired.scalar("SELECT driver_status FROM delivery_batches WHERE id = %s", batch.id) == status

    with pytest.raises(errors.RaiseException, match="not allowed in state INACTIVE"):
        told("ARRIVED_AT_STOP", "AT_STOP")
    with pytest.raises(errors.RaiseException, match="must lead to state EN_ROUTE"):
        told("ROUTE_STARTED", "AT_STOP")
    for kind, status in (
        ("ROUTE_STARTED", "EN_ROUTE"), ("ARRIVED_AT_STOP", "AT_STOP"), ("PROOF_CAPTURED", "AT_STOP"),
        ("DEPARTED_STOP", "EN_ROUTE"), ("DELAY_REPORTED", "DELAYED"),
    ):  # fmt: skip
        told(kind, status)
    with pytest.raises(errors.RaiseException, match="not allowed in state DELAYED"):
        told("ARRIVED_AT_STOP", "AT_STOP")
    told("SUPERVISOR_OVERRIDE", "EN_ROUTE")
    told("ROUTE_COMPLETED", "COMPLETED")
    with pytest.raises(errors.RaiseException, match="not allowed in state COMPLETED"):
        told("ROUTE_CANCELLED", "INACTIVE")
    with pytest.raises(errors.RaiseException, match="not assigned"):
        scratch_repaired.rows(STATE, scratch_repaired.world.owner.id, batch.id, "PROOF_CAPTURED", "COMPLETED")
