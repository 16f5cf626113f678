"""The simulated server's REST interface and live socket, as its API description has them (OpenAPI, 6.14).

Signing in follows the server's rules to the odd ones: ``GET /session`` knows cookies only, a damaged token is a
fault of the server (500), an ``Origin`` that is not the host's ends the session (traccar-api.md, section 1).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from adapters.traccar.simulator_faults import STACK_TRACE, Faults
from adapters.traccar.simulator_world import USER_ID, Message, World, server_time

COOKIE = "JSESSIONID"
TOKEN_DAYS = 7
DAY_MS = 86_400_000


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


@dataclass(slots=True)
class Account:
    """The one user, read-only, and how the server knows it again."""

    email: str = "depot@example.org"
    password: str = "read-only-depot"  # noqa: S105 - the simulator's own, on loopback
    second_factor: bool = False
    disabled: bool = False
    sees_devices: bool = True
    reports: bool = True
    revoked: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    sign_ins: int = 0
    """How often credentials were tried, rightly or wrongly."""
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def token(self, ends_at_ms: int) -> str:
        """A token in the server's form: length, signature, JSON, in base64url."""
        said = json.dumps({"u": USER_ID, "e": server_time(ends_at_ms)}).encode()
        signature = hmac.new(self.key, said, hashlib.sha512).digest()
        return base64.urlsafe_b64encode(bytes([len(signature)]) + signature + said).decode().rstrip("=")

    def check_token(self, token: str, now_ms: int) -> None:
        self.sign_ins += 1
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            signature, said = data[1 : 1 + data[0]], data[1 + data[0] :]
            ends_at = datetime.fromisoformat(json.loads(said)["e"]) if said else None
        except (ValueError, LookupError) as err:
            raise RefusedError(500, "Signature error - SignatureException (CryptoManager:70)") from err
        if ends_at is None or not hmac.compare_digest(signature, hmac.new(self.key, said, hashlib.sha512).digest()):
            raise RefusedError(500, "Invalid signature - SecurityException (CryptoManager:73)")
        if ends_at.timestamp() * 1000 < now_ms or token in self.revoked or self.disabled:
            raise RefusedError(401, "Token has expired - SecurityException (TokenManager:84)")

    def check_password(self, email: str, password: str) -> None:
        self.sign_ins += 1
        if email != self.email or password != self.password or self.disabled:
            raise RefusedError(401, "HTTP 401 Unauthorized - WebApplicationException (SessionResource:148)")
        if self.second_factor:
            raise RefusedError(401, "", {"WWW-Authenticate": "TOTP"})


class Api:
    """Answers for one world; ``version`` decides what the server can do."""

    def __init__(self, world: World, account: Account, faults: Faults) -> None:
        self.world = world
        self.account = account
        self.faults = faults
        self.version = "6.14.5"
        self.max_positions = 50_000
        self.keep_alive_s = 55.0
        self.sockets: set[WebSocket] = set()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        """Method, path with query, and headers of every request."""

    @property
    def knows_pages(self) -> bool:
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (6, 13)

    def app(self) -> Starlette:
        def get(path: str, answer: Callable[[Request], Response], *, signed: bool = True) -> Route:
            return Route(f"/api{path}", self._wrapped(answer, signed), methods=["GET"])

        routes: list[BaseRoute] = [
            get("/server", self._server, signed=False),
            get("/health", lambda _: PlainTextResponse("OK"), signed=False),
            Route("/api/session", self._session, methods=["GET", "POST", "DELETE"]),
            Route("/api/session/token", self._token, methods=["POST"]),
            Route("/api/session/token/revoke", self._revoke, methods=["POST"]),
            get("/devices", self._devices),
            get("/groups", lambda request: self._paged(self.world.groups, request.query_params)),
            get("/geofences", lambda request: self._paged(self.world.geofences, request.query_params)),
            get("/positions", self._positions),
            get("/reports/route", self._route),
            get("/reports/events", self._events),
            Route("/api/permissions", self._permissions, methods=["POST", "DELETE"]),
            WebSocketRoute("/api/socket", self._socket),
        ]
        return Starlette(routes=routes)

    def _wrapped(self, answer: Callable[[Request], Response], signed: bool) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._note(request)
            try:
                self._identify(request, needed=signed)
                return answer(request)
            except RefusedError as err:
                return _refusal(err)

        return endpoint

    def _note(self, request: Request) -> None:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.seen.append((request.method, path, dict(request.headers)))

    # -- who asks

    def _identify(self, request: HTTPConnection, *, needed: bool) -> None:
        header = request.headers.get("authorization")
        if header is not None:  # then a cookie does not count
            self._check_header(header)
        elif needed and not self._has_session(request):
            raise RefusedError(401, "HTTP 401 Unauthorized")

    def _check_header(self, header: str) -> None:
        way, _, value = header.partition(" ")
        if way.lower() == "bearer":
            self.account.check_token(value, self.world.now_ms)
            return
        try:
            email, _, password = base64.b64decode(value, validate=True).decode("ascii").partition(":")
        except ValueError as err:
            raise RefusedError(400, "Illegal base64 character - IllegalArgumentException") from err
        self.account.check_password(email, password)

    def _has_session(self, request: HTTPConnection) -> bool:
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            return False
        return request.cookies.get(COOKIE) in self.account.sessions

    def _new_session(self) -> Response:
        key = f"node0{secrets.token_hex(12)}"
        self.account.sessions.add(key)
        response = JSONResponse(self._user())
        response.set_cookie(COOKIE, key, path="/")
        return response

    def _user(self) -> dict[str, Any]:
        name = self.account.email
        return {
            "id": USER_ID,
            "name": "Depot",
            "email": name,
            "readonly": True,
            "administrator": False,
            "attributes": {},
        }

    async def _session(self, request: Request) -> Response:
        self._note(request)
        try:
            if request.method == "POST":
                form = await _form(request)
                self.account.check_password(form.get("email", ""), form.get("password", ""))
                return self._new_session()
            if request.method == "DELETE":
                self.account.sessions.discard(request.cookies.get(COOKIE, ""))
                return Response(status_code=204)
            if token := request.query_params.get("token"):
                self.account.check_token(token, self.world.now_ms)
                return self._new_session()
            if not self._has_session(request):
                raise RefusedError(404, "HTTP 404 Not Found")
            return JSONResponse(self._user())
        except RefusedError as err:
            return _refusal(err)

    async def _token(self, request: Request) -> Response:
        self._note(request)
        try:
            self._identify(request, needed=True)
            asked = (await _form(request)).get("expiration")
            ends_at_ms = _time(asked) if asked else self.world.now_ms + TOKEN_DAYS * DAY_MS
            return PlainTextResponse(self.account.token(ends_at_ms))
        except RefusedError as err:
            return _refusal(err)

    async def _revoke(self, request: Request) -> Response:
        self._note(request)
        try:
            self._identify(request, needed=True)
            self.account.revoked.add((await _form(request)).get("token", ""))
            return Response(status_code=204)
        except RefusedError as err:
            return _refusal(err)

    async def _permissions(self, request: Request) -> Response:
        self._note(request)
        return _refusal(RefusedError(400, "User is readonly - SecurityException (PermissionsService:120)"))

    # -- what is asked for

    def _server(self, _request: Request) -> Response:
        return JSONResponse({"id": 1, "version": self.version, "readonly": False, "attributes": {}})

    def _devices(self, request: Request) -> Response:
        query = request.query_params
        if query.get("all") == "true":
            raise RefusedError(400, "Administrator access required - SecurityException (PermissionsService:71)")
        ids, names = set(query.getlist("id")), set(query.getlist("uniqueId"))
        chosen = [
            self.world.device(car)
            for car in self.world.vehicles.values()
            if self.account.sees_devices and ((not ids and not names) or str(car.id) in ids or car.unique_id in names)
        ]
        if query.get("excludeAttributes") == "true" and self.knows_pages:
            chosen = [{**device, "attributes": {}} for device in chosen]
        return self._paged(chosen, query)

    def _paged(self, items: list[dict[str, Any]], query: QueryParams) -> Response:
        if self.knows_pages:
            if word := query.get("keyword", "").lower():
                items = [item for item in items if word in json.dumps(item).lower()]
            start = int(query.get("offset", 0))
            items = items[start : start + int(query.get("limit", len(items) or 1))]
        return _streamed(items)

    def _positions(self, request: Request) -> Response:
        query = request.query_params
        if ids := query.getlist("id"):
            found = [self.world.position_by_id(int(key)) for key in ids]
            if any(position is None for position in found):
                raise RefusedError(400, STACK_TRACE)
            return _streamed(position for position in found if position is not None)
        if "deviceId" not in query:
            return _streamed(self.world.latest_positions() if self.account.sees_devices else [])
        return _streamed(self._history(int(query["deviceId"]), query))

    def _route(self, request: Request) -> Response:
        self._need_reports()
        ids = _ids(request.query_params)
        return _streamed(position for key in ids for position in self._history(key, request.query_params))

    def _history(self, device_id: int, query: QueryParams) -> Iterator[dict[str, Any]]:
        vehicle = self.world.vehicles.get(device_id)
        if vehicle is None or not self.account.sees_devices:
            raise RefusedError(400, STACK_TRACE)
        return self.world.history(vehicle, _time(query.get("from")), _time(query.get("to")), self.max_positions)

    def _events(self, request: Request) -> Response:
        self._need_reports()
        query = request.query_params
        ids = _ids(query)
        if not ids or any(key not in self.world.vehicles for key in ids):
            raise RefusedError(400, STACK_TRACE)
        from_ms, to_ms = _time(query.get("from")), _time(query.get("to"))
        kinds = {kind for text in query.getlist("type") for kind in text.split(",")} - {"%", ""}
        return _streamed(
            event
            for key in ids
            for event in self.world.events_between(key, from_ms, to_ms)
            if not kinds or event["type"] in kinds
        )

    def _need_reports(self) -> None:
        if not self.account.reports:
            raise RefusedError(400, "Reports are disabled for the user - SecurityException (PermissionsService:188)")

    # -- live

    async def _socket(self, socket: WebSocket) -> None:
        path = socket.url.path + (f"?{socket.url.query}" if socket.url.query else "")
        self.seen.append(("SOCKET", path, dict(socket.headers)))
        status = self.faults.socket_refused or (None if self._may_listen(socket) else 503)
        if status is not None:
            await socket.send_denial_response(PlainTextResponse("", status_code=status))
            return
        await socket.accept()
        queue: asyncio.Queue[Message] = asyncio.Queue()
        self.world.listeners.add(queue.put_nowait)
        self.sockets.add(socket)
        await socket.send_json({"positions": self.world.latest_positions()})
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._push(socket, queue))
                await _until_closed(socket)
                sender.cancel()
        finally:
            self.world.listeners.discard(queue.put_nowait)
            self.sockets.discard(socket)

    def _may_listen(self, socket: WebSocket) -> bool:
        token = socket.query_params.get("token")
        if token is None:
            return self._has_session(socket)
        try:
            self.account.check_token(token, self.world.now_ms)
        except RefusedError:
            return False
        return True

    async def _push(self, socket: WebSocket, queue: asyncio.Queue[Message]) -> None:
        while True:
            try:
                async with asyncio.timeout(self.keep_alive_s):
                    message = await queue.get()
            except TimeoutError:
                message = {}
            try:
                await socket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                return  # the client went while we were writing

    async def drop_sockets(self) -> None:
        """End every live connection, as a restart or a proxy does."""
        for socket in list(self.sockets):
            await socket.close(1001)


async def _until_closed(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, RuntimeError):
        return


def _streamed(items: Iterable[dict[str, Any]]) -> Response:
    """A list as the server writes it: one object after the other."""
    first = iter(items)

    def pieces() -> Iterator[bytes]:
        yield b"["
        block: list[str] = []
        comma = ""
        for item in first:
            block.append(comma + json.dumps(item, ensure_ascii=False, separators=(",", ":")))
            comma = ","
            if len(block) == 200:
                yield "".join(block).encode()
                block.clear()
        yield "".join(block).encode() + b"]"

    async def chunks() -> Any:
        for piece in pieces():
            yield piece

    return StreamingResponse(chunks(), media_type="application/json")


def _refusal(err: RefusedError) -> Response:
    return PlainTextResponse(str(err), status_code=err.status, headers=err.headers)


async def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


def _ids(query: QueryParams) -> list[int]:
    return [int(key) for text in query.getlist("deviceId") for key in text.split(",") if key]


def _time(text: str | None) -> int:
    """Milliseconds of an ISO time with zone; without one the server refuses the request."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError as err:
        raise RefusedError(400, "Invalid date - IllegalArgumentException (DateParameterConverterProvider:41)") from err
    if moment.tzinfo is None:
        raise RefusedError(400, "Text could not be parsed - DateTimeParseException (DateUtil:61)")
    return round(moment.timestamp() * 1000)
