"""Borrowing a serial port from the engine for the workbench, in the window and on the command line alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any

from adapters.base import Clock
from app.engine.commands import LEND, RETURN, give_command, outcome_of
from app.engine.ports import read
from app.engine.running import is_engine_running
from app.errors import OperatorError
from app.store.errors import StoreError
from app.store.ids import new_id
from app.store.store import Store
from app.tasks import Tasks

ANSWER_S = 3.0
"""The engine has 2 s to let go; the rest is the way there and back."""
RENEW_S = 10.0
_LOOK_S = 0.05

_log = logging.getLogger(__name__)


class NotLent(OperatorError):
    """The engine did not give the port up."""


class PortLoan:
    """``async with PortLoan(…)``: inside, the port is free for us, whoever read it before.

    Without a store, or while no engine runs, there is nobody to borrow from and the port is simply opened.
    ``lent_by`` names the integrations that wait for it meanwhile. Raises NotLent on entering.
    """

    def __init__(self, store: Store | None, port: str, *, clock: Clock, tasks: Tasks) -> None:
        self.port = port
        self.lent_by: tuple[str, ...] = ()
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._borrower = new_id()
        self._has_asked = False

    async def __aenter__(self) -> PortLoan:
        if self._store is None:
            return self
        try:
            if await self._is_engine_there(self._store):
                await self._borrow(self._store)
            self._tasks.start(self._renew_along(self._store), name=f"loan of {self.port}", owner=self)
        except BaseException:
            await self._give_back(self._store)
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._tasks.cancel_owner(self)
        if self._store is not None:
            await self._give_back(self._store)

    async def _borrow(self, store: Store) -> None:
        outcome = await self._ask(store, LEND)
        if outcome is None:
            raise NotLent(f"The engine did not answer when asked for {self.port}. Try again, or stop the engine.")
        if not outcome.get("ok"):
            raise NotLent(str(outcome.get("error") or f"The engine did not give {self.port} up."))
        self.lent_by = tuple(str(name) for name in outcome.get("lent_by", ()))

    async def _renew_along(self, store: Store) -> None:
        """Also an engine that starts meanwhile learns that the port is ours."""
        while True:
            await self._clock.sleep(RENEW_S)
            try:
                if await self._is_engine_there(store):
                    await self._borrow(store)
            except OperatorError as err:  # the port itself is ours as long as it is open
                _log.warning("the loan of %s could not be renewed: %s", self.port, err.why)

    async def _give_back(self, store: Store) -> None:
        """Where this fails, the loan ends by itself."""
        if not self._has_asked:
            return
        try:
            await self._give(store, RETURN)
        except StoreError as err:
            _log.warning("%s could not be given back, which happens by itself soon: %s", self.port, err.why)

    async def _is_engine_there(self, store: Store) -> bool:
        return await read(store, partial(is_engine_running, now_ms=self._clock.now_ms()))

    async def _ask(self, store: Store, name: str) -> Mapping[str, Any] | None:
        """The engine's answer, None when it gives none in time."""
        command_id = await self._give(store, name)
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + ANSWER_S
        while loop.time() < ends_s:
            outcome = await read(store, partial(outcome_of, command_id=command_id))
            if outcome is not None:
                return outcome
            await asyncio.sleep(_LOOK_S)
        return None

    async def _give(self, store: Store, name: str) -> str:
        self._has_asked = True
        payload = {"port": self.port, "borrower": self._borrower}
        job = partial(give_command, name=name, now_ms=self._clock.now_ms(), payload=payload)
        return await asyncio.wrap_future(store.write(job))
