"""What is read of a platform: every kind, in its workspace alone, with cursors, and under row security."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.dispatch import (
    BatchPaper,
    DeliveryBatch,
    DeliveryEvent,
    DispatchRun,
    Driver,
    DriverDevice,
    DriverLink,
    DriverSession,
    FleetVehicle,
    Invitation,
    OnboardingRequest,
    OneTimeCode,
    Workspace,
)
from adapters.mod4.events import is_open_address
from adapters.mod4.positions import device_of
from adapters.records import DeviceInfo, Position, Rejected
from adapters.supply import Facility, FullRead, StreamRead
from tests.adapters.mod4.support import (
    AISHA,
    ASSIGNED,
    CLINIC,
    DATABASE_ALONE,
    DRIVER_LOGIN,
    FOREIGN,
    FOREIGN_BATCH,
    HOSPITAL,
    LINK,
    MUSA,
    PLANNED,
    SESSION,
    STORE,
    Site,
    console,
    fetch,
    of_kind,
)

EVENT = """INSERT INTO mod4_events (event_type, driver_id, session_id, device_id, batch_id, lat, lng, captured_at,
    received_at, metadata) VALUES (%s, %s::uuid, gen_random_uuid(), 'phone-1', %s::uuid, 12.1, 8.6, %s::timestamptz,
    coalesce(%s::timestamptz, now()), %s::jsonb)"""
POINT = """INSERT INTO driver_gps_events (driver_id, session_id, device_id, lat, lng, speed_mps, heading, captured_at,
    received_at, battery_level) VALUES (%s::uuid, gen_random_uuid(), 'phone-1', 12.1, 8.6, 10, 90, %s::timestamptz,
    coalesce(%s::timestamptz, now()), 80)"""


@pytest.fixture
def site(either: Site) -> Site:
    """Every test runs over the database and over the web service."""
    return either


def troubles(records: list[Any]) -> dict[str, str]:
    return {one.stream: one.trouble for one in of_kind(records, StreamRead) if one.trouble}


async def test_everything_of_the_workspace_comes_and_nothing_of_others(site: Site) -> None:
    site.run(EVENT, "delivery_completed", MUSA, ASSIGNED, "now", None, json.dumps({"facilityId": HOSPITAL}))
    site.run(EVENT, "delivery_completed", FOREIGN, FOREIGN_BATCH, "now", None, "{}")
    site.run(POINT, MUSA, "now", None)
    site.run(POINT, FOREIGN, "now", None)
    site.run(
        "SELECT set_config('request.jwt.claim.sub', '', false), generate_mod4_otp('musa@depot.test', %s::uuid)",
        _depot(site),
    )
    records, cursors = await fetch(site.settings())
    assert set(troubles(records)) == site.hidden
    assert [one.name for one in of_kind(records, Workspace)] == ["Kano Depot"]
    assert {one.peer_id for one in of_kind(records, Driver)} == {MUSA, AISHA}
    (link,) = of_kind(records, DriverLink)
    assert (link.peer_id, link.user, link.driver, link.email) == (LINK, DRIVER_LOGIN, MUSA, "musa@depot.test")
    codes, requests = of_kind(records, OneTimeCode), of_kind(records, OnboardingRequest)
    assert [one.email for one in codes] == ([] if "codes" in site.hidden else ["musa@depot.test"])
    assert [one.name for one in requests] == ([] if "requests" in site.hidden else ["New Driver"])
    assert [(one.email, one.stage) for one in of_kind(records, Invitation)] == [("invited@depot.test", "pending")]
    assert [(one.device, one.stage) for one in of_kind(records, DriverDevice)] == [("phone-1", "trusted")]
    assert [(one.peer_id, one.stage) for one in of_kind(records, DriverSession)] == [(SESSION, "open")]
    assert {one.plate for one in of_kind(records, FleetVehicle)} == {"KAN-1", "KAN-2"}
    assert {one.peer_id: one.kind for one in of_kind(records, Facility)} == {
        STORE: "store", CLINIC: "facility", HOSPITAL: "facility"
    }  # fmt: skip
    assert {one.peer_id for one in of_kind(records, DeliveryBatch)} == {PLANNED, ASSIGNED}
    assert [(one.number, one.batch) for one in of_kind(records, BatchPaper)] == [("REQ-7", ASSIGNED)]
    assert [(one.driver, one.facility) for one in of_kind(records, DeliveryEvent)] == [(MUSA, HOSPITAL)]
    assert [one.device for one in of_kind(records, Position)] == [device_of(MUSA)]
    assert {one.device for one in of_kind(records, DeviceInfo)} == {device_of(MUSA)}
    assert of_kind(records, DispatchRun) == []
    assert {name.split(":")[0] for name in cursors} <= {stream.name for stream in _streams()}


def _depot(site: Site) -> str:
    return str(site.one("SELECT id::text FROM workspaces WHERE slug = 'kano'"))


def _streams() -> Any:
    from adapters.mod4.adapter import Mod4Adapter

    return Mod4Adapter.manifest.streams


async def test_no_code_token_or_hash_is_read(site: Site) -> None:
    code = site.one("SELECT generate_mod4_otp('musa@depot.test', %s::uuid)", _depot(site))
    secrets = [row[0] for row in site.run("SELECT otp_code FROM mod4_otp_codes")]
    secrets += [str(row[0]) for row in site.run("SELECT invitation_token FROM user_invitations")]
    records, cursors = await fetch(site.settings())
    told = repr(records) + repr(cursors)
    assert "planted-hash" not in told
    assert not any(secret in told for secret in [*secrets, f"'{code}'"])


async def test_drivers_tell_their_days_off_and_licence(site: Site) -> None:
    site.run(
        "UPDATE drivers SET license_expiry = '2027-01-31', license_verified = true, current_lat = 95 "
        "WHERE name = 'Aisha'"
    )
    records, _ = await fetch(site.settings())
    aisha = next(one for one in of_kind(records, Driver) if one.name == "Aisha")
    assert len(aisha.away_on) == 1
    assert (aisha.licence_expires_on, aisha.is_licence_verified, aisha.shift_starts) == ("2027-01-31", True, "07:00")
    assert aisha.lat is None


async def test_stops_follow_the_batch_and_know_what_the_route_tells(site: Site) -> None:
    site.run(
        "INSERT INTO route_history (batch_id, facility_id, sequence_number, status, check_in_time, check_out_time, "
        "recipient_name, proof_of_delivery_url) VALUES (%s::uuid, %s::uuid, 2, 'completed', '2026-11-01 10:00Z', "
        "'2026-11-01 10:20Z', 'Nurse', 'https://files.test/p.jpg')", PLANNED, HOSPITAL,
    )  # fmt: skip
    records, _ = await fetch(site.settings())
    batch = next(one for one in of_kind(records, DeliveryBatch) if one.peer_id == PLANNED)
    assert [(stop.sequence, stop.facility, stop.stage) for stop in batch.lines or ()] == [
        (1, CLINIC, "pending"), (2, HOSPITAL, "delivered")
    ]  # fmt: skip
    assert [stop.recipient for stop in batch.lines or ()] == ["", "Nurse"]
    told = {one.kind: one for one in of_kind(records, DeliveryEvent)}
    assert set(told) == {"arrived", "delivered"}
    assert told["delivered"].is_uploaded
    assert told["delivered"].recipient == "Nurse"


async def test_a_second_run_brings_only_what_is_new_and_what_is_open(site: Site) -> None:
    site.run("ALTER TABLE delivery_batches DISABLE TRIGGER USER")
    old = "UPDATE delivery_batches SET status = 'completed', updated_at = now() - interval '2 days' WHERE id = %s::uuid"
    site.run(old, PLANNED)
    site.run(EVENT, "batch_started", MUSA, ASSIGNED, "yesterday", "yesterday", "{}")
    _, cursors = await fetch(site.settings())
    site.run(EVENT, "batch_completed", MUSA, ASSIGNED, "now", None, "{}")
    records, _ = await fetch(site.settings(), cursors)
    assert [one.peer_id for one in of_kind(records, DeliveryBatch)] == [ASSIGNED]
    assert [one.kind for one in of_kind(records, DeliveryEvent)] == ["batch_completed"]
    assert of_kind(records, FleetVehicle) == []
    assert not [one for one in of_kind(records, FullRead) if one.kind == "delivery_batch"]


async def test_pages_come_one_behind_the_other_with_none_lost_or_doubled(site: Site) -> None:
    site.run(
        "INSERT INTO mod4_events (event_type, driver_id, session_id, device_id, lat, lng, captured_at, received_at) "
        "SELECT 'location_captured', %s::uuid, gen_random_uuid(), 'p', 1, 1, now(), "
        "now() - (n / 3) * interval '1 second' FROM generate_series(1, 1000) AS n", MUSA,
    )  # fmt: skip
    records, _ = await fetch(site.settings(page_size=100))
    keys = [one.peer_id for one in of_kind(records, DeliveryEvent)]
    assert len(keys) == len(set(keys)) == 1000


async def test_an_event_from_the_future_comes_and_moves_no_cursor(site: Site) -> None:
    site.run(EVENT, "photo_captured", MUSA, ASSIGNED, "2999-01-01", "2999-01-01", json.dumps({"photoUrl": "blob:x"}))
    records, cursors = await fetch(site.settings())
    (event,) = of_kind(records, DeliveryEvent)
    assert event.captured_ms > 32_000_000_000_000
    assert (event.kind, event.is_uploaded) == ("photo", False)
    site.run(EVENT, "batch_completed", MUSA, ASSIGNED, "now", None, "{}")
    records, _ = await fetch(site.settings(), cursors)
    assert "batch_completed" in {one.kind for one in of_kind(records, DeliveryEvent)}


@pytest.mark.parametrize("when", ["infinity", "-infinity", "4000-01-01 BC", "200000-01-01"])
async def test_a_time_beyond_every_calendar_sets_one_row_aside(site: Site, when: str) -> None:
    site.run(EVENT, "batch_started", MUSA, ASSIGNED, when, "now", "{}")
    site.run(EVENT, "batch_completed", MUSA, ASSIGNED, "now", None, "{}")
    site.run(POINT, MUSA, when, None)
    site.run("UPDATE delivery_batches SET actual_start_time = %s::timestamptz", when)
    site.run("UPDATE drivers SET license_expiry = %s::date", when)
    records, _ = await fetch(site.settings())
    assert len(of_kind(records, DeliveryEvent)) == 2  # the peer's own time stands in
    assert of_kind(records, Position)[0].fixed_at_ms is None
    assert set(troubles(records)) == site.hidden


async def test_metadata_of_any_shape_costs_no_event(site: Site) -> None:
    shapes = ["[]", '"text"', "17", "null", json.dumps({"facilityId": ["no"], "photoUrl": {"a": 1}, "expected": "12"}),
              json.dumps({"notes": "x" * 100_000}), json.dumps({f"k{i}": "y" * 90 for i in range(150)})]  # fmt: skip
    for shape in shapes:
        site.run(EVENT, "delivery_discrepancy", MUSA, ASSIGNED, "now", None, shape)
    records, _ = await fetch(site.settings())
    found = of_kind(records, DeliveryEvent)
    assert len(found) == len(shapes)
    assert of_kind(records, Rejected) == []
    assert all(len(json.dumps(one.told)) < 6_000 for one in found if one.told is not None)
    assert 12.0 in [one.expected_units for one in found]


async def test_the_driver_app_s_words_are_read(site: Site) -> None:
    told = {
        "facilityId": HOSPITAL, "photoType": "proof_of_delivery", "photoUrl": "https://files.test/1.jpg",
        "recipientName": "Nurse", "itemName": "ORS", "expectedQuantity": 10, "deliveredQuantity": 8,
        "discrepancyReason": "short_shipment",
    }  # fmt: skip
    site.run(EVENT, "delivery_discrepancy", MUSA, ASSIGNED, "now", None, json.dumps(told))
    (event,) = of_kind((await fetch(site.settings()))[0], DeliveryEvent)
    assert (event.recipient, event.item, event.expected_units, event.delivered_units) == ("Nurse", "ORS", 10.0, 8.0)
    assert (event.reason, event.photo_kind, event.is_uploaded) == ("short_shipment", "proof_of_delivery", True)


async def test_the_log_and_the_states_of_drivers_are_events_too(site: Site) -> None:
    site.run(
        "INSERT INTO delivery_logs (workspace_id, batch_id, facility_id, event_type, expected_qty, actual_qty) "
        "VALUES (%s::uuid, %s::uuid, %s::uuid, 'discrepancy', 5, 4)", _depot(site), ASSIGNED, HOSPITAL,
    )  # fmt: skip
    site.run("UPDATE delivery_batches SET driver_status = 'EN_ROUTE' WHERE id = %s::uuid", ASSIGNED)
    site.run(
        "INSERT INTO driver_events (driver_id, batch_id, event_type, driver_status, recorded_at) VALUES "
        "(%s::uuid, %s::uuid, 'ARRIVED_AT_STOP', 'AT_STOP', now())", DRIVER_LOGIN, ASSIGNED,
    )  # fmt: skip
    found = {one.source: one for one in of_kind((await fetch(site.settings()))[0], DeliveryEvent)}
    assert (found["delivery_logs"].kind, found["delivery_logs"].delivered_units) == ("discrepancy", 4.0)
    assert (found["driver_events"].kind, found["driver_events"].driver) == ("arrived", MUSA)


async def test_a_phone_moves_its_driver_on_the_map(site: Site) -> None:
    site.run(POINT, MUSA, "2026-11-01 10:00Z", "now")
    (point,) = of_kind((await fetch(site.settings()))[0], Position)
    assert (point.source, point.speed_km_h, point.course_deg) == ("mod4", 36.0, 90.0)
    assert point.attributes == {"phone": "phone-1", "battery_percent": 80.0}
    assert of_kind((await fetch(site.settings(positions=False)))[0], Position) == []


@DATABASE_ALONE
async def test_under_row_security_nothing_hidden_is_told_as_gone(site: Site) -> None:
    records, _ = await fetch(site.settings("session"))
    whole = {one.kind for one in of_kind(records, FullRead) if one.mark == "ends"}
    assert {"onboarding_request", "one_time_code"} & whole == set()
    assert {"codes", "requests"} <= set(troubles(records))
    assert "console_role.sql" in troubles(records)["codes"]
    assert [one.email for one in of_kind(records, DriverLink)] == ["musa@depot.test"]  # by the platform's function
    assert {one.peer_id for one in of_kind(records, DeliveryBatch)} == {PLANNED, ASSIGNED}


async def test_columns_that_are_not_there_are_nothing_and_stop_nothing(site: Site) -> None:
    site.run("ALTER TABLE drivers DROP COLUMN license_number; ALTER TABLE vehicles RENAME COLUMN plate_number TO plate")
    site.run("ALTER TABLE facilities DROP COLUMN lat; ALTER TABLE delivery_batches DROP COLUMN total_quantity CASCADE")
    site.run("DROP TRIGGER freeze_batch ON delivery_batches")
    records, _ = await fetch(site.settings())
    assert len(of_kind(records, Driver)) == 2
    assert len(of_kind(records, DeliveryBatch)) == 2
    assert "plate_number" in troubles(records)["vehicles"]
    assert of_kind(records, FleetVehicle) == []


async def test_a_function_that_lost_a_column_is_trouble_of_its_stream_alone(site: Site) -> None:
    site.run("DROP FUNCTION get_driver_devices(uuid)")
    site.run(
        "CREATE FUNCTION get_driver_devices(p_workspace_id uuid) RETURNS TABLE (id uuid, phone text) LANGUAGE sql AS "
        "$$ SELECT NULL::uuid, NULL::text $$; GRANT EXECUTE ON FUNCTION get_driver_devices(uuid) TO biko_console"
    )
    records, _ = await fetch(site.settings())
    assert set(troubles(records)) == {"devices"} | site.hidden
    assert len(of_kind(records, DeliveryBatch)) == 2


async def test_links_and_phones_come_from_their_tables_where_the_functions_are_gone(site: Site) -> None:
    site.unhide()
    site.run("DROP FUNCTION get_mod4_linked_users(uuid); DROP FUNCTION get_driver_devices(uuid)")
    records, _ = await fetch(site.settings())
    (link,) = of_kind(records, DriverLink)
    assert (link.peer_id, link.user, link.driver, link.email) == (LINK, DRIVER_LOGIN, MUSA, "musa@depot.test")
    assert (link.name, link.linked_by) == ("Musa", "musa@depot.test")
    assert [(one.device, one.stage) for one in of_kind(records, DriverDevice)] == [("phone-1", "trusted")]


async def test_a_link_without_a_driver_and_a_session_that_ended(site: Site) -> None:
    site.run("UPDATE mod4_driver_links SET driver_id = NULL")
    site.run("SELECT end_driver_session(%s::uuid, 'admin_terminated')", SESSION)
    records, _ = await fetch(site.settings())
    assert [one.driver for one in of_kind(records, DriverLink)] == [""]
    (session,) = of_kind(records, DriverSession)
    assert (session.stage, session.end_reason) == ("ended", "admin_terminated")


@pytest.mark.parametrize("cursor", ["", "[]", "{", '{"since_ms": "x"}', '{"since_ms": 99999999999999, "read_ms": 1}'])
async def test_a_damaged_cursor_reads_again(site: Site, cursor: str) -> None:
    site.run(EVENT, "batch_started", MUSA, ASSIGNED, "now", None, "{}")
    records, _ = await fetch(site.settings(), {"batches": cursor, "events:mod4_events": cursor, "facilities": cursor})
    assert len(of_kind(records, DeliveryEvent)) == 1
    assert ASSIGNED in {one.peer_id for one in of_kind(records, DeliveryBatch)}


@pytest.mark.parametrize(
    ("url", "is_open"),
    [("https://a.test/x.jpg", True), ("blob:https://a.test/1", False), ("file:///x", False),
     ("data:image/png,x", False), ("http://localhost/x", False), ("", False), ("photo.jpg", False)],
)  # fmt: skip
def test_only_an_address_that_others_can_open_is_an_upload(url: str, is_open: bool) -> None:
    assert is_open_address(url) is is_open


@DATABASE_ALONE
async def test_a_run_that_is_left_in_the_middle_ends_its_connection(site: Site) -> None:
    async with console(site.settings()) as made:
        batches = made.fetch({})
        await anext(batches)
        await batches.aclose()  # type: ignore[attr-defined]
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'biko_console' AND datname = current_database()"
    while site.one(query):
        pass
