"""The platform's other way in: sign-in, tables, functions and edge functions over HTTP (biko.md 2.2, 2.3, 3.7).

It answers as the platform does: everything runs in the database as the caller, under row security, and a change that
touches no row is a success.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from adapters.mod4.simulator import schema
from adapters.mod4.simulator.peer import Platform, in_thread
from adapters.mod4.simulator.photos import HOST, PATH, Photos
from adapters.mod4.simulator.rest import Unread, Wanted, wanted
from adapters.serving import LoopServer, bound_socket

TOKEN_LIFE_S: Final = 3600
APP_URL: Final = "https://mod4.example"
MOST_ROWS: Final = 1000
STATUS: Final = {"42501": 403, "42883": 404, "42P01": 404, "23505": 409, "23503": 409, "25006": 405, "57014": 500}
"""What PostgREST answers with, 400 for the rest (its documentation: errors)."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in user, or nobody: with the anonymous key alone."""

    user_id: str = ""
    email: str = ""

    @property
    def role(self) -> str:
        return "authenticated" if self.user_id else "anon"


class Web:
    """The HTTP side of one platform. ``mails`` are the invitations that it sent; ``mail_fails`` keeps them back.

    ``photos`` is its public storage.
    ``most_rows`` is what one answer holds; ``requests`` are those that came, by method and path. ``between`` is
    somebody on the way who may answer himself (a proxy, the sign-in page of a hotspot), ``takes_tokens`` one who leaves
    the account's token out, so that everybody is nobody.
    """

    def __init__(self, platform: Platform, *, port: int = 0) -> None:
        self.platform = platform
        self.anon_key = secrets.token_urlsafe(24)
        self.mails: list[Json] = []
        self.mail_fails = False
        self.photos = Photos()
        self.most_rows = MOST_ROWS
        self.requests: list[str] = []
        self.between: Callable[[Request], Awaitable[Response | None]] | None = None
        self.takes_tokens = False
        self._tokens: dict[str, tuple[Caller, float]] = {}
        self._refresh: dict[str, Caller] = {}
        self._port = port
        self._server: LoopServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def photos_place(self) -> str:
        return f"{HOST}:{self._port}"

    @property
    def photos_url(self) -> str:
        """The address of the storage, to which a file's name is added."""
        return f"http://{self.photos_place}{PATH}"

    async def start(self) -> None:
        """Listen on loopback. OSError when the port is taken."""
        listener = bound_socket(socket.AF_INET, "127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        self._server = LoopServer(self.app(), timeout_graceful_shutdown=1)
        await self._server.start(listener)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    def expire_tokens(self, *, sessions: bool = False) -> None:
        """Access tokens are no longer good; with ``sessions`` nor are those that renew them."""
        self._tokens.clear()
        if sessions:
            self._refresh.clear()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/auth/v1/token", self._guard(self._sign_in), methods=["POST"]),
                Route("/rest/v1/rpc/{name}", self._guard(self._call), methods=["GET", "POST"]),
                Route("/rest/v1/{table}", self._guard(self._table), methods=["GET", "POST", "PATCH"]),
                Route("/functions/v1/generate-driver-otp", self._guard(self._generate), methods=["POST"]),
                Route("/functions/v1/invite-user", self._guard(self._invite), methods=["POST"]),
                Route("/functions/v1/update-stop-status", self._guard(self._stop_status), methods=["POST"]),
                Mount(PATH, self.photos),
            ]
        )

    # -- who calls

    def _guard(self, handler: Callable[[Request, Caller], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            self.requests.append(f"{request.method} {request.url.path}")
            if self.between is not None and (instead := await self.between(request)) is not None:
                return instead
            if (key := request.headers.get("apikey")) != self.anon_key:
                return JSONResponse({"message": "Invalid API key" if key else "No API key found in request"}, 401)
            caller = Caller() if request.url.path.startswith("/auth/") else self._caller(request)
            if caller is None:
                return JSONResponse({"code": "PGRST301", "message": "JWT expired"}, 401)
            try:
                return await handler(request, caller)
            except psycopg.Error as error:
                return _refused(error)
            except Unread as error:
                said = {"code": error.code, "message": str(error), "details": None, "hint": None}
                return JSONResponse(said, error.status)
            except (ValueError, KeyError, TypeError) as error:
                return JSONResponse({"code": "PGRST100", "message": f"could not be read: {error}"}, 400)

        return guarded

    def _caller(self, request: Request) -> Caller | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.takes_tokens or token in ("", self.anon_key):
            return Caller()
        caller, until = self._tokens.get(token, (None, 0.0))
        return caller if time.monotonic() < until else None

    async def _sign_in(self, request: Request, _caller: Caller) -> Response:
        """By a password, or by the token that an earlier sign-in gave for this: it is good once."""
        body = await _body(request)
        if request.query_params.get("grant_type") == "refresh_token":
            found = self._refresh.pop(str(body.get("refresh_token")), None)
            if found is None:
                return _not_signed_in("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
            return self._signed_in(found)
        find = """
            SELECT id::text, email FROM auth.users
            WHERE email = lower(%s) AND encrypted_password = extensions.crypt(%s, encrypted_password)
        """
        rows = await in_thread(partial(self.platform.rows, find, str(body["email"]), str(body["password"])))
        if not rows:
            return _not_signed_in("invalid_credentials", "Invalid login credentials")
        return self._signed_in(Caller(*rows[0]))

    def _signed_in(self, caller: Caller) -> Response:
        token, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        self._tokens[token] = (caller, time.monotonic() + TOKEN_LIFE_S)
        self._refresh[refresh] = caller
        user = {"id": caller.user_id, "email": caller.email}
        told = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LIFE_S, "refresh_token": refresh}
        return JSONResponse({**told, "user": user})

    # -- the database as the caller

    def _run(
        self, caller: Caller, statement: sql.Composed, values: list[Any], *, reads: bool = False
    ) -> tuple[list[Json], int]:
        """Rows and their number, in one transaction as the caller. Blocks. Raises psycopg.Error."""
        claims = {"role": caller.role} | ({"sub": caller.user_id, "email": caller.email} if caller.user_id else {})
        with (
            self.platform.server.connect(self.platform.database, role=schema.SESSION_ROLE) as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            if reads:
                cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(caller.role)))
            cursor.execute(statement, values)
            return (cursor.fetchall() if cursor.description else []), cursor.rowcount

    async def _call(self, request: Request, caller: Caller) -> Response:
        """By GET in a transaction that cannot write, whatever the function is."""
        name, reads = request.path_params["name"], request.method == "GET"
        items = request.query_params.multi_items()
        body = None if reads else await _body(request)
        return await in_thread(partial(self._called, caller, name, items, body, request.headers.get("prefer", "")))

    def _called(
        self, caller: Caller, name: str, items: list[tuple[str, str]], body: Json | None, prefer: str
    ) -> Response:
        is_list, types = self._signature(name)
        given = body if body is not None else {key: value for key, value in items if key in types}
        call = _function_call(name, types, given)
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in given.values()]
        if is_list:
            asked = wanted(items, types)
            return self._rows(caller, asked, call, values, {}, prefer)
        statement = sql.SQL("SELECT to_jsonb(x) AS x FROM {} AS x").format(call)
        rows, _ = self._run(caller, statement, values, reads=body is None)
        return JSONResponse(rows[0]["x"])

    def _function(self, caller: Caller, name: str, given: Json) -> Any:
        """What a function answers that brings one value. Blocks."""
        _, types = self._signature(name)
        statement = sql.SQL("SELECT to_jsonb(x) AS x FROM {} AS x").format(_function_call(name, types, given))
        return self._run(caller, statement, list(given.values()))[0][0]["x"]

    def _signature(self, name: str) -> tuple[bool, dict[str, str]]:
        found = self.platform.rows(
            "SELECT proretset, coalesce((SELECT json_object_agg(n, format_type(t, NULL)) FROM "
            "unnest(proargnames[:pronargs], proargtypes::oid[]) AS a(n, t)), '{}') FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace AND proname = %s",
            name,
        )
        if not found:
            raise Unread("PGRST202", f"Could not find the function public.{name} in the schema cache", 404)
        return found[0]

    def _rows(
        self, caller: Caller, asked: Wanted, source: sql.Composable, given: list[Any], keys: dict[str, str], prefer: str
    ) -> Response:
        query, values = asked.query(source, keys, self.most_rows)
        rows, _ = self._run(caller, query, [*given, *values], reads=True)
        total = "*"
        if "count=" in prefer and not asked.offset and len(rows) < min(self.most_rows, asked.limit or self.most_rows):
            total = str(len(rows))
        elif "count=" in prefer:
            counted, values = asked.count(source, keys)
            total = str(self._run(caller, counted, [*given, *values], reads=True)[0][0]["x"])
        shown = f"{asked.offset}-{asked.offset + len(rows) - 1}" if rows else "*"
        is_part = total != "*" and asked.offset + len(rows) < int(total)
        found = [row["x"] for row in rows]
        return JSONResponse(found, 206 if is_part else 200, {"content-range": f"{shown}/{total}"})

    def _keys(self, table: str, embeds: Iterable[str]) -> dict[str, str]:
        """The columns by which a table points to others. Raises Unread where it does not, or in two ways."""
        keys: dict[str, str] = {}
        for other in embeds:
            found = self.platform.rows(
                "SELECT a.attname FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND "
                "a.attnum = c.conkey[1] WHERE c.contype = 'f' AND c.conrelid = to_regclass(%s) AND "
                "c.confrelid = to_regclass(%s)",
                f"public.{table}",
                f"public.{other}",
            )
            if not found:
                said = f"Could not find a relationship between '{table}' and '{other}' in the schema cache"
                raise Unread("PGRST200", said)
            if len(found) > 1:
                said = f"Could not embed because more than one relationship was found for '{table}' and '{other}'"
                raise Unread("PGRST201", said, 300)
            keys[other] = found[0][0]
        return keys

    async def _table(self, request: Request, caller: Caller) -> Response:
        """What :mod:`adapters.mod4.simulator.rest` reads, and ``Prefer: return`` and ``count``."""
        name, prefer = request.path_params["table"], request.headers.get("prefer", "")
        asked = wanted(request.query_params.multi_items())
        if not await in_thread(
            partial(self.platform.rows, "SELECT 1 WHERE to_regclass(%s) IS NOT NULL", f"public.{name}")
        ):
            raise Unread("PGRST205", f"Could not find the table 'public.{name}' in the schema cache", 404)
        if request.method == "GET":
            return await in_thread(partial(self._read, caller, name, asked, prefer))
        body = await _body(request)
        return await in_thread(partial(self._write, caller, name, asked, body, prefer, request.method == "POST"))

    def _read(self, caller: Caller, name: str, asked: Wanted, prefer: str) -> Response:
        source = sql.Identifier("public", name)
        return self._rows(caller, asked, source, [], self._keys(name, asked.embeds), prefer)

    def _write(self, caller: Caller, name: str, asked: Wanted, body: Json, prefer: str, is_new: bool) -> Response:
        table = sql.Identifier("public", name)
        columns = sql.SQL(", ").join(map(sql.Identifier, body))
        if is_new:
            places = sql.SQL(", ").join([sql.Placeholder()] * len(body))
            change = sql.SQL("INSERT INTO {} AS t ({}) VALUES ({})").format(table, columns, places)
        else:
            sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in body)
            change = sql.SQL("UPDATE {} AS t SET {}{}").format(table, sets, asked.where())
        shown = "return=representation" in prefer
        if shown:
            returned = sql.SQL(", ").join(map(sql.Identifier, asked.columns)) if asked.columns else sql.SQL("t.*")
            change = sql.SQL("WITH changed AS ({} RETURNING {}) SELECT to_jsonb(changed) AS x FROM changed").format(
                change, returned
            )
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in body.values()]
        rows, _ = self._run(caller, change, [*values, *([] if is_new else asked.values)])
        if shown:
            return JSONResponse([row["x"] for row in rows], 201 if is_new else 200)
        return Response(status_code=201 if is_new else 204)

    # -- edge functions

    async def _generate(self, request: Request, caller: Caller) -> Response:
        """Whether the caller administers the workspace is not asked."""
        if not caller.user_id:
            return JSONResponse({"error": "Unauthorized"}, 401)
        body = await _body(request)
        if not body.get("email") or not body.get("workspaceId"):
            return JSONResponse({"error": "Email and workspaceId are required"}, 400)
        email = str(body["email"]).strip().lower()
        account = """
            INSERT INTO auth.users (email, email_confirmed_at, encrypted_password, raw_user_meta_data)
            VALUES (%s, now(), extensions.crypt(gen_random_uuid()::text, extensions.gen_salt('bf')),
                '{"created_for": "mod4_driver"}')
            ON CONFLICT (email) DO NOTHING
        """
        given = {"p_email": email, "p_workspace_id": body["workspaceId"]}
        try:
            await in_thread(partial(self.platform.rows, account, email))
            code = await in_thread(partial(self._function, caller, "generate_mod4_otp", given))
        except psycopg.Error as error:
            return JSONResponse({"error": error.diag.message_primary or str(error)}, 400)
        return JSONResponse({"otp": code})

    async def _invite(self, request: Request, caller: Caller) -> Response:
        if not caller.user_id:
            return JSONResponse({"error": "Unauthorized"}, 401)
        body = await _body(request)
        token = base64.urlsafe_b64encode(uuid.UUID(str(body["invitation_token"])).bytes).decode().rstrip("=")
        base = APP_URL if body.get("target_app") == "mod4" else APP_URL.replace("mod4", "app")
        link = f"{base}/invite/{token}"
        if self.mail_fails:
            return JSONResponse({"error": "Failed to send the invitation email", "invitation_url": link}, 500)
        self.mails.append({"to": body["email"], "workspace": body.get("workspace_name"), "url": link})
        return JSONResponse({"success": True})

    async def _stop_status(self, request: Request, caller: Caller) -> Response:
        """The caller is asked for, then the anonymous key writes: no row changes, and success is the answer."""
        if not caller.user_id:
            return JSONResponse({"error": "Unauthorized"}, 401)
        body = await _body(request)
        change = sql.SQL("UPDATE public.route_history SET status = %s WHERE id = %s")
        await in_thread(
            partial(self._run, Caller(), sql.Composed([change]), [body["status"], body["route_history_id"]])
        )
        return JSONResponse({"success": True})


@asynccontextmanager
async def serving(platform: Platform, *, port: int = 0) -> AsyncIterator[Web]:
    """The HTTP side of a platform for the length of a block."""
    web = Web(platform, port=port)
    await web.start()
    try:
        yield web
    finally:
        await asyncio.shield(web.stop())


async def _body(request: Request) -> Json:
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise TypeError("the body is no object")
    return body


def _not_signed_in(code: str, words: str) -> Response:
    return JSONResponse({"code": 400, "error_code": code, "msg": words}, 400)


def _function_call(name: str, types: dict[str, str], given: Json) -> sql.Composed:
    """Raises Unread where the function takes no such arguments."""
    if not set(given) <= set(types):
        said = f"Could not find the function public.{name}({', '.join(given)}) in the schema cache"
        raise Unread("PGRST202", said, 404)
    arguments = [sql.SQL("{} => %s::{}").format(sql.Identifier(key), sql.SQL(types[key])) for key in given]
    return sql.SQL("{}({})").format(sql.Identifier("public", name), sql.SQL(", ").join(arguments))


def _refused(error: psycopg.Error) -> Response:
    """As the platform's REST service reports what the database said."""
    code = error.sqlstate or "PGRST000"
    message = error.diag.message_primary or str(error)
    said = {"code": code, "message": message, "details": error.diag.message_detail, "hint": error.diag.message_hint}
    unreachable = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return JSONResponse(said, 503 if unreachable else STATUS.get(code, 400))
