"""An honest open mSupply server on loopback, for the demo and the tests: real HTTP, a site that lives."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from email.utils import formatdate
from typing import Any

import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from adapters.msupply.simulator_access import RECEIVING, REFRESH_MS, WORKING, Account
from adapters.msupply.simulator_api import GraphApi
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_faults import Faults, FaultyApp, Line
from adapters.msupply.simulator_world import World

COOKIE = "refresh_token"
TICK_S = 0.5
LONGEST_BODY = 10_000_000


class Session:
    """Who asks in one request, and what the answer brings besides data."""

    def __init__(self, server: MSupplyServer, request: Request) -> None:
        self._account = server.account
        self._world = server.world
        header = request.headers.get("authorization", "")
        self._token = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
        self._refresh = request.cookies.get(COOKIE, "")
        self.new_cookie = ""
        self.was_refused = False

    def require_signed_in(self) -> None:
        if not self._account.holds(self._token, self._world.now_ms):
            raise GraphQLError("Unauthenticated", extensions={"details": "Not authenticated"})

    def sign_in(self, username: str, password: str) -> Node:
        account, now_ms = self._account, self._world.now_ms
        account.sign_ins += 1
        if account.blocked_until_ms > now_ms:
            left_s = -(-(account.blocked_until_ms - now_ms) // 1000)
            return self._refused("AccountBlocked", timeoutRemaining=left_s)
        if account.central_sync_required:
            return self._refused("CentralSyncRequired")
        if (username, password) != (account.username, account.password):
            return self._refused("InvalidCredentials")
        if not account.has_site_access:
            return self._refused("NoSiteAccess")
        token, self.new_cookie = account.open(now_ms)
        return {"__typename": "AuthToken", "token": token}

    def _refused(self, kind: str, **more: Any) -> Node:
        self.was_refused = True
        error = {"__typename": kind, "description": f"Sign-in refused: {kind}", **more}
        return {"__typename": "AuthTokenError", "error": error}

    def renew(self) -> Node:
        found = self._account.renew(self._refresh, self._world.now_ms)
        if isinstance(found, str):
            return {"__typename": "RefreshTokenError", "error": {"__typename": found, "description": found}}
        token, self.new_cookie = found
        return {"__typename": "RefreshToken", "token": token}

    def sign_out(self) -> Node:
        self.require_signed_in()
        self._account.logouts += 1
        self._account.revoke()
        return {"__typename": "Logout", "userId": self._account.user_id}


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


class MSupplyServer:
    """One simulated server. :meth:`start` and :meth:`stop` keep the port, so that a test can restart it."""

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        certificate: tuple[str, str] | None = None,
        version: str = "2.20",
        removed: Iterable[str] = (),
        refusal_delay_s: float = 6.0,
    ) -> None:
        self.world = world
        self.account = Account()
        self.faults = Faults()
        self.api = GraphApi(world, self.account, version, removed)
        self.refusal_delay_s = refusal_delay_s
        """How long a failed sign-in is held back (section 2)."""
        self.clock_ahead_ms = 0
        self.seen: list[dict[str, Any]] = []
        """The last requests: query and variables, without those of a sign-in."""
        self.requests = 0
        for store in world.stores.values():
            if store["code"] in ("SCMS", "ZMS"):
                self.account.permissions[store["id"]] = set(WORKING)
            elif store["code"] in ("NGS001", "NGS002"):
                self.account.permissions[store["id"]] = set(RECEIVING)
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

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings of an integration for this server."""
        account = self.account
        return {
            "url": self.url,
            "username": account.username,
            "password": account.password,
            "stores": "SCMS, ZMS",
            "ships": True,
            "receives": True,
            **more,
        }

    def routes(self) -> list[Route]:
        """What is answered at which path."""
        return [
            Route("/graphql", self._graphql, methods=["POST"]),
            Route("/graphql", lambda _: HTMLResponse("<!DOCTYPE html><title>Playground</title>"), methods=["GET"]),
        ]

    async def start(self) -> None:
        """Listen on loopback; returns once connections are answered. OSError when the port is taken."""
        # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms for each answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            FaultyApp(Starlette(routes=self.routes()), self.faults, self._date),
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
        self._serving = loop.create_task(server.serve(sockets=[listener]), name="simulated mSupply server")
        await server.answers.wait()

    async def stop(self, *, forget_sessions: bool = True) -> None:
        """End all connections and close the port; a restart ends every session (section 2)."""
        if self._server is None or self._serving is None:
            return
        if forget_sessions:
            self.account.revoke()
        self._server.leave.set()
        await self._serving
        self._server = self._serving = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def _graphql(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > LONGEST_BODY:
            return Response(status_code=413)
        try:
            asked = json.loads(body)
            query, variables = str(asked["query"]), asked.get("variables") or {}
        except (ValueError, TypeError, KeyError, AttributeError):
            return Response("Invalid request", status_code=400)
        self.requests += 1
        if "authToken" not in query:
            self.seen = [*self.seen[-200:], {"query": query, "variables": variables}]
        session = Session(self, request)
        answer = self.api.answer(query, variables, session)
        if session.was_refused:
            await asyncio.sleep(self.refusal_delay_s)
        response = JSONResponse(answer)
        if session.new_cookie:
            response.set_cookie(
                COOKIE,
                session.new_cookie,
                max_age=REFRESH_MS // 1000,
                httponly=True,
                secure=self._certificate is not None,
                samesite="strict",
            )
        return response

    def _date(self) -> str:
        return formatdate((self.world.now_ms + self.clock_ahead_ms) / 1000, usegmt=True)


@contextlib.asynccontextmanager
async def running(world: World, **options: Any) -> AsyncIterator[MSupplyServer]:
    """A server for the length of a block."""
    server = MSupplyServer(world, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def line_to(server: MSupplyServer) -> AsyncIterator[Line]:
    """A line before a server for the length of a block."""
    line = Line(server.port)
    await line.start()
    try:
        yield line
    finally:
        await line.stop()


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a living site until cancelled (:class:`adapters.base.Simulator`).

    Options: ``items`` (333; up to a million), ``facilities`` (40), ``papers`` (90 requisitions of the past),
    ``history_days`` (90), ``seed`` (1), ``port`` (0: a free one), ``version`` (2.20), ``api`` (``open``; ``4d`` for the
    older product), ``arrival_every_s`` (3600: a requisition), ``receive_after_s`` (14400), ``shipments`` of the past
    (``customer`` by name, ``ordered_ms``, ``shipped_ms``, ``received_ms``, ``transport_reference``). ``ready`` gets the
    settings of an integration for it.
    """
    if options.get("api") == "4d":
        from adapters.msupply.simulator_legacy import simulate_legacy

        await simulate_legacy(options, ready)
        return
    world = await asyncio.to_thread(make_world, options)
    async with running(world, port=int(options.get("port", 0)), version=str(options.get("version", "2.20"))) as server:
        ready(server.settings())
        while True:
            await asyncio.sleep(TICK_S)
            world.advance(_now_ms())


def make_world(options: Mapping[str, Any]) -> World:
    """A world by the options of :func:`simulate`, at the present time."""
    world = World(
        now_ms=_now_ms(),
        items=int(options.get("items", 333)),
        facilities=int(options.get("facilities", 40)),
        history_days=int(options.get("history_days", 90)),
        papers=int(options.get("papers", 90)),
        seed=int(options.get("seed", 1)),
    )
    for told in options.get("shipments", ()):
        world.ship_in_the_past(**told)
    world.arrival_every_ms = int(float(options.get("arrival_every_s", 3600)) * 1000)
    world.receive_after_ms = int(float(options.get("receive_after_s", 14_400)) * 1000)
    return world


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
