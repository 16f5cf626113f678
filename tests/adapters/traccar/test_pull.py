"""Polling a simulated server: what arrives, once, whole, with its cursors."""

from __future__ import annotations

import pytest

from adapters.errors import BadReply, NotReady
from adapters.traccar.simulator import running
from adapters.traccar.simulator_world import World
from tests.adapters.traccar.support import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, LentClock, Memory, adapter_for, pull


def small_world(**changes: object) -> World:
    values = {"vehicles": 5, "interval_s": 60.0, "start_ms": START_MS - 12 * HOUR_MS, **changes}
    world = World(**values)  # type: ignore[arg-type]
    world.advance(START_MS)
    return world


def assert_whole(world: World, memory: Memory) -> None:
    """Every fix of the server is stored, and nothing else."""
    assert set(memory.positions) == world.fix_keys()


async def test_first_run_brings_devices_fences_positions_and_events() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        assert_whole(server.world, memory)
        assert {info.name for info in memory.infos.values()} == {f"Lorry {n:02d}" for n in range(1, 6)}
        assert {info.group for info in memory.infos.values()} == {"National fleet / North", "National fleet / South"}
        assert {fence.shape for fence in memory.fences.values()} == {"circle", "polygon", "corridor"}
        assert len(memory.events) == len(server.world.events)
        assert all(event.lat is not None for event in memory.events.values())
        assert memory.rejected == []


async def test_every_fix_was_sent_to_the_store_at_most_twice() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        # Once by its window, once as latest position; a repeated fix of a parked lorry is one key with several ids.
        repeats = sum(len(car.track.ids) for car in server.world.vehicles.values()) - len(server.world.fix_keys())
        assert sum(memory.sent.values()) <= len(memory.positions) + repeats + len(server.world.vehicles)


async def test_second_run_asks_little_and_sends_nothing_twice() -> None:
    clock = LentClock()
    async with running(small_world()) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        memory.sent.clear()
        asked = len(server.api.seen)
        await pull(adapter, memory)
        assert not memory.sent
        # devices, groups, latest, events, and one short window for each vehicle while no socket is open
        assert len(server.api.seen) - asked <= 4 + len(server.world.vehicles)


async def test_late_fixes_are_found_although_newer_ones_are_known() -> None:
    clock = LentClock()
    async with running(small_world(holes=False)) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        lorry = server.world.vehicles[1]
        late_ms = START_MS - 20 * HOUR_MS
        clock.at_ms = server.world.now_ms = START_MS + 90 * MINUTE_MS
        server.world.store(lorry, late_ms, (9.0, 7.0, 40.0, 10.0), server.world.now_ms)
        await pull(adapter, memory)
        assert (lorry.unique_id, late_ms, 9.0, 7.0) in memory.positions


async def test_outage_of_a_device_is_reread_whole_until_its_buffer_is_empty() -> None:
    clock = LentClock()
    world = small_world(holes=False, vehicles=2)
    async with running(world) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        lorry = world.vehicles[1]
        # Three days without a word; then a fresh fix, and hours later, in pieces, what was buffered.
        back_ms = START_MS + 3 * DAY_MS
        lorry.next_ms = back_ms
        for hour in range(72):
            world.advance(START_MS + hour * HOUR_MS)
            clock.at_ms = world.now_ms
            if hour % 12 == 0:
                await pull(adapter, memory)
        world.advance(back_ms + MINUTE_MS)
        clock.at_ms = world.now_ms
        await pull(adapter, memory)
        for piece in range(6):
            clock.at_ms = world.now_ms = back_ms + (piece + 1) * 2 * HOUR_MS
            for fix in range(10):
                at_ms = START_MS + (piece * 12 + fix) * HOUR_MS + 1234
                world.store(lorry, at_ms, (9.0 + piece / 10, 7.0 + fix / 10, 30.0, 1.0), world.now_ms)
            await pull(adapter, memory)
        assert_whole(world, memory)
        assert len(memory.events) == len(world.events)


async def test_an_outage_of_24_hours_comes_back_whole() -> None:
    clock = LentClock()
    world = World(vehicles=200, interval_s=900, start_ms=START_MS - HOUR_MS)
    world.advance(START_MS)
    async with running(world) as server:
        memory = Memory()
        async with adapter_for(server, clock) as adapter:
            await pull(adapter, memory)
            before = len(memory.positions)
            await server.stop()
            world.advance(START_MS + 24 * HOUR_MS)
            clock.at_ms = world.now_ms
            with pytest.raises(NotReady):
                await pull(adapter, memory)
            await server.start()
            await pull(adapter, memory)
        assert_whole(world, memory)
        assert len(memory.positions) > before + 200 * 80
        assert len(memory.events) == len(world.events)


async def test_a_new_start_goes_on_from_the_stored_cursors() -> None:
    clock = LentClock()
    world = small_world()
    async with running(world) as server:
        memory = Memory()
        async with adapter_for(server, clock) as adapter:
            await pull(adapter, memory)
        server.api.seen.clear()
        world.advance(START_MS + 50 * HOUR_MS)
        clock.at_ms = world.now_ms
        async with adapter_for(server, clock) as adapter:
            await pull(adapter, memory)
        assert_whole(world, memory)
        assert len(memory.events) == len(world.events)
        # All devices together for each of the three days, not each device alone.
        assert sum("/reports/events" in path for _, path, _ in server.api.seen) == 3


async def test_a_run_that_is_cut_off_loses_nothing() -> None:
    clock = LentClock()
    world = small_world(start_ms=START_MS - 5 * DAY_MS, interval_s=300.0)
    async with running(world) as server:
        memory = Memory()
        tries = 0
        async with adapter_for(server, clock, first_history_h=24 * 7) as adapter:
            while True:
                # The store dies after a few batches; what it did not take must come again.
                batches = adapter.fetch(dict(memory.cursors))
                whole = False
                for _ in range(4 + tries):
                    try:
                        memory.take(await anext(batches))
                    except StopAsyncIteration:
                        whole = True
                        break
                await batches.aclose()  # type: ignore[attr-defined]
                tries += 1
                if whole:
                    break
        assert tries > 3
        assert_whole(world, memory)


async def test_a_cap_on_the_answer_is_noticed_and_the_rest_is_asked_for() -> None:
    world = small_world(vehicles=1, interval_s=10.0, start_ms=START_MS - 10 * HOUR_MS)
    async with running(world) as server, adapter_for(server) as adapter:
        server.api.max_positions = 1000
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.positions) > 2500
        assert_whole(world, memory)


async def test_a_cap_full_of_one_instant_does_not_ask_for_ever() -> None:
    world = World(vehicles=1, interval_s=60, start_ms=START_MS - MINUTE_MS)
    world.advance(START_MS)
    for number in range(1200):
        world.store(world.vehicles[1], START_MS - 1000, (9.0 + number / 1e5, 7.0, 10.0, 0.0), START_MS)
    async with running(world) as server, adapter_for(server) as adapter:
        server.api.max_positions = 1000
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.positions) >= 1000


@pytest.mark.parametrize("version", ["6.12.2", "6.14.5"])
async def test_lists_longer_than_a_page_are_whole_with_and_without_paging(version: str) -> None:
    world = World(vehicles=2300, interval_s=3600, start_ms=START_MS)
    async with running(world) as server, adapter_for(server) as adapter:
        server.api.version = version
        memory = Memory()
        await pull(adapter, memory)
        assert len(memory.infos) == 2300


async def test_devices_and_fences_that_disappear_are_named() -> None:
    async with running(small_world()) as server:
        memory = Memory()
        async with adapter_for(server) as adapter:
            await pull(adapter, memory)
        gone = server.world.vehicles.pop(2)
        fence = server.world.geofences.pop(0)
        async with adapter_for(server) as adapter:
            await pull(adapter, memory)
        assert memory.infos[gone.unique_id].visible is False
        assert memory.infos[gone.unique_id].name == gone.name
        shown = memory.fences[str(fence["id"])]
        assert not shown.visible
        assert shown.shape == "circle"
        assert sum(info.visible for info in memory.infos.values()) == 4


async def test_reports_forbidden_for_the_user_cost_only_the_events() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        server.account.reports = False
        memory = Memory()
        await pull(adapter, memory)
        await pull(adapter, memory)
        assert_whole(server.world, memory)
        assert [rejected.key for rejected in memory.rejected] == ["events"]
        assert "Reports are disabled" in memory.rejected[0].why


async def test_a_list_cut_off_in_the_middle_is_an_error_and_never_a_shorter_list() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        server.faults.kind, server.faults.path = "half_json", "/devices"
        with pytest.raises(BadReply, match="breaks off"):
            await pull(adapter, memory)
        assert all(info.visible for info in memory.infos.values())


async def test_one_bad_record_is_set_aside_and_the_others_go_on() -> None:
    world = small_world()
    async with running(world) as server, adapter_for(server) as adapter:
        bad = world.vehicles[3]
        world.store(bad, START_MS - 5000, (95.0, 7.0, 10.0, 0.0), START_MS)
        world.geofences.append({"id": 90, "name": "Far away", "area": "CIRCLE (8.5 112.0, 100)", "attributes": {}})
        world.geofences.append({"id": 91, "name": "Swapped", "area": "CIRCLE (112.0 8.5, 100)", "attributes": {}})
        memory = Memory()
        await pull(adapter, memory)
        await pull(adapter, memory)
        assert len(memory.positions) == len(world.fix_keys()) - 1
        assert "90" in memory.fences
        assert [rejected.key for rejected in memory.rejected if "geofence" in rejected.key] == ["geofence 91"]
        assert any("swapped" in rejected.why for rejected in memory.rejected)


async def test_a_server_clock_that_is_off_does_not_hide_fixes() -> None:
    clock = LentClock(START_MS - 3 * HOUR_MS)  # ours is three hours behind the server's
    async with running(small_world()) as server, adapter_for(server, clock) as adapter:
        memory = Memory()
        await pull(adapter, memory)
        assert_whole(server.world, memory)
        assert max(position.received_at_ms for position in memory.positions.values()) <= clock.at_ms
