"""Sessions over one line to the database: connecting, transactions, limits, and what each failure means."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError, ProgrammingError
from sqlalchemy.pool import NullPool

from adapters.base import CheckStep, Kit
from adapters.connect import CONNECT_TIMEOUT_S
from adapters.errors import NotReady
from adapters.mod4.database import DatabaseTables
from adapters.mod4.inventory import Inventory, read_inventory
from adapters.mod4.line import Line, open_line
from adapters.mod4.session import Job, Running, Session
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.words import Refused, lost, not_connected, one_line

T = TypeVar("T")

_LOCK_MS = 5_000
_port: ContextVar[int] = ContextVar("mod4_line_port")


class Link:
    """How sessions of one integration are opened."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self.settings = settings
        self._kit = kit
        password = settings.password.get_secret_value() if settings.password is not None else None
        arguments: dict[str, Any] = {
            "host": "127.0.0.1",
            "user": settings.username,
            "password": password,
            "dbname": settings.database,
            "sslmode": "disable",  # the line is encrypted already
            "gssencmode": "disable",
            "connect_timeout": int(CONNECT_TIMEOUT_S),
            "client_encoding": "utf-8",
            "application_name": "biko-console",
            "passfile": "",
            "prepare_threshold": None,  # poolers in between keep no prepared statements
        }
        self._engine: Engine = create_engine(
            "postgresql+psycopg://", connect_args=arguments, poolclass=NullPool, use_native_hstore=False
        )
        event.listen(self._engine, "do_connect", _through_the_line)

    @asynccontextmanager
    async def session(self, step: Callable[[CheckStep], None] | None = None) -> AsyncIterator[Session]:
        """One signed-in connection. Raises what :meth:`adapters.base.Adapter.check` raises."""
        async with open_line(self.settings, self._kit.tls, step) as line:
            connection = await self._sign_in(line)
            session = DatabaseSession(connection, line, self.settings)
            try:
                yield session
            finally:
                await _to_its_end(connection.close, line)

    async def _sign_in(self, line: Line) -> Connection:
        settings = self.settings
        _port.set(line.port)

        def connect() -> Connection:
            connection = self._engine.connect()
            with connection.begin():
                _set(connection, statement_timeout=f"{settings.answer_within_s}s", lock_timeout=f"{_LOCK_MS}ms")
                _set(
                    connection,
                    search_path="public, extensions",
                    timezone="UTC",
                    idle_in_transaction_session_timeout="60s",
                )
            return connection

        try:
            async with asyncio.timeout(2 * CONNECT_TIMEOUT_S):
                return await _in_thread(connect, line)
        except TimeoutError as err:
            raise NotReady(
                f"The sign-in at {settings.peer} takes too long. It is tried again; look at the server's load."
            ) from err
        except DBAPIError as err:
            original = err.orig
            state = line.refusal or str(getattr(original, "sqlstate", None) or "")
            found = not_connected(state, str(original), settings.peer, settings.username, settings.database)
            raise found from None  # the library's own text may hold the address with the user's name


def _through_the_line(_dialect: object, _record: object, _given: object, parameters: dict[str, Any]) -> None:
    """Runs in a thread: each connection goes through the line of its own session."""
    parameters["port"] = _port.get()


class DatabaseSession(Session):
    """One connection; its jobs run one after the other, each one short transaction, read only unless it writes."""

    def __init__(self, connection: Connection, line: Line, settings: Mod4Settings) -> None:
        self._connection = connection
        self._line = line
        self._settings = settings
        self._turn = threading.Lock()  # taken in the jobs' threads: a page may be read ahead while its caller is busy

    async def learn(self) -> Inventory:
        return await self._running(read_inventory, writes=False).result()

    def run(self, job: Job[T], *, writes: bool) -> Running[T]:
        inventory = self.known()
        return self._running(lambda connection: job(DatabaseTables(connection, inventory)), writes=writes)

    def _running(self, work: Callable[[Connection], T], *, writes: bool) -> Running[T]:
        def in_transaction() -> T:
            with self._turn, self._connection.begin():
                if not writes:
                    _set(self._connection, transaction_read_only="on")
                if self.actor:
                    _act_for(self._connection, self.actor)
                return work(self._connection)

        return Running(in_transaction, self._line.cut, partial(self._explained, writes=writes))

    def _explained(self, err: Exception, *, writes: bool) -> Exception:
        if not isinstance(err, DBAPIError):
            return err
        original = err.orig
        state = str(getattr(original, "sqlstate", None) or "")
        primary = getattr(getattr(original, "diag", None), "message_primary", None)
        words = one_line(str(primary or ""))
        if not state and isinstance(err, DataError | ProgrammingError | NotSupportedError):
            return Refused("22000", one_line(str(original)))  # a value that the library itself cannot read or write
        found = lost(state, words, self._settings.peer, self._settings.answer_within_s)
        if found is None:
            return Refused(state, words)
        found.is_doubtful = writes
        return found


def _set(connection: Connection, **values: str) -> None:
    """Settings of this transaction, or of the session where it is one at its beginning."""
    local = "transaction_read_only" in values
    connection.execute(select(*(func.set_config(name, value, local) for name, value in values.items())))


def _act_for(connection: Connection, actor: str) -> None:
    """What the platform's ``auth.uid()`` reads, for this transaction alone (biko.md, section 7: direct connections)."""
    claims = json.dumps({"sub": actor, "role": "authenticated"})
    connection.execute(
        select(
            func.set_config("request.jwt.claims", claims, True),
            func.set_config("request.jwt.claim.sub", actor, True),
            func.set_config("request.jwt.claim.role", "authenticated", True),
        )
    )


async def _to_its_end(close: Callable[[], None], line: Line) -> None:
    """Close a connection, which sends a farewell; on a line that is dead, only lets go."""

    def quietly() -> None:
        with suppress(DBAPIError):
            close()

    with suppress(TimeoutError):  # whoever runs it cuts the line
        async with asyncio.timeout(2):
            await _in_thread(quietly, line)


async def _in_thread(work: Callable[[], T], line: Line) -> T:
    return await Running(work, line.cut, lambda err: err).result()
