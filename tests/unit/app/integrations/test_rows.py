from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from app.clock import utc_now
from app.integrations import (
    COLUMNS,
    Desk,
    UnknownIntegration,
    add,
    analytics,
    catalogue_rows,
    dependents,
    disable,
    integration_row,
    list_integrations,
)
from app.integrations import rows as rows_module
from app.store.tables import (
    Device,
    DeviceEventRow,
    GeofenceRow,
    IntegrationDay,
    IntegrationState,
    PositionRow,
    Problem,
    Vehicle,
)
from tests.helpers.desks import GOOD

NOW = utc_now()


@pytest.fixture
def room(desk: Desk) -> str:
    return add(desk, "cold_room", "Cold room", GOOD, {"token": "planted-rows"})


def put(desk: Desk, table: Any, *rows: dict[str, Any]) -> None:
    def job(connection: Connection) -> None:
        for row in rows:
            connection.execute(insert(table).values(**row))

    desk.store.write(job).result()


def set_state(desk: Desk, integration_id: str, phase: str, **more: Any) -> None:
    put(desk, IntegrationState, {"integration_id": integration_id, "phase": phase, "since": NOW, "detail": {}, **more})


def only_row(desk: Desk) -> Any:
    with desk.store.read() as connection:
        (row,) = list_integrations(connection)
    return row


def test_columns_are_those_of_the_command_line() -> None:
    assert COLUMNS == (
        "id", "type", "name", "status", "phase", "reason", "since", "next_try", "last_sync", "last_data",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "succeeded", "status"),
    [
        ("starting", False, "configured"),
        ("retrying", False, "configured"),
        ("healthy", True, "active"),
        ("stale", True, "active"),
        ("retrying", True, "active"),
        ("needs_sign_in", True, "error"),
        ("misconfigured", False, "error"),
        ("error", True, "error"),
    ],
)
def test_the_phase_decides_the_platforms_word(desk: Desk, room: str, phase: str, succeeded: bool, status: str) -> None:
    set_state(desk, room, phase, reason="Why.", last_success=NOW if succeeded else None, next_try=NOW)
    row = only_row(desk)
    assert (row.status, row.phase, row.reason, row.since, row.next_try) == (status, phase, "Why.", NOW, NOW)


def test_a_switch_counts_before_the_engine_has_seen_it(desk: Desk, room: str) -> None:
    set_state(desk, room, "healthy", reason="Fine.", next_try=NOW, last_success=NOW)
    disable(desk, room)
    row = only_row(desk)
    assert (row.status, row.phase, row.reason, row.next_try) == ("inactive", "disabled", "", None)


def test_an_enabled_one_that_was_disabled_waits_for_the_engine(desk: Desk, room: str) -> None:
    set_state(desk, room, "disabled")
    assert (only_row(desk).phase, only_row(desk).status) == ("starting", "configured")


def test_an_unknown_id_says_where_to_look(desk: Desk) -> None:
    with desk.store.read() as connection, pytest.raises(UnknownIntegration, match="integrations list"):
        integration_row(connection, "nobody")


def test_the_catalogue_has_the_shape_of_the_command_line(desk: Desk) -> None:
    rows = {row["key"]: row for row in catalogue_rows(desk.catalogue)}
    wanted = {"key", "name", "category", "description", "capabilities", "icon", "is_new", "coming_soon", "settings"}
    assert all(wanted <= row.keys() for row in rows.values())
    assert rows["gt02_tracker"]["settings"]["properties"]["port"]["default"] == 5022
    assert rows["traccar"]["is_new"] is True


def device(key: int, integration_id: str, vehicle_id: str | None = None) -> dict[str, Any]:
    facts = {"key": key, "id": f"device-{key}", "integration_id": integration_id, "unique_id": f"35000000000000{key}"}
    return {**facts, "state": "known", "vehicle_id": vehicle_id, "first_seen_ms": 0, "attributes": {}}


def position(device_key: int, at_ms: int) -> dict[str, Any]:
    facts = {"device_key": device_key, "fixed_at_ms": at_ms, "received_at_ms": at_ms, "lat": 9.0, "lon": 7.0}
    return {**facts, "located": True, "marks": 0, "clock_offset_s": 0, "source": "t", "key_extra": ""}


def test_what_depends_on_it_is_counted(desk: Desk, room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = add(desk, "cold_room", "Other room", GOOD, {"token": "planted-rows"})
    put(
        desk,
        Vehicle,
        {"id": "v1", "plate": "ABC-123", "created_at": NOW},
        {"id": "v2", "plate": "X", "created_at": NOW},
    )
    put(desk, Device, device(1, room, "v1"), device(2, room, "v1"), device(3, other, "v2"))
    put(desk, PositionRow, *(position(1, at) for at in range(5)), *(position(3, at) for at in range(9)))
    event = {"device_key": 2, "occurred_at_ms": 0, "received_at_ms": 0, "kind": "sos", "code": "1", "text": "SOS"}
    put(desk, DeviceEventRow, {**event, "source": "t", "marks": 0, "key_extra": ""})
    fence = {"id": "g", "integration_id": room, "peer_id": "1", "name": "Depot", "shape": "circle", "points": []}
    put(desk, GeofenceRow, {**fence, "visible": True})
    put(
        desk,
        Problem,
        {"problem_key": "x", "integration_id": room, "title": "t", "detail": "d", "fix": "n", "since": NOW},
    )
    with desk.store.read() as connection:
        found = dependents(connection, room)
        nothing = dependents(connection, "nobody")
        monkeypatch.setattr(rows_module, "MOST_COUNTED", 3)
        capped = dependents(connection, room)
    assert (found.devices, found.positions, found.events, found.geofences, found.problems) == (2, 5, 1, 1, 1)
    assert (found.vehicle_count, found.vehicles) == (1, ("ABC-123",))
    assert not found.is_empty
    assert nothing.is_empty
    assert capped.positions == 3


def day(integration_id: str, when: date, **figures: Any) -> dict[str, Any]:
    return {"integration_id": integration_id, "day": when.isoformat(), "counters": {}, **figures}


def test_thirty_days_without_holes_and_unknown_is_not_zero(desk: Desk, room: str) -> None:
    today = date(2026, 3, 1)
    put(
        desk,
        IntegrationDay,
        day(
            room, today, runs=4, runs_failed=1, records=10, duration_ms=8_000, delay_ms=50_000, counters={"skipped": 2}
        ),
        day(room, today - timedelta(days=29), runs=1, records=2, counters={"skipped": 1, "refused": 5}),
        day(room, today - timedelta(days=30), runs=100),
        day("other", today, runs=100),
    )
    with desk.store.read() as connection:
        found = analytics(connection, room, today=today)
    assert [item.day for item in found.days] == [today - timedelta(days=29 - n) for n in range(30)]
    last = found.days[-1]
    assert (last.success_rate, last.mean_duration_s, last.mean_delay_s) == (0.75, 2.0, 5.0)
    assert (found.days[1].success_rate, found.days[1].mean_duration_s, found.days[1].mean_delay_s) == (None, None, None)
    assert (found.total.runs, found.total.records, found.total.success_rate) == (5, 12, 0.8)
    assert found.counters == {"skipped": 3, "refused": 5}
