"""What a wrong clock, a lost fact, a kill in a bad moment and peers of ill will may not do to stored telemetry."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from sqlalchemy import Engine, delete, event, update

from adapters.records import DeviceEvent, DeviceInfo, DeviceStatus
from app.fleet.freshness import Freshness, freshness
from app.fleet.plausibility import LATEST_MS, Mark
from app.fleet.states import UPTO
from app.fleet.statistics import fleet_statistics
from app.fleet.telemetry import TelemetrySink
from app.store.facts import clear_fact
from app.store.store import Store
from app.store.tables import Device, DeviceEventRow, DeviceState, PositionRow, RawFrameRow
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

YEAR_MS = 365 * 86_400_000
MINUTE_MS = 60_000


@pytest.fixture
def feed(store: Store) -> Feed:
    return make_feed(store)


def a_beat(device: str, at_ms: int) -> DeviceStatus:
    return DeviceStatus(device, at_ms, "gt02", "heartbeat", raw=a_frame(device, at_ms))


def reborn(feed: Feed) -> Feed:
    """The feed of a new process on the same store, its states recovered and written."""
    again = Feed(feed.store, feed.integration_id, TelemetrySink(feed.store))
    again.store.write(lambda c: again.sink.flush(c, T0_MS + YEAR_MS)).result()
    return again


# -- dates -------------------------------------------------------------------------------------------------------


def test_a_fix_dated_to_the_end_of_the_century_is_stored(feed: Feed) -> None:
    done = feed(a_position(fixed_at_ms=LATEST_MS - 1_000, received_at_ms=T0_MS), a_position())

    assert done.positions == 2
    assert [row.clock_lag_s for row in rows_of(feed.store, DeviceState)] == [-1]


def test_a_word_longer_than_its_column_costs_no_record(feed: Feed) -> None:
    long = "a_kind_that_nobody_has_heard_of_before_now"
    event_at = DeviceEvent(IMEI, T0_MS, T0_MS, "gt06", long, "1", "?", raw=a_frame(data=b"alarm"))

    assert feed(event_at).events == 1
    assert feed(DeviceStatus(IMEI, T0_MS + 1, "gt06", long, raw=a_frame())).statuses == 1
    assert long.startswith(rows_of(feed.store, DeviceState)[0].last_kind)


# -- a clock that was ahead and is set right ---------------------------------------------------------------------


@pytest.mark.parametrize("absurd", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_stored(feed: Feed, absurd: float) -> None:
    """Of an adapter that did not look: no place is refused and listed, the rest is marked and left empty."""
    frame = a_frame(IMEI, T0_MS)
    done = feed(
        replace(a_position(), lat=absurd, raw=frame),
        replace(a_position(fixed_at_ms=T0_MS + 1000), lon=absurd),
        replace(a_position(fixed_at_ms=T0_MS + 2000), speed_km_h=absurd, course_deg=absurd, altitude_m=absurd),
        DeviceStatus(IMEI, T0_MS, "gt02", "status", battery_v=absurd, battery_percent=87, external_v=12.5),
        DeviceEvent(IMEI, T0_MS, T0_MS, "gt02", "sos", "1", "SOS", lat=absurd, lon=7.0),
    )
    assert (done.positions, done.rejected) == (1, 2)
    (row,) = rows_of(feed.store, PositionRow)
    assert (row.speed_km_h, row.course_deg, row.altitude_m) == (None, None, None)
    assert row.marks & (Mark.SPEED_RANGE | Mark.COURSE_RANGE) == Mark.SPEED_RANGE | Mark.COURSE_RANGE
    (event_row,) = rows_of(feed.store, DeviceEventRow)
    assert (event_row.lat, event_row.lon) == (None, None)
    assert bytes(frame.data) in [bytes(kept.data) for kept in rows_of(feed.store, RawFrameRow)], (
        "the bytes are evidence"
    )
    (state,) = [row for row in rows_of(feed.store, DeviceState) if row.external_v is not None]
    assert (state.battery_v, state.battery_percent) == (None, 87)


def test_a_clock_set_back_does_not_keep_a_silent_tracker_online(feed: Feed) -> None:
    feed(a_beat(IMEI, T0_MS + YEAR_MS))
    feed(a_beat(OTHER_IMEI, T0_MS + YEAR_MS))
    feed.store.write(lambda c: c.execute(update(Device).values(state="known", changed_version=99))).result()

    feed(a_beat(IMEI, T0_MS), now_ms=T0_MS)

    speaks, silent = rows_of(feed.store, DeviceState)
    assert freshness(speaks.last_seen_ms, T0_MS) is Freshness.ONLINE
    assert speaks.last_seen_ms == T0_MS
    assert freshness(silent.last_seen_ms, T0_MS) is not Freshness.ONLINE
    with feed.store.read() as connection:
        statistics = fleet_statistics(connection, T0_MS)
    assert (statistics.known, statistics.reporting, statistics.never) == (2, 1, 0)


def test_a_servers_clock_ahead_of_ours_is_no_life_of_tomorrow(feed: Feed) -> None:
    info = DeviceInfo(IMEI, "Truck 4", "17", last_update_ms=T0_MS + YEAR_MS)
    done = feed(info, now_ms=T0_MS)
    feed.store.write(lambda c: feed.sink.flush(c, T0_MS)).result()

    assert rows_of(feed.store, DeviceState)[0].last_seen_ms == T0_MS
    assert done.newest_data_ms == T0_MS


# -- signs of life -----------------------------------------------------------------------------------------------


def test_what_a_server_says_about_a_device_is_no_life_of_it(feed: Feed) -> None:
    feed(a_position())
    gone_ms = T0_MS + 30 * MINUTE_MS
    offline = DeviceEvent(IMEI, gone_ms, gone_ms, "traccar", "offline", "deviceOffline", "Gone", peer_id="5")
    done = feed(offline)
    feed.store.write(lambda c: feed.sink.flush(c, gone_ms)).result()

    assert done.events == count_of(feed.store, DeviceEventRow) == 1
    (state,) = rows_of(feed.store, DeviceState)
    assert (state.last_seen_ms, state.last_kind) == (T0_MS + 1_000, "position")
    assert done.newest_data_ms is None


# -- kills -------------------------------------------------------------------------------------------------------


def test_a_kill_neither_counts_frames_twice_nor_takes_bad_ones_for_life(feed: Feed) -> None:
    feed(a_beat(OTHER_IMEI, T0_MS))
    feed(a_beat(OTHER_IMEI, T0_MS + 100))  # waits to be written: everything after it is looked at again
    for number in range(1, 7):
        feed(a_beat(IMEI, T0_MS + number * 2_000))
    bad_ms = T0_MS + 14_000
    feed(a_frame(IMEI, bad_ms, b"broken", verdict="malformed"))

    reborn(feed)

    other, one = rows_of(feed.store, DeviceState)
    assert (other.frames, one.frames) == (2, 6)
    assert one.last_seen_ms == T0_MS + 12_000


def test_a_lost_fact_costs_no_state_and_no_walk_over_every_row(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = a_drive(count=400, step_ms=5_000)
    for start in range(0, 400, 50):
        feed(*drive[start : start + 50])
    feed(a_position(OTHER_IMEI), a_position(OTHER_IMEI, lat=0.0, lon=0.0, fixed_at_ms=T0_MS + 5_000))
    before = {row.device_key: row for row in rows_of(feed.store, DeviceState)}
    feed.store.write(lambda c: clear_fact(c, UPTO)).result()
    feed.store.write(lambda c: c.execute(delete(DeviceState).where(DeviceState.device_key == 2))).result()
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        if "FROM positions" in statement and "max(" not in statement:
            asked.append(statement)

    monkeypatch.setattr("app.fleet.states._PAGE_ROWS", 10)
    event.listen(Engine, "after_cursor_execute", note)
    try:
        reborn(feed)
    finally:
        event.remove(Engine, "after_cursor_execute", note)

    assert len(asked) == len(before)  # one look each
    after = {row.device_key: row for row in rows_of(feed.store, DeviceState)}
    assert {key: (row.position_id, row.lat, row.fixed_at_ms) for key, row in after.items()} == {
        key: (row.position_id, row.lat, row.fixed_at_ms) for key, row in before.items()
    }
    assert after[1].frames == before[1].frames  # counted once
    assert after[2].last_seen_ms == T0_MS + 1_000


# -- evidence of nobody ------------------------------------------------------------------------------------------


def test_frames_of_nobody_are_kept_up_to_a_number_an_hour_and_counted_beyond(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.fleet.strays.KEPT_PER_HOUR", 10)
    junk = [a_frame(None, T0_MS, b"%d" % number, verdict="bad_checksum") for number in range(25)]

    first = feed(*junk[:8])
    second = feed(*junk[8:])
    known = feed(a_position())
    later = feed(a_frame(None, T0_MS + 3_600_000, b"later", verdict="foreign"))

    assert (first.raw_frames, first.unkept) == (8, 0)
    assert (second.raw_frames, second.unkept) == (2, 15)
    assert (known.positions, known.raw_frames) == (1, 1)
    assert (later.raw_frames, later.unkept) == (1, 0)
    assert count_of(feed.store, RawFrameRow) == 12
    assert count_of(feed.store, PositionRow) == 1
