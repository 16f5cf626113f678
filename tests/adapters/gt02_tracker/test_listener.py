"""The listener on real sockets: replies only after the commit, and no peer that harms another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import pytest

from adapters.gt02_tracker.limits import Limits
from adapters.gt02_tracker.session import Session
from adapters.records import DeviceStatus, Position, RawFrame
from tests.adapters.gt02_tracker import builders as b
from tests.adapters.gt02_tracker.support import (
    IMEI,
    FakeInlet,
    Tracker,
    listening,
    tracker,
    until,
    vectors,
)
from tests.helpers.fake_adapter import LentClock

HEARTBEAT = b.gt02(0x1A, b"\x01\x02\x29\x2d")
HEARTBEAT_REPLY = bytes.fromhex("54681a0d0a")
LOCATION = b.gt02(0x10, b.location_content())


async def answered(peer: Tracker) -> None:
    """The peer is served: a heartbeat gets its reply."""
    await peer.send(HEARTBEAT)
    assert await peer.receive(5) == HEARTBEAT_REPLY


async def test_all_vectors_through_a_socket_give_their_replies() -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener:
        for vector in vectors():
            ack = vector.expect.get("ack")
            if not isinstance(ack, str) or ack == "time_reply":
                continue
            async with tracker(listener.port) as peer:
                await peer.send(b.login())
                await peer.receive(10)
                for byte in vector.data:
                    peer.writer.write(bytes((byte,)))
                assert (await peer.receive(len(ack) // 2)).hex() == ack, vector.name


async def test_a_reply_waits_for_the_commit() -> None:
    inlet = FakeInlet(commits=False)
    async with listening(inlet) as listener, tracker(listener.port) as peer:
        await peer.send(HEARTBEAT)
        await until(lambda: inlet.open)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await peer.reader.read(1)
        inlet.commit()
        assert await peer.receive(5) == HEARTBEAT_REPLY


async def test_a_failed_commit_gets_no_reply_and_the_next_one_does() -> None:
    inlet = FakeInlet(commits=False)
    async with listening(inlet) as listener, tracker(listener.port) as peer:
        await peer.send(b.login(serial=1))
        await until(lambda: inlet.open)
        inlet.refuse("disk full")
        await until(lambda: inlet.counters["withheld_replies"] == 1)
        await peer.send(b.login(serial=2))
        await until(lambda: inlet.open)
        inlet.commit()
        assert await peer.receive(10) == b.gt06(0x01, b"", 2)


async def test_a_peer_that_closed_its_side_still_gets_its_replies() -> None:
    inlet = FakeInlet(commits=False)
    async with listening(inlet) as listener, tracker(listener.port) as peer:
        await peer.send(HEARTBEAT)
        peer.writer.write_eof()
        await until(lambda: inlet.open)
        inlet.commit()
        assert await peer.ended() == HEARTBEAT_REPLY


async def test_frames_in_a_hurry_are_kept_when_the_peer_hangs_up() -> None:
    inlet = FakeInlet()
    async with listening(inlet, limits=Limits(bytes_per_turn=100)) as listener, tracker(listener.port) as peer:
        await peer.send(LOCATION * 500)
        peer.writer.close()
        await until(lambda: len(inlet.of(Position)) == 500)


async def test_garbage_on_one_connection_never_touches_another() -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener, tracker(listener.port) as good, tracker(listener.port) as bad:
        for garbage in (b"\x78\x78\x78" * 50, b"\x79\x79\xff", b"\0" * 500, b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 300):
            await bad.send(garbage)
            await answered(good)
    assert inlet.counters["skipped_bytes"] > 900


async def test_endless_garbage_ends_its_connection() -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener, tracker(listener.port) as good, tracker(listener.port) as bad:
        await answered(bad)
        bad.writer.write(b"\xff" * 1_000_000)
        await bad.ended()
        assert inlet.counters["garbage_connections"] == 1
        await answered(good)


async def test_a_frame_that_never_ends_ends_its_connection() -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener, tracker(listener.port) as bad:
        bad.writer.write(b"\x79\x79\x79\x79" + b"\x01" * 40_000)
        await bad.ended()
        assert inlet.counters["overflowed_connections"] == 1


async def test_silent_connections_are_ended() -> None:
    inlet, clock = FakeInlet(), LentClock()
    limits = Limits(first_frame_s=10, idle_s=20)
    async with (
        listening(inlet, clock=clock, limits=limits) as listener,
        tracker(listener.port) as silent,
        tracker(listener.port) as good,
    ):
        await answered(good)
        await until(lambda: listener.connections == 2)
        await clock.advance(11)
        await silent.ended()
        assert inlet.counters["connections_without_a_frame"] == 1
        await clock.advance(8)
        await answered(good)
        await clock.advance(19)
        await answered(good)
        await clock.advance(21)
        await good.ended()
        assert inlet.counters["idle_connections"] == 1


async def test_bytes_that_are_no_frames_do_not_keep_a_connection() -> None:
    inlet, clock = FakeInlet(), LentClock()
    async with listening(inlet, clock=clock, limits=Limits(idle_s=20)) as listener, tracker(listener.port) as peer:
        await answered(peer)
        for _ in range(3):
            await peer.send(b"\0")
            await clock.advance(8)
        await peer.ended()
        assert inlet.counters["idle_connections"] == 1


async def test_an_incomplete_frame_is_given_up_and_kept_as_evidence() -> None:
    inlet, clock = FakeInlet(), LentClock()
    async with listening(inlet, clock=clock) as listener, tracker(listener.port) as peer:
        await peer.send(LOCATION[:20])
        await until(lambda: listener.connections == 1)
        async with asyncio.timeout(5):
            while not inlet.of(RawFrame):
                await clock.advance(1)
        assert inlet.of(RawFrame)[0].verdict == "malformed"
        await answered(peer)


async def test_a_peer_that_reads_no_replies_is_ended() -> None:
    inlet = FakeInlet()
    async with listening(inlet, limits=Limits(unread_reply_bytes=4096)) as listener, tracker(listener.port) as good:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, ("127.0.0.1", listener.port))
            with contextlib.suppress(OSError):  # reset or broken pipe, as the system likes
                async with asyncio.timeout(20):
                    while True:
                        await loop.sock_sendall(slow, HEARTBEAT * 500)
        assert inlet.counters["slow_peers"] == 1
        await answered(good)


async def test_a_flood_is_held_back_until_the_next_sweep() -> None:
    inlet, clock = FakeInlet(), LentClock()
    async with (
        listening(inlet, clock=clock, limits=Limits(bytes_per_sweep=100_000)) as listener,
        tracker(listener.port) as flood,
        tracker(listener.port) as good,
    ):
        await answered(good)
        flood.writer.write(LOCATION * 100_000)
        await until(lambda: len(inlet.of(Position)) > 3000)
        await clock.advance(1)
        assert inlet.counters["flood_pauses"] == 1
        await answered(good)
        flood.writer.transport.abort()


async def test_a_full_store_makes_peers_wait_and_loses_nothing() -> None:
    inlet = FakeInlet()
    async with listening(inlet, udp=True) as listener, tracker(listener.port) as peer:
        await answered(peer)
        inlet.fill()
        await peer.send(LOCATION)
        await until(lambda: len(inlet.of(Position)) == 1)
        await peer.send(LOCATION * 3)
        async with tracker(listener.port) as late:
            await late.send(HEARTBEAT)
            await until(lambda: listener.connections == 2)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(LOCATION, ("127.0.0.1", listener.port))
            for _ in range(50):  # turns of the loop in which nothing may be taken
                await asyncio.sleep(0)
            assert len(inlet.of(Position)) == 1
            inlet.empty()
            assert await late.receive(5) == HEARTBEAT_REPLY
        await until(lambda: len(inlet.of(Position)) == 5)
    assert inlet.counters["store_pauses"] == 1


async def test_connections_are_limited_in_total_and_per_address() -> None:
    for limits in (Limits(connections=2), Limits(connections_per_address=2)):
        inlet = FakeInlet()
        async with listening(inlet, limits=limits) as listener:
            async with tracker(listener.port) as one, tracker(listener.port) as two:
                await answered(one)
                await answered(two)
                async with tracker(listener.port) as three:
                    await three.ended()
                assert inlet.counters["refused_connections"] == 1
                await answered(one)
            await until(lambda: listener.connections == 0)
            async with tracker(listener.port) as again:
                await answered(again)


async def test_the_same_device_twice_keeps_both_connections() -> None:
    inlet, clock = FakeInlet(), LentClock()
    async with listening(inlet, clock=clock) as listener, tracker(listener.port) as old:
        await answered(old)
        await clock.advance(2)
        async with tracker(listener.port) as new:
            await answered(new)
            await clock.advance(2)
            assert inlet.counters["second_connections"] == 1
            await answered(old)
            await answered(new)
            await clock.advance(5)
            assert inlet.counters["second_connections"] == 1


async def test_two_hundred_trackers_at_once() -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener:

        async def one(n: int) -> None:
            imei = f"{350_000_000_000_000 + n}"
            async with tracker(listener.port) as peer:
                await peer.send(b.login(imei, serial=n))
                assert await peer.receive(10) == b.gt06(0x01, b"", n)
                for _ in range(5):
                    await peer.send(b.gt02(0x10, b.location_content(), imei=imei) + b.gt02(0x1A, imei=imei))
                    assert await peer.receive(5) == HEARTBEAT_REPLY

        await asyncio.gather(*(one(n) for n in range(200)))
    positions = inlet.of(Position)
    assert len(positions) == 1000
    assert len({position.device for position in positions}) == 200


async def test_udp_frames_are_answered_to_their_sender() -> None:
    inlet = FakeInlet()
    async with listening(inlet, udp=True) as listener:
        assert "TCP and UDP" in inlet.details[0]
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.setblocking(False)
            device.bind(("127.0.0.1", 0))
            target = ("127.0.0.1", listener.port)
            async with asyncio.timeout(5):
                device.sendto(b.gt06(0x13, bytes.fromhex("4406040002")), target)
                await until(lambda: inlet.counters["not_attributed_frames"] == 1)
                device.sendto(LOCATION + HEARTBEAT + LOCATION[:10], target)
                assert await loop.sock_recv(device, 100) == HEARTBEAT_REPLY
                device.sendto(b.login(serial=3), target)
                assert await loop.sock_recv(device, 100) == b.gt06(0x01, b"", 3)
                device.sendto(b.gt06(0x13, bytes.fromhex("4406040002"), 4), target)
                assert await loop.sock_recv(device, 100) == b.gt06(0x13, b"", 4)
    assert [status.device for status in inlet.of(DeviceStatus)].count(IMEI) == 4
    assert inlet.counters["skipped_bytes"] == 10


async def test_udp_sessions_expire() -> None:
    inlet, clock = FakeInlet(), LentClock()
    status = b.gt06(0x13, bytes.fromhex("4406040002"))
    async with listening(inlet, clock=clock, limits=Limits(udp_idle_s=20), udp=True) as listener:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.bind(("127.0.0.1", 0))
            device.sendto(b.login(), ("127.0.0.1", listener.port))
            await until(lambda: len(inlet.of(DeviceStatus)) == 1)
            await clock.advance(21)
            device.sendto(status, ("127.0.0.1", listener.port))
            await until(lambda: inlet.counters["not_attributed_frames"] == 1)


async def test_foreign_text_is_logged_once_for_all_connections(caplog: pytest.LogCaptureFixture) -> None:
    inlet = FakeInlet()
    with caplog.at_level(logging.WARNING):
        async with listening(inlet) as listener:
            for _ in range(2):
                async with tracker(listener.port) as peer:
                    await peer.send(b"(088047365460BP05354188047365460)")
                    before = inlet.counters["foreign_messages"]
                    await until(lambda: inlet.counters["foreign_messages"] > before or before == 1)  # noqa: B023
    assert inlet.counters["foreign_messages"] == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "TK103" in caplog.text


async def test_a_defect_of_ours_ends_one_connection_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inlet = FakeInlet()
    async with listening(inlet) as listener, tracker(listener.port) as good, tracker(listener.port) as other:
        await answered(good)
        with monkeypatch.context() as patch:
            patch.setattr(Session, "receive", None)
            await other.send(HEARTBEAT)
            await other.ended()
        await answered(good)
    assert (inlet.counters["internal_errors"], inlet.counters["failed_connections"]) == (1, 1)
    assert "met a defect" in caplog.text


async def test_an_ending_listener_answers_what_is_being_committed() -> None:
    inlet = FakeInlet(commits=False)
    async with listening(inlet) as listener, tracker(listener.port) as peer:
        await peer.send(HEARTBEAT)
        await until(lambda: inlet.open)
        asyncio.get_running_loop().call_later(0.1, inlet.commit)
        ending = asyncio.create_task(peer.ended())
        for task in asyncio.all_tasks():
            if task.get_coro().__qualname__ == "Listener.run":  # type: ignore[union-attr]
                task.cancel()
        assert await ending == HEARTBEAT_REPLY


async def test_what_was_under_way_when_the_listener_ends_is_taken_in() -> None:
    """A GT02 tracker never sends a fix twice: what reached this computer before the goodbye must be handed over."""
    inlet = FakeInlet()
    with socket.socket() as peer:
        async with listening(inlet, limits=Limits(last_commit_s=9, goodbye_s=9)) as listener:
            peer.connect(("127.0.0.1", listener.port))
            await until(lambda: listener.connections == 1)
            inlet.commits = False
            peer.sendall(LOCATION)
            await until(lambda: inlet.open)

            async def go_on() -> None:
                await asyncio.sleep(0.05)  # the listener waits for its last commit now
                await asyncio.to_thread(peer.sendall, LOCATION * 10_000 + HEARTBEAT)
                inlet.commit()
                inlet.commits = True

            going_on = asyncio.create_task(go_on())
        await going_on
    assert len(inlet.of(Position)) == 10_001
    assert inlet.counters["internal_errors"] == 0


async def test_silent_connections_cannot_keep_trackers_out() -> None:
    inlet = FakeInlet()
    async with (
        listening(inlet, limits=Limits(connections=2)) as listener,
        tracker(listener.port) as good,
        tracker(listener.port) as silent,
    ):
        await answered(good)
        await until(lambda: listener.connections == 2)
        async with tracker(listener.port) as late:
            await answered(late)
            assert await silent.ended() == b""
            await answered(good)
            async with tracker(listener.port) as one_too_many:
                assert await one_too_many.ended() == b""
        assert inlet.counters["silent_connections_replaced"] == 1
        assert inlet.counters["refused_connections"] == 1
