"""Objects of the server as records: units, times, places, and whatever else foreign JSON may hold."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import BadReply, RecordRejected
from adapters.exchange import Reply
from adapters.records import DeviceEvent
from adapters.traccar import fields, mapping
from adapters.traccar.client import read_list, read_object
from adapters.traccar.simulator_world import server_time

NOW_MS = 1_790_000_000_000
FIX_MS = NOW_MS - 60_000


def position(**changes: Any) -> dict[str, Any]:
    raw = {
        "id": 9001,
        "deviceId": 5,
        "protocol": "gt06",
        "serverTime": server_time(FIX_MS + 2000),
        "deviceTime": server_time(FIX_MS),
        "fixTime": server_time(FIX_MS),
        "valid": True,
        "latitude": 9.0579,
        "longitude": 7.4951,
        "altitude": 360.5,
        "speed": 40.0,
        "course": 271.5,
        "address": None,
        "accuracy": 0.0,
        "network": {"radioType": "gsm"},
        "geofenceIds": None,
        "attributes": {"sat": 9, "rssi": 3, "power": 12.6, "battery": 4.0, "ignition": True, "nested": {"a": 1}},
    }
    return {**raw, **changes}


def test_position_is_read_with_our_units() -> None:
    fix = mapping.fix(position(), "356700000000001", NOW_MS)
    found = fix.position
    assert found is not None
    assert (fix.id, fix.device_id, found.device) == (9001, 5, "356700000000001")
    assert found.fixed_at_ms == FIX_MS
    assert found.received_at_ms == FIX_MS + 2000
    assert found.speed_km_h == pytest.approx(74.08)
    assert (found.lat, found.lon, found.course_deg, found.altitude_m) == (9.0579, 7.4951, 271.5, 360.5)
    assert found.located
    assert found.attributes == {
        "sat": 9, "rssi": 3, "power": 12.6, "battery": 4.0, "ignition": True, "protocol": "gt06",
    }  # fmt: skip
    status = fix.status
    assert (status.external_v, status.battery_v, status.gsm_level, status.satellites) == (12.6, 4.0, 3, 9)
    assert status.ignition is True


def test_power_of_gt02_is_a_level() -> None:
    status = mapping.fix(position(protocol="gt02", attributes={"power": 5, "rssi": 4}), "x", NOW_MS).status
    assert (status.power_level, status.gsm_level, status.external_v) == (5, 4, None)


def test_arrival_is_never_in_the_future() -> None:
    fix = mapping.fix(position(serverTime=server_time(NOW_MS + 3_600_000)), "x", NOW_MS)
    assert fix.status.received_at_ms == NOW_MS


def test_invalid_fix_is_kept_and_does_not_move_the_vehicle() -> None:
    found = mapping.fix(position(valid=False), "x", NOW_MS).position
    assert found is not None
    assert not found.located


def test_device_without_any_fix_gives_its_state_alone() -> None:
    never = position(fixTime="1980-01-06T00:00:00.000+00:00", latitude=0.0, longitude=0.0, valid=False)
    fix = mapping.fix(never, "x", NOW_MS)
    assert fix.position is None
    assert fix.status.external_v == 12.6


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-14T08:30:05.000+00:00",
        "2026-03-14T08:30:05.000+0000",
        "2026-03-14T08:30:05Z",
        "2026-03-14T09:30:05+01:00",
    ],
)
def test_times_with_every_form_of_zone(text: str) -> None:
    expected = int(datetime(2026, 3, 14, 8, 30, 5, tzinfo=UTC).timestamp() * 1000)
    assert fields.time_ms({"at": text}, "at") == expected


@pytest.mark.parametrize("text", ["2026-03-14T08:30:05", "", "yesterday", None, 5, "2026-13-14T08:30:05Z", "0000"])
def test_times_without_zone_or_sense_are_none(text: object) -> None:
    assert fields.time_ms({"at": text}, "at") is None


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_times_go_out_and_come_back(at_ms: int) -> None:
    assert fields.time_ms({"at": fields.iso_time(at_ms)}, "at") == at_ms
    assert fields.time_ms({"at": server_time(at_ms)}, "at") == at_ms


@pytest.mark.parametrize(
    "changes",
    [
        {"latitude": 90.01},
        {"longitude": -180.5},
        {"latitude": None},
        {"latitude": "9.0"},
        {"latitude": math.nan},
        {"latitude": True},
        {"fixTime": None},
        {"fixTime": "2026-03-14T08:30:05"},
        {"id": None},
        {"id": -4},
        {"id": 2**63},
        {"deviceId": "5"},
    ],
)
def test_position_that_cannot_be_right_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordRejected):
        mapping.fix(position(**changes), "x", NOW_MS)


@pytest.mark.parametrize(("level", "percent"), [(87, 87), (86.6, 87), (0, 0), (100, 100), (101, None), ("87", None)])
def test_the_battery_in_percent(level: object, percent: int | None) -> None:
    assert mapping.fix(position(attributes={"batteryLevel": level}), "x", NOW_MS).status.battery_percent == percent


@pytest.mark.parametrize("number", [1e308, -1e308, 10**400, math.inf, math.nan, 1.01e12])
def test_numbers_beyond_reason_are_left_out(number: float) -> None:
    said = {"battery": number, "power": number, "sat": number}
    read = mapping.fix(position(speed=number, course=number, altitude=number, attributes=said), "x", NOW_MS)
    assert read.position is not None
    assert (read.position.speed_km_h, read.position.course_deg, read.position.altitude_m) == (None, None, None)
    assert (read.status.battery_v, read.status.external_v, read.status.satellites) == (None, None, None)
    fence = mapping.geofence({"id": 1, "area": "CIRCLE (9 7, 100)", "attributes": {"speedLimit": number}})
    assert fence.speed_limit_km_h is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(position())), json_values), json_values)
def test_no_position_crashes_and_every_good_one_is_in_range(changes: dict[str, Any], said: Any) -> None:
    raw = {**position(), **changes, "attributes": said}
    try:
        found = mapping.fix(raw, "x", NOW_MS).position
    except RecordRejected:
        return
    if found is not None:
        assert -90 <= found.lat <= 90
        assert -180 <= found.lon <= 180
        assert found.received_at_ms <= NOW_MS
        assert found.speed_km_h is None or math.isfinite(found.speed_km_h)
        json.dumps(found.attributes, allow_nan=False).encode("utf-8")
        assert "\x00" not in json.dumps(found.attributes, ensure_ascii=False)


@settings(deadline=None)
@given(json_values)
def test_no_json_crashes_any_mapping(raw: Any) -> None:
    for one in (
        lambda: mapping.fix(raw, "x", NOW_MS),
        lambda: mapping.known_device(raw),
        lambda: mapping.geofence(raw),
        lambda: list(mapping.device_events(raw, "x", NOW_MS, None, {})),
    ):
        with pytest.raises(RecordRejected):
            one()
    mapping.group_names(raw if isinstance(raw, list) else [raw])


def events_of(**changes: Any) -> list[DeviceEvent]:
    raw = {"id": 3, "type": "alarm", "eventTime": server_time(FIX_MS), "deviceId": 5, "positionId": 9001, **changes}
    return list(mapping.device_events(raw, "x", NOW_MS, (9.0, 7.0), {4: "Kano depot"}))


def test_event_kinds_and_sentences() -> None:
    (overspeed,) = events_of(type="deviceOverspeed", attributes={"speed": 60.0, "speedLimit": 54.0})
    assert (overspeed.kind, overspeed.text) == ("overspeed", "Too fast: 111 km/h, allowed 100 km/h")
    (entered,) = events_of(type="geofenceEnter", geofenceId=4)
    assert (entered.kind, entered.text) == ("geofence_enter", "Entered Kano depot")
    (new,) = events_of(type="somethingNewHappened")
    assert (new.kind, new.code, new.text) == (
        "something_new_happened",
        "somethingNewHappened",
        "Something new happened",
    )


def test_alarm_with_several_names_is_several_events() -> None:
    found = events_of(attributes={"alarm": "sos,powerCut,strange,sos"})
    assert [(event.kind, event.code) for event in found] == [
        ("sos", "alarm:sos"),
        ("power_cut", "alarm:powerCut"),
        ("alarm", "alarm:strange"),
    ]
    assert [event.kind for event in events_of(attributes=None)] == ["alarm"]


def test_power_that_is_back_is_no_alarm() -> None:
    found = events_of(attributes={"alarm": "powerRestored,powerOn"})
    assert [event.kind for event in found] == ["power_restored", "power_on"]


def test_groups_name_their_parents_even_in_a_circle() -> None:
    names = mapping.group_names(
        [{"id": 1, "name": "A", "groupId": 2}, {"id": 2, "name": "B", "groupId": 1}, {"id": 3, "name": "C"}, None]
    )
    assert names == {1: "B / A", 2: "A / B", 3: "C"}


# -- bodies


def reply(body: bytes) -> Reply:
    return Reply(200, httpx.Headers(), body)


@settings(deadline=None)
@given(st.lists(json_values, max_size=6), st.data())
def test_a_list_is_whole_or_an_error(items: list[Any], data: st.DataObject) -> None:
    body = json.dumps(items, allow_nan=True).encode()
    if b"NaN" in body or b"Infinity" in body:
        return
    assert list(read_list(reply(body), "the server")) == json.loads(body)
    cut = data.draw(st.integers(min_value=0, max_value=len(body) - 1))
    with pytest.raises(BadReply):
        list(read_list(reply(body[:cut]), "the server"))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_never_crash_the_readers(body: bytes) -> None:
    for read in (lambda: list(read_list(reply(body), "the server")), lambda: read_object(reply(body), "the server")):
        with contextlib.suppress(BadReply):
            read()


@pytest.mark.parametrize(
    "body", [b"[1,]", b"[,1]", b"[1 2]", b"[1]]", b"[1]x", b"[NaN]", b"[" * 90_000, b"[01]", b"{}"]
)
def test_what_json_does_not_allow_is_a_bad_reply(body: bytes) -> None:
    with pytest.raises(BadReply):
        list(read_list(reply(body), "the server"))


def test_blanks_and_a_byte_order_mark_are_fine() -> None:
    assert list(read_list(reply(b'\xef\xbb\xbf [ 1 ,\n {"a" : 2} ] \n'), "the server")) == [1, {"a": 2}]
    assert list(read_list(reply(b" [ ] "), "the server")) == []
