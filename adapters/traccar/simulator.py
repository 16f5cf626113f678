"""An honest Traccar server on loopback, for the demo and the tests: real HTTP, real WebSocket, vehicles that move."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from typing import Any

from adapters.serving import LoopServer, bound_socket
from adapters.traccar.simulator_api import Account, Api
from adapters.traccar.simulator_faults import Faults, FaultyApp
from adapters.traccar.simulator_world import World

DAY_MS = 86_400_000
TICK_S = 0.5


class TraccarServer:
    """One simulated server. :meth:`start` and :meth:`stop` keep the port, so that a test can restart it."""

    def __init__(self, world: World, *, port: int = 0, certificate: tuple[str, str] | None = None) -> None:
        self.world = world
        self.account = Account()
        self.faults = Faults()
        self.api = Api(world, self.account, self.faults)
        self.clock_ahead_ms = 0
        self.token = self.account.token(world.now_ms + 365 * DAY_MS)
        self._port = port
        self._certificate = certificate
        self._server: LoopServer | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._certificate else ''}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    async def start(self) -> None:
        """Listen on loopback; returns once connections are answered. OSError when the port is taken."""
        listener = bound_socket(socket.AF_INET, "127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        self._server = LoopServer(
            FaultyApp(self.api.app(), self.faults, self._date),
            certificate=self._certificate,
            ws="websockets-sansio",
            date_header=False,
            timeout_graceful_shutdown=1,
            ws_ping_interval=None,
        )
        await self._server.start(listener)

    async def stop(self, *, forget_sessions: bool = True) -> None:
        """End all connections and close the port; sessions live in memory and end with it."""
        if self._server is None:
            return
        if forget_sessions:
            self.account.sessions.clear()
        await self.api.drop_sockets()
        await self._server.close()
        self._server = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def _date(self) -> str:
        return formatdate((self.world.now_ms + self.clock_ahead_ms) / 1000, usegmt=True)


@contextlib.asynccontextmanager
async def running(world: World, **options: Any) -> AsyncIterator[TraccarServer]:
    """A server for the length of a block."""
    server = TraccarServer(world, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a server with moving vehicles until cancelled (:class:`adapters.base.Simulator`).

    Options: ``vehicles`` (12), ``interval_s`` (10), ``history_h`` (24, driven before the start), ``seed`` (1),
    ``port`` (0: a free one), ``auth`` (``token``, ``session`` or ``basic``). ``ready`` gets the settings of an
    integration for it.
    """
    interval_s = float(options.get("interval_s", 10))
    history_ms = int(float(options.get("history_h", 24)) * 3_600_000)
    world = World(
        vehicles=int(options.get("vehicles", 12)),
        interval_s=interval_s,
        start_ms=_now_ms() - history_ms,
        seed=int(options.get("seed", 1)),
    )
    await asyncio.to_thread(world.advance, _now_ms())
    async with running(world, port=int(options.get("port", 0))) as server:
        ready(
            {
                "url": server.url,
                "auth": str(options.get("auth", "token")),
                "token": server.token,
                "username": server.account.email,
                "password": server.account.password,
            }
        )
        while True:
            await asyncio.sleep(TICK_S)
            world.advance(_now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
