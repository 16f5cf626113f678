"""From bytes to records and replies, as the layouts of the protocol reference say."""

from __future__ import annotations

from struct import pack
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gt02_tracker.session import Intake, Session
from adapters.records import (
    DeviceEvent,
    DeviceStatus,
    FuelReading,
    FuelSensorInfo,
    Position,
    RawFrame,
    Record,
    Rejected,
)
from tests.adapters.gt02_tracker import builders as b
from tests.adapters.gt02_tracker.support import IMEI, NOW_MS, FakeReporter

PEER = "192.0.2.1:1000"
HEARTBEAT_REPLY = "54681a0d0a"
R = TypeVar("R", bound=Record)


def talk(*parts: bytes, logged_in: bool = True) -> tuple[Intake, FakeReporter]:
    """Records and replies of ``parts`` on one connection, without those of the login before them."""
    reporter = FakeReporter()
    session = Session(PEER, reporter)
    if logged_in:
        session.receive(b.login(), NOW_MS, 0.0)
    intakes = [session.receive(part, NOW_MS, 0.0) for part in parts]
    records = [record for intake in intakes for record in intake.records]
    return Intake(records, b"".join(intake.reply for intake in intakes)), reporter


def only(records: list[Record], kind: type[R]) -> R:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


# GT02 ------------------------------------------------------------------------------------------------------------


def test_gt02_location() -> None:
    intake, _ = talk(b.gt02(0x10, b.location_content(flags=0b1111), serial=7), logged_in=False)
    position = only(intake.records, Position)
    assert (position.device, position.source, position.serial) == (IMEI, "gt02", 7)
    assert (position.fixed_at_ms, position.received_at_ms) == (b.DATE_MS, NOW_MS)
    assert (position.lat, position.lon) == (b.LAT, b.LON)
    assert (position.speed_km_h, position.course_deg, position.located) == (62.0, 271.0, True)
    assert position.attributes == {"charging": True}
    assert position.raw is not None
    assert (position.raw.verdict, position.raw.reply, position.raw.peer) == ("ok", b"", PEER)
    assert intake.reply == b""
    assert only(intake.records, DeviceStatus).charging is True


@pytest.mark.parametrize(
    ("flags", "lat", "lon"),
    [(0b111, b.LAT, b.LON), (0b101, -b.LAT, b.LON), (0b011, b.LAT, -b.LON), (0b001, -b.LAT, -b.LON)],
)
def test_gt02_bits_1_and_2_are_north_and_east(flags: int, lat: float, lon: float) -> None:
    position = only(talk(b.gt02(0x10, b.location_content(flags=flags)))[0].records, Position)
    assert (position.lat, position.lon) == (lat, lon)


def test_gt02_without_a_fix_is_no_fix() -> None:
    position = only(talk(b.gt02(0x10, b.location_content(flags=0b110)))[0].records, Position)
    assert position.located is False


@pytest.mark.parametrize(
    "content",
    [
        b.location_content(date=bytes(6)),
        b.location_content(date=bytes((26, 13, 1, 0, 0, 0))),
        b.location_content(date=bytes((26, 2, 29, 0, 0, 0))),
        b.location_content(date=bytes((26, 1, 1, 24, 0, 0))),
        b.location_content(lat=90.1),
        b.location_content(lon=180.1),
        b.location_content() + b"\0",
        b.location_content()[:-1],
    ],
)
def test_gt02_that_fails_a_check_is_kept_raw_and_not_believed(content: bytes) -> None:
    intake, reporter = talk(b.gt02(0x10, content))
    frame = only(intake.records, RawFrame)
    assert (frame.verdict, frame.device, intake.reply) == ("malformed", None, b"")
    assert reporter.counters["malformed_frames"] == 1


def test_gt02_heartbeat_is_answered() -> None:
    intake, _ = talk(b.gt02(0x1A, bytes((1, 3, 40, 41, 42)), levels=b"\x05\x03"), logged_in=False)
    status = only(intake.records, DeviceStatus)
    assert (status.kind, status.power_level, status.gsm_level, status.satellites) == ("heartbeat", 5, 3, 3)
    assert status.attributes == {"located": True}
    assert intake.reply.hex() == HEARTBEAT_REPLY
    assert status.raw is not None
    assert status.raw.reply == intake.reply


@pytest.mark.parametrize(
    ("content", "satellites", "attributes"),
    [
        (b"", None, None),
        (b"\x00", None, {"located": False}),
        (b"\x04\x02\x29\x2d", 2, {"located": False}),
        (b"\x02\x2a" + bytes(9), 9, {"located": True}),
    ],
)
def test_gt02_heartbeat_parts_are_optional(content: bytes, satellites: int | None, attributes: Any) -> None:
    status = only(talk(b.gt02(0x1A, content))[0].records, DeviceStatus)
    assert status.satellites == satellites
    assert (status.attributes or None) == attributes


def test_gt02_alarms_are_told_once_while_they_last() -> None:
    sos, calm = b.gt02(0x10, b.location_content(flags=0b010111)), b.gt02(0x10, b.location_content())
    intake, _ = talk(calm, sos, sos, calm, sos)
    events = [record for record in intake.records if isinstance(record, DeviceEvent)]
    assert [(event.kind, event.code, event.lat) for event in events] == [("sos", "sos", b.LAT)] * 2


def test_gt02_forced_power_off_is_a_power_cut() -> None:
    event = only(talk(b.gt02(0x10, b.location_content(flags=0b100110)))[0].records, DeviceEvent)
    assert (event.kind, event.code) == ("power_cut", "forced_power_off")
    assert (event.lat, event.lon) == (None, None)  # no fix, so no place


def test_gt02_result_of_a_command() -> None:
    status = only(talk(b.gt02(0x1C, b"\x07APEXOK!"))[0].records, DeviceStatus)
    assert (status.kind, status.attributes) == ("command_result", {"text": "APEXOK!"})


@pytest.mark.parametrize("message_type", [0x1B, 0x55])
def test_gt02_types_without_a_layout_are_kept_and_not_answered(message_type: int) -> None:
    intake, reporter = talk(b.gt02(message_type, b"abc"))
    frame = only(intake.records, RawFrame)
    assert (frame.verdict, frame.device, intake.reply) == ("unknown_type", IMEI, b"")
    assert reporter.counters["unknown_frames"] == 1


def test_a_clone_identity_without_check_digit_is_taken_with_a_warning() -> None:
    status = only(talk(b.gt02(0x1A, imei="356789012345670"), logged_in=False)[0].records, DeviceStatus)
    assert status.attributes == {"imei_check_digit_wrong": True}


# GT06 ------------------------------------------------------------------------------------------------------------


def test_gt06_login_gives_the_connection_its_identity() -> None:
    intake, _ = talk(b.login(serial=9), logged_in=False)
    status = only(intake.records, DeviceStatus)
    assert (status.device, status.kind) == (IMEI, "login")
    assert intake.reply == b.gt06(0x01, b"", 9)


def test_gt06_before_login_is_kept_not_attributed_and_not_answered() -> None:
    intake, reporter = talk(b.gt06(0x13, bytes.fromhex("4406040002")), b.gt06(0x8A), logged_in=False)
    assert [(frame.verdict, frame.device) for frame in intake.records if isinstance(frame, RawFrame)] == [
        ("not_attributed", None)
    ] * 2
    assert intake.reply == b""
    assert reporter.counters["not_attributed_frames"] == 2


def test_gt06_on_a_gt02_connection_belongs_to_its_device() -> None:
    intake, _ = talk(b.gt02(0x1A), b.gt06_long(0x94, b"\x00\x04\x9f"), logged_in=False)
    information = intake.records[1]
    assert isinstance(information, DeviceStatus)
    assert (information.device, information.external_v) == (IMEI, 11.83)


def test_gt06_several_logins_in_one_segment_are_each_answered() -> None:
    intake, _ = talk(b.login(serial=1) + b.login(serial=2) + b.login(serial=3), logged_in=False)
    assert intake.reply == b.gt06(1, b"", 1) + b.gt06(1, b"", 2) + b.gt06(1, b"", 3)


def test_gt06_wrong_checksum_is_kept_and_neither_believed_nor_answered() -> None:
    frame = bytearray(b.gt06(0x22, b.gps_block() + b.CELL + b"\x01\x00\x00"))
    frame[12] ^= 1
    intake, reporter = talk(bytes(frame))
    kept = only(intake.records, RawFrame)
    assert (kept.verdict, intake.reply, reporter.counters["bad_checksum_frames"]) == ("bad_checksum", b"", 1)


def test_gt06_location() -> None:
    intake, _ = talk(b.gt06(0x22, b.gps_block() + b.CELL + b"\x01\x00\x01", 5))
    position = only(intake.records, Position)
    assert (position.source, position.serial, position.satellites) == ("gt06", 5, 9)
    assert (position.fixed_at_ms, position.lat, position.lon) == (b.DATE_MS, b.LAT, b.LON)
    assert (position.speed_km_h, position.course_deg, position.located) == (62.0, 15.0, True)
    assert position.attributes == {"ignition": True, "upload_mode": 0, "reupload": True}
    assert only(intake.records, DeviceStatus).ignition is True
    assert intake.reply == b.gt06(0x22, b"", 5)


@pytest.mark.parametrize(("status", "lat", "lon"), [(0x1400, 1, 1), (0x1000, -1, 1), (0x1C00, 1, -1), (0x1800, -1, -1)])
def test_gt06_bit_11_is_west(status: int, lat: int, lon: int) -> None:
    position = only(talk(b.gt06(0x10, b.gps_block(status=status)))[0].records, Position)
    assert (position.lat, position.lon) == (lat * b.LAT, lon * b.LON)


@pytest.mark.parametrize("date", [bytes(6), bytes((26, 13, 1, 0, 0, 0)), b"\xff" * 6])
def test_gt06_invalid_date_means_no_device_time(date: bytes) -> None:
    position = only(talk(b.gt06(0x10, b.gps_block(date=date)))[0].records, Position)
    assert position.fixed_at_ms is None


def test_gt06_coordinates_out_of_range_are_not_believed_but_answered() -> None:
    """The checksum is right, so without an answer the device would send the same frame for ever."""
    frame = b.gt06(0x22, b.gps_block(lat=91) + b.CELL + b"\0\0\0", 8)
    intake, _ = talk(frame)
    assert only(intake.records, RawFrame).verdict == "malformed"
    assert intake.reply == b.gt06(0x22, b"", 8)


@pytest.mark.parametrize("content", [b"", b.gps_block()[:17]])
def test_gt06_content_that_ends_early_is_not_believed(content: bytes) -> None:
    assert only(talk(b.gt06(0x22, content))[0].records, RawFrame).verdict == "malformed"


@pytest.mark.parametrize("message_type", [0x11, 0x12, 0x16, 0x22, 0x26, 0x27, 0x31, 0x32, 0x37, 0xA0, 0xA4])
@pytest.mark.parametrize("tail", [b"", b"\x09", b.CELL[:3], b"\x09" + b.CELL + b"\x44"])
def test_gt06_variant_with_a_shorter_tail_keeps_its_position(message_type: int, tail: bytes) -> None:
    intake, _ = talk(b.gt06(message_type, b.gps_block() + tail, 6))
    position = only(intake.records, Position)
    assert (position.lat, position.lon, position.fixed_at_ms) == (b.LAT, b.LON, b.DATE_MS)
    assert intake.reply == b.gt06(message_type, b"", 6)


@given(
    st.sampled_from([0x01, 0x10, 0x11, 0x12, 0x13, 0x15, 0x16, 0x18, 0x19, 0x21, 0x22, 0x23, 0x26, 0x27, 0x2A, 0x31])
    | st.integers(0, 255),
    st.binary(max_size=120),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_gt06_any_content_under_a_right_checksum_is_borne(message_type: int, content: bytes, long: bool) -> None:
    intake, _ = talk((b.gt06_long if long else b.gt06)(message_type, content))
    assert intake.records
    for record in intake.records:
        if isinstance(record, Position):
            assert abs(record.lat) <= 90
            assert abs(record.lon) <= 180


@pytest.mark.parametrize(
    ("zone", "offset_s"), [(b"\x32\x00", 28_800), (b"\x19\x0a", -14_400), (b"\x4d\xd8", -45_900), (b"\xff\xf0", 0)]
)
def test_gt06_login_zone_applies_to_local_time_types_alone(zone: bytes, offset_s: int) -> None:
    intake, _ = talk(
        b.login(extra=b"\x10\x0b" + zone), b.gt06(0x10, b.gps_block()), b.gt06(0x22, b.gps_block() + b.CELL + b"\0\0\0")
    )
    local, utc = [record for record in intake.records if isinstance(record, Position)]
    assert (local.declared_offset_s, utc.declared_offset_s) == (offset_s, 0)


def test_gt06_status() -> None:
    intake, _ = talk(b.gt06(0x13, bytes((0b1100_0111, 6, 4, 0, 2)), 3))
    status = only(intake.records, DeviceStatus)
    assert (status.kind, status.power_level, status.gsm_level) == ("status", 6, 4)
    assert (status.charging, status.ignition) == (True, True)
    assert status.attributes == {"oil_cut": True, "gps_tracking": True, "armed": True}
    assert intake.reply == b.gt06(0x13, b"", 3)


@pytest.mark.parametrize(
    ("alarm", "kind"),
    [
        (0x01, "sos"),
        (0x02, "power_cut"),
        (0x03, "vibration"),
        (0x04, "geofence_enter"),
        (0x05, "geofence_exit"),
        (0x06, "overspeed"),
        (0x13, "tamper"),
        (0x19, "low_battery"),
        (0x0C, "alarm"),
    ],
)
def test_gt06_alarm_gives_position_status_and_event(alarm: int, kind: str) -> None:
    content = b.gps_block() + b"\x09" + b.CELL + bytes((0x46, 5, 3, alarm, 2))
    intake, _ = talk(b.gt06(0x26, content, 4))
    event = only(intake.records, DeviceEvent)
    assert (event.kind, event.code) == (kind, f"0x{alarm:02x}")
    assert ("code" in event.text) is (kind == "alarm"), "what is understood is told in words alone"
    assert (event.occurred_at_ms, event.lat, event.lon) == (b.DATE_MS, b.LAT, b.LON)
    position, status = only(intake.records, Position), only(intake.records, DeviceStatus)
    assert position.raw is status.raw is event.raw
    assert (status.power_level, status.gsm_level) == (5, 3)
    assert intake.reply == b.gt06(0x26, b"", 4)


@pytest.mark.parametrize(("told", "percent"), [(87, 87), (0, 0), (100, 100), (255, None)])
def test_gt06_long_status_tells_the_battery_in_percent(told: int, percent: int | None) -> None:
    content = bytes((0x46, 0, 0, 0, 1, told, 0)) + (402).to_bytes(2, "big") + bytes(5)
    status = only(talk(b.gt06(0x13, content))[0].records, DeviceStatus)
    assert (status.battery_percent, status.battery_v) == (percent, 4.02)


def test_gt06_alarm_without_a_code_takes_the_bits() -> None:
    content = b.gps_block() + b"\x00" + bytes((4 << 3, 5, 3, 0, 2))
    event = only(talk(b.gt06(0x16, content))[0].records, DeviceEvent)
    assert (event.kind, event.code) == ("sos", "bits 4")


def test_gt06_alarm_in_a_status_is_told_once_while_it_lasts() -> None:
    calm, low = b.gt06(0x13, bytes((0x44, 6, 4, 0, 2))), b.gt06(0x13, bytes((0x44 | 3 << 3, 2, 4, 0, 2)))
    intake, _ = talk(calm, low, low, calm)
    assert [e.kind for e in intake.records if isinstance(e, DeviceEvent)] == ["low_battery"]


def test_gt06_alarm_code_before_the_language_of_a_status() -> None:
    event = only(talk(b.gt06(0x13, bytes((0x44, 6, 4, 1, 2))))[0].records, DeviceEvent)
    assert (event.kind, event.code, event.occurred_at_ms) == ("sos", "0x01", None)


def test_gt06_time_request_is_answered_with_utc() -> None:
    """The vendor's example: 2015-12-29 00:00:21 for serial 6."""
    session = Session(PEER, FakeReporter())
    session.receive(b.login(), 0, 0.0)
    intake = session.receive(bytes.fromhex("7878058a000688290d0a"), 1_451_347_221_000, 0.0)
    assert intake.reply.hex() == "78780b8a0f0c1d0000150006f0860d0a"


def test_gt06_location_with_a_status_tail() -> None:
    content = b.gps_block() + b.CELL + bytes.fromhex("460571040e")
    intake, _ = talk(b.gt06(0x12, content))
    status = only(intake.records, DeviceStatus)
    assert (status.external_v, status.gsm_level, status.ignition) == (13.93, 4, True)
    assert only(intake.records, DeviceEvent).kind == "low_power"


def test_gt06_location_with_a_fuel_tail() -> None:
    content = b.gps_block() + b.CELL + bytes.fromhex("440571040001f48500001388")
    intake, _ = talk(b.gt06(0x12, content))
    attributes = only(intake.records, Position).attributes
    assert attributes is not None
    assert (attributes["oil_raw"], attributes["temperature_c"], attributes["mileage_raw"]) == (500, -5.0, 5000)


@pytest.mark.parametrize(
    ("content", "field", "value"),
    [
        (b"\x00\x04\x9f", "external_v", 11.83),
        (b"\x0b\x02\xe3", "external_v", 7.39),
        (b"\x0b\x01", "network", 1),
        (b"\x05" + b.DATE + b"\x01", "door_open", True),
        (b"\x0d!AIOIL,02,002.720,029.500,524J,0100,003.400,0,00,93", "fuel_raw", 3.4),
        (b"\x1bRFID:1234", "card_text", "RFID:1234"),
        (b"\x1e" + pack(">iI", -55, 750), "temperature_c", -5.5),
        (b"\x08abc", "payload", "616263"),
    ],
)
def test_gt06_information(content: bytes, field: str, value: object) -> None:
    intake, _ = talk(b.gt06_long(0x94, content))
    status = only(intake.records, DeviceStatus)
    assert (status.kind, intake.reply) == ("information", b"")
    assert value == (status.external_v if field == "external_v" else (status.attributes or {})[field])


def test_gt06_level_sensor_is_a_fuel_sensor_by_itself() -> None:
    content = b"\x0d!AIOIL,02,002.720,029.500,524J,0100,003.400,0,00,93"
    intake, _ = talk(b.gt06_long(0x94, content))
    info, reading = only(intake.records, FuelSensorInfo), only(intake.records, FuelReading)
    assert (info.sensor, info.kind, info.unit) == (f"{IMEI}:fuel", "telematics", "counts")
    status = only(intake.records, DeviceStatus)
    assert (reading.sensor, reading.value, reading.raw) == (info.sensor, 3.4, status.raw)
    assert reading.measured_at_ms == reading.received_at_ms == status.received_at_ms
    assert reading.temperature_c == (status.attributes or {})["temperature_c"]
    voltage, _ = talk(b.gt06_long(0x94, b"\x00\x04\x9f"))
    assert not [one for one in voltage.records if isinstance(one, FuelReading)]


def test_gt06_serial_passthrough_keeps_the_probe_bytes() -> None:
    status = only(talk(b.gt06_long(0x9B, b"\x03\x3c\x0d\x0a"))[0].records, DeviceStatus)
    assert status.attributes == {"device_code": 3, "data": "3c0d0a"}


def test_gt06_text_padded_with_zeros() -> None:
    status = only(talk(b.gt06(0x15, b"\0\0\0\0\x07OK\0\0\0\0\x00\x02"))[0].records, DeviceStatus)
    assert status.attributes == {"text": "OK", "server_flag": "00000007"}


@pytest.mark.parametrize(
    ("frame", "reply"),
    [
        (b.gt06(0x36, b"\x44\x05\x04", 2), b.gt06(0x36, b"", 2)),
        (b.gt06(0xA3, b"", 2), b.gt06(0xA3, b"", 2)),
        (b.gt06(0x70, b"\1", 2), b.gt06(0x70, b"", 2)),
        (b.gt06_long(0x70, b"\1", 2), b.gt06(0x70, b"", 2)),
        (b.gt06_long(0x33, b"\1", 2), b.gt06_long(0x33, b"", 2)),
        (b.gt06(0x44, b"", 2), b.gt06(0x44, b"", 2)),
        (b.gt06_long(0x44, b"", 2), b""),
        (b.gt06(0x80, b"", 2), b""),
        (b.gt06(0x21, b"\0\0\0\0\x01hi", 2), b""),
    ],
)
def test_gt06_replies(frame: bytes, reply: bytes) -> None:
    assert talk(frame)[0].reply == reply


# Text of others --------------------------------------------------------------------------------------------------


def test_foreign_text_is_told_once_and_never_answered() -> None:
    text = b"(088047365460BP05354188047365460)"
    intake, reporter = talk(text, text, logged_in=False)
    told = only(intake.records, Rejected)
    assert told.key == "tk103:088047365460"
    assert "TK103" in told.why
    assert "5002" in told.why
    assert [frame.verdict for frame in intake.records if isinstance(frame, RawFrame)] == ["foreign", "foreign"]
    assert (intake.reply, reporter.counters["foreign_messages"]) == (b"", 2)


def test_skipped_bytes_are_counted_once() -> None:
    _, reporter = talk(b"\0\0\0", b"\xff", b.gt02(0x1A), logged_in=False)
    assert reporter.counters["skipped_bytes"] == 4
