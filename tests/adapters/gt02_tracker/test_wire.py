"""Values that both protocols write alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gt02_tracker.gt06_crc import crc_x25, long_frame, short_frame
from adapters.gt02_tracker.memory import Memory
from adapters.gt02_tracker.wire import date_bytes, degrees, imei_bytes, imei_of, iso_utc, luhn_ok, time_ms
from tests.adapters.gt02_tracker import builders


def test_check_value_of_the_checksum() -> None:
    assert crc_x25(b"123456789") == 0x906E


@given(st.binary(max_size=300))
def test_checksum_is_the_definition(data: bytes) -> None:
    assert crc_x25(data) == builders.crc_x25(data)


@given(st.integers(0, 255), st.binary(max_size=250), st.integers(0, 0xFFFF))
def test_frames_are_built_as_documented(message_type: int, content: bytes, serial: int) -> None:
    assert short_frame(message_type, content, serial) == builders.gt06(message_type, content, serial)
    assert long_frame(message_type, content, serial) == builders.gt06_long(message_type, content, serial)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2255, 12, 31)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_dates_come_back(moment: datetime) -> None:
    at_ms = int(moment.replace(tzinfo=UTC, microsecond=0).timestamp()) * 1000
    assert time_ms(date_bytes(at_ms)) == at_ms
    assert iso_utc(at_ms) == moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@given(st.binary(min_size=6, max_size=6))
def test_dates_are_judged_as_the_calendar_does(six: bytes) -> None:
    year, month, day, hour, minute, second = six
    try:
        moment = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        assert time_ms(six) is None
    else:
        assert time_ms(six) == int(moment.timestamp()) * 1000


@given(st.integers(0, 0xFFFF_FFFF))
def test_degrees_are_rounded_as_decimals_are(units: int) -> None:
    assert degrees(units, positive=True) == round(units / 1_800_000, 6)
    assert degrees(units, positive=False) == round(units / -1_800_000, 6)


def test_zero_degrees_have_no_sign() -> None:
    assert str(degrees(0, positive=False)) == "0.0"


def test_identity_digits() -> None:
    assert imei_of(bytes.fromhex("0358899058314017")) == "358899058314017"
    assert imei_of(bytes.fromhex("03588990583140fa")) is None
    assert imei_bytes("358899058314017").hex() == "0358899058314017"


@pytest.mark.parametrize(("imei", "ok"), [("490154203237518", True), ("490154203237519", False)])
def test_check_digit(imei: str, ok: bool) -> None:
    assert luhn_ok(imei) is ok


def test_memory_is_bounded_and_forgets_in_the_safe_direction() -> None:
    memory = Memory()
    for n in range(1000):
        assert memory.new_alarms(f"device {n}", frozenset({"sos"})) == {"sos"}
        assert memory.changed(f"device {n}", "ignition", on=True)
    assert memory.new_alarms("device 999", frozenset({"sos"})) == frozenset()
    assert not memory.changed("device 999", "ignition", on=True)
    assert memory.new_alarms("device 0", frozenset({"sos"})) == {"sos"}
