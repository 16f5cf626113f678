"""An honest NHLMIS on loopback, for the demo and the tests: real HTTP, in the words of any profile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from typing import Any

from adapters.nhlmis.profile import Profile, approval_code
from adapters.nhlmis.profile_files import load_profile
from adapters.nhlmis.simulator_api import Api, Rules
from adapters.nhlmis.simulator_faults import Faults, FaultyApp
from adapters.nhlmis.simulator_world import World
from adapters.serving import LoopServer, bound_socket

KEY = "nh-simulated-7f3a91c2d05b"
"""The simulator's own key, valid on loopback alone."""


class NhlmisServer:
    """One simulated server. :meth:`start` and :meth:`stop` keep the port, so that a test can restart it."""

    def __init__(self, world: World, profile: Profile | None = None, *, port: int = 0) -> None:
        self.world = world
        self.profile = profile or Profile()
        self.rules = Rules(keys={KEY})
        self.faults = Faults()
        self.api = Api(world, self.profile, self.rules)
        self.clock_ahead_ms = 0
        self._port = port
        self._server: LoopServer | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def approval_code(self) -> str:
        """The code under which this server's profile is approved for this address."""
        return approval_code(self.profile, self.url)

    async def start(self) -> None:
        """Listen on loopback; returns once connections are answered. OSError when the port is taken."""
        listener = bound_socket(socket.AF_INET, "127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        app = FaultyApp(self.api.app(), self.faults, self._date)
        self._server = LoopServer(app, date_header=False, timeout_graceful_shutdown=1, ws="none")
        await self._server.start(listener)

    async def stop(self) -> None:
        """End all connections and close the port."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def revoke_key(self) -> None:
        self.rules.keys.clear()

    def _date(self) -> str:
        return formatdate((self.world.now_ms + self.clock_ahead_ms) / 1000, usegmt=True)


@contextlib.asynccontextmanager
async def running(world: World, profile: Profile | None = None, *, port: int = 0) -> AsyncIterator[NhlmisServer]:
    """A server for the length of a block."""
    server = NhlmisServer(world, profile, port=port)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a server to which orders come until cancelled (:class:`adapters.base.Simulator`).

    Options: ``orders`` (12, before the start), ``order_every_s`` (300), ``seed`` (1), ``port`` (0: a free one),
    ``profile`` (a file). ``ready`` gets the settings of an integration for it, sending approved.
    """
    every_s = max(float(options.get("order_every_s", 300)), 0.1)
    file = str(options.get("profile", ""))
    world = World(orders=int(options.get("orders", 12)), start_ms=_now_ms(), seed=int(options.get("seed", 1)))
    async with running(world, load_profile(file), port=int(options.get("port", 0))) as server:
        ready(
            {
                "url": server.url,
                "api_key": KEY,
                "profile": file,
                "profile_approved": True,
                "approved_code": server.approval_code,
            }
        )
        due = time.monotonic() + every_s
        while True:
            await asyncio.sleep(min(0.5, every_s))
            world.advance(_now_ms())
            if time.monotonic() >= due:
                due += every_s
                world.add_order()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
