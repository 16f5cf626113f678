"""Telemetry is stored once, whole, and right after every kind of failure."""

from __future__ import annotations

import random
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from adapters.records import Batch, DeviceEvent, DeviceInfo, DeviceStatus, Geofence, Rejected
from app.fleet.plausibility import Mark
from app.fleet.telemetry import TelemetrySink
from app.store.changes import raise_topic, topic_versions
from app.store.store import Store
from app.store.tables import (
    Cursor,
    Device,
    DeviceEventRow,
    DeviceState,
    GeofenceRow,
    PositionRow,
    RawFrameRow,
    RejectedRecord,
)
from tests.helpers.fleet import (
    IMEI,
    OTHER_IMEI,
    T0_MS,
    Feed,
    a_drive,
    a_frame,
    a_position,
    count_of,
    make_feed,
    rows_of,
)


@pytest.fixture
def feed(store: Store) -> Feed:
    return make_feed(store)


def natural_keys(store: Store) -> list[tuple[object, ...]]:
    return sorted((row.device_key, row.fixed_at_ms, row.lat, row.lon) for row in rows_of(store, PositionRow))


def test_a_position_is_stored_with_the_frame_behind_it(feed: Feed) -> None:
    done = feed(a_position(serial=7, attributes={"mode": 1}), cursors={"positions": "17"})

    assert (done.positions, done.raw_frames, done.duplicates) == (1, 1, 0)
    (position,) = rows_of(feed.store, PositionRow)
    (frame,) = rows_of(feed.store, RawFrameRow)
    (device,) = rows_of(feed.store, Device)
    assert position.raw_frame_id == frame.id
    assert position.device_key == frame.device_key == device.key
    assert (position.serial, position.attributes, position.marks) == (7, {"mode": 1}, 0)
    assert (device.unique_id, device.state, device.vehicle_id) == (IMEI, "waiting", None)
    assert [(row.stream, row.value) for row in rows_of(feed.store, Cursor)] == [("positions", "17")]
    assert (done.newest_data_ms, done.delay_ms_sum, done.timed) == (T0_MS, 1_000, 1)


def test_a_repeated_frame_is_stored_once_and_its_bytes_are_kept(feed: Feed) -> None:
    feed(a_position())
    done = feed(a_position(received_at_ms=T0_MS + 60_000))

    assert (done.positions, done.duplicates, done.raw_frames) == (0, 1, 1)
    (position,) = rows_of(feed.store, PositionRow)
    first, _second = rows_of(feed.store, RawFrameRow)
    assert position.raw_frame_id == first.id


def test_the_same_fixes_in_parts_reordered_and_again_are_stored_once(feed: Feed) -> None:
    drive = a_drive(count=60) + a_drive(OTHER_IMEI, count=60)
    mixed = random.Random(5).sample(drive, len(drive))
    new = (
        feed(*mixed[:50]).positions
        + feed(*mixed[30:]).positions
        + feed(*drive).positions
        + feed(*drive[::-1]).positions
    )

    assert new == count_of(feed.store, PositionRow) == 120
    assert len(set(natural_keys(feed.store))) == 120


@given(
    parts=st.lists(st.lists(st.integers(0, 39), max_size=45), min_size=1, max_size=6),
    batches_per_call=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_delivery_stores_each_fix_once(
    parts: list[list[int]], batches_per_call: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tests.helpers.stores import make_store

    store = make_store(tmp_path_factory.mktemp("any"))
    try:
        feed = make_feed(store)
        drive = a_drive(count=20) + a_drive(OTHER_IMEI, count=20)
        new = repeated = 0
        for start in range(0, len(parts), batches_per_call):
            calls = [Batch(tuple(drive[number] for number in part)) for part in parts[start : start + batches_per_call]]
            done = feed.batches(calls)
            new, repeated = new + done.positions, repeated + done.duplicates
        distinct = {number for part in parts for number in part}
        assert new == count_of(store, PositionRow) == len(distinct)
        assert repeated == sum(map(len, parts)) - len(distinct)
    finally:
        store.close()


def test_work_that_was_not_committed_is_stored_once_when_it_comes_again(feed: Feed) -> None:
    feed(*a_drive(count=3))
    batch = Batch((*a_drive(count=6), *a_drive(OTHER_IMEI, count=4)), {"positions": "x"})

    def fail_after_storing(connection: Connection) -> None:
        feed.ingest(connection, [batch], None)
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError, match="disk went away"):
        feed.store.write(fail_after_storing, on_rollback=feed.sink.forget).result()
    assert count_of(feed.store, PositionRow) == 3
    assert count_of(feed.store, Device) == 1

    done = feed.batches([batch])
    assert (done.positions, done.duplicates) == (7, 3)
    assert count_of(feed.store, PositionRow) == 10
    states = {row.device_key: row for row in rows_of(feed.store, DeviceState)}
    newest = {row.id for row in rows_of(feed.store, PositionRow) if row.fixed_at_ms in (T0_MS + 50_000, T0_MS + 30_000)}
    assert {state.position_id for state in states.values()} <= newest


def test_a_failing_neighbour_in_the_same_transaction_harms_nothing(feed: Feed) -> None:
    drive = a_drive(count=30)

    def fail(_connection: Connection) -> None:
        raise RuntimeError("somebody else's fault")

    futures: list[Future[Any]] = []
    for position in drive:
        store_it = partial(feed.ingest, batches=[Batch((position,))], now_ms=None)
        futures.append(feed.store.write(store_it, on_rollback=feed.sink.forget))
        futures.append(feed.store.write(fail))
    errors = [future.exception() for future in futures]
    assert [type(error) for error in errors] == [type(None), RuntimeError] * 30
    assert count_of(feed.store, PositionRow) == 30


def test_live_state_is_the_newest_plausible_fix_by_fix_time(feed: Feed) -> None:
    drive = a_drive(count=5)
    teleport = a_position(fixed_at_ms=T0_MS + 60_000, lat=50.0, lon=8.0)
    feed(*drive[3:], *drive[:3], teleport, a_position(fixed_at_ms=T0_MS + 70_000, located=False))

    (state,) = rows_of(feed.store, DeviceState)
    assert (state.fixed_at_ms, state.lon) == (drive[4].fixed_at_ms, drive[4].lon)
    assert state.last_seen_ms == T0_MS + 71_000
    assert state.frames == 7


def test_a_fix_from_the_future_does_not_hold_the_vehicle_there(feed: Feed) -> None:
    hours_ahead = a_position(fixed_at_ms=T0_MS + 8 * 3_600_000, received_at_ms=T0_MS)
    feed(hours_ahead)
    (state,) = rows_of(feed.store, DeviceState)
    assert state.fixed_at_ms == T0_MS
    assert state.marks == Mark.AHEAD

    feed(a_position(fixed_at_ms=T0_MS + 30_000, lon=7.4), now_ms=T0_MS + 40_000)
    (state,) = rows_of(feed.store, DeviceState)
    assert (state.lon, state.marks) == (7.4, 0)


def test_states_are_written_at_most_once_a_second_and_the_rest_by_flush(feed: Feed) -> None:
    drive = a_drive(count=3, step_ms=100)
    for position in drive:
        feed(position)
    (state,) = rows_of(feed.store, DeviceState)
    assert state.fixed_at_ms == drive[0].fixed_at_ms
    assert feed.sink.has_unwritten_states

    assert feed.store.write(lambda c: feed.sink.flush(c, T0_MS)).result() == 1
    (state,) = rows_of(feed.store, DeviceState)
    assert (state.fixed_at_ms, state.frames) == (drive[2].fixed_at_ms, 3)
    assert not feed.sink.has_unwritten_states


def test_states_are_right_after_a_kill(feed: Feed) -> None:
    drive = a_drive(count=8, step_ms=50)
    for position in drive:
        feed(position)
    feed(DeviceStatus(OTHER_IMEI, T0_MS, "gt02", "heartbeat", power_level=5, raw=a_frame(OTHER_IMEI)))
    beat_ms = T0_MS + 500
    feed(DeviceStatus(OTHER_IMEI, beat_ms, "gt02", "heartbeat", raw=a_frame(OTHER_IMEI, beat_ms)))

    reborn = Feed(feed.store, feed.integration_id, TelemetrySink(feed.store))
    assert reborn.sink.has_unwritten_states
    reborn.store.write(lambda c: reborn.sink.flush(c, T0_MS + 900)).result()

    by_device = {row.unique_id: row.key for row in rows_of(feed.store, Device)}
    states = {row.device_key: row for row in rows_of(feed.store, DeviceState)}
    moving, beating = states[by_device[IMEI]], states[by_device[OTHER_IMEI]]
    assert (moving.fixed_at_ms, moving.frames) == (drive[-1].fixed_at_ms, 8)
    assert moving.position_id == rows_of(feed.store, PositionRow)[-1].id
    assert (beating.last_seen_ms, beating.frames, beating.power_level) == (beat_ms, 2, 5)


def test_ids_go_on_after_a_restart_and_after_retention(feed: Feed) -> None:
    feed(*a_drive(count=5))
    feed.store.write(lambda c: feed.sink.flush(c, T0_MS)).result()
    last = rows_of(feed.store, PositionRow)[-1].id
    feed.store.write(lambda c: c.execute(PositionRow.__table__.delete())).result()

    reborn = Feed(feed.store, feed.integration_id, TelemetrySink(feed.store))
    reborn(a_position(fixed_at_ms=T0_MS + 3_600_000))
    assert rows_of(feed.store, PositionRow)[0].id > last


def test_a_frame_that_gave_two_records_is_one_frame(feed: Feed) -> None:
    frame = a_frame(data=b"alarm")
    event = DeviceEvent(IMEI, T0_MS, T0_MS + 900, "gt06", "sos", "1", "SOS", 9.0, 7.0, raw=frame)
    done = feed(a_position(raw=frame), event)

    assert (done.raw_frames, done.positions, done.events) == (1, 1, 1)
    (row,) = rows_of(feed.store, DeviceEventRow)
    assert row.raw_frame_id == rows_of(feed.store, PositionRow)[0].raw_frame_id
    assert rows_of(feed.store, DeviceState)[0].frames == 1
    again = feed(event)
    assert (again.events, again.duplicates) == (0, 1)


def test_two_frames_without_a_time_stay_two_and_the_same_one_stays_one(feed: Feed) -> None:
    one = a_position(fixed_at_ms=None, raw=a_frame(data=b"one"))
    two = a_position(fixed_at_ms=None, raw=a_frame(data=b"two"))
    done = feed(one, two, one)

    assert (done.positions, done.duplicates) == (2, 1)
    for row in rows_of(feed.store, PositionRow):
        assert (row.fixed_at_ms, row.marks) == (row.received_at_ms, Mark.NO_DEVICE_TIME)


def test_clock_offset_of_the_operator_goes_before_the_declared_one(feed: Feed) -> None:
    eight_hours_s = 8 * 3600
    feed(a_position(fixed_at_ms=T0_MS + eight_hours_s * 1000, received_at_ms=T0_MS, declared_offset_s=eight_hours_s))
    assert [(row.fixed_at_ms, row.clock_offset_s) for row in rows_of(feed.store, PositionRow)] == [
        (T0_MS, eight_hours_s)
    ]

    def configure(connection: Connection) -> None:
        version = raise_topic(connection, "devices")
        connection.execute(update(Device).values(clock_offset_s=3600, changed_version=version))

    feed.store.write(configure).result()
    later_ms = T0_MS + 100_000
    feed(a_position(fixed_at_ms=later_ms + 3_600_000, received_at_ms=later_ms, declared_offset_s=eight_hours_s))
    newest = rows_of(feed.store, PositionRow)[-1]
    assert (newest.fixed_at_ms, newest.clock_offset_s) == (later_ms, 3600)


def test_a_blocked_tracker_is_counted_and_not_stored(feed: Feed) -> None:
    feed(a_position())

    def block(connection: Connection) -> None:
        version = raise_topic(connection, "devices")
        connection.execute(update(Device).values(state="blocked", changed_version=version))

    feed.store.write(block).result()
    at_ms = T0_MS + 50_000
    lone = a_frame(at_ms=at_ms, verdict="unknown_type")
    done = feed(a_position(fixed_at_ms=at_ms), DeviceStatus(IMEI, at_ms, "gt02", "heartbeat"), lone)

    assert (done.blocked, done.positions, done.raw_frames) == (3, 0, 0)
    assert count_of(feed.store, PositionRow) == count_of(feed.store, RawFrameRow) == 1
    assert rows_of(feed.store, DeviceState)[0].blocked_frames == 3


def test_a_flood_of_invented_ids_does_not_grow_the_inbox(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.fleet.registry.MOST_WAITING", 5)
    done = feed(*(a_position(str(100 + number)) for number in range(8)))

    assert (done.positions, done.unattributed, done.raw_frames) == (5, 3, 8)
    assert count_of(feed.store, Device) == 5
    assert [row.device_key for row in rows_of(feed.store, RawFrameRow)].count(None) == 3
    assert feed(a_position("999")).unattributed == 1
    assert feed(a_position("101", fixed_at_ms=T0_MS + 9_000)).positions == 1


def test_frames_that_failed_create_no_device(feed: Feed) -> None:
    feed(a_frame("111", verdict="bad_checksum"), a_frame("112"), a_frame(None, verdict="foreign"))
    assert count_of(feed.store, Device) == 0
    assert [row.verdict for row in rows_of(feed.store, RawFrameRow)] == ["bad_checksum", "ok", "foreign"]


def test_a_server_names_its_devices_and_they_are_known(feed: Feed) -> None:
    info = DeviceInfo(IMEI, "Truck 4", "17", model="FMB920", group="North", last_update_ms=T0_MS)
    feed(a_position(OTHER_IMEI), info)
    rows = {row.unique_id: row for row in rows_of(feed.store, Device)}
    assert (rows[IMEI].state, rows[IMEI].name, rows[IMEI].peer_id) == ("known", "Truck 4", "17")
    assert rows[OTHER_IMEI].state == "waiting"
    with feed.store.read() as connection:
        before = topic_versions(connection)

    feed(info)
    with feed.store.read() as connection:
        assert topic_versions(connection).get("devices") == before["devices"], "nothing changed"

    feed(DeviceInfo(IMEI, "Truck 5", "17"), DeviceInfo(OTHER_IMEI, "Van", "18"))
    rows = {row.unique_id: row for row in rows_of(feed.store, Device)}
    assert (rows[IMEI].name, rows[OTHER_IMEI].name, rows[OTHER_IMEI].state) == ("Truck 5", "Van", "known")

    feed(DeviceInfo(IMEI, "", visible=False), DeviceInfo("never seen", "", visible=False))
    rows = {row.unique_id: row for row in rows_of(feed.store, Device)}
    assert (rows[IMEI].visible, rows[IMEI].name) == (False, "Truck 5")
    assert "never seen" not in rows


def test_geofences_are_written_where_they_changed(feed: Feed) -> None:
    fence = Geofence("3", "Depot", "circle", ((9.0, 7.0),), 150.0)
    feed(fence)
    (row,) = rows_of(feed.store, GeofenceRow)
    assert (row.name, row.points, row.radius_m) == ("Depot", [[9.0, 7.0]], 150.0)
    feed(fence)
    assert rows_of(feed.store, GeofenceRow)[0].changed_version == row.changed_version
    feed(Geofence("3", "Depot", "circle", ((9.0, 7.0),), 200.0))
    (moved,) = rows_of(feed.store, GeofenceRow)
    assert (moved.id, moved.radius_m) == (row.id, 200.0)
    assert moved.changed_version > row.changed_version


def test_a_record_set_aside_is_kept_once_and_text_from_outside_cannot_stop_a_batch(feed: Feed) -> None:
    bad = Rejected("position 7", "no \x00 latitude \ud800", "{")
    name = DeviceInfo(IMEI, "nul \x00 and surrogate \ud800", attributes={"a": "\ud800", "b": float("nan")})
    event = DeviceEvent(IMEI, None, T0_MS, "gt06", "text", "0", "\x00\ud800")
    done = feed(bad, name, event, a_position(attributes={"t": "\x00", "f": float("inf")}))
    assert (done.rejected, done.positions, done.events) == (1, 1, 1)
    assert feed(bad).rejected == 0
    assert count_of(feed.store, RejectedRecord) == 1
    assert "\x00" not in rows_of(feed.store, Device)[0].name


def test_an_integration_that_is_not_there_is_refused(feed: Feed) -> None:
    with pytest.raises(LookupError, match="no integration nowhere"):
        feed.store.write(lambda c: feed.sink.ingest(c, "nowhere", [Batch((a_position(),))], T0_MS)).result()
    assert feed(a_position()).positions == 1


def test_topics_move_only_for_what_was_touched(feed: Feed) -> None:
    feed(a_position())
    with feed.store.read() as connection:
        assert set(topic_versions(connection)) >= {"devices", "device_states", "positions"}
        before = topic_versions(connection)
    feed(DeviceStatus(IMEI, T0_MS + 60_000, "gt02", "heartbeat"))
    with feed.store.read() as connection:
        after = topic_versions(connection)
    assert {topic for topic in after if after[topic] != before.get(topic)} == {"device_states"}
