"""The live picture, what is new, tracks, totals, statistics, and the bytes behind a row."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.records import DeviceEvent, DeviceInfo, DeviceStatus, Geofence
from app.fleet import devices, queries
from app.fleet.geo import distance_m
from app.fleet.plausibility import Mark
from app.fleet.statistics import FleetStatistics, fleet_statistics
from app.fleet.tracks import device_track, vehicle_track
from app.store.store import Store
from app.store.tables import Device, PositionRow
from tests.helpers.fleet import IMEI, OTHER_IMEI, T0_MS, Feed, a_drive, a_frame, a_position, make_feed, rows_of

HOUR_MS = 3_600_000


@pytest.fixture
def feed(store: Store) -> Feed:
    return make_feed(store)


def adopt(feed: Feed, device: str, plate: str) -> str:
    return feed.store.write(lambda c: devices.adopt(c, device, plate, now_ms=T0_MS)).result()


def live(feed: Feed, now_ms: int) -> queries.LiveFleet:
    feed.store.write(lambda c: feed.sink.flush(c, now_ms)).result()
    with feed.store.read() as connection:
        return queries.live_fleet(connection, now_ms)


def test_the_map_shows_vehicles_and_named_devices_and_not_the_inbox(feed: Feed) -> None:
    feed(a_position(), a_position("waiting"), a_position("blocked"))
    adopt(feed, IMEI, "KAN-1")
    feed.store.write(lambda c: devices.block(c, "blocked")).result()
    server = make_feed(feed.store, "traccar-1", feed.sink)
    server(
        DeviceInfo("777", "Server van", "7"), a_position("777", lat=10.0, course_deg=None), DeviceInfo("8", "No fix")
    )

    fleet = live(feed, T0_MS + 5_000)
    by_label = {device.label: number for number, device in enumerate(fleet.devices)}
    assert set(by_label) == {"KAN-1", "Server van"}
    van = by_label["Server van"]
    assert fleet.lat[van] == 10.0
    assert np.isnan(fleet.course_deg[van])
    assert fleet.fixed_at_ms[van] == T0_MS
    assert fleet.lat.dtype == np.float64
    assert fleet.device_key.dtype == np.int64


def test_one_source_per_vehicle_direct_before_server_and_fresh_before_both(feed: Feed) -> None:
    feed(a_position(lat=9.0))
    adopt(feed, IMEI, "KAN-1")
    server = make_feed(feed.store, "traccar-1", feed.sink)
    server(DeviceInfo(IMEI, "Truck", "17"), a_position(fixed_at_ms=T0_MS + 20_000, lat=9.02))

    fleet = live(feed, T0_MS + 30_000)
    assert (len(fleet.devices), fleet.lat[0]) == (1, 9.0)
    assert fleet.other_source_m[0] == pytest.approx(distance_m(9.0, 7.3986, 9.02, 7.3986))

    server(a_position(fixed_at_ms=T0_MS + HOUR_MS, lat=9.1))
    fleet = live(feed, T0_MS + HOUR_MS)
    assert (len(fleet.devices), fleet.lat[0]) == (1, 9.1)
    assert np.isnan(fleet.other_source_m[0])


def test_what_is_new_comes_in_the_order_of_storing_and_in_pages(feed: Feed) -> None:
    feed(*a_drive(count=5))
    with feed.store.read() as connection:
        newest = queries.newest_position_id(connection)
        first = queries.positions_since(connection, 0, limit=3)
        rest = queries.positions_since(connection, int(first["id"][-1]), limit=10)
        none = queries.positions_since(connection, newest)
    assert [*first["fixed_at_ms"], *rest["fixed_at_ms"]] == [T0_MS + n * 10_000 for n in range(5)]
    assert rest["id"][-1] == newest
    assert len(none) == 0


def test_a_track_is_ordered_by_fix_time_and_totals_leave_marked_fixes_out(feed: Feed) -> None:
    drive = a_drive(count=10)
    teleport = a_position(fixed_at_ms=T0_MS + 45_000, lat=48.0, lon=11.0)
    feed(*drive[5:], teleport, *drive[:5], a_position(fixed_at_ms=T0_MS + 46_000, lat=0.0, lon=0.0, located=False))
    (device,) = rows_of(feed.store, Device)
    with feed.store.read() as connection:
        track = device_track(connection, device.key, T0_MS, T0_MS + 90_000)
    assert len(track) == 11, "the end of the range is not part of it"
    assert np.all(np.diff(track["fixed_at_ms"]) > 0)
    assert track.left_out == 2
    assert Mark(int(track["marks"][5])) == Mark.JUMP
    length = distance_m(drive[0].lat, drive[0].lon, drive[8].lat, drive[8].lon)
    assert track.distance_m == pytest.approx(length, rel=1e-9)


def test_a_vehicle_without_trackers_or_fixes_has_an_empty_track(feed: Feed) -> None:
    with feed.store.read() as connection:
        track = vehicle_track(connection, "nothing", 0, T0_MS)
    assert len(track) == 0
    assert track.distance_m == 0.0


def test_events_are_found_by_text_vehicle_and_time_and_lead_to_their_bytes(feed: Feed) -> None:
    frame = a_frame(data=b"sos frame")
    sos = DeviceEvent(IMEI, T0_MS, T0_MS + 1_000, "gt06", "sos", "1", "SOS button", 9.0, 7.0, raw=frame)
    cut = DeviceEvent(OTHER_IMEI, T0_MS + 60_000, T0_MS + 61_000, "gt06", "power_cut", "2", "100% power cut")
    feed(sos, cut, a_position())
    vehicle_id = adopt(feed, IMEI, "KAN-1")
    with feed.store.read() as connection:
        found = queries.find_events(connection)
        assert [event.kind for event in found] == ["power_cut", "sos"]
        assert [event.kind for event in queries.find_events(connection, text="kan-1")] == ["sos"]
        assert [event.kind for event in queries.find_events(connection, text="100%")] == ["power_cut"]
        assert queries.find_events(connection, text="1%0") == []
        assert [event.id for event in queries.find_events(connection, vehicle_id=vehicle_id)] == [found[1].id]
        assert [e.kind for e in queries.find_events(connection, from_ms=T0_MS, to_ms=T0_MS + 60_000)] == ["sos"]
        after = (found[0].occurred_at_ms, found[0].id)
        assert [event.kind for event in queries.find_events(connection, before=after)] == ["sos"]
        assert [event.id for event in queries.events_since(connection, found[1].id)] == [found[0].id]
        behind = queries.frame_behind_event(connection, found[1].id)
        assert behind is not None
        assert behind.data == b"sos frame"
        assert queries.frame_behind_event(connection, found[0].id) is None
        (position,) = rows_of(feed.store, PositionRow)
        behind = queries.frame_behind_position(connection, position.id)
        assert behind is not None
        assert behind.id == position.raw_frame_id


def test_statistics_go_by_the_age_of_data(feed: Feed) -> None:
    now_ms = T0_MS + 10 * HOUR_MS
    ages_min = {"a": 1, "b": 30, "c": 300}
    feed(*(DeviceStatus(name, now_ms - age * 60_000, "gt02", "heartbeat") for name, age in ages_min.items()))
    for name in ages_min:
        adopt(feed, name, f"PLATE-{name}")
    server = make_feed(feed.store, "traccar-1", feed.sink)
    server(DeviceInfo("d", "Never heard", "4"), now_ms=now_ms)
    feed(a_position("e"), a_position("f"))
    feed.store.write(lambda c: devices.block(c, "f")).result()
    feed.store.write(lambda c: feed.sink.flush(c, now_ms)).result()
    with feed.store.read() as connection:
        assert fleet_statistics(connection, now_ms) == FleetStatistics(4, 1, 1, 1, 1, 1, 1)


def test_geofences_that_their_server_still_shows(feed: Feed) -> None:
    depot = Geofence("1", "Depot", "circle", ((9.0, 7.0),), 100.0)
    feed(depot, Geofence("2", "Gone", "circle", ((9.0, 7.0),), 100.0, visible=False))
    with feed.store.read() as connection:
        assert [fence.name for fence in queries.list_geofences(connection)] == ["Depot"]
        assert queries.list_geofences(connection, integration_id="other") == []
