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
from collections.abc import AsyncIterator, Awaitable, Callable
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
from adapters.serving import LoopServer, bound_socket

TOKEN_LIFE_S: Final = 3600
APP_URL: Final = "https://mod4.example"
OPERATORS: Final = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
RESERVED: Final = {"select", "order", "limit", "offset"}
STATUS: Final = {"42501": 403, "42883": 404, "42P01": 404, "23505": 409, "23503": 409, "P0001": 400}
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
    """

    def __init__(self, platform: Platform, *, port: int = 0) -> None:
        self.platform = platform
        self.anon_key = secrets.token_urlsafe(24)
        self.mails: list[Json] = []
        self.mail_fails = False
        self.photos = Photos()
        self._tokens: dict[str, tuple[Caller, float]] = {}
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

    def expire_tokens(self) -> None:
        """Everybody has to sign in again."""
        self._tokens.clear()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/auth/v1/token", self._guard(self._sign_in), methods=["POST"]),
                Route("/rest/v1/rpc/{name}", self._guard(self._call), methods=["POST"]),
                Route("/rest/v1/{table}", self._guard(self._table), methods=["GET", "PATCH"]),
                Route("/functions/v1/generate-driver-otp", self._guard(self._generate), methods=["POST"]),
                Route("/functions/v1/invite-user", self._guard(self._invite), methods=["POST"]),
                Route("/functions/v1/update-stop-status", self._guard(self._stop_status), methods=["POST"]),
                Mount(PATH, self.photos),
            ]
        )

    # -- who calls

    def _guard(self, handler: Callable[[Request, Caller], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.headers.get("apikey") != self.anon_key:
                return JSONResponse({"message": "No API key found in request"}, 401)
            caller = self._caller(request)
            if caller is None:
                return JSONResponse({"code": "PGRST301", "message": "JWT expired"}, 401)
            try:
                return await handler(request, caller)
            except psycopg.Error as error:
                return _refused(error)
            except (ValueError, KeyError, TypeError) as error:
                return JSONResponse({"code": "PGRST100", "message": f"could not be read: {error}"}, 400)

        return guarded

    def _caller(self, request: Request) -> Caller | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in ("", self.anon_key):
            return Caller()
        caller, until = self._tokens.get(token, (None, 0.0))
        return caller if time.monotonic() < until else None

    async def _sign_in(self, request: Request, _caller: Caller) -> Response:
        body = await _body(request)
        find = """
            SELECT id::text, email FROM auth.users
            WHERE email = lower(%s) AND encrypted_password = extensions.crypt(%s, encrypted_password)
        """
        rows = await in_thread(partial(self.platform.rows, find, str(body["email"]), str(body["password"])))
        if not rows:
            said = {"error_code": "invalid_credentials", "msg": "Invalid login credentials"}
            return JSONResponse(said, 400)
        token = secrets.token_urlsafe(32)
        self._tokens[token] = (Caller(*rows[0]), time.monotonic() + TOKEN_LIFE_S)
        user = {"id": rows[0][0], "email": rows[0][1]}
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LIFE_S, "user": user})

    # -- the database as the caller

    def _run(self, caller: Caller, statement: sql.Composed, values: list[Any]) -> tuple[list[Json], int]:
        """Rows and their number, in one transaction as the caller. Blocks. Raises psycopg.Error."""
        claims = {"role": caller.role} | ({"sub": caller.user_id, "email": caller.email} if caller.user_id else {})
        with (
            self.platform.server.connect(self.platform.database, role=schema.SESSION_ROLE) as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute("SELECT set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(caller.role)))
            cursor.execute(statement, values)
            return (cursor.fetchall() if cursor.description else []), cursor.rowcount

    async def _call(self, request: Request, caller: Caller) -> Response:
        name, body = request.path_params["name"], await _body(request)
        return JSONResponse(await in_thread(partial(self._function, caller, name, body)))

    def _function(self, caller: Caller, name: str, given: Json) -> Any:
        """What a function answers: its value, or a list of rows. Blocks."""
        found = self.platform.rows(
            "SELECT proretset, coalesce((SELECT json_object_agg(n, format_type(t, NULL)) FROM "
            "unnest(proargnames[:pronargs], proargtypes::oid[]) AS a(n, t)), '{}') FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace AND proname = %s",
            name,
        )
        if not found or not set(given) <= set(found[0][1]):
            raise psycopg.errors.UndefinedFunction(f"Could not find the function public.{name} in the schema cache")
        is_list, types = found[0]
        arguments = [sql.SQL("{} => %s::{}").format(sql.Identifier(key), sql.SQL(types[key])) for key in given]
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in given.values()]
        statement = sql.SQL("SELECT to_jsonb(x) AS x FROM {}({}) AS x").format(
            sql.Identifier("public", name), sql.SQL(", ").join(arguments)
        )
        rows, _ = self._run(caller, statement, values)
        return [row["x"] for row in rows] if is_list else rows[0]["x"]

    async def _table(self, request: Request, caller: Caller) -> Response:
        """``select``, ``order``, ``limit``, ``offset`` and filters with the operators of :data:`OPERATORS`, in, is."""
        table, query = sql.Identifier("public", request.path_params["table"]), request.query_params
        conditions, values = _filters(query.multi_items())
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("")
        if request.method == "GET":
            names = query.get("select", "*")
            wanted = sql.SQL("*") if names == "*" else sql.SQL(", ").join(map(sql.Identifier, names.split(",")))
            inner = sql.SQL("SELECT {} FROM {}{}{} LIMIT %s OFFSET %s").format(wanted, table, where, _order(query))
            values += [int(query.get("limit", 1000)), int(query.get("offset", 0))]
            rows, _ = await in_thread(partial(self._run, caller, _as_json(inner), values))
            return JSONResponse([row["x"] for row in rows])
        body = await _body(request)
        sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in body)
        change = sql.SQL("UPDATE {} SET {}{}").format(table, sets, where)
        shown = "return=representation" in request.headers.get("prefer", "")
        if shown:
            change = sql.SQL("WITH changed AS ({} RETURNING *) SELECT to_jsonb(changed) AS x FROM changed").format(
                change
            )
        rows, _ = await in_thread(partial(self._run, caller, change, [*body.values(), *values]))
        return JSONResponse([row["x"] for row in rows]) if shown else Response(status_code=204)

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


def _filters(items: list[tuple[str, str]]) -> tuple[list[sql.Composed], list[Any]]:
    """Conditions and their values. Raises ValueError for an operator that is not known."""
    conditions, values = [], list[Any]()
    for column, text in items:
        if column in RESERVED:
            continue
        operator, _, value = text.partition(".")
        name = sql.Identifier(column)
        if operator in OPERATORS:
            conditions.append(sql.SQL("{} {} %s").format(name, sql.SQL(OPERATORS[operator])))
            values.append(value)
        elif operator == "in":
            conditions.append(sql.SQL("{}::text = ANY (%s)").format(name))
            values.append(value.strip("()").split(","))
        elif operator == "is" and value == "null":
            conditions.append(sql.SQL("{} IS NULL").format(name))
        else:
            raise ValueError(f"failed to parse filter ({text})")
    return conditions, values


def _order(query: Any) -> sql.Composable:
    if "order" not in query:
        return sql.SQL("")
    column, _, direction = query["order"].partition(".")
    way = sql.SQL(" DESC") if direction.startswith("desc") else sql.SQL(" ASC")
    return sql.SQL(" ORDER BY {}{}").format(sql.Identifier(column), way)


def _as_json(inner: sql.Composed) -> sql.Composed:
    return sql.SQL("SELECT to_jsonb(t) AS x FROM ({}) AS t").format(inner)


def _refused(error: psycopg.Error) -> Response:
    """As the platform's REST service reports what the database said."""
    code = error.sqlstate or "PGRST000"
    message = error.diag.message_primary or str(error)
    said = {"code": code, "message": message, "details": error.diag.message_detail, "hint": error.diag.message_hint}
    unreachable = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return JSONResponse(said, 503 if unreachable else STATUS.get(code, 400))
