"""The live socket: what is pushed arrives, what is lost is fetched, what is dead is noticed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from adapters.errors import AuthFailed, BadReply, NotReady
from adapters.records import Batch, Position
from adapters.traccar import fleet, live
from adapters.traccar.live import read_message
from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_world import World
from tests.adapters.traccar.support import (
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    LentClock,
    Memory,
    TestInlet,
    adapter_for,
    listening,
    pull,
)


def world(**changes: bool) -> World:
    made = World(vehicles=4, interval_s=30, start_ms=START_MS - HOUR_MS, **changes)
    made.advance(START_MS)
    return made


def move(server: TraccarServer, clock: LentClock, minutes: float) -> None:
    clock.at_ms += int(minutes * MINUTE_MS)
    server.world.advance(clock.at_ms)


@pytest.mark.parametrize("way", ["token", "session", "basic"])
async def test_pushed_fixes_arrive_and_a_run_is_asked_for(way: str) -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock, auth=way) as adapter:
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings and len(inlet.memory.positions) >= 4)
            assert inlet.wanted == ["the live connection was opened"]
            before = set(inlet.memory.positions)
            move(server, clock, 2)
            newest = {
                max(key for key in server.world.fix_keys() if key[0] == car.unique_id)
                for car in server.world.vehicles.values()
            }
            await inlet.until(lambda: newest <= set(inlet.memory.positions))
            assert not newest <= before


async def test_socket_and_polling_together_lose_and_double_nothing() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        inlet = TestInlet(memory)
        lost: list[int] = []
        for _ in range(3):
            async with listening(adapter, inlet) as task:
                await inlet.until(lambda: len(inlet.greetings) > len(lost))
                await pull(adapter, memory)
                move(server, clock, 10)
                await server.api.drop_sockets()
                with pytest.raises(NotReady, match="ended the live connection"):
                    await task
            lost.append(clock.at_ms)
            move(server, clock, 17)  # nobody listens
        async with listening(adapter, inlet):
            await inlet.until(lambda: len(inlet.greetings) == 4)
            await pull(adapter, memory)
        move(server, clock, 61)
        await pull(adapter, memory)
        assert set(memory.positions) == server.world.fix_keys()
        assert inlet.wanted.count("the live connection was opened") == 4


async def test_with_a_working_socket_polling_leaves_history_alone() -> None:
    clock = LentClock()
    async with running(world(holes=False)) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        inlet = TestInlet(memory)
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            await pull(adapter, memory)
            move(server, clock, 5)
            asked = len(server.api.seen)
            await pull(adapter, memory)
            assert not [path for _, path, _ in server.api.seen[asked:] if "/positions?deviceId" in path]


async def test_events_pushed_and_polled_are_one() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        server.world.notified |= {"ignitionOn", "ignitionOff", "deviceOverspeed"}
        memory = Memory()
        inlet = TestInlet(memory)
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            move(server, clock, 240)
            await inlet.until(lambda: len(memory.events) > 3)
            await pull(adapter, memory)
        assert len(memory.events) == len(server.world.events)


async def test_new_device_brings_the_next_run_forward() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            added = server.world.add_vehicle()
            move(server, clock, 2)
            await inlet.until(lambda: added.unique_id in inlet.memory.infos)
            await inlet.until(lambda: any(key[0] == added.unique_id for key in inlet.memory.positions))


async def test_silence_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.3)
    async with running(world()) as server, adapter_for(server) as adapter:
        inlet = TestInlet(Memory())
        with pytest.raises(NotReady, match="No sign of life"):
            await adapter.listen(inlet)
        assert len(inlet.greetings) == 1


async def test_keep_alive_holds_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.5)
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        server.api.keep_alive_s = 0.1
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet) as task:
            await inlet.until(lambda: inlet.greetings)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.2):
                    await asyncio.shield(task)
            assert not task.done()


async def test_session_lost_while_listening_is_renewed() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock, auth="session") as adapter:
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet) as task:
            await inlet.until(lambda: inlet.greetings)
            await server.restart()
            with pytest.raises(NotReady):
                await task
        async with listening(adapter, inlet):
            await inlet.until(lambda: len(inlet.greetings) == 2)
        assert server.account.sign_ins == 2


async def test_refused_credentials_stop_the_socket_without_hammering() -> None:
    async with running(world()) as server:
        ended = server.account.token(START_MS - 1000)
        async with adapter_for(server, token=ended) as adapter:
            with pytest.raises(AuthFailed):
                await adapter.listen(TestInlet(Memory()))
            assert server.account.sign_ins <= 3


@pytest.mark.parametrize("status", [503, 403, 404, 502])
async def test_proxy_without_websocket_is_told_from_wrong_credentials(status: int) -> None:
    async with running(world()) as server, adapter_for(server) as adapter:
        server.faults.socket_refused = status
        with pytest.raises((NotReady, BadReply)):
            await adapter.listen(TestInlet(Memory()))
        await pull(adapter, memory := Memory())
        assert set(memory.positions) == server.world.fix_keys()


async def test_switched_off_and_too_old_servers_wait_and_poll() -> None:
    async with running(world()) as server:
        async with adapter_for(server, live=False) as adapter:
            inlet = TestInlet(Memory())
            async with listening(adapter, inlet):
                await inlet.until(lambda: inlet.greetings)
        server.api.version = "6.1"
        async with adapter_for(server) as adapter, listening(adapter, inlet):
            await inlet.until(lambda: len(inlet.greetings) == 2)
        assert "switched off" in inlet.greetings[0]
        assert "no token" in inlet.greetings[1]
        assert not [seen for seen in server.api.seen if seen[0] == "SOCKET"]


async def test_position_that_could_not_be_stored_is_fetched_again() -> None:
    clock = LentClock()
    async with running(world(holes=False)) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        inlet = TestInlet(memory)
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            await pull(adapter, memory)
            inlet.fails = True
            move(server, clock, 3)
            await inlet.until(lambda: "live positions could not be stored" in inlet.wanted)
            inlet.fails = False
            await pull(adapter, memory)
        assert set(memory.positions) == server.world.fix_keys()


async def test_a_full_store_stops_the_reading() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        inlet = TestInlet(Memory())
        inlet.full = True
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            count = len(inlet.memory.positions)
            move(server, clock, 5)
            await pull(adapter, Memory())  # time for the socket, were it read
            assert len(inlet.memory.positions) == count


async def test_token_of_the_socket_url_is_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(world()) as server, adapter_for(server) as adapter:
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
        assert [path for kind, path, _ in server.api.seen if kind == "SOCKET" and server.token in path]
        assert not [headers for kind, _, headers in server.api.seen if kind == "SOCKET" and "origin" in headers]
        assert server.token not in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"x"', b"\xff\xfe", "[" * 100_000])
def test_other_messages_are_bad_replies(text: str | bytes) -> None:
    with pytest.raises(BadReply):
        read_message(text, "the server")


def test_unknown_parts_of_a_message_are_tolerated() -> None:
    assert read_message('{"positions": [1], "logs": [], "new": 7}', "the server") == {"positions": [1], "logs": []}


@pytest.mark.parametrize("location", ["http://portal.example.org/login", "ws://127.0.0.1:{port}/elsewhere", "nonsense"])
async def test_a_redirect_of_the_upgrade_is_not_followed_and_passes(location: str) -> None:
    """A hotspot sends every request to its sign-in page: an outage, and never a reason to follow with credentials."""
    heads: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        target = location.format(port=hotspot.sockets[0].getsockname()[1])
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with running(world()) as server, adapter_for(server) as adapter:
        await pull(adapter, Memory())
        hotspot = await asyncio.start_server(redirect, "127.0.0.1", 0)
        async with hotspot:
            port = hotspot.sockets[0].getsockname()[1]
            adapter._client.address = replace(adapter._client.address, port=port)
            with pytest.raises(BadReply, match="sends us to another address"):
                await adapter._live.run(TestInlet(Memory()))
    assert len(heads) == 1
    assert b"Upgrade: websocket" in heads[0]


async def test_a_proxy_of_the_environment_never_sees_what_goes_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "SOCKS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with running(world()) as server, adapter_for(server) as adapter:
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)


async def test_a_device_that_never_becomes_known_is_asked_for_once() -> None:
    clock = LentClock()
    async with running(world()) as server, adapter_for(server, clock) as adapter:
        next(iter(server.world.vehicles.values())).unique_id = "x" * 150  # no id that can be stored
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings)
            for seen in range(1, 4):
                move(server, clock, 2)
                await inlet.until(lambda: inlet.counted["unknown_device"] >= seen)  # noqa: B023 - awaited here
    assert inlet.wanted.count("the server showed a new device") == 1


async def test_a_long_message_is_handed_over_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SLICE", 100)
    large = World(vehicles=450, interval_s=600, start_ms=START_MS - HOUR_MS)
    large.advance(START_MS)
    sizes: list[int] = []

    class Counting(Memory):
        def take(self, batch: Batch) -> None:
            sizes.append(sum(isinstance(record, Position) for record in batch.records))
            super().take(batch)

    async with running(large) as server, adapter_for(server) as adapter:
        inlet = TestInlet(Counting())
        async with listening(adapter, inlet):
            await inlet.until(lambda: sum(sizes) == 450)
    assert max(sizes) <= 100


async def test_what_a_server_offers_wrongly_for_ever_takes_no_room_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MOST_REPORTED", 50)
    known = fleet.Fleet()
    for number in range(500):
        assert known.reject(f"position {number}", "No time.")
    assert len(known.reject("position 499", "No time.")) == 0
    assert len(known._reported) <= 50
