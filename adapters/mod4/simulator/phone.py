"""A phone with the drivers' app: who is signed in on it, its line, and what waits on it (biko.md 4.10).

It speaks to the platform as a signed-in user does: under row security, through the platform's functions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from adapters.mod4.simulator import schema
from adapters.mod4.simulator.server import Server

ROUND: Final = 50
"""So many waiting events go in one round, one by one."""
SyncState = Literal["IDLE", "OFFLINE", "QUEUED", "SYNCING", "SYNCED", "ERROR"]
Row = dict[str, Any]
Clock = Callable[[], datetime]


class AppRefused(Exception):
    """The app does not go on; the text is what its driver reads."""


@dataclass(slots=True)
class Waiting:
    """Something that the driver did and the platform does not know yet."""

    statement: LiteralString
    values: tuple[Any, ...]
    sync_status: Literal["pending", "syncing", "error"] = "pending"
    sync_attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``driver_id`` is the link's id where the link names no driver: so the app has it, and so it finds no batch."""

    user_id: str
    email: str
    driver_id: str


@dataclass(slots=True)
class Phone:
    """One device. ``clock`` is its own and may be wrong."""

    server: Server
    database: str
    device_id: str
    platform: str = "android"
    clock: Clock = lambda: datetime.now(UTC)
    user: SignedIn | None = None
    session_id: str | None = None
    queue: list[Waiting] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    """Positions that wait to be sent."""
    state: SyncState = "IDLE"
    last_error: str = ""
    online: bool = True
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- signing in

    async def activate(self, identifier: str, code: str, pin: str, name: str = "") -> SignedIn:
        """First use: the code, a password sign-in with it, a PIN. Raises AppRefused, psycopg.Error."""
        resolved = await self._ask("SELECT public.verify_mod4_otp(%s, %s)", identifier, code, anonymous=True)
        email = resolved[0][0]
        if email is None:
            raise AppRefused("This code is not valid. Ask your dispatcher for a new one.")
        self.user = await self._password_sign_in(email, code)
        await self._ask(
            "SELECT public.complete_driver_activation(%s, %s, %s, %s, %s, %s)",
            pin, self.device_id, f"Phone {self.device_id}", self.platform, "Mod4/2.0", name or None,
        )  # fmt: skip
        self.user = await self._password_sign_in(email, pin)
        return self.user

    async def sign_in(self, identifier: str, pin: str) -> SignedIn:
        """Later uses: address or phone, and PIN; a device that is not trusted is signed out. Raises AppRefused."""
        email: str | None = identifier
        if "@" not in identifier:
            email = (await self._ask("SELECT public.lookup_driver_email(%s)", identifier, anonymous=True))[0][0]
        if email is None:
            raise AppRefused("No driver is known by this number.")
        self.user = await self._password_sign_in(email, pin)
        trusted = await self._ask("SELECT public.validate_driver_device(%s)", self.device_id)
        if not trusted[0][0]:
            self.user = None
            raise AppRefused("This device is not trusted any more. Ask your dispatcher.")
        return self.user

    async def request_access(self, name: str, phone: str, email: str = "", organization: str = "") -> str:
        """Ask to be let in; returns the id of the request. The platform refuses a fourth in a day from one device."""
        if not name.strip() or not phone.strip():
            raise AppRefused("Name and phone are needed.")
        found = await self._ask(
            "SELECT public.submit_onboarding_request(%s, %s, %s, %s, %s)",
            name, phone, email or None, organization or None, self.device_id, anonymous=True,
        )  # fmt: skip
        return str(found[0][0])

    async def accept_invitation(self, email: str, password: str, token: str) -> Row:
        """What the platform answers; the account must be the one that was invited."""
        self.user = await self._password_sign_in(email, password)
        found = await self._ask("SELECT public.accept_invitation(%s)", token)
        self.user = await self._password_sign_in(email, password)
        answer: Row = found[0][0]
        return answer

    async def _password_sign_in(self, email: str, password: str) -> SignedIn:
        """What the platform's sign-in service does, which knows all passwords; then the app looks at its link."""
        if not self.online:
            raise AppRefused("Signing in needs a connection.")
        statement = """
            SELECT u.id, l.id, l.driver_id FROM auth.users AS u
            LEFT JOIN public.mod4_driver_links AS l ON l.user_id = u.id
            WHERE u.email = lower(%s) AND u.encrypted_password = extensions.crypt(%s, u.encrypted_password)
        """
        async with await self._connect("postgres") as connection:
            row = await (await connection.execute(statement, [email, password])).fetchone()
        if row is None:
            raise AppRefused("Address or PIN is wrong.")
        return SignedIn(str(row[0]), email, str(row[2] or row[1] or row[0]))

    # -- the line

    async def ask(self, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        """A question as the signed-in user. Raises AppRefused without a line, psycopg.Error when it is refused."""
        return await self._ask(statement, *values)

    async def _ask(self, statement: LiteralString, *values: Any, anonymous: bool = False) -> list[tuple[Any, ...]]:
        if not self.online:
            raise AppRefused("There is no connection.")
        async with await self._connect(schema.SESSION_ROLE) as connection:
            await self._be(connection, anonymous=anonymous)
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else [(cursor.rowcount,)]

    async def _be(self, connection: psycopg.AsyncConnection[Any], *, anonymous: bool = False) -> None:
        """Let a connection be this user's, or nobody's."""
        claims: Row = {"role": "anon"}
        if not anonymous:
            if self.user is None:
                raise AppRefused("Nobody is signed in on this phone.")
            claims = {"sub": self.user.user_id, "email": self.user.email, "role": "authenticated"}
        await connection.execute("SELECT set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
        if anonymous:
            await connection.execute("SET ROLE anon")

    async def _connect(self, role: str) -> psycopg.AsyncConnection[Any]:
        server = self.server
        password = server.password if role == "postgres" else server.role_passwords[role]
        return await psycopg.AsyncConnection.connect(
            host=server.host, port=server.port, dbname=self.database, user=role, password=password, autocommit=True
        )

    def go_offline(self) -> None:
        """From now on everything waits on the phone."""
        self.online = False
        self.state = "OFFLINE"

    async def come_online(self) -> bool:
        """The line is back, and what waited is sent; returns whether all went."""
        self.online = True
        self.state = "QUEUED" if self.queue else "IDLE"
        return await self.sync()

    # -- what waits

    async def enqueue(self, statement: LiteralString, *values: Any) -> None:
        """Keep it, and send it at once when there is a line."""
        self.queue.append(Waiting(statement, values))
        if self.online:
            await self.sync()

    async def sync(self, *, by_hand: bool = False) -> bool:
        """One round after another, until nothing waits or something fails; returns whether nothing waits.

        The first failure ends the round and stays as an error, which only ``by_hand`` tries again.
        """
        if not self.online:
            self.state = "OFFLINE"
            return False
        async with self._lock:
            if by_hand:
                for waiting in self.queue:
                    if waiting.sync_status == "error":
                        waiting.sync_status = "pending"
            try:
                await self._send_all()
            except (psycopg.Error, OSError) as error:
                self.last_error = str(error)
                self.state = "ERROR"
        if not self.queue and not self.points:
            self.state = "SYNCED"
        return not self.queue and not self.points

    async def _send_all(self) -> None:
        self.state = "SYNCING"
        if not self.queue and not self.points:
            return
        async with await self._connect(schema.SESSION_ROLE) as connection:
            await self._be(connection)
            await self._send_points(connection)
            while pending := [waiting for waiting in self.queue if waiting.sync_status == "pending"][:ROUND]:
                for waiting in pending:
                    if not await self._send(connection, waiting):
                        return
            if self.queue:
                self.state = "ERROR"

    async def _send(self, connection: psycopg.AsyncConnection[Any], waiting: Waiting) -> bool:
        waiting.sync_status, waiting.sync_attempts = "syncing", waiting.sync_attempts + 1
        try:
            await connection.execute(waiting.statement, waiting.values)
        except psycopg.Error as error:
            waiting.sync_status, waiting.error = "error", str(error)
            self.last_error, self.state = str(error), "ERROR"
            return False
        self.queue.remove(waiting)
        return True

    async def _send_points(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """All positions in one call. Those that the platform refuses are gone: it names them and the app goes on."""
        if not self.points:
            return
        sent = list(self.points)
        cursor = await connection.execute("SELECT * FROM public.ingest_gps_events(%s)", [Jsonb(sent)])
        answer = await cursor.fetchone()
        self.points = [point for point in self.points if point not in sent]
        if answer is not None and answer[1]:
            self.last_error = str(answer[2][0]["error"])
