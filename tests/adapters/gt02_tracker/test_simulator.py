"""The simulated fleet: honest trackers on believable roads, against the real listener."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from adapters.gt02_tracker.simulator import fleet_imeis, make_fleet, simulate
from adapters.gt02_tracker.simulator_frames import Answers
from adapters.gt02_tracker.simulator_roads import ROADS, TOWNS, Drive, distance_m, road
from adapters.gt02_tracker.wire import luhn_ok
from adapters.records import DeviceEvent, DeviceStatus, Position
from tests.adapters.gt02_tracker import builders as b
from tests.adapters.gt02_tracker.support import FakeInlet, RealClock, listening, until


class WallClock(RealClock):
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def fleet(port: int, **options: Any) -> AsyncIterator[Mapping[str, Any]]:
    said: list[Mapping[str, Any]] = []
    task = asyncio.create_task(simulate({"port": port, **options}, said.append))
    try:
        await until(lambda: said or task.done())
        yield said[0]
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_identities_are_valid_and_stable() -> None:
    imeis = fleet_imeis(500, seed=3)
    assert len(set(imeis)) == 500
    assert all(len(imei) == 15 and luhn_ok(imei) for imei in imeis)
    assert fleet_imeis(10, seed=3) == imeis[:10]
    assert {tracker.protocol for tracker in make_fleet({"port": 1, "vehicles": 6})} == {"gt02", "gt06"}


def test_every_road_joins_its_towns_in_short_pieces() -> None:
    assert {town for ends in ROADS for town in ends} == set(TOWNS)
    for start, end in ROADS:
        points = road(start, end)
        assert points == tuple(reversed(road(end, start)))
        assert (points[0], points[-1]) == (TOWNS[start], TOWNS[end])
        way_m = sum(distance_m(a, c) for a, c in pairwise(points))
        assert 1.0 <= way_m / distance_m(TOWNS[start], TOWNS[end]) < 1.3


def test_a_drive_is_believable() -> None:
    drive = Drive(random.Random(5))
    stops = 0
    for _ in range(4000):
        before, was_m = drive.point, drive.speed_km_h
        drive.advance(10)
        lat, lon = drive.point
        assert 4 < lat < 14
        assert 2.5 < lon < 14.7
        assert 0 <= drive.speed_km_h <= 95
        assert distance_m(before, drive.point) <= max(was_m, drive.speed_km_h, 30) / 3.6 * 10 * 1.3
        stops += drive.speed_km_h == 0
    assert 0 < stops < 2500


def test_a_stretched_drive_stays_below_a_jump() -> None:
    drive = Drive(random.Random(6))
    for _ in range(3000):
        before = drive.point
        drive.advance(3, 12.0)
        assert distance_m(before, drive.point) <= 220 / 3.6 * 3 + 0.01


async def test_both_protocols_report_and_are_answered() -> None:
    inlet = FakeInlet()
    async with listening(inlet, clock=WallClock()) as listener:
        options = {"vehicles": 6, "interval_s": 0.1, "heartbeat_s": 0.2, "faults": False}
        async with fleet(listener.port, **options) as said:
            assert (said["host"], said["port"]) == ("127.0.0.1", listener.port)
            devices = set(said["devices"])
            await until(lambda: {position.device for position in inlet.of(Position)} == devices)
            await until(lambda: len(inlet.of(Position)) > 60)
            await until(lambda: sum(s.kind in ("heartbeat", "status") for s in inlet.of(DeviceStatus)) > 18)
    assert {position.source for position in inlet.of(Position)} == {"gt02", "gt06"}
    assert inlet.counters.total() == 0
    tracks: dict[str, list[Position]] = defaultdict(list)
    for position in inlet.of(Position):
        tracks[position.device].append(position)
    for track in tracks.values():
        times = [position.fixed_at_ms or 0 for position in track]
        assert times == sorted(times)
        assert all(abs(at_ms - position.received_at_ms) < 5000 for at_ms, position in zip(times, track, strict=True))


async def test_a_tracker_rides_in_somebody_elses_vehicle_under_its_own_name() -> None:
    class Parked:
        """A vehicle that stands where it is, whatever its tracker wishes."""

        point, speed_km_h, course_deg, ignition = (9.25, 7.5), 0.0, 90.0, True

        def advance(self, seconds: float, stretch: float = 1.0) -> None:
            del seconds, stretch

    inlet = FakeInlet()
    imei = fleet_imeis(1, 3)[0]
    options = {"imeis": [imei], "drives": [Parked()], "history_h": 1.0, "history_step_s": 600.0, "faults": False}
    async with listening(inlet, clock=WallClock()) as listener, fleet(listener.port, **options) as said:
        assert said["devices"] == [imei]
        await until(lambda: len(inlet.of(Position)) >= 4)
    positions = inlet.of(Position)
    assert {position.device for position in positions} == {imei}
    assert all(abs(position.lat - 9.25) < 0.001 and abs(position.lon - 7.5) < 0.001 for position in positions)
    times = [position.fixed_at_ms or 0 for position in positions[:4]]
    assert [round((after - before) / 1000) for before, after in pairwise(times)] == [600, 600, 600]


async def test_the_fleet_waits_for_an_absent_listener_and_replays_its_buffer() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inlet = FakeInlet()
    async with fleet(port, vehicles=3, interval_s=0.05, history_h=0.5, faults=False) as said:
        await asyncio.sleep(0)
        async with listening(inlet, clock=WallClock(), port=port):
            await until(lambda: {position.device for position in inlet.of(Position)} == set(said["devices"]))
            await until(lambda: len(inlet.of(Position)) > 90)
    gt06 = [position for position in inlet.of(Position) if position.source == "gt06"]
    assert gt06[0].attributes is not None
    assert gt06[0].attributes["reupload"] is True
    assert gt06[0].received_at_ms - (gt06[0].fixed_at_ms or 0) > 1_000_000


async def test_what_was_not_answered_is_sent_again() -> None:
    """Commits fail at first: the GT06 tracker gets no answer to its login, comes back, and loses nothing."""
    inlet = FakeInlet()
    async with listening(inlet, clock=WallClock()) as listener:
        tracker = next(
            t for t in make_fleet({"port": listener.port, "vehicles": 3, "interval_s": 0.05}) if t.protocol == "gt06"
        )
        task = asyncio.create_task(tracker.run())
        await until(lambda: tracker.answered > 5)
        inlet.commits = False
        await until(lambda: len(inlet.open) > 5)
        inlet.refuse("disk full")
        inlet.commits = True
        before = tracker.answered
        await until(lambda: tracker.answered > before + 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_faults_happen_and_harm_nobody() -> None:
    inlet = FakeInlet()
    faults = {"bad_frame": 0.5, "garbage": 0.1, "reconnect": 0.1, "outage": 0.05, "outage_s": 0.2, "sos": 0.05}
    async with listening(inlet, clock=WallClock()) as listener:
        async with fleet(listener.port, vehicles=9, interval_s=0.05, faults=faults) as said:
            await until(lambda: inlet.counters["malformed_frames"] > 5 and inlet.counters["bad_checksum_frames"] > 1)
            await until(lambda: {event.kind for event in inlet.of(DeviceEvent)} == {"sos"})
            await until(lambda: {event.source for event in inlet.of(DeviceEvent)} == {"gt02", "gt06"})
        devices = {record.device for record in inlet.of(Position) + inlet.of(DeviceStatus)}
    assert devices <= set(said["devices"])


def test_answers_are_read_in_any_chunking_and_others_refused() -> None:
    answers = Answers()
    stream = bytes.fromhex("54681a0d0a") + b.gt06(0x22, b"", 9) + bytes.fromhex("54681a0d0a")
    found = [answer for byte in stream for answer in answers.feed(bytes((byte,)))]
    assert found == [(0x1A, -1), (0x22, 9), (0x1A, -1)]
    with pytest.raises(ValueError, match="no answer"):
        Answers().feed(b"HTTP/1.1 200")
