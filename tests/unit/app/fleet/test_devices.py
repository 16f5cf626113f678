"""Adopting, moving, blocking: what an operator does to trackers and vehicles, and what it does to their history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from adapters.records import DeviceInfo, DeviceStatus
from app.fleet import devices, vehicles
from app.fleet.errors import AlreadyAdopted, AlreadyExists, Ambiguous, FleetError, NotAllowed, NotFound
from app.fleet.freshness import Freshness
from app.fleet.listing import DeviceListing
from app.fleet.tracks import vehicle_track
from app.security.audit import verify_acts
from app.store.store import Store
from app.store.tables import Act, Device, DeviceAssignment, DeviceState, PositionRow
from tests.helpers.fleet import IMEI, OTHER_IMEI, T0_MS, Feed, a_drive, a_position, count_of, make_feed, rows_of

HOUR_MS = 3_600_000
FOREVER_MS = T0_MS + 1_000 * HOUR_MS


@pytest.fixture
def feed(store: Store) -> Feed:
    return make_feed(store)


def act(feed: Feed, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return feed.store.write(lambda connection: function(connection, *arguments, **named)).result()


def listed(feed: Feed, unique_id: str = IMEI, now_ms: int = T0_MS) -> DeviceListing:
    with feed.store.read() as connection:
        (device,) = devices.list_devices(connection, now_ms, wanted=unique_id)
    return device


def fixes_of(feed: Feed, plate: str) -> list[int]:
    with feed.store.read() as connection:
        vehicle_id = vehicles.need_vehicle(connection, plate)
        track = vehicle_track(connection, vehicle_id, 0, FOREVER_MS)
        return [int(at_ms) for at_ms in track["fixed_at_ms"]]


def test_the_first_adoption_brings_the_whole_history_and_a_move_divides_it(feed: Feed) -> None:
    first, second, third = (a_drive(count=3, start_ms=T0_MS + hours * HOUR_MS) for hours in (0, 10, 20))
    feed(*first)
    act(feed, devices.adopt, IMEI, "KAN-1", now_ms=T0_MS + 5 * HOUR_MS, who="musa")
    feed(*second)
    act(feed, devices.adopt, IMEI, "KAN-2", now_ms=T0_MS + 15 * HOUR_MS, who="musa")
    feed(*third)

    assert fixes_of(feed, "KAN-1") == [p.fixed_at_ms for p in first + second]
    assert fixes_of(feed, "KAN-2") == [p.fixed_at_ms for p in third]
    assert (listed(feed).state, listed(feed).vehicle) == ("known", "KAN-2")
    what = [(row.what, row.subject, row.who) for row in rows_of(feed.store, Act)]
    assert what.count(("device.adopt", IMEI, "musa")) == 2
    with feed.store.read() as connection:
        assert verify_acts(connection).ok


def test_adoption_refuses_what_cannot_be(feed: Feed) -> None:
    with pytest.raises(NotFound, match=IMEI):
        act(feed, devices.adopt, IMEI, "KAN-1")
    feed(a_position())
    with pytest.raises(FleetError, match="needs a plate"):
        act(feed, devices.adopt, IMEI, "  ")
    act(feed, devices.adopt, IMEI, "KAN-1")
    with pytest.raises(AlreadyAdopted, match="on KAN-1 already"):
        act(feed, devices.adopt, IMEI, "kan - 1")
    assert count_of(feed.store, DeviceAssignment) == 1


def test_a_vehicle_is_found_by_id_plate_or_name_and_two_of_one_name_are_refused(feed: Feed) -> None:
    one = act(feed, vehicles.add_vehicle, "KAN-1", name="Big truck")
    act(feed, vehicles.add_vehicle, "KAN-2", name="Van")
    act(feed, vehicles.add_vehicle, "KAN-3", name="van")
    with feed.store.read() as connection:
        assert [vehicles.find_vehicle(connection, text) for text in (one, "kan-1", "big  TRUCK")] == [one] * 3
        assert vehicles.find_vehicle(connection, "none") is None
        with pytest.raises(Ambiguous, match="KAN-2, KAN-3"):
            vehicles.find_vehicle(connection, "VAN")


def test_one_tracker_through_two_integrations_is_one_vehicle(feed: Feed) -> None:
    feed(a_position())
    act(feed, devices.adopt, IMEI, "KAN-1", now_ms=T0_MS)
    server = make_feed(feed.store, "traccar-1", feed.sink)
    server(DeviceInfo(IMEI, "Truck", "17"), a_position(source="traccar", peer_id="1"))

    rows = rows_of(feed.store, Device)
    assert len(rows) == 2
    assert {row.vehicle_id for row in rows} == {rows[0].vehicle_id}
    assert [row.state for row in rows] == ["known", "known"]
    assert fixes_of(feed, "KAN-1") == [T0_MS], "the same fix from both counts once"

    act(feed, devices.adopt, IMEI, "KAN-2", now_ms=T0_MS + HOUR_MS)
    assert len({row.vehicle_id for row in rows_of(feed.store, Device)}) == 1


def test_the_second_source_fills_the_gaps_of_the_first(feed: Feed) -> None:
    feed(*a_drive(count=3), *a_drive(count=3, start_ms=T0_MS + HOUR_MS))
    act(feed, devices.adopt, IMEI, "KAN-1", now_ms=T0_MS)
    server = make_feed(feed.store, "traccar-1", feed.sink)
    server(DeviceInfo(IMEI, "Truck", "17"))
    server(*a_drive(count=3, start_ms=T0_MS + 5_000), *a_drive(count=2, start_ms=T0_MS + HOUR_MS // 2))

    half = T0_MS + HOUR_MS // 2
    seconds = [T0_MS, T0_MS + 10_000, T0_MS + 20_000]
    assert fixes_of(feed, "KAN-1") == [*seconds, half, half + 10_000, *(at + HOUR_MS for at in seconds)]


def test_release_block_unblock_and_forget(feed: Feed) -> None:
    feed(a_position())
    act(feed, devices.adopt, IMEI, "KAN-1", now_ms=T0_MS)
    act(feed, devices.release, IMEI, now_ms=T0_MS + HOUR_MS)
    assert (listed(feed).state, listed(feed).vehicle) == ("waiting", None)
    with pytest.raises(NotAllowed):
        act(feed, devices.release, IMEI)

    act(feed, devices.block, IMEI)
    act(feed, devices.block, IMEI)
    assert feed(a_position(fixed_at_ms=T0_MS + 60_000)).blocked == 1
    assert (listed(feed).state, listed(feed).blocked_frames) == ("blocked", 1)

    act(feed, devices.unblock, IMEI)
    with pytest.raises(NotAllowed):
        act(feed, devices.unblock, IMEI)
    assert feed(a_position(fixed_at_ms=T0_MS + 90_000)).positions == 1

    act(feed, devices.forget, IMEI)
    with feed.store.read() as connection:
        assert devices.list_devices(connection) == []
    feed(a_position(fixed_at_ms=T0_MS + 120_000))
    assert listed(feed).state == "waiting"
    assert count_of(feed.store, PositionRow) == 3


def test_forgetting_the_silent_makes_room_in_the_inbox(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.fleet.registry.MOST_WAITING", 2)
    feed(a_position("1"), a_position("2"))
    assert feed(a_position("3")).unattributed == 1
    assert act(feed, devices.forget_silent, T0_MS + HOUR_MS) == 2
    assert feed(a_position("3", fixed_at_ms=T0_MS + HOUR_MS)).positions == 1
    assert act(feed, devices.forget_silent, T0_MS) == 0


def test_a_blocked_tracker_can_be_adopted_and_the_engine_notices(feed: Feed) -> None:
    feed(a_position())
    act(feed, devices.block, IMEI)
    act(feed, devices.adopt, IMEI, "KAN-1")
    assert feed(a_position(fixed_at_ms=T0_MS + 60_000)).positions == 1


def test_what_another_program_decides_holds_for_the_next_frame(database: str, feed: Feed) -> None:
    feed(a_position(), a_position(OTHER_IMEI))
    window = Store.open(database)
    try:
        window.write(lambda c: devices.block(c, IMEI)).result()
        window.write(lambda c: devices.set_clock_offset(c, OTHER_IMEI, 60)).result()
        later_ms = T0_MS + 60_000
        done = feed(a_position(fixed_at_ms=later_ms), a_position(OTHER_IMEI, fixed_at_ms=later_ms + 60_000))
    finally:
        window.close()
    assert (done.blocked, done.positions) == (1, 1)
    assert rows_of(feed.store, PositionRow)[-1].fixed_at_ms == later_ms


def test_a_clock_offset_holds_from_now_on_and_is_checked(feed: Feed) -> None:
    feed(a_position())
    act(feed, devices.set_clock_offset, IMEI, 3600)
    feed(a_position(fixed_at_ms=T0_MS + HOUR_MS + 60_000, received_at_ms=T0_MS + 61_000))
    assert [row.fixed_at_ms for row in rows_of(feed.store, PositionRow)] == [T0_MS, T0_MS + 60_000]
    with pytest.raises(FleetError, match="sixteen hours"):
        act(feed, devices.set_clock_offset, IMEI, 17 * 3600)
    act(feed, devices.set_clock_offset, IMEI, None)
    assert listed(feed).clock_offset_s is None


def test_a_clock_in_another_zone_is_pointed_out_until_the_offset_is_set(feed: Feed) -> None:
    ahead_ms = 8 * HOUR_MS
    feed(*(a_position(fixed_at_ms=T0_MS + n * 10_000 + ahead_ms, received_at_ms=T0_MS + n * 10_000) for n in range(20)))
    act(feed, feed.sink.flush, T0_MS)
    assert "8:00 h ahead" in listed(feed).clock_warning
    assert "28800 s" in listed(feed).clock_warning

    act(feed, devices.set_clock_offset, IMEI, 8 * 3600)
    later = range(100, 103)
    feed(*(a_position(fixed_at_ms=T0_MS + n * 10_000 + ahead_ms, received_at_ms=T0_MS + n * 10_000) for n in later))
    act(feed, feed.sink.flush, T0_MS)
    assert listed(feed).clock_warning == ""


def test_a_name_given_here_is_kept_and_can_be_given_back(feed: Feed) -> None:
    feed(DeviceInfo(IMEI, "server name", "17"))
    act(feed, devices.rename, IMEI, "  our   name ")
    feed(DeviceInfo(IMEI, "server name 2", "17"))
    assert listed(feed).name == "our name"
    act(feed, devices.rename, IMEI, "")
    feed(DeviceInfo(IMEI, "server name 2", "17"))
    assert listed(feed).name == "server name 2"


def test_the_list_shows_last_frame_signal_battery_and_age(feed: Feed) -> None:
    beat = DeviceStatus(IMEI, T0_MS + 60_000, "gt02", "heartbeat", power_level=4, gsm_level=3, satellites=9)
    feed(a_position(), beat)
    device = listed(feed, now_ms=T0_MS + 120_000)
    assert (device.age_s, device.freshness, device.last_kind) == (60, Freshness.ONLINE, "heartbeat")
    assert (device.power_level, device.gsm_level, device.satellites, device.frames) == (4, 3, 9, 2)
    assert listed(feed, now_ms=T0_MS + 30 * 60_000).freshness is Freshness.STALE
    assert listed(feed, now_ms=T0_MS + 3 * HOUR_MS).freshness is Freshness.SILENT
    row = device.as_row()
    assert tuple(row) == DeviceListing.ROW_COLUMNS
    assert row["last_seen"] == "2026-01-01T00:01:00Z"


def test_vehicles_are_changed_removed_and_brought_back(feed: Feed) -> None:
    feed(a_position(), a_position(OTHER_IMEI))
    act(feed, devices.adopt, IMEI, "KAN-1", now_ms=T0_MS)
    act(feed, devices.adopt, OTHER_IMEI, "KAN-2", now_ms=T0_MS)
    act(feed, vehicles.set_vehicle, "KAN-1", {"name": "Big truck"})
    with pytest.raises(AlreadyExists, match="KAN-2"):
        act(feed, vehicles.set_vehicle, "KAN-1", {"plate": "kan-2"})
    with pytest.raises(AlreadyExists):
        act(feed, vehicles.add_vehicle, "KAN 1".replace(" ", "-"))
    with pytest.raises(FleetError, match="no field wheels"):
        act(feed, vehicles.set_vehicle, "KAN-1", {"wheels": "6"})
    with pytest.raises(NotFound):
        act(feed, vehicles.set_vehicle, "nothing", {"name": "x"})

    assert act(feed, vehicles.remove_vehicle, "Big truck", now_ms=T0_MS + HOUR_MS) == [IMEI]
    with feed.store.read() as connection:
        assert [vehicle.plate for vehicle in vehicles.list_vehicles(connection)] == ["KAN-2"]
    assert listed(feed).state == "waiting"
    act(feed, vehicles.add_vehicle, "KAN-1")
    assert fixes_of(feed, "KAN-1") == [T0_MS], "its history came back with it"


def test_a_refused_act_changes_nothing(feed: Feed) -> None:
    feed(a_position())

    def adopt_and_fail(connection: Connection) -> None:
        devices.adopt(connection, IMEI, "KAN-1")
        devices.adopt(connection, OTHER_IMEI, "KAN-1")

    with pytest.raises(NotFound):
        feed.store.write(adopt_and_fail).result()
    assert listed(feed).state == "waiting"
    assert count_of(feed.store, Act) == 0
    assert len(rows_of(feed.store, DeviceState)) == 1
