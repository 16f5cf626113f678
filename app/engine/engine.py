"""The engine: one coordinator per enabled integration, kept in step with the store and with what others wish.

It does not know which process it is in: the gateway runs it on its own loop, the window on its Qt loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from adapters.base import Clock
from app.catalogue import Catalogue
from app.engine.commands import (
    CHECK,
    LEND,
    RETURN,
    SEND_REPORT,
    STOP,
    SYNC,
    Wish,
    close_left_over,
    finish_command,
    take_commands,
)
from app.engine.coordinator import PROBLEM_KINDS, Coordinator
from app.engine.followers import Follower, Followers, load_followers
from app.engine.inlet import Sink
from app.engine.journal import State, load_integrations, load_states, save_state
from app.engine.lending import carry_out_loan
from app.engine.phases import Phase
from app.engine.ports import KitMaker, Ports, read
from app.engine.scribe import Scribe
from app.integrations.checks import check_settings
from app.integrations.rows import Configured
from app.integrations.settings import stored_secrets
from app.kit import make_kit as make_real_kit
from app.mail.courier import MailCourier
from app.paths import Paths
from app.problems import clear_problems
from app.proof_files.courier import ProofFileCourier
from app.reports.runner import ReportRuns
from app.reports.schedule import ReportSchedule
from app.security.vault import Vault, VaultError
from app.store.errors import StoreError
from app.store.store import Store
from app.store.watch import ChangeWatcher
from app.sync.seal import OutboxSeal
from app.tasks import Tasks

SPREAD_S = 0.25
"""Between the starts of two integrations, so that thirty do not ask their peers in the same instant."""
LONGEST_SPREAD_S = 5.0
FLUSH_S = 1.0

_log = logging.getLogger(__name__)


class Engine:
    """Runs until :meth:`stop` or the command ``engine.stop``. One per store; its host holds the lock."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        vault: Vault,
        *,
        clock: Clock,
        sink: Sink,
        tasks: Tasks,
        make_kit: KitMaker = make_real_kit,
        rng: Random | None = None,
        data_dir: Path | None = None,
        followers: Sequence[Follower] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self.scribe = Scribe(store)
        rng = rng or Random()
        seal = OutboxSeal(store, data_dir)
        self._ports = Ports(store, catalogue, vault, clock, sink, tasks, self.scribe, make_kit, rng, seal)
        load = load_followers if followers is None else lambda: followers
        self._followers = Followers(store, clock, tasks, load, rng)
        self._reports = ReportRuns(self._ports)
        self._schedule = ReportSchedule(self._ports, self._reports)
        self._courier = MailCourier(self._ports, data_dir)
        self._files = ProofFileCourier(self._ports, None if data_dir is None else Paths(data_dir).proof_files)
        self._loop = asyncio.get_running_loop()
        self._coordinators: dict[str, Coordinator] = {}
        self._moved: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._loaded = asyncio.Event()

    async def run(self) -> None:
        """Start every enabled integration and serve until stopped; returns when everything received is stored.

        Raises StoreError when the store cannot be read at the start.
        """
        now_ms = self._clock.now_ms()
        await asyncio.wrap_future(self._store.write(partial(close_left_over, now_ms=now_ms)))
        await self._reports.close_left_over()
        await self._courier.close_left_over()
        await self._files.close_left_over()
        watcher = ChangeWatcher(self._store, self._on_change)
        await asyncio.to_thread(watcher.start)
        try:
            self._on_topics(frozenset({"integrations", "commands"}))
            self._followers.start()
            self._ports.tasks.start(self._schedule.watch(), name="schedule of reports", owner=self)
            self._ports.tasks.start(self._courier.watch(), name="mail", owner=self)
            self._ports.tasks.start(self._files.watch(), name="files of proofs", owner=self)
            while not self._stopping.is_set():
                await self._wake.wait()
                self._wake.clear()
                topics, self._moved = frozenset(self._moved), set()
                await self._follow(topics)
        finally:
            await asyncio.to_thread(watcher.stop)
            await self._followers.stop()
            await self._unload(list(self._coordinators.values()))
            await self._ports.tasks.cancel_owner(self)
            self._coordinators.clear()
            if not await self.scribe.flush(FLUSH_S):
                _log.warning("the last notes of the engine could not be stored")
            self.scribe.close()

    def stop(self) -> None:
        """End :meth:`run`; call it on the engine's loop."""
        self._stopping.set()
        self._wake.set()

    async def wait_started(self, seconds: float) -> dict[str, State]:
        """Wait until every enabled integration was tried once, ``seconds`` at most; the states by name."""
        try:
            async with asyncio.timeout(seconds):
                await self._loaded.wait()
                await asyncio.gather(*(one.started.wait() for one in self._coordinators.values()))
        except TimeoutError:
            _log.warning("not every integration has answered within %d s; the engine goes on with the others", seconds)
        return {one.configured.name: one.state for one in self._coordinators.values()}

    @property
    def states(self) -> Mapping[str, State]:
        """What the running integrations are at, by id."""
        return {key: one.state for key, one in self._coordinators.items()}

    # -- following the store --------------------------------------------------------------------------------------

    def _on_change(self, topics: frozenset[str]) -> None:
        """Called on the watcher's thread."""
        try:
            self._loop.call_soon_threadsafe(self._on_topics, topics)
        except RuntimeError:
            _log.debug("a change came after the loop had ended")

    def _on_topics(self, topics: frozenset[str]) -> None:
        self._followers.moved(topics)
        self._courier.moved(topics)
        self._files.moved(topics)
        if topics & {"outbox", "inbox"}:
            for coordinator in self._coordinators.values():
                coordinator.queues_moved(topics)
        mine = topics & {"integrations", "commands"}
        if mine:
            self._moved |= mine
            self._wake.set()

    async def _follow(self, topics: frozenset[str]) -> None:
        try:
            if "integrations" in topics:
                await self._reload()
            if "commands" in topics and not self._stopping.is_set():
                await self._take_commands()
        except StoreError as err:
            _log.warning("changes in the store cannot be followed now, trying again: %s", err)
            self._loop.call_later(1.0, self._on_topics, topics)

    async def _reload(self) -> None:
        """Bring the coordinators in step with the table: new, changed, disabled and removed ones."""
        wanted, states = await read(
            self._store, lambda connection: (load_integrations(connection), load_states(connection))
        )
        enabled = {key: one for key, one in wanted.items() if one.enabled}
        gone = [one for key, one in self._coordinators.items() if not _goes_on(one.configured, enabled.get(key))]
        await self._unload(gone)
        for coordinator in gone:
            last = states.get(coordinator.configured.id)
            states[coordinator.configured.id] = coordinator.state if last is None else last
            del self._coordinators[coordinator.configured.id]
        starting = 0
        for key, configured in enabled.items():
            if key in self._coordinators:
                self._coordinators[key].rename(configured.name)
                continue
            delay_s = min(starting * SPREAD_S, LONGEST_SPREAD_S)
            starting += 1
            self._coordinators[key] = Coordinator(configured, states.get(key), self._ports, delay_s=delay_s)
            self._coordinators[key].start()
        for key in states.keys() | wanted.keys():
            if key not in enabled:
                self._note_disabled(key, states.get(key))
        self._loaded.set()

    def _note_disabled(self, integration_id: str, last: State | None) -> None:
        if last is not None and last.phase is Phase.DISABLED:
            return
        now_ms = self._clock.now_ms()
        state = State(
            Phase.DISABLED,
            now_ms,
            last_success_ms=last.last_success_ms if last else None,
            last_data_ms=last.last_data_ms if last else None,
            detail=last.detail if last else {},
        )
        self.scribe.note(partial(save_state, integration_id=integration_id, state=state), key=("state", integration_id))
        self.scribe.note(partial(clear_problems, integration_id=integration_id, kinds=PROBLEM_KINDS, now_ms=now_ms))

    @staticmethod
    async def _unload(coordinators: list[Coordinator]) -> None:
        await asyncio.gather(*(one.stop() for one in coordinators))

    # -- wishes ---------------------------------------------------------------------------------------------------

    async def _take_commands(self) -> None:
        job = partial(take_commands, now_ms=self._clock.now_ms())
        for wish in await asyncio.wrap_future(self._store.write(job)):
            if wish.name == STOP:
                self._answer(wish, {"ok": True})
                self.stop()
                continue
            self._ports.tasks.start(self._fulfil(wish), name=f"command {wish.name}", owner=self)

    async def _fulfil(self, wish: Wish) -> None:
        outcome: Mapping[str, Any] = {"ok": False, "error": "The engine was stopped before this was done."}
        try:
            outcome = await self._carry_out(wish)
        except StoreError as err:
            outcome = {"ok": False, "error": err.why}
        except Exception as err:
            outcome = {"ok": False, "error": f"A defect of this program prevented it ({type(err).__name__}: {err})."}
            raise
        finally:
            self._answer(wish, outcome)

    async def _carry_out(self, wish: Wish) -> Mapping[str, Any]:
        if wish.name == SYNC:
            coordinator = self._coordinators.get(wish.integration_id or "")
            if coordinator is None:
                return {"ok": False, "error": "This integration is not enabled. Enable it, then ask again."}
            return (await coordinator.sync_now()).as_answer()
        if wish.name == CHECK:
            return await self._check(wish.integration_id or "")
        if wish.name == SEND_REPORT:
            return await self._reports.carry_out(wish)
        if wish.name in (LEND, RETURN):
            return await carry_out_loan(wish, self._ports, list(self._coordinators.values()))
        return {
            "ok": False,
            "error": f"This engine knows no command “{wish.name}”. Upgrade it, or ask otherwise.",
        }

    async def _check(self, integration_id: str) -> Mapping[str, Any]:
        configured = (await read(self._store, load_integrations)).get(integration_id)
        if configured is None:
            return {"ok": False, "error": "This integration does not exist any more."}
        ports, key = self._ports, configured.type
        try:
            secrets = await asyncio.to_thread(stored_secrets, ports.catalogue, ports.vault, key, integration_id)
        except VaultError as err:
            return {"ok": False, "error": str(err)}
        report = await check_settings(ports.catalogue, key, configured.config, secrets, self._clock)
        return report.as_json()

    def _answer(self, wish: Wish, outcome: Mapping[str, Any]) -> None:
        note = partial(finish_command, command_id=wish.id, outcome=outcome, now_ms=self._clock.now_ms())
        self.scribe.note(note)


def _goes_on(running: Configured, wanted: Configured | None) -> bool:
    """Whether a running integration may go on: nothing that it depends on has changed."""
    if wanted is None:
        return False
    return (running.type, running.config, running.secrets_version) == (
        wanted.type,
        wanted.config,
        wanted.secrets_version,
    )
