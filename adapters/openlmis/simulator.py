"""An honest OpenLMIS v3 on loopback, for the demo and the tests: real HTTP, papers that move, stock that is booked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any

import uvicorn

from adapters.openlmis.simulator_accounts import Accounts
from adapters.openlmis.simulator_api import Api
from adapters.openlmis.simulator_faults import Faults, FaultyApp
from adapters.openlmis.simulator_goods import Goods
from adapters.openlmis.simulator_life import Life
from adapters.openlmis.simulator_requisitions import Requisitions
from adapters.openlmis.simulator_world import World

TICK_S = 0.5


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program around the simulator."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def main_loop(self) -> None:
        await self.leave.wait()


class OpenLmisServer:
    """One simulated server. :meth:`start` and :meth:`stop` keep the port, so that a test can restart it."""

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        certificate: tuple[str, str] | None = None,
        largest_page: int | None = None,
    ) -> None:
        self.world = world
        self.accounts = Accounts(world)
        self.requisitions = Requisitions(world)
        self.goods = Goods(world)
        self.life = Life(world, self.requisitions, self.goods)
        self.faults = Faults()
        self.api = Api(world, self.accounts, self.requisitions, self.goods)
        self.api.largest_page = largest_page
        self.clock_ahead_ms = 0
        self._port = port
        self._certificate = certificate
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._certificate else ''}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    async def start(self) -> None:
        """Listen on loopback; returns once connections are answered. OSError when the port is taken."""
        # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms for each answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            FaultyApp(self.api.app(), self.faults, self._date),
            log_config=None,
            log_level=60,  # a fault that breaks off an answer is meant, not worth a line
            access_log=False,
            lifespan="off",
            ws="none",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        if self._certificate is not None:
            config.ssl_certfile, config.ssl_keyfile = self._certificate
            config.ssl_version = ssl.PROTOCOL_TLS_SERVER
        server = self._server = _Server(config)
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(server.serve(sockets=[listener]), name="simulated OpenLMIS server")
        await server.answers.wait()

    async def stop(self) -> None:
        """End all connections and close the port."""
        if self._server is None or self._serving is None:
            return
        self._server.leave.set()
        await self._serving
        self._server = self._serving = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def _date(self) -> str:
        return formatdate((self.world.now_ms + self.clock_ahead_ms) / 1000, usegmt=True)


@contextlib.asynccontextmanager
async def running(world: World, **options: Any) -> AsyncIterator[OpenLmisServer]:
    """A server for the length of a block."""
    server = OpenLmisServer(world, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a server whose people work until cancelled (:class:`adapters.base.Simulator`).

    Options: ``facilities`` (40), ``items`` (the whole catalogue), ``papers`` (steps taken before the start, 400),
    ``interval_s`` (seconds between two steps, 20), ``seed`` (1), ``port`` (0: a free one), ``auth`` (``user`` or
    ``key``), ``chance`` (share of requests that fail, 0). ``ready`` gets the settings of an integration for it.
    """
    items = options.get("items")
    world = World(
        start_ms=_now_ms(),
        seed=int(options.get("seed", 1)),
        facilities=int(options.get("facilities", 40)),
        items=None if items is None else int(items),
    )
    async with running(world, port=int(options.get("port", 0))) as server:
        await asyncio.to_thread(server.life.history, int(options.get("papers", 400)))
        server.faults.chance = float(options.get("chance", 0))
        ready(
            {
                "url": server.url,
                "auth": str(options.get("auth", "user")),
                "client_id": server.accounts.client_id,
                "client_secret": server.accounts.client_secret,
                "username": server.accounts.username,
                "password": server.accounts.password,
                "api_key": server.accounts.api_key,
                "facilities": world.store["code"],
            }
        )
        next_ms = _now_ms()
        while True:
            await asyncio.sleep(TICK_S)
            world.now_ms = max(world.now_ms, _now_ms())
            if world.now_ms >= next_ms:
                server.life.step()
                next_ms = world.now_ms + int(float(options.get("interval_s", 20)) * 1000)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
