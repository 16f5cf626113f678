"""The platform's tables over its web service, as row security shows them to one account.

Every page is asked for by the key of the row before, so that none is skipped or doubled, and a reading ends only where
the service says so: it gives at most so many rows at a time, and does not tell how many (PostgREST's documentation:
db-max-rows; Supabase gives 1000).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from adapters.errors import BadReply, NotReady
from adapters.mod4.inventory import Inventory
from adapters.mod4.readings import (
    COLUMNS,
    Among,
    Condition,
    Differs,
    Equals,
    Growing,
    Kind,
    Member,
    Reading,
    Row,
    Tables,
)
from adapters.mod4.web_client import Params, WebClient
from adapters.mod4.web_query import MOST_NAMED, Param, behind, converted, embedded, params_of, quoted, time_ms
from adapters.mod4.words import Refused

T = TypeVar("T")

PAGE_ROWS = 1000
_TOTAL = re.compile(r"/(\d+)$")
_OWNED: Mapping[str, str] = {
    "user_invitations": "email",
    "driver_sessions": "driver_id",
    "driver_devices": "user_id",
    "mod4_driver_links": "user_id",
    "driver_events": "driver_id",
}
"""Where row security may leave an account its own rows when it hides all others (biko.md 3.9): by which column."""


class WebTables(Tables):
    """One job. Its thread waits for requests that run on the loop; :meth:`cut` ends the running one and those after."""

    undoes = False

    def __init__(self, client: WebClient, inventory: Inventory, email: str) -> None:
        super().__init__(inventory)
        self._client = client
        self._email = email
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._is_cut = False
        self._shown: dict[str, int | None] = {}
        self._logins: tuple[str, ...] | None = None
        self.has_changed = False
        """A change of this job was made: what fails after it leaves a doubt."""

    # -- reading

    def rows(self, reading: Reading) -> list[Row]:
        found: list[Row] = []
        for where in self._in_parts(reading.where):
            found += self._rows(replace(reading, where=where))
        if reading.newest and reading.limit:  # of several parts each brought its newest
            found.sort(key=lambda row: row[reading.newest] or 0, reverse=True)
            del found[reading.limit :]
        if reading.is_whole:
            self._note(reading.table, found)
        return found

    def _rows(self, reading: Reading) -> list[Row]:
        table, kinds = reading.table, reading.kinds
        names = self._names(table, [*kinds, reading.key, reading.newest])
        has_key = reading.key in names
        order = [name for name in (reading.newest, reading.key) if name in names]
        sign = "lt" if reading.newest else "gt"
        way = ".desc" if reading.newest else ".asc"
        params: list[Param] = [("select", ",".join([*names, *embedded(reading.where)]))]
        params += params_of(reading.where, self._members(reading.where))
        if order:
            params.append(("order", ",".join(f"{name}{way}" for name in order)))
        last: Mapping[str, Any] | None = {reading.key: reading.after} if reading.after else None
        found: list[Row] = []
        while True:
            most = min(PAGE_ROWS, reading.limit - len(found)) if reading.limit else PAGE_ROWS
            more = [behind(order, last, sign)] if last is not None else []
            page, is_last = self._page(f"rest/v1/{table}", [*params, *more, ("limit", str(most))])
            found += [converted(raw, kinds) for raw in page]
            if is_last or (reading.limit and len(found) >= reading.limit):
                return found
            if not has_key:
                raise BadReply(
                    f"{self._client.name} gives {len(page)} rows of {table} at a time, and the table has no "
                    f"{reading.key} by which to ask for the next ones."
                )
            last = page[-1]

    def page(self, growing: Growing, since: str, behind: tuple[str, str] | None, size: int) -> list[Row]:
        found: list[Row] = []
        kinds = COLUMNS[growing.table]
        times = self._names(growing.table, growing.times)
        names = self._names(growing.table, [*kinds, growing.key])
        at = times[0]
        params: list[Param] = [
            ("select", ",".join([*names, *embedded(growing.where)])),
            *params_of(growing.where, self._members(growing.where)),
            ("order", f"{at}.asc.nullsfirst,{growing.key}.asc"),
        ]
        while len(found) < size:
            most = min(PAGE_ROWS, size - len(found))
            wanted = ("or", _behind(times, growing.key, since, behind))
            page, is_last = self._page(f"rest/v1/{growing.table}", [*params, wanted, ("limit", str(most))])
            for raw in page:
                came = str(raw[at]) if raw.get(at) is not None else ""
                arrived = time_ms(came) if came else time_ms(since)
                found.append({**converted(raw, kinds), "key": str(raw[growing.key]), "at": came, "arrived": arrived})
            if is_last:
                break
            behind = (found[-1]["at"], found[-1]["key"])
        return found

    def function_rows(self, name: str, arguments: Mapping[str, str], columns: Mapping[str, Kind]) -> list[Row]:
        params: list[Param] = [*arguments.items(), ("select", ",".join(columns)), ("order", "id.asc")]
        found: list[Row] = []
        last: Mapping[str, Any] | None = None
        while True:
            more = [behind(["id"], last, "gt")] if last is not None else []
            page, is_last = self._page(f"rest/v1/rpc/{name}", [*params, *more, ("limit", str(PAGE_ROWS))])
            found += [converted(raw, columns) for raw in page]
            if is_last:
                break
            last = page[-1]
        self._shown[name] = len(found) or None  # who may call it sees everything or, where it was changed, nothing
        return found

    def _page(self, path: str, params: Params) -> tuple[list[Mapping[str, Any]], bool]:
        """Rows, and whether they are the last. The service may count them roughly, but never too few."""
        reply = self._wait(lambda: self._client.request("GET", path, params=params, prefer="count=estimated"))
        rows = self._client.answer(reply)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadReply(f"{self._client.name} sent something else than rows.", reply.sample)
        total = _TOTAL.search(reply.headers.get("content-range", ""))
        return rows, not rows or (total is not None and int(total[1]) <= len(rows))

    def _names(self, table: str, wanted: Sequence[str]) -> list[str]:
        return [name for name in dict.fromkeys(wanted) if name and self.inventory.has(table, name)]

    def _in_parts(self, where: tuple[Condition, ...]) -> Iterator[tuple[Condition, ...]]:
        """Conditions with many ids, in several requests."""
        for at, one in enumerate(where):
            if isinstance(one, Member):
                one = Among(one.column, self._members(where))  # noqa: PLW2901 - the same condition, spelled out
            if isinstance(one, Among):
                for start in range(0, len(one.values), MOST_NAMED):
                    some = Among(one.column, one.values[start : start + MOST_NAMED])
                    yield (*where[:at], some, *where[at + 1 :])
                return
        yield where

    def _members(self, where: Sequence[Condition]) -> tuple[str, ...]:
        """Logins of the workspace's members, where a condition asks for them.

        Where the members' own table shows only the account itself, those who are linked are members too: the
        platform's function lists them by their membership (biko.md 3.7).
        """
        workspace = next((one.workspace for one in where if isinstance(one, Member)), None)
        if workspace is None:
            return ()
        if self._logins is None:
            mine = (Equals("workspace_id", workspace),)
            wanted = Reading("workspace_members", mine, columns=("user_id",), key="user_id")
            logins = {row["user_id"] for row in self._rows(wanted)}
            function = self.inventory.functions.get("get_mod4_linked_users")
            if function is not None and function.may_call and not function.fails:
                path = "rest/v1/rpc/get_mod4_linked_users"
                params = [("p_workspace_id", workspace), ("select", "id,user_id"), ("order", "id.asc")]
                logins |= {str(row["user_id"]) for row in self._all(path, params)}
            self._logins = tuple(sorted(logins))
        return self._logins

    def _all(self, path: str, params: Params) -> list[Mapping[str, Any]]:
        """Rows with an ``id``, page by page."""
        found: list[Mapping[str, Any]] = []
        is_last = False
        while not is_last:
            more = [behind(["id"], found[-1], "gt")] if found else []
            page, is_last = self._page(path, [*params, *more, ("limit", str(PAGE_ROWS))])
            found += page
        return found

    # -- what was shown

    def _note(self, table: str, rows: Sequence[Row]) -> None:
        column = _OWNED.get(table, "")
        own = self._own(column)
        shown = sum(str(row.get(column) or "").lower() != own for row in rows) if column else len(rows)
        self._shown[table] = shown or (0 if self.shows(table) else None)

    def shows(self, table: str) -> bool:
        """Whether a table shows any row that is not the account's own: then row security does not hide them all."""
        column = _OWNED.get(table, "")
        where = (Differs(column, self._own(column)),) if column else ()
        names = self._names(table, ["id", *COLUMNS[table]])[:1]
        params = [("select", ",".join(names)), *params_of(where, ()), ("limit", "1")]
        return bool(self._page(f"rest/v1/{table}", params)[0])

    def is_silent(self, name: str) -> bool:
        return not self.shows(name)

    def _own(self, column: str) -> str:
        return self._email.lower() if column == "email" else self._client.user_id

    def shown(self) -> Mapping[str, int | None]:
        return self._shown

    # -- changing

    def call(self, name: str, arguments: Mapping[str, str]) -> Any:
        return self._change("POST", f"rest/v1/rpc/{name}", (), dict(arguments))

    def change(self, name: str, key: str, values: Mapping[str, str], guards: Sequence[Condition]) -> int:
        params = [*params_of((Equals("id", key), *guards), ()), ("select", "id")]
        changed = self._change("PATCH", f"rest/v1/{name}", params, dict(values), "return=representation")
        return len(changed) if isinstance(changed, list) else 0

    def add(self, name: str, values: Mapping[str, str]) -> None:
        self._change("POST", f"rest/v1/{name}", (), dict(values), "return=minimal")

    def _change(self, method: str, path: str, params: Params, body: Mapping[str, str], prefer: str = "") -> Any:
        reply = self._wait(lambda: self._client.request(method, path, params=params, body=body, prefer=prefer))
        answer = self._client.answer(reply, changes=True)
        self.has_changed = True
        return answer

    def now_ms(self) -> int:
        return self._client.now_ms()

    # -- between the thread and the loop

    def _wait(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(self._unless_cut(make), self._loop).result()

    async def _unless_cut(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._is_cut:
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await make()

    def cut(self) -> None:
        """Called on the loop, like the requests themselves."""
        self._is_cut = True
        if self._task is not None:
            self._task.cancel()

    def explained(self, err: Exception, *, writes: bool) -> Exception:
        """A failure, doubtful where the change of a job may have been made."""
        if isinstance(err, Refused) and self.has_changed:
            err = NotReady(
                f"{self._client.name} took the change, and then refused to show what became of it: “{err.words}”. It "
                "is looked at again by itself."
            )
        if isinstance(err, NotReady | BadReply):
            err.is_doubtful = writes and (err.is_doubtful or self.has_changed)
        return err


def _behind(times: Sequence[str], key: str, since: str, behind: tuple[str, str] | None) -> str:
    """Rows in the order of arrival: those without a time of arrival first, which count by the next time there is."""
    at = times[0]
    came, last = behind if behind is not None else ("", "")
    if came:
        return f"({at}.gt.{quoted(came)},and({at}.eq.{quoted(came)},{key}.gt.{quoted(last)}))"
    late = f"{at}.gt.{quoted(since)}"
    if len(times) == 1:
        return f"({late})"
    silent = [f"{at}.is.null", f"{times[1]}.gt.{quoted(since)}", *([f"{key}.gt.{quoted(last)}"] if last else [])]
    return f"({late},and({','.join(silent)}))"
