"""The engine inside the window's own process, for small sites and PCs that forbid child processes.

It offers the window what the supervisor of a child offers: ``start``, ``start_again``, ``stop``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from app.engine.held import HeldStore
from app.engine.status import EngineStatus, EngineWord
from app.errors import OperatorError
from app.services import Services
from app.tasks import Tasks

if TYPE_CHECKING:
    from adapters.base import Clock
    from app.engine.host import EngineHost

_log = logging.getLogger(__name__)


class OwnEngine:
    """Runs the engine on the loop that calls :meth:`start`; the store stays held until its holder closes it."""

    def __init__(
        self,
        held: HeldStore,
        services: Services,
        *,
        clock: Clock,
        tasks: Tasks,
        on_change: Callable[[EngineStatus], None],
    ) -> None:
        self._held = held
        self._services = services
        self._clock = clock
        self._tasks = tasks
        self._on_change = on_change
        self._host: EngineHost | None = None
        self._stopping = False
        self.status = EngineStatus(EngineWord.STOPPED)

    def start(self) -> None:
        """Begin to serve; nothing happens where that is so already."""
        if not self._tasks.of(self):
            self._tasks.start(self._serve(), name="engine", owner=self)

    def start_again(self, passphrase: str | None = None) -> None:  # noqa: ARG002 - the services open the vault
        """After it could not start, or ended by itself."""
        self.start()

    async def stop(self, *, keep: bool = False) -> None:  # noqa: ARG002 - it cannot outlive its window
        """End the engine; everything received is stored when this returns."""
        self._stopping = True
        if self._host is not None:
            self._host.stop()
        for task in self._tasks.of(self):
            await asyncio.wait({task})

    async def _serve(self) -> None:
        self._show(EngineStatus(EngineWord.STARTING, own=True))
        why = "The engine ended by a defect of this program; the crash report has it."
        try:
            why = await self._run_host()
        except OperatorError as err:
            _log.error("the engine cannot run: %s", err.why)
            why = err.why
        finally:
            self._host = None
            self._show(EngineStatus(EngineWord.STOPPED, "" if self._stopping else why))

    async def _run_host(self) -> str:
        """Serve until stopped; why it ended by itself, or "". Raises VaultError, StoreError."""
        make_host = await asyncio.to_thread(self._prepare)
        if self._stopping:
            return ""
        self._host = host = make_host(clock=self._clock, tasks=self._tasks)
        running = EngineStatus(EngineWord.RUNNING, facts=self._held.facts, own=True)
        await host.run(lambda _states: self._show(running))
        return host.fault

    def _prepare(self) -> Callable[..., EngineHost]:
        """What takes its time: loading the engine and the adapters, opening the vault. Raises VaultError."""
        from app.engine.host import EngineHost

        return partial(EngineHost, self._held, self._services.catalogue, self._services.vault)

    def _show(self, status: EngineStatus) -> None:
        if status != self.status:
            self.status = status
            self._on_change(status)
