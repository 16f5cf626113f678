"""Statements over one line, run in threads: connecting, transactions, limits, and what each failure means.

A session is one connection. Its jobs are functions of a SQLAlchemy connection, each one short transaction, read only
unless it says otherwise. A job whose caller is cancelled ends at once, because its line is cut.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError, ProgrammingError
from sqlalchemy.pool import NullPool

from adapters.base import CheckStep, Kit
from adapters.connect import CONNECT_TIMEOUT_S
from adapters.errors import AdapterError, NotReady
from adapters.mod4.line import Line, open_line
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.words import Refused, lost, not_connected, one_line

T = TypeVar("T")
Job = Callable[[Connection], T]

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
            session = Session(connection, line, self.settings)
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


class Session:
    """One connection; its jobs run one after the other."""

    def __init__(self, connection: Connection, line: Line, settings: Mod4Settings) -> None:
        self._connection = connection
        self._line = line
        self._settings = settings
        self._turn = threading.Lock()  # taken in the jobs' threads: a page may be read ahead while its caller is busy
        self.actor = ""
        """The platform's account that functions and policies see as the caller, by id; "" for nobody."""

    async def read(self, job: Job[T]) -> T:
        """One read-only transaction. Raises :class:`Refused` for a refusal of the statement, NotReady otherwise."""
        return await self._run(job, writes=False)

    def begin(self, job: Job[T]) -> Reading[T]:
        """As :meth:`read`, begun at once. Who begins one asks for its result, or leaves it before the session ends."""
        return Reading(self, _started(self._in_transaction(job, writes=False)))

    async def write(self, job: Job[T]) -> T:
        """One transaction that is committed. As :meth:`read`; a NotReady of it is doubtful."""
        return await self._run(job, writes=True)

    async def _run(self, job: Job[T], *, writes: bool) -> T:
        return await self.outcome(_started(self._in_transaction(job, writes=writes)), writes=writes)

    async def outcome(self, running: asyncio.Future[T], *, writes: bool) -> T:
        """What a job of this session came to, its failure in our words; a cancelled caller ends the line."""
        try:
            return await _outcome(running, self._line)
        except DBAPIError as err:
            raise self._explained(err, writes=writes) from None

    async def leave(self, running: asyncio.Future[Any]) -> None:
        """End a job whose result nobody wants, and the line with it where the job still runs."""
        if not running.done():
            self._line.cut()
            await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen: it is the cut, or nobody's any more

    def _in_transaction(self, job: Job[T], *, writes: bool) -> Callable[[], T]:
        def in_transaction() -> T:
            with self._turn, self._connection.begin():
                if not writes:
                    _set(self._connection, transaction_read_only="on")
                if self.actor:
                    _act_for(self._connection, self.actor)
                return job(self._connection)

        return in_transaction

    def _explained(self, err: DBAPIError, *, writes: bool) -> AdapterError | Refused:
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


class Reading(Generic[T]):
    """A read-only transaction that runs already."""

    def __init__(self, session: Session, running: asyncio.Future[T]) -> None:
        self._session = session
        self._running = running

    async def result(self) -> T:
        """Raises what :meth:`Session.read` raises."""
        return await self._session.outcome(self._running, writes=False)

    async def leave(self) -> None:
        """It is not wanted any more; its failure is nobody's either."""
        await self._session.leave(self._running)


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


async def _in_thread(work: Callable[[], T], line: Line) -> T:
    """Run ``work`` in a thread; see :func:`_outcome`."""
    return await _outcome(_started(work), line)


def _started(work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(None, _with_context(work))


async def _outcome(running: asyncio.Future[T], line: Line) -> T:
    """What a thread came to; a cancelled caller cuts the line, and waits until the thread has noticed."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        line.cut()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen: it is the cut
        raise


def _with_context(work: Callable[[], T]) -> Callable[[], T]:
    from contextvars import copy_context

    context = copy_context()
    return lambda: context.run(work)


async def _to_its_end(close: Callable[[], None], line: Line) -> None:
    """Close a connection, which sends a farewell; on a line that is dead, only lets go."""

    def quietly() -> None:
        with suppress(DBAPIError):
            close()

    try:
        async with asyncio.timeout(2):
            await _in_thread(quietly, line)
    except TimeoutError:
        pass  # _in_thread cut the line
