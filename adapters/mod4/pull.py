"""One run of reading: which streams are due, page by page, as batches with their cursors.

Cursors are JSON texts that only this package reads:

- of everything that is read whole: ``read_ms``, when it was, and ``rows``, how many it showed by table
- ``batches``: ``since_ms``, up to when changes are known, and ``read_ms`` of the last complete reading
- ``events:<table>``, ``positions``: ``since_ms``, by the platform's clock of arrival, and ``seen`` once a row came

Rows become visible after the time that they carry, so that incremental readings overlap; what comes again unchanged is
not written by the host. A cursor never runs ahead of the server's clock, whatever a row says. Each page is a short
transaction of its own, and read while the host stores the one before; its cursor travels with it.
A stream that this role may not read, or that fails, gets its trouble; the others go on. A reading that shows nothing
where it showed something before, and where row security may be the reason, is such a trouble: it deletes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from adapters.cursors import dump, load
from adapters.dispatch import Driver
from adapters.mod4 import events, fleet, people, positions
from adapters.mod4.complete import Shown, judge, silence
from adapters.mod4.readings import AnyOf, Growing, NotAmong, Reading, Since, Tables
from adapters.mod4.session import Job, Running
from adapters.mod4.site import Open, Platform, Site
from adapters.mod4.words import Refused
from adapters.records import Batch, Position, Record, Rejected
from adapters.supply import FullRead, Kind, StreamRead

P = TypeVar("P")

DAY_MS = 86_400_000
MINUTE_MS = 60_000
MOST_BATCHES = 2_000
"""In one page: each brings its stops."""
WHOLE_AT_ONCE = 5_000
"""Records of a complete reading in one batch for the host."""

WholeRead = Callable[[Tables, Site], Sequence[Record]]

_OFTEN: tuple[tuple[str, Kind, str, WholeRead], ...] = (
    ("drivers", "driver", "drivers", people.drivers),
    ("links", "driver_link", "links", people.links),
    ("codes", "one_time_code", "codes", people.codes),
    ("requests", "onboarding_request", "requests", people.requests),
    ("invitations", "invitation", "invitations", people.invitations),
    ("devices", "driver_device", "devices", people.devices),
    ("sessions", "driver_session", "sessions", people.sessions),
    ("runs", "dispatch_run", "runs", fleet.runs),
)
"""Small, and looked at by people who wait: read whole at every run. Stream, kind, feature, reader."""
_RARELY: tuple[tuple[str, Kind, str, WholeRead], ...] = (
    ("vehicles", "fleet_vehicle", "vehicles", fleet.vehicles),
    ("papers", "batch_paper", "papers", fleet.papers),
)


class Pull:
    """Reads one workspace."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._settings = platform.settings
        self._clock = platform.kit.clock
        self._drivers: Mapping[str, Driver] = {}
        self._ahead: Running[Any] | None = None
        self._silent: list[str] = []

    async def run(self, cursors: Mapping[str, str]) -> AsyncGenerator[Batch, None]:
        """One run. Raises what ends all streams: NotReady, AuthFailed and the like."""
        async with self._platform.open() as opened:
            try:
                # The server's clock: cursors are its times.
                self._server_ms = await opened.session.read(lambda tables: tables.now_ms())
                async with aclosing(self._streams(opened, cursors)) as batches:
                    async for batch in batches:
                        yield batch
            finally:
                await self._leave()

    async def _streams(self, opened: Open, cursors: Mapping[str, str]) -> AsyncGenerator[Batch, None]:
        yield self._workspaces(opened.site)
        for stream, kind, feature, read in _OFTEN:
            async for batch in self._whole(opened, cursors.get(stream), stream, kind, feature, read):
                yield batch
        is_due = self._is_due(cursors.get("facilities"))
        if is_due:
            for stream, kind, feature, read in _RARELY:
                async for batch in self._whole(opened, cursors.get(stream), stream, kind, feature, read):
                    yield batch
            async for batch in self._facilities(opened, cursors.get("facilities")):
                yield batch
        async for batch in self._guarded("batches", ("batches",), opened, self._batches(opened, cursors)):
            yield batch
        sources: tuple[events.Source, ...] = ("mod4_events", "delivery_logs", "driver_events")
        features = ("events", "route_history", "delivery_logs", "driver_events")
        async for batch in self._guarded("events", features, opened, self._events(opened, cursors, sources)):
            yield batch
        if self._settings.positions:
            async for batch in self._guarded("positions", ("positions",), opened, self._positions(opened, cursors)):
                yield batch

    async def _pages(self, opened: Open, job_after: Callable[[P | None], Job[P] | None]) -> AsyncGenerator[P, None]:
        """Pages one behind the other; the next is read while the host stores the last.

        ``job_after`` makes the job of the page behind one, of the first for None; it returns None behind the last.
        A page that fails is told after the one before it was handed over.
        """
        job = job_after(None)
        self._ahead = opened.session.begin(job) if job is not None else None
        while self._ahead is not None:
            page = await self._ahead.result()
            job = job_after(page)
            self._ahead = opened.session.begin(job) if job is not None else None
            yield page

    async def _leave(self) -> None:
        """Nothing of this run reads any more: the connection is about to be closed."""
        if self._ahead is not None:
            await self._ahead.leave()

    def _is_due(self, cursor: str | None) -> bool:
        read_ms = load(cursor).get("read_ms")
        if not isinstance(read_ms, int):
            return True
        since_ms = self._clock.now_ms() - read_ms
        return since_ms < -MINUTE_MS or since_ms >= self._settings.catalogue_every_min * MINUTE_MS - MINUTE_MS // 2

    # -- what is read whole

    def _workspaces(self, site: Site) -> Batch:
        marks = (FullRead("workspace", "", "begins"), FullRead("workspace", "", "ends"))
        records: tuple[Record, ...] = (marks[0], *people.workspaces(site), marks[1], StreamRead("workspaces"))
        return Batch(records, {"workspaces": self._read_now()})

    def _read_now(self, **more: Any) -> str:
        return dump(read_ms=self._clock.now_ms(), **more)

    async def _whole(
        self, opened: Open, cursor: str | None, stream: str, kind: Kind, feature: str, read: WholeRead
    ) -> AsyncGenerator[Batch, None]:
        found = opened.site.feature(feature)
        if not found.is_on:
            yield Batch((StreamRead(stream, trouble=found.reason),))
            return
        try:
            records, shown = await opened.session.read(partial(_read_whole, read=read, site=opened.site))
        except Refused as err:
            self._platform.forget()
            yield Batch((StreamRead(stream, trouble=err.sentence(f"Reading “{found.label}”")),))
            return
        if kind == "driver":
            self._drivers = {one.peer_id: one for one in records if isinstance(one, Driver)}
        judged = judge(cursor, shown, opened.site)
        for chunk in _marked(kind, records) if judged.is_whole else _chunks(records):
            yield Batch(chunk)
        yield Batch((StreamRead(stream, trouble=judged.trouble),), {stream: self._read_now(rows=judged.rows)})

    async def _facilities(self, opened: Open, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Two tables, one kind: the reading is complete only where both were read."""
        records: list[Record] = []
        troubles: list[str] = []
        shown: dict[str, int | None] = {}
        for name in ("warehouses", "facilities"):
            feature = opened.site.feature(name)
            if not feature.is_on:
                troubles.append(feature.reason)
                continue
            read = partial(fleet.places, name=name)
            try:
                some, told = await opened.session.read(partial(_read_whole, read=read, site=opened.site))
            except Refused as err:
                self._platform.forget()
                troubles.append(err.sentence(f"Reading “{feature.label}”"))
                continue
            records += some
            shown |= told
        judged = judge(cursor, shown, opened.site)
        troubles += [judged.trouble] if judged.trouble else []
        for chunk in _marked("facility", records) if judged.is_whole and not troubles else _chunks(records):
            yield Batch(chunk)
        told_of = StreamRead("facilities", trouble=" ".join(troubles))
        yield Batch((told_of,), {"facilities": self._read_now(rows=judged.rows)})

    # -- batches

    async def _batches(self, opened: Open, cursors: Mapping[str, str]) -> AsyncGenerator[Batch, None]:
        """What changed since, and what is open; everything when a complete reading is due."""
        site, cursor = opened.site, load(cursors.get("batches"))
        since_ms = cursor.get("since_ms")
        is_whole = not isinstance(since_ms, int) or self._is_due(cursors.get("batches"))
        size = min(self._settings.page_size, MOST_BATCHES)
        wanted = Reading("delivery_batches", (people.in_workspace(site),), limit=size, is_whole=is_whole)
        if not is_whole and site.inventory.has("delivery_batches", "updated_at"):
            changed = Since("updated_at", int(since_ms or 0) - events.OVERLAP_MS)
            is_open = NotAmong("status", fleet.ENDED)
            wanted = replace(wanted, where=(*wanted.where, AnyOf((changed, is_open))))
        if is_whole:
            yield Batch((FullRead("delivery_batch", "", "begins"),))

        def job_after(page: _BatchPage | None) -> Job[_BatchPage] | None:
            if page is not None and page.count < size:
                return None
            reading = wanted if page is None else replace(wanted, after=page.last)
            return partial(_batch_page, site=site, reading=reading)

        count, shown = 0, dict[str, int | None]()
        async for page in self._pages(opened, job_after):
            shown = shown if count else dict(page.shown)
            count += page.count
            yield Batch(page.records)
        if not is_whole:
            kept = {name: cursor.get(name) for name in ("read_ms", "rows")}
            yield Batch((), {"batches": dump(**kept, since_ms=self._server_ms)})
            return
        judged = judge(cursors.get("batches"), {name: count if told else told for name, told in shown.items()}, site)
        done = {"batches": self._read_now(since_ms=self._server_ms, rows=judged.rows)}
        yield Batch((FullRead("delivery_batch", "", "ends"),) if judged.is_whole else (), done)
        self._silent += [judged.trouble] if judged.trouble else []

    # -- what only grows

    async def _events(
        self, opened: Open, cursors: Mapping[str, str], sources: Sequence[events.Source]
    ) -> AsyncGenerator[Batch, None]:
        site = opened.site
        drivers: dict[str, str] = {}
        for source in sources:
            if not site.feature("events" if source == "mod4_events" else source).is_on:
                continue
            if source == "driver_events" and site.feature("links").is_on:
                linked = await opened.session.read(partial(people.links, site=site))
                drivers = {link.user: link.driver for link in linked if link.driver}  # by their logins (biko.md 4.1)
            make = _maker(f"{source}:", partial(events.event, source, drivers=drivers))
            name = f"events:{source}"
            async for batch in self._growing(opened, name, cursors.get(name), events.growing(source, site), make):
                yield batch

    async def _positions(self, opened: Open, cursors: Mapping[str, str]) -> AsyncGenerator[Batch, None]:
        make = _maker("position:", partial(positions.position, now_ms=self._clock.now_ms()))
        growing, cursor = positions.growing(opened.site), cursors.get("positions")
        told: set[str] = set()
        async for batch in self._growing(opened, "positions", cursor, growing, make):
            phones = [
                positions.info(driver)
                for device in dict.fromkeys(one.device for one in batch.records if isinstance(one, Position))
                if device not in told and (driver := self._drivers.get(positions.driver_of(device))) is not None
            ]
            told |= {phone.device for phone in phones}
            yield Batch([*phones, *batch.records], batch.cursors)

    async def _growing(
        self,
        opened: Open,
        name: str,
        cursor: str | None,
        growing: Growing,
        make: Callable[[Mapping[str, Any]], Record],
    ) -> AsyncGenerator[Batch, None]:
        """Pages of rows in the order of arrival, from a little before the last known one.

        Where a table shows nothing at all the cursor stays: what row security hides today is read when it is shown.
        """
        known, was_seen = (load(cursor).get(one) for one in ("since_ms", "seen"))
        first_ms = self._server_ms - self._settings.first_history_days * DAY_MS
        overlap_ms = positions.OVERLAP_MS if name == "positions" else events.OVERLAP_MS
        since_ms = first_ms if not isinstance(known, int) else min(known, self._server_ms) - overlap_ms
        since = at_ms(since_ms).isoformat()
        size = self._settings.page_size

        def job_after(page: _Page | None) -> Job[_Page] | None:
            if page is not None and len(page.records) < size:
                return None
            behind = None if page is None else (page.at, page.key)
            return partial(_page, growing=growing, since=since, behind=behind, size=size, make=make)

        count = 0
        async for page in self._pages(opened, job_after):
            is_last = len(page.records) < size
            count += len(page.records)
            if not count and await opened.session.read(lambda tables: tables.is_silent(growing.table)):
                self._silent += [silence(growing.table, opened.site)] if was_seen else []
                return
            reached_ms = self._server_ms if is_last or page.arrived_ms is None else page.arrived_ms
            seen = 1 if count or was_seen else None
            yield Batch(page.records, {name: dump(since_ms=min(reached_ms, self._server_ms), seen=seen)})

    async def _guarded(
        self, stream: str, features: Sequence[str], opened: Open, batches: AsyncGenerator[Batch, None]
    ) -> AsyncGenerator[Batch, None]:
        """A stream with what its features lack, with what the server refuses on the way, and with what fell silent."""
        self._silent = []
        found = [opened.site.feature(key) for key in features]
        troubles = [f"{feature.without} {feature.reason}" for feature in found if not feature.is_on]
        if opened.site.feature(features[0]).is_on or len(features) > 1:
            try:
                async for batch in batches:
                    yield batch
            except Refused as err:
                self._platform.forget()
                troubles.append(err.sentence(f"Reading “{found[0].label}”"))
        yield Batch((StreamRead(stream, trouble=" ".join([*troubles, *self._silent])),))


def _maker(prefix: str, make: Callable[[Mapping[str, Any]], Record]) -> Callable[[Mapping[str, Any]], Record]:
    """A row as a record, or set aside with the reason."""

    def made(row: Mapping[str, Any]) -> Record:
        try:
            return make(row)
        except ValueError as err:
            return Rejected(f"{prefix}{row['key']}", str(err), str(dict(row))[:500])

    return made


@dataclass(frozen=True, slots=True)
class _Page:
    """Records of one page, and where the next begins: time (as text, and in ms where it is one) and key of the last."""

    records: Sequence[Record]
    at: str = ""
    key: str = ""
    arrived_ms: int | None = None


def _page(
    tables: Tables,
    growing: Growing,
    since: str,
    behind: tuple[str, str] | None,
    size: int,
    make: Callable[[Mapping[str, Any]], Record],
) -> _Page:
    """Runs in the thread of the statement, so that the making of many records holds up nobody's loop."""
    rows = tables.page(growing, since, behind, size)
    if not rows:
        return _Page(())
    last = rows[-1]
    return _Page([make(row) for row in rows], str(last["at"]), str(last["key"]), last["arrived"])


@dataclass(frozen=True, slots=True)
class _BatchPage:
    """Batches with their stops, and what the record of their routes tells; how many batches, and the last one's id."""

    records: Sequence[Record]
    count: int
    last: str
    shown: Shown


def _batch_page(tables: Tables, site: Site, reading: Reading) -> _BatchPage:
    rows, route = fleet.batches_and_routes(tables, site, reading)
    told = [event for batch_id, stops in route.items() for event in events.route_events(batch_id, stops)]
    return _BatchPage([*rows, *told], len(rows), rows[-1].peer_id if rows else "", tables.shown())


def _read_whole(tables: Tables, read: WholeRead, site: Site) -> tuple[Sequence[Record], Shown]:
    return read(tables, site), tables.shown()


def _marked(kind: Kind, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
    yield (FullRead(kind, "", "begins"),)
    yield from _chunks(records)
    yield (FullRead(kind, "", "ends"),)


def _chunks(records: Sequence[Record]) -> Iterable[Sequence[Record]]:
    for start in range(0, len(records), WHOLE_AT_ONCE):
        yield records[start : start + WHOLE_AT_ONCE]


def at_ms(ms: int) -> datetime:
    """A time as the server reads it, from milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC)
