"""The simulated server by itself: its world, its oddities, and its run inside the demo's process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from adapters.traccar.adapter import TraccarAdapter
from adapters.traccar.simulator import TraccarServer, running, simulate
from adapters.traccar.simulator_roads import TOWNS, distance_m
from adapters.traccar.simulator_world import World
from app.catalogue import load_object
from tests.adapters.traccar.support import DAY_MS, HOUR_MS, START_MS


def world(**changes: Any) -> World:
    values: dict[str, Any] = {"vehicles": 6, "interval_s": 60, "start_ms": START_MS - DAY_MS}
    made = World(**{**values, **changes})
    made.advance(START_MS)
    return made


def test_vehicles_drive_believably_between_towns() -> None:
    made = world(vehicles=10)
    for car in made.vehicles.values():
        track = car.track
        assert len(track.ids) > 1000
        order = sorted(range(len(track.ids)), key=lambda index: track.fixed_ms[index])
        for before, after in itertools.pairwise(order):
            seconds = (track.fixed_ms[after] - track.fixed_ms[before]) / 1000
            metres = distance_m((track.lat[before], track.lon[before]), (track.lat[after], track.lon[after]))
            # One step may end a road short of the town that the next road begins in.
            assert metres <= max(seconds, 60) * 125 / 3.6 + 1, (before, after, metres, seconds)
        assert min(distance_m((track.lat[0], track.lon[0]), (town.lat, town.lon)) for town in TOWNS) < 500_000


def test_a_day_has_late_fixes_repeated_fixes_and_every_kind_of_event() -> None:
    made = world(vehicles=40)
    late = sum(
        server - fixed > 60_000
        for car in made.vehicles.values()
        for server, fixed, device in zip(car.track.server_ms, car.track.fixed_ms, car.track.device_ms, strict=True)
        if fixed == device
    )
    stored = sum(len(car.track.ids) for car in made.vehicles.values())
    assert late > 50
    assert stored > len(made.fix_keys())
    assert {event["type"] for event in made.events} >= {
        "geofenceEnter", "geofenceExit", "ignitionOn", "ignitionOff", "deviceOverspeed", "alarm",
    }  # fmt: skip


def test_late_fixes_are_stored_and_not_pushed() -> None:
    made = world(vehicles=1, holes=False)
    heard: list[Any] = []
    made.listeners.add(heard.append)
    car = made.vehicles[1]
    made.store(car, START_MS - HOUR_MS, (9.0, 7.0, 50.0, 0.0), START_MS)
    made.store(car, START_MS + 1, (9.1, 7.0, 50.0, 0.0), START_MS + 1)
    assert ["positions" in message for message in heard] == [False, True]


def test_the_same_seed_is_the_same_world() -> None:
    assert world().fix_keys() == world().fix_keys()
    assert world(seed=2).fix_keys() != world().fix_keys()


@pytest.fixture
async def http() -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


async def test_oddities_of_signing_in(http: httpx.AsyncClient) -> None:
    async with running(world()) as server:
        bearer = {"Authorization": f"Bearer {server.token}"}
        api = f"{server.url}/api"
        assert (await http.get(f"{api}/health")).text == "OK"
        assert (await http.get(f"{api}/devices")).status_code == 401
        assert (await http.get(f"{api}/session")).status_code == 404
        assert (await http.get(f"{api}/session", headers=bearer)).status_code == 404
        assert (await http.get(f"{api}/devices", headers=bearer)).status_code == 200
        assert (await http.get(f"{api}/devices", headers={"Authorization": "Bearer x"})).status_code == 500
        assert (await http.get(f"{api}/devices", headers={"Authorization": "Basic %%%"})).status_code == 400
        assert (await http.get(f"{api}/session", params={"token": server.token})).status_code == 200
        assert (await http.get(f"{api}/devices")).status_code == 200  # by the cookie
        strange = {"Origin": "https://elsewhere.example.org"}
        assert (await http.get(f"{api}/devices", headers=strange)).status_code == 401
        assert (await http.delete(f"{api}/session")).status_code == 204
        assert (await http.get(f"{api}/devices")).status_code == 401


async def test_oddities_of_errors_times_and_lists(http: httpx.AsyncClient) -> None:
    async with running(world()) as server:
        http.headers["Authorization"] = f"Bearer {server.token}"
        api = f"{server.url}/api"
        unknown = await http.get(f"{api}/positions", params={"id": 1})
        assert unknown.status_code == 400
        assert "SecurityException" in unknown.text.split("\n")[0]
        span: dict[str, str | int] = {"deviceId": 1, "from": "2026-09-20T00:00:00", "to": "2026-09-21T00:00:00Z"}
        assert (await http.get(f"{api}/positions", params=span)).status_code == 400
        server.api.max_positions = 50
        span["from"] = "2026-09-20T00:00:00+00:00"
        capped = (await http.get(f"{api}/positions", params=span)).json()
        assert len(capped) == 50
        times = [position["fixTime"] for position in capped]
        assert times == sorted(times)
        page = (await http.get(f"{api}/devices", params={"limit": 2, "offset": 2})).json()
        assert [device["id"] for device in page] == [3, 4]
        server.api.version = "6.12"
        assert len((await http.get(f"{api}/devices", params={"limit": 2, "offset": 2})).json()) == 6
        assert (await http.post(f"{api}/permissions", json={"deviceId": 1, "geofenceId": 1})).status_code == 400


async def test_restart_keeps_the_port_and_forgets_sessions() -> None:
    server = TraccarServer(world(vehicles=1))
    await server.start()
    port = server.port
    server.account.sessions.add("x")
    await server.restart()
    assert server.port == port
    assert server.account.sessions == set()
    await server.stop()


async def test_simulate_gives_settings_and_moves_its_vehicles(http: httpx.AsyncClient) -> None:
    told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    part = TraccarAdapter.manifest.simulator
    assert part is not None
    assert load_object(part) is simulate
    task = asyncio.create_task(simulate({"vehicles": 3, "interval_s": 1, "history_h": 0.2}, told.put_nowait))
    async with asyncio.timeout(20):
        settings = dict(await told.get())
        TraccarAdapter.manifest.settings(**settings)
        http.headers["Authorization"] = f"Bearer {settings['token']}"
        first = (await http.get(f"{settings['url']}/api/positions")).json()
        assert len(first) == 3
        moved = first
        while moved == first:
            moved = (await http.get(f"{settings['url']}/api/positions")).json()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    with pytest.raises(httpx.ConnectError):
        await http.get(f"{settings['url']}/api/health")
