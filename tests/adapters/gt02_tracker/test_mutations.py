"""Damaged frames: no exception, no endless wait, and no record from a frame that fails the rules."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gt02_tracker.session import Session
from adapters.records import DeviceEvent, DeviceStatus, Position, RawFrame, Record
from tests.adapters.gt02_tracker.builders import gt06, login
from tests.adapters.gt02_tracker.rules import may_be_believed
from tests.adapters.gt02_tracker.support import NOW_MS, FakeReporter, vectors

GOOD = login("356789012345671", serial=77)
GOOD_REPLY = gt06(0x01, b"", 77)
MASKS = (0x01, 0x10, 0xFF)


def session() -> Session:
    started = Session("192.0.2.1:1000", FakeReporter())
    started.receive(login("213456789901234"), NOW_MS, 0.0)
    return started


def judge(records: list[Record]) -> None:
    """Every record comes from a frame that holds and has possible values; nothing else is answered."""
    for record in records:
        if isinstance(record, RawFrame):
            assert not record.reply or may_be_believed(record.data)
        elif isinstance(record, Position | DeviceStatus | DeviceEvent):
            assert record.raw is not None
            assert may_be_believed(record.raw.data), record.raw.data.hex()
        if isinstance(record, Position):
            assert abs(record.lat) <= 90
            assert abs(record.lon) <= 180
            assert record.course_deg is not None


def test_every_damaged_byte_of_every_vector() -> None:
    for vector in vectors():
        for at in range(len(vector.data)):
            for mask in MASKS:
                damaged = bytearray(vector.data)
                damaged[at] ^= mask
                peer = session()
                intake = peer.receive(bytes(damaged), NOW_MS, 1.0)
                judge(intake.records)
                judge(peer.tick(NOW_MS, 6.0).records)
                after = peer.receive(GOOD, NOW_MS, 7.0)
                assert after.reply == GOOD_REPLY, (vector.name, at, mask)


def test_every_missing_and_every_doubled_byte_of_every_vector() -> None:
    for vector in vectors():
        for at in range(len(vector.data)):
            for damaged in (
                vector.data[:at] + vector.data[at + 1 :],
                vector.data[: at + 1] + vector.data[at:],
                vector.data[:at],
            ):
                peer = session()
                judge(peer.receive(damaged, NOW_MS, 1.0).records)
                judge(peer.tick(NOW_MS, 6.0).records)
                assert peer.receive(GOOD, NOW_MS, 7.0).reply, (vector.name, at)


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(range(90))), max_size=8), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_any_stream_is_borne(parts: list[bytes | int], step: int) -> None:
    known = vectors()
    stream = b"".join(known[part % len(known)].data if isinstance(part, int) else part for part in parts)
    peer = session()
    kinds: Counter[str] = Counter()
    for at in range(0, len(stream), step):
        intake = peer.receive(stream[at : at + step], NOW_MS, 1.0)
        judge(intake.records)
        kinds.update(type(record).__name__ for record in intake.records)
    judge(peer.close(NOW_MS).records)
    assert kinds.total() <= 4 * len(stream)
