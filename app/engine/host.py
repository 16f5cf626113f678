"""What surrounds a running engine in every process: the lock, the heartbeat, housekeeping, a watch on the clock."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection

from adapters.base import Clock
from app import platform
from app.catalogue import Catalogue
from app.engine.engine import Engine
from app.engine.journal import Issue, State, clear_problems, raise_problem, write_log
from app.engine.ports import KitMaker, read
from app.engine.retention import keep_house
from app.errors import OperatorError
from app.fleet.telemetry import TelemetrySink
from app.kit import make_kit as make_real_kit
from app.paths import Paths
from app.security.vault import Vault
from app.store.changes import raise_topic
from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreDamaged, StoreError
from app.store.facts import get_fact, set_fact
from app.store.locks import EngineLock
from app.store.migrate import upgrade
from app.store.recovery import is_damaged, recover
from app.store.revision import HEAD
from app.store.store import Store
from app.tasks import Tasks
from app.versions import program_version

ENGINE_FACT = "engine"
BEAT_S = 2.0
HOUSEKEEPING_S = 3600.0
CLOCK_JUMP_S = 5.0
CLOCK_BEHIND_MS = 3_600_000
"""A clock so far behind the store's newest entry is wrong; less may be a daylight saving mistake of a person."""

OnReady = Callable[[Mapping[str, State]], None]
"""Called once with the states of all enabled integrations, by name, when each was tried once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Who runs the engine; what ``engine.json`` holds. ``started_by``: console, service or in-process."""

    pid: int
    version: str
    store_revision: str
    started_by: str
    started_at_ms: int
    host: str

    def spoken(self) -> str:
        where = {"console": "the console", "in-process": "a console window"}.get(self.started_by, "a service")
        return f"process {self.pid} on {self.host}, version {self.version}, started by {where}"


class EngineHeld(OperatorError):
    """Another engine serves this store; ``holder`` is None where it left no facts."""

    def __init__(self, holder: EngineFacts | None) -> None:
        who = holder.spoken() if holder is not None else "another process"
        super().__init__(f"The engine of this store runs already: {who}. Stop that one first, or leave the work to it.")
        self.holder = holder


class HeldStore:
    """The store of a data folder as its engine has it: locked, migrated, open. Everything here blocks."""

    def __init__(self, paths: Paths, lock: EngineLock, store: Store, facts: EngineFacts) -> None:
        self.paths = paths
        self.store = store
        self.facts = facts
        self._lock = lock

    @classmethod
    def take(
        cls,
        paths: Paths,
        clock: Clock,
        *,
        started_by: str,
        database_url: str | None = None,
        password: str | None = None,
    ) -> HeldStore:
        """Take the engine lock, recover a damaged file, migrate, open. Raises EngineHeld, StoreError, OSError."""
        paths.create()
        url = database_url or paths.store_url
        lock = EngineLock(url, paths.engine_lock, password=password)
        if not lock.acquire():
            raise EngineHeld(read_facts(paths.engine_json))
        try:
            file = sqlite_path(parse_url(url))
            if file is not None and is_damaged(file):
                _log.error("the store %s is damaged; it is set aside and what can be read is recovered", file)
                recover(file)
            upgrade(url, paths.backups, password=password)
            store = Store.open(url, password=password)
        except BaseException:
            lock.release()
            raise
        facts = EngineFacts(
            os.getpid(), program_version(), HEAD, started_by, clock.now_ms(), socket.gethostname() or "this computer"
        )
        _write_facts(paths.engine_json, facts)
        return cls(paths, lock, store, facts)

    @property
    def is_held(self) -> bool:
        return self._lock.is_held

    def close(self) -> None:
        """Write what waits, close the store, give the lock back."""
        self.store.close()
        self.paths.engine_json.unlink(missing_ok=True)
        self._lock.release()


class EngineHost:
    """An engine with everything around it, on whichever loop runs :meth:`run`."""

    def __init__(
        self,
        held: HeldStore,
        catalogue: Catalogue,
        vault: Vault,
        *,
        clock: Clock,
        tasks: Tasks,
        make_kit: KitMaker = make_real_kit,
        rng: Random | None = None,
    ) -> None:
        self._held = held
        self._store = held.store
        self._clock = clock
        self._tasks = tasks
        self._sink = TelemetrySink(held.store)
        self.engine = Engine(
            held.store, catalogue, vault, clock=clock, sink=self._sink, tasks=tasks, make_kit=make_kit, rng=rng
        )
        self._word = "starting"
        self.fault = ""
        """Why the engine ended by itself, for its operator; "" after an ordinary end."""

    async def run(self, on_ready: OnReady | None = None, *, ready_within_s: float = 15.0) -> None:
        """Serve until the engine is stopped; returns when everything received is stored."""
        await self._judge_clock()
        for coroutine, name in (
            (self._beat_along(), "engine heartbeat"),
            (self._keep_house(), "engine housekeeping"),
            (self._announce(on_ready, ready_within_s), "engine start"),
        ):
            self._tasks.start(coroutine, name=name, owner=self)
        try:
            await self.engine.run()
        finally:
            await self._tasks.cancel_owner(self)
            self._word = "stopped"
            await self._last_words()

    def stop(self) -> None:
        """End :meth:`run`; call it on its loop."""
        self._word = "stopping"
        self.engine.stop()

    def _end(self, fault: str) -> None:
        if not self.fault:
            _log.critical("the engine ends: %s", fault)
            self.fault = fault
            self.stop()

    async def _announce(self, on_ready: OnReady | None, seconds: float) -> None:
        states = await self.engine.wait_started(seconds)
        self._word = "running"
        await self._beat(moved=True)
        if on_ready is not None:
            on_ready(states)

    async def _beat_along(self) -> None:
        wall_ms, steady_s, word = self._clock.now_ms(), self._clock.monotonic(), ""
        while True:
            await self._beat(moved=word != self._word)
            word = self._word
            await self._flush_device_states()
            if not await asyncio.to_thread(lambda: self._held.is_held):
                self._end("The engine lock of the store was lost, and two engines must never serve one. Start again.")
                return
            await self._clock.sleep(BEAT_S)
            now_ms, now_s = self._clock.now_ms(), self._clock.monotonic()
            self._note_jump((now_ms - wall_ms) / 1000 - (now_s - steady_s))
            wall_ms, steady_s = now_ms, now_s

    async def _beat(self, *, moved: bool) -> None:
        """Say that the engine lives: in the store for its readers, by the file's time where the disk is full."""
        _touch(self._held.paths.engine_json)
        value = {**asdict(self._held.facts), "state": self._word, "beat_at_ms": self._clock.now_ms()}
        try:
            await asyncio.wrap_future(self._store.write(partial(_write_beat, value=value, moved=moved)))
        except StoreDamaged as err:
            self._end(err.why)
        except StoreError as err:
            _log.debug("the heartbeat could not be written: %s", err)

    async def _flush_device_states(self) -> None:
        if not self._sink.has_unwritten_states:
            return
        job = partial(self._sink.flush, now_ms=self._clock.now_ms())
        try:
            await asyncio.wrap_future(self._store.write(job, on_rollback=self._sink.forget))
        except StoreError as err:
            _log.debug("device states wait: %s", err)

    async def _last_words(self) -> None:
        await self._flush_device_states()
        await self._beat(moved=True)

    async def _keep_house(self) -> None:
        while True:
            await self._clock.sleep(HOUSEKEEPING_S * 0.05)
            try:
                deleted = await keep_house(self._store, self._clock)
            except StoreError as err:
                _log.warning("old rows could not be deleted, trying again in an hour: %s", err)
            else:
                if deleted:
                    _log.info("%d rows older than their keeping time were deleted", deleted)
            await self._clock.sleep(HOUSEKEEPING_S * 0.95)

    def _note_jump(self, jump_s: float) -> None:
        if abs(jump_s) < CLOCK_JUMP_S:
            return
        way = "forward" if jump_s > 0 else "back"
        text = f"The clock of this computer jumped {abs(jump_s):.0f} s {way}, or the computer slept. Work goes on."
        _log.warning("%s", text)
        payload = {"jump_s": round(jump_s, 1)}
        note = partial(write_log, integration_id=None, event_type="clock_jumped", text=text, payload=payload)
        self.engine.scribe.note(partial(note, now_ms=self._clock.now_ms()))

    async def _judge_clock(self) -> None:
        """A clock behind what the store has seen already would date everything wrongly: say so."""
        last = await read(self._store, partial(get_fact, name=ENGINE_FACT)) or {}
        now_ms = self._clock.now_ms()
        behind_ms = int(last.get("beat_at_ms", 0)) - now_ms
        if behind_ms < CLOCK_BEHIND_MS:
            kinds = frozenset({"clock"})
            note = partial(clear_problems, integration_id=None, kinds=kinds, now_ms=now_ms)
        else:
            detail = (
                f"It is {behind_ms / 3_600_000:.0f} h behind the newest entry of the store. What arrives now is dated "
                "wrongly. Set the computer's date and time; if the clock was ahead before, this passes by itself."
            )
            issue = Issue("clock", "The clock of this computer went back", detail, "none")
            note = partial(raise_problem, integration_id=None, issue=issue, now_ms=now_ms)
        self.engine.scribe.note(note)


def read_facts(path: Path) -> EngineFacts | None:
    """The facts beside the lock; None where there are none, or none that can be read."""
    try:
        return EngineFacts(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_facts(path: Path, facts: EngineFacts) -> None:
    try:
        platform.write_durably(path, json.dumps(asdict(facts)).encode())
    except OSError as err:  # a full disk must not keep the engine from serving; the lock itself is held
        _log.warning("%s could not be written: %s", path, err.strerror)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        _log.debug("%s is not there to be touched", path)


def _write_beat(connection: Connection, value: Mapping[str, Any], moved: bool) -> None:
    if moved:
        raise_topic(connection, "engine")
    set_fact(connection, ENGINE_FACT, value)
