"""The simulated server proved by clients that others wrote: pytraccar (aiohttp) and traccar-api-python-client."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from pytraccar import ApiClient, TraccarAuthenticationException
from traccar_api_client import AuthenticatedClient, Client
from traccar_api_client.api.devices import get_devices
from traccar_api_client.api.geofences import get_geofences
from traccar_api_client.api.groups import get_groups
from traccar_api_client.api.positions import get_positions
from traccar_api_client.api.reports import get_reports_events, get_reports_route
from traccar_api_client.api.server import get_server
from traccar_api_client.api.session import post_session_token
from traccar_api_client.models import PostSessionTokenBody

from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_world import World
from tests.adapters.traccar.support import HOUR_MS, START_MS

# The library calls what aiohttp wants to drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pytraccar.client")

FROM = datetime.fromtimestamp((START_MS - 6 * HOUR_MS) / 1000, UTC)
TO = datetime.fromtimestamp(START_MS / 1000, UTC)


@pytest.fixture
async def server() -> AsyncIterator[TraccarServer]:
    world = World(vehicles=4, interval_s=60, start_ms=START_MS - 6 * HOUR_MS)
    world.advance(START_MS)
    async with running(world) as started:
        yield started


def client_of(server: TraccarServer, session: aiohttp.ClientSession, *, is_right: bool = True) -> ApiClient:
    """With a token in pytraccar 3, which needs Python 3.13; with name and password before."""
    make: Any = ApiClient
    if "token" in inspect.signature(ApiClient.__init__).parameters:
        expired = server.account.token(START_MS - HOUR_MS)
        client: ApiClient = make("127.0.0.1", server.token if is_right else expired, session, port=server.port)
    else:
        password = server.account.password if is_right else "wrong"
        client = make("127.0.0.1", server.account.email, password, session, port=server.port)
    return client


@pytest.fixture
async def pytraccar(server: TraccarServer) -> AsyncIterator[ApiClient]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield client_of(server, session)


async def test_pytraccar_reads_everything(server: TraccarServer, pytraccar: ApiClient) -> None:
    assert (await pytraccar.get_server())["version"] == "6.14.5"
    devices = await pytraccar.get_devices()
    assert [device["uniqueId"] for device in devices] == [car.unique_id for car in server.world.vehicles.values()]
    assert len(await pytraccar.get_positions()) == 4
    assert {fence["area"].split(" ")[0] for fence in await pytraccar.get_geofences()} == {
        "CIRCLE",
        "POLYGON",
        "LINESTRING",
    }
    events = await pytraccar.get_reports_events(
        devices=[1, 2, 3, 4], start_time=TO.replace(tzinfo=None), end_time=FROM.replace(tzinfo=None)
    )
    assert [event["id"] for event in sorted(events, key=lambda event: event["id"])] == [
        event["id"] for event in server.world.events
    ]


async def test_pytraccar_is_refused_with_wrong_credentials(server: TraccarServer) -> None:
    async with aiohttp.ClientSession() as session:
        client = client_of(server, session, is_right=False)
        with pytest.raises(TraccarAuthenticationException):
            await client.get_devices()


async def test_pytraccar_follows_the_live_socket(server: TraccarServer, pytraccar: ApiClient) -> None:
    received: list[dict[str, Any]] = []
    arrived = asyncio.Event()

    async def take(data: Any) -> None:
        received.append(data)
        arrived.set()

    async def next_message() -> dict[str, Any]:
        async with asyncio.timeout(10):
            await arrived.wait()
        arrived.clear()
        return received[-1]

    task = asyncio.create_task(pytraccar.subscribe(take))
    first = await next_message()
    assert len(first["positions"] or []) == 4
    server.world.advance(START_MS + 61_000)
    while sum(len(message["devices"] or []) for message in received) < 4:
        await next_message()
    assert {position["deviceId"] for message in received[1:] for position in message["positions"] or []} == {1, 2, 3, 4}
    task.cancel()
    await task


def signed(server: TraccarServer) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=f"{server.url}/api", token=server.token)


async def test_generated_client_reads_everything(server: TraccarServer) -> None:
    async with signed(server) as client:
        told = await get_server.asyncio(client=client)
        assert told is not None
        assert told.version == "6.14.5"
        devices = await get_devices.asyncio(client=client)
        assert [device.unique_id for device in devices or []] == [
            car.unique_id for car in server.world.vehicles.values()
        ]
        assert len(await get_groups.asyncio(client=client) or []) == 3
        assert len(await get_geofences.asyncio(client=client) or []) == len(server.world.geofences)
        latest = await get_positions.asyncio(client=client)
        assert [position.device_id for position in latest or []] == [1, 2, 3, 4]


async def test_generated_client_reads_history_and_reports(server: TraccarServer) -> None:
    async with signed(server) as client:
        history = await get_positions.asyncio(client=client, device_id=2, from_=FROM, to=TO)
        times = [str(position.fix_time) for position in history or []]
        assert len(times) == len(server.world.vehicles[2].track.ids)
        assert times == sorted(times)
        route = await get_reports_route.asyncio(client=client, device_id=[2], from_=FROM, to=TO)
        assert len(route or []) == len(times)
        events = await get_reports_events.asyncio(client=client, device_id=[1, 2, 3, 4], from_=FROM, to=TO)
        assert len(events or []) == len(server.world.events)


async def test_generated_client_without_token_is_refused(server: TraccarServer) -> None:
    async with Client(base_url=f"{server.url}/api") as client:
        answer = await get_devices.asyncio_detailed(client=client)
        assert answer.status_code == 401


async def test_generated_client_makes_a_token_that_works(server: TraccarServer) -> None:
    async with signed(server) as client:
        made = await post_session_token.asyncio_detailed(client=client, body=PostSessionTokenBody())
        assert made.status_code == 200
    async with AuthenticatedClient(base_url=f"{server.url}/api", token=made.content.decode()) as client:
        assert len(await get_devices.asyncio(client=client) or []) == 4
