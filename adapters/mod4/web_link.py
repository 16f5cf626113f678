"""Sessions at the platform's web service: jobs of requests in the name of one account, and what can be learned there.

Rules, functions and rights cannot be read over HTTP, so the service is asked: a reading of no rows tells missing
columns and rights; a function is called by GET, which PostgREST runs in a transaction that cannot write (its
documentation: transactions, access mode), so that asking changes nothing. Where the platform's rules hide rows without
an error (biko.md 3.9), a table is taken as hidden until it shows a row that is not the account's own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from adapters.base import CheckStep, Kit
from adapters.connect import capital, walk
from adapters.errors import AuthFailed
from adapters.mod4.features import Actor
from adapters.mod4.inventory import TABLES, Column, FunctionFacts, Inventory, Scope, TableFacts
from adapters.mod4.readings import COLUMNS, Tables
from adapters.mod4.rules import RULES
from adapters.mod4.session import Job, Running, Session, role_of
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.web_client import WebClient
from adapters.mod4.web_tables import WebTables
from adapters.mod4.words import WEB_GRANT, Refused

T = TypeVar("T")

NOBODY = "00000000-0000-0000-0000-000000000000"
_HIDDEN: Mapping[str, Scope] = {
    "mod4_otp_codes": "none",
    "onboarding_requests": "none",
    "mod4_driver_links": "own",
    "driver_devices": "own",
}
"""What the platform's rules leave to a signed-in account (biko.md 3.9)."""
_OF_ADMINISTRATORS = ("user_invitations",)
"""Tables whose rows its owners and administrators alone are shown (biko.md 3.9)."""
_ANSWERS: Mapping[str, str] = {
    "p_email": "nobody@example.invalid",
    "p_otp": "000000",
    "p_link_method": "admin_direct",
    "p_role_code": "driver",
    "p_workspace_role": "member",
    "p_end_reason": "admin_terminated",
}
"""What functions are asked with, beside the id of nobody."""
_AT_ONCE = 2
"""Questions at a time: as many as the host opens connections, so that none waits for one."""
_CANNOT_WRITE = "25006"
_MISSING_COLUMN = "42703"


class WebLink:
    """How sessions of one integration are opened. The account stays signed in between them."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self.client = WebClient(settings, kit)
        self._settings = settings
        self._kit = kit

    @asynccontextmanager
    async def session(self, step: Callable[[CheckStep], None] | None = None) -> AsyncIterator[WebSession]:
        """See :class:`adapters.mod4.site.WayIn`."""
        if step is not None:
            fingerprint = self._settings.fingerprint
            await walk(self.client.address, self._kit.tls, step, peer=self.client.peer, fingerprint=fingerprint)
            await self.client.sign_in()
        yield WebSession(self.client, self._settings)


class WebSession(Session):
    """Jobs in the name of the account that is signed in."""

    def __init__(self, client: WebClient, settings: Mod4Settings) -> None:
        self._client = client
        self._email = settings.account

    def run(self, job: Job[T], *, writes: bool) -> Running[T]:
        tables = WebTables(self._client, self.known(), self._email)
        explain = partial(tables.explained, writes=writes)
        return Running(partial(job, tables), tables.cut, explain, alone=True)

    async def is_still(self, actor: Actor | None, workspace: str) -> bool:
        """The account's own membership is shown, as it must be: a service that shows nothing is found out by it."""
        if actor is None or not self._client.user_id:
            return False
        return await self.read(lambda tables: role_of(tables, actor.id, workspace)) == actor.role

    def seen_by(self, inventory: Inventory, actor: Actor | None, workspace: str) -> Inventory:
        if actor is None or not actor.role:
            raise AuthFailed(
                f"{capital(inventory.who)} is shown no active membership of its own in the workspace {workspace}, so "
                "that everything of it is hidden. Have the platform's administrator make it a member, or use another "
                "account."
            )
        tables = dict(inventory.tables)
        for name in _OF_ADMINISTRATORS:
            if name in tables and not actor.is_admin and tables[name].seen == "all":
                tables[name] = replace(tables[name], seen="own")
        return replace(inventory, tables=tables)

    # -- what the platform is made of

    async def learn(self) -> Inventory:
        if not self._client.user_id:
            await self._client.sign_in()
        self.actor = self._client.user_id
        self.inventory = Inventory(
            who=f"the account {self._email}",
            grant=WEB_GRANT,
            version=self._client.version or "web service",
            bypasses=False,
            has_accounts=False,
            now_ms=self._client.now_ms(),
            tables={},
            functions={},
        )
        facts = await _side_by_side([partial(self._table, name) for name in TABLES if name in COLUMNS])
        tables = {one.name: one for one in facts if one is not None}
        known = self.inventory = replace(self.inventory, tables=tables)
        hidden = [name for name in _HIDDEN if known.has(name, "id")]
        for name, is_seen in zip(
            hidden, await _side_by_side([partial(self._shows, name) for name in hidden]), strict=True
        ):
            tables[name] = replace(tables[name], seen="all" if is_seen else _HIDDEN[name])
        found = await _side_by_side([partial(self._function, *call) for call in _calls().items()])
        return replace(
            known,
            tables=tables,
            functions={one.name: one for one in found if one is not None},
            version=self._client.version or "web service",
            now_ms=self._client.now_ms(),
        )

    async def _shows(self, name: str) -> bool:
        return await self.read(partial(_shows, table=name))

    async def _table(self, name: str) -> TableFacts | None:
        """A table with the columns of ours that it has; None where there is none."""
        wanted = [*COLUMNS[name], *_WRITTEN.get(name, ())]
        while wanted:
            try:
                await self._ask(f"rest/v1/{name}", [("select", ",".join(wanted)), ("limit", "0")])
            except Refused as err:
                if err.sqlstate in ("42P01", "PGRST205"):
                    return None
                if err.is_right:
                    may = await _side_by_side([partial(self._may_read, name, one) for one in wanted])
                    columns = {one: _column(select=each) for one, each in zip(wanted, may, strict=True)}
                    return TableFacts(name, columns, seen="all")
                if err.sqlstate != _MISSING_COLUMN:
                    raise
                wanted.remove(_missing(err.words, name, wanted) or await self._missing_one(name, wanted))
                continue
            return TableFacts(name, {one: _column() for one in wanted}, seen="all")
        return TableFacts(name, {}, seen="all")

    async def _may_read(self, name: str, column: str) -> bool:
        try:
            await self._ask(f"rest/v1/{name}", [("select", column), ("limit", "0")])
        except Refused as err:
            if err.is_right:
                return False
            if err.sqlstate != _MISSING_COLUMN:
                raise
        return True

    async def _missing_one(self, name: str, wanted: list[str]) -> str:
        """Which column it is that a table lacks, where the refusal does not say so in words that we know."""
        for column in wanted:
            try:
                await self._ask(f"rest/v1/{name}", [("select", column), ("limit", "0")])
            except Refused as err:
                if err.sqlstate == _MISSING_COLUMN:
                    return column
        raise Refused(_MISSING_COLUMN, f"the table {name} lacks a column, and does not say which")

    async def _function(self, name: str, arguments: tuple[str, ...]) -> FunctionFacts | None:
        given = [(one, _ANSWERS.get(one, NOBODY)) for one in arguments]
        fails, may_call = "", True
        try:
            await self._ask(f"rest/v1/rpc/{name}", given)
        except Refused as err:
            if err.sqlstate == "PGRST202" or (err.sqlstate == "42883" and f"{name}(" in err.words):
                return None
            if err.is_right and f"function {name}" in err.words:
                may_call = False
            elif err.is_ill:
                fails = f"fails inside: “{err.words}”"
        return FunctionFacts(name, arguments, 0, may_call, "", None, fails=fails)

    async def _ask(self, path: str, params: list[tuple[str, str]]) -> None:
        """A question whose answer does not matter, only whether there is one. Raises Refused."""
        reply = await self._client.request("GET", path, params=params)
        if reply.status == 405 and _CANNOT_WRITE in reply.sample:
            return  # a function that changes something: it is there, and came as far as that
        self._client.answer(reply)


_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "user_invitations": ("invitation_token", "revoked_by"),
    "mod4_driver_links": ("updated_at",),
    "mod4_otp_codes": ("updated_at",),
    "onboarding_requests": ("updated_at",),
    "driver_devices": ("revoked_by", "updated_at"),
    "dispatch_runs": ("updated_at", "created_by"),
}
"""Columns that are changed, or asked for one row alone, where they are there."""


async def _side_by_side(questions: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T]:
    """Answers in order. Raises the first failure, and leaves no question behind."""
    lanes = asyncio.Semaphore(_AT_ONCE)

    async def asking(question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with lanes:
            return await question()

    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(asking(one)) for one in questions]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [one.result() for one in asked]


def _column(*, select: bool = True) -> Column:
    """What may be written cannot be seen; a right that is lacking is met, and told, when something is written."""
    return Column("text", is_needed=False, is_filled=False, select=select, insert=True, update=True)


def _missing(words: str, table: str, wanted: list[str]) -> str:
    """The column that a refusal names: “column drivers.email does not exist”."""
    named = re.findall(rf"(?:\b{table}\.)?\"?(\w+)\"?", words)
    return next((one for one in named if one in wanted and one != table), "")


def _calls() -> dict[str, tuple[str, ...]]:
    """Functions that features call, with their arguments."""
    found = {name: arguments for rule in RULES for way in rule.ways for name, arguments in way.calls.items()}
    return {**found, "verify_mod4_otp": ("p_email", "p_otp")}


def _shows(tables: Tables, table: str) -> bool:
    assert isinstance(tables, WebTables)  # noqa: S101 - a job of this session
    return tables.shows(table)
