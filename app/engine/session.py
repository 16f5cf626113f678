"""One start of one integration: proved once, then listening and fetching side by side until only a person can help."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from adapters.base import CheckStep, Identity
from adapters.errors import AdapterError, BadReply, Conflict, NotReady, RecordRejected, SettingsInvalid
from adapters.records import Batch, Rejected
from app.engine.building import Built
from app.engine.delays import interval_delay_s
from app.engine.inlet import Intake, ListenInlet, Stored
from app.engine.journal import load_cursors
from app.engine.legs import Leg
from app.engine.ports import Ports, read, rings_within
from app.engine.reader import InboxReader, Translate
from app.engine.sender import Sender, Teller
from app.integrations.rows import Configured
from app.store.errors import StoreError

TICK_S = 2.0
DEBOUNCE_S = 2.0
STEP_LIMIT_S = 900.0
"""An adapter that hands over nothing for so long inside a run is not waiting for its peer any more."""

_PASSES = (NotReady, BadReply, RecordRejected, Conflict, StoreError)
"""What may be over by itself; everything else ends the session."""


@dataclass(slots=True)
class Run:
    """One fetch from its first request to its last commit."""

    why: str
    started_ms: int
    started_s: float
    counts: Counter[str] = field(default_factory=Counter)
    records: int = 0
    duration_ms: int = 0
    error: Exception | None = None


class Book(Teller, Protocol):
    """Whom a session tells what happens; the coordinator."""

    def leg_works(self) -> None: ...

    def leg_fails(self, leg: Leg, error: AdapterError | StoreError) -> None: ...

    def connected(self, detail: str) -> None: ...

    def identified(self, identity: Identity) -> None: ...

    def stored(self, stored: Stored) -> None: ...

    def not_stored(self, error: BaseException) -> None: ...

    def run_begins(self, run: Run) -> None: ...

    def run_ends(self, run: Run) -> None: ...

    def explain(self, event_type: str, text: str, payload: Mapping[str, object]) -> None: ...

    def tick(self) -> None: ...


class Session:
    def __init__(self, configured: Configured, built: Built, ports: Ports, book: Book) -> None:
        self._configured = configured
        self._built = built
        self._adapter = built.adapter
        self._ports = ports
        self._book = book
        self._start = Leg("start")
        self._listen = Leg("listen") if "listen" in built.manifest.modes else None
        self._fetch = Leg("fetch") if "pull" in built.manifest.modes else None
        intake = partial(Intake, ports.store, ports.sink, configured.id, ports.clock)
        self._pulled = intake(on_stored=self._on_pulled, on_failed=book.not_stored)
        self._inlet = ListenInlet(
            ports.store,
            ports.sink,
            configured.id,
            ports.clock,
            on_stored=self._on_heard,
            on_failed=book.not_stored,
            on_connected=self._on_connected,
            on_fetch_wanted=self._on_fetch_wanted,
        )
        self._send = Leg("send") if "send" in built.manifest.modes else None
        self._sender = Sender(
            configured, built, ports, book, on_works=book.leg_works, on_fetch_wanted=self._on_fetch_wanted
        )
        self._reader = (
            InboxReader(configured, ports, self._pulled, partial(_translation, built, ports))
            if built.manifest.translator is not None
            else None
        )
        self._run: Run | None = None
        self._wanted: str | None = "start"
        self._asked_by_operator = False

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What decides the phase: the start until it succeeded, then the ways of working."""
        if (self._fetch is not None or self._send is not None) and not self._start.working:
            return (self._start,)
        return tuple(leg for leg in (self._listen, self._fetch, self._send) if leg is not None)

    @property
    def is_fetching(self) -> bool:
        return self._run is not None

    async def serve(self) -> None:
        """Run until cancelled. Raises what only a person can end: AuthFailed, SettingsInvalid, Unsupported, defects."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick_along())
                group.create_task(self._work(group))
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from errors
        finally:
            await self._built.kit.http.aclose()

    async def lend(self, resource: str, seconds: float) -> bool:
        """Whether the adapter uses this resource; it has given it up then, or taken it back where ``seconds`` is 0."""
        return await self._adapter.lend(resource, seconds)

    async def drain(self, seconds: float) -> bool:
        """Wait until everything that was delivered is stored."""
        waits = (self._inlet.drain(seconds), self._pulled.drain(seconds), self._sender.drain(seconds))
        drained = await asyncio.gather(*waits)
        return all(drained)

    def run_now(self) -> None:
        """An operator asks: cut a waiting time short, also the growing ones."""
        self._want("asked for by hand")
        self._asked_by_operator = True
        self._sender.run_now()
        for leg in (self._start, *self.legs):
            leg.wake.set()

    def queues_moved(self, topics: frozenset[str]) -> None:
        """The outbox or the inbox has changed; the sender looks, unless a failing peer makes it wait."""
        if "outbox" in topics:
            self._sender.moved()
        if "inbox" in topics and self._reader is not None:
            self._reader.moved()

    def probe_store(self) -> None:
        """Try whether the store takes anything again."""
        self._inlet.probe()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        if self._fetch is not None or self._send is not None:
            await self._keep(self._start, self._check, once=True)
        if self._fetch is not None:
            group.create_task(self._keep(self._fetch, partial(self._fetch_when_due, self._fetch)))
        if self._send is not None:
            group.create_task(self._keep(self._send, partial(self._sender.serve, self._send)))
        if self._reader is not None:
            group.create_task(self._reader.serve())
        if self._listen is not None:
            await self._keep(self._listen, self._hear)

    async def _keep(self, leg: Leg, step: Callable[[], Awaitable[None]], *, once: bool = False) -> None:
        """Take a step again and again, with growing delays after failures."""
        while True:
            try:
                await step()
            except _PASSES as err:
                delay_s = leg.fails(err, self._ports.clock, self._ports.rng)
                self._book.leg_fails(leg, err)
                leg.wake.clear()
                await rings_within(leg.wake, delay_s, self._ports.clock)
            else:
                if once:
                    return

    async def _tick_along(self) -> None:
        while True:
            await self._ports.clock.sleep(TICK_S)
            self._inlet.flush_counters()
            self._book.tick()

    async def _check(self) -> None:
        """The strict beginning: address, credentials and the peer's identity, before anything is fetched."""

        def ignore(_step: CheckStep) -> None:
            """The layers interest whoever presses Test; here only the outcome counts."""

        identity = await self._adapter.check(ignore)
        known = self._configured.peer_unique_id
        if known is not None and known != identity.unique_id:
            raise SettingsInvalid(
                "",
                f"At the address of {self._configured.name} another system answers now ({identity.title}). Nothing was "
                "fetched from it. Correct the address, or add the other system as an integration of its own.",
            )
        self._book.identified(identity)
        self._works(self._start)

    async def _hear(self) -> None:
        await self._adapter.listen(self._inlet)
        raise NotReady(f"{self._configured.name} stopped listening. It is started again by itself.")

    async def _fetch_when_due(self, leg: Leg) -> None:
        why = await self._next_run(leg)
        self._asked_by_operator = False
        await self._fetch_once(leg, why)

    async def _next_run(self, leg: Leg) -> str:
        """Wait for the schedule or a wish, whichever is first; returns why the run is made."""
        if leg.trouble is not None:
            return self._take_wish() or "next try"
        if self._wanted is None:
            leg.wake.clear()
            delay_s = interval_delay_s(self._built.interval_s, self._ports.rng)
            if not await rings_within(leg.wake, delay_s, self._ports.clock):
                return "schedule"
        if self._wanted not in (None, "start") and not self._asked_by_operator:
            leg.wake.clear()
            await rings_within(leg.wake, DEBOUNCE_S, self._ports.clock)
        return self._take_wish() or "schedule"

    def _take_wish(self) -> str | None:
        wish, self._wanted = self._wanted, None
        return wish

    def _want(self, why: str) -> None:
        self._wanted = why
        if self._run is not None:
            text = f"A run was asked for ({why}) while another is going on. It follows as soon as that one has ended."
            self._book.explain("sync_postponed", text, {"why": why, "running": self._run.why})

    def _on_fetch_wanted(self, why: str) -> None:
        """A push brings the next run forward, but never shortens the growing delays of a failing peer."""
        if self._fetch is None or self._wanted is not None:
            return
        self._want(why)
        if self._fetch.trouble is None:
            self._fetch.wake.set()

    async def _fetch_once(self, leg: Leg, why: str) -> None:
        clock = self._ports.clock
        self._run = run = Run(why, clock.now_ms(), clock.monotonic())
        self._book.run_begins(run)
        try:
            cursors = await read(self._ports.store, partial(load_cursors, integration_id=self._configured.id))
            await self._pull(cursors)
        except Exception as err:
            self._end(run, err)
            raise
        finally:
            self._run = None
        leg.proven()
        self._end(run, None)
        self._works(leg)

    def _end(self, run: Run, error: Exception | None) -> None:
        run.error = error
        run.duration_ms = round((self._ports.clock.monotonic() - run.started_s) * 1000)
        self._book.run_ends(run)
        self._explain_overrun(run)

    async def _pull(self, cursors: Mapping[str, str]) -> None:
        """Store each batch, with its cursors, before the next is asked for."""
        batches = self._adapter.fetch(cursors)
        try:
            while True:
                try:
                    async with asyncio.timeout(STEP_LIMIT_S) as limit:
                        batch = await anext(batches)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not limit.expired():
                        raise
                    why = f"{self._configured.name} gave nothing for {STEP_LIMIT_S / 60:.0f} min; the run was ended."
                    raise NotReady(why) from None
                if batch.records or batch.cursors:
                    await asyncio.shield(self._pulled.deliver(batch))
        except (RecordRejected, Conflict) as err:
            await asyncio.shield(self._pulled.deliver(Batch((Rejected(err.key, err.why),))))
            raise
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()

    def _explain_overrun(self, run: Run) -> None:
        skipped = int(run.duration_ms / 1000 // self._built.interval_s)
        if skipped and run.error is None:
            text = (
                f"The run took {run.duration_ms / 1000:.0f} s, longer than the interval of "
                f"{self._built.interval_s:.0f} s: {skipped} scheduled run(s) in that time were skipped."
            )
            self._book.explain("sync_skipped", text, {"skipped": skipped, "duration_ms": run.duration_ms})

    def _on_connected(self, detail: str) -> None:
        self._book.connected(detail)
        if self._listen is not None:
            self._works(self._listen)

    def _on_heard(self, stored: Stored) -> None:
        if self._listen is not None and any(part.records for part in stored.parts):
            self._listen.proven()
            if not self._listen.working:
                self._works(self._listen)
        self._book.stored(stored)

    def _on_pulled(self, stored: Stored) -> None:
        if self._run is not None:
            self._run.counts.update(stored.counts())
            self._run.records += sum(part.records for part in stored.parts)
            fetch = self._fetch
            if self._run.records and fetch is not None and not fetch.working and fetch.trouble is None:
                self._works(fetch)  # a first run over days of history works long before it ends
        self._book.stored(stored)

    def _works(self, leg: Leg) -> None:
        leg.works(self._ports.clock.monotonic())
        self._book.leg_works()


def _translation(built: Built, ports: Ports) -> Translate:
    """What understands the messages of this integration. Raises SettingsInvalid, Unsupported."""
    return ports.catalogue.translator(built.manifest.key)(built.adapter.settings)


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the session; a group holds more only when two legs failed in the same instant."""
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
