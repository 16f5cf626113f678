"""What surrounds a running engine in every process: the heartbeat, the chores, a watch on the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import Connection

from adapters.base import Clock
from app.catalogue import Catalogue
from app.engine.engine import Engine
from app.engine.facts import ENGINE_FACT, touch_facts
from app.engine.held import HeldStore
from app.engine.journal import State, write_log
from app.engine.ports import KitMaker, read
from app.engine.sink import StoreSink
from app.engine.upkeep import forget_lost_secrets, judge_leap, keep_house, watch_acts
from app.kit import make_kit as make_real_kit
from app.problems import Issue, clear_problems, raise_problem
from app.security.vault import Vault
from app.store.changes import raise_topic
from app.store.errors import StoreDamaged, StoreError
from app.store.facts import get_fact, set_fact
from app.sync.downloads import judged_by
from app.tasks import Tasks

BEAT_S = 2.0
CLOCK_JUMP_S = 5.0
CLOCK_BEHIND_MS = 3_600_000
"""A clock so far behind the store's newest entry is wrong; less may be a daylight saving mistake of a person."""

OnReady = Callable[[Mapping[str, State]], None]
"""Called once with the states of all enabled integrations, by name, when each was tried once."""

_log = logging.getLogger(__name__)


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
        self._vault = vault
        self._clock = clock
        self._tasks = tasks
        self._sink = StoreSink(held.store, judged_by(catalogue))
        self.engine = Engine(
            held.store,
            catalogue,
            vault,
            clock=clock,
            sink=self._sink,
            tasks=tasks,
            make_kit=make_kit,
            rng=rng,
            data_dir=held.paths.data_dir,
        )
        self._word = "starting"
        self.fault = ""
        """Why the engine ended by itself, for its operator; "" after an ordinary end."""

    async def run(self, on_ready: OnReady | None = None, *, ready_within_s: float = 15.0) -> None:
        """Serve until the engine is stopped; returns when everything received is stored."""
        await self._judge_clock()
        for coroutine, name in (
            (self._beat_along(), "engine heartbeat"),
            (keep_house(self._store, self._clock), "engine housekeeping"),
            (self._watch_acts(), "seal of the acts"),
            (forget_lost_secrets(self._store, self._vault), "lost secrets"),
            (self._announce(on_ready, ready_within_s), "engine start"),
        ):
            self._tasks.start(coroutine, name=name, owner=self)
        try:
            await self.engine.run()
        finally:
            await self._tasks.cancel_owner(self)
            self._word = "stopped"
            await self._last_words()

    async def _watch_acts(self) -> None:
        note, folder = self.engine.scribe.note, self._held.paths.checkpoints
        await watch_acts(self._store, self._vault, self._clock, note, folder)

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
        touch_facts(self._held.paths.engine_json)
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

    def _note_jump(self, jump_s: float) -> None:
        if abs(jump_s) < CLOCK_JUMP_S:
            return
        way = "forward" if jump_s > 0 else "back"
        text = f"The clock of this computer jumped {abs(jump_s):.0f} s {way}, or the computer slept. Work goes on."
        _log.warning("%s", text)
        payload = {"jump_s": round(jump_s, 1)}
        note = partial(write_log, integration_id=None, event_type="clock_jumped", text=text, payload=payload)
        self.engine.scribe.note(partial(note, now_ms=self._clock.now_ms()))
        self.engine.scribe.note(partial(judge_leap, now_ms=self._clock.now_ms()))

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
        self.engine.scribe.note(partial(judge_leap, now_ms=now_ms))


def _write_beat(connection: Connection, value: Mapping[str, Any], moved: bool) -> None:
    if moved:
        raise_topic(connection, "engine")
    set_fact(connection, ENGINE_FACT, value)
