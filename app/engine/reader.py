"""The reader of an inbox: what was pushed and kept is understood, message by message, and what it brought is stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from adapters.base import Meaning
from adapters.errors import AdapterError, RecordRejected
from adapters.records import Batch, Rejected
from app.engine.commands import SYNC, give_command
from app.engine.inlet import GROUP_RECORDS, Intake
from app.engine.ports import Ports, read, rings_within
from app.integrations.rows import Configured
from app.store.errors import StoreError
from app.sync.inbox import InboxState, Waiting, integration_named, mark_handled, waiting_messages

AT_ONCE = 20
PATIENCE_S = 60.0
STORE_REST_S = 5.0

Translate = Callable[[bytes], Meaning]

_log = logging.getLogger(__name__)


class InboxReader:
    """Runs on the session's loop beside its legs; it has no part in the phase."""

    def __init__(self, configured: Configured, ports: Ports, intake: Intake, make: Callable[[], Translate]) -> None:
        self._configured = configured
        self._ports = ports
        self._intake = intake
        self._make = make
        self._wake = asyncio.Event()

    def moved(self) -> None:
        """A message was kept, or is to be processed again. Call it on the loop."""
        self._wake.set()

    async def serve(self) -> None:
        """Read until cancelled. Without rules nothing is read: the messages wait."""
        try:
            translate = await asyncio.to_thread(self._make)
        except AdapterError as err:
            _log.info("messages of %s wait: %s", self._configured.name, err.why)
            return
        while True:
            self._wake.clear()
            try:
                if await self._read_some(translate):
                    continue
            except StoreError as err:
                _log.warning("the inbox of %s cannot be read now: %s", self._configured.name, err.why)
                await self._ports.clock.sleep(STORE_REST_S)
            await rings_within(self._wake, PATIENCE_S, self._ports.clock)

    async def _read_some(self, translate: Translate) -> bool:
        """Understand the oldest that wait; whether there were any."""
        ask = partial(waiting_messages, integration_id=self._configured.id, limit=AT_ONCE)
        messages = await read(self._ports.store, ask)
        for message in messages:
            await self._understand(message, translate)
        return bool(messages)

    async def _understand(self, message: Waiting, translate: Translate) -> None:
        try:
            meaning = await asyncio.to_thread(translate, message.body)
        except RecordRejected as err:
            await self._mark(message, InboxState.REFUSED, err.why)
            return
        except Exception as err:  # noqa: BLE001 - one message must not end the others
            _log.exception("a pushed message could not be understood")
            why = f"This program failed at it ({type(err).__name__}). Report it with the log of this day."
            await self._mark(message, InboxState.REFUSED, why)
            return
        records = list(meaning.records)
        for start in range(0, len(records), GROUP_RECORDS):
            await asyncio.shield(self._intake.deliver(Batch(records[start : start + GROUP_RECORDS])))
        aside = sum(isinstance(record, Rejected) for record in records)
        why = f"{aside} of its records could not be read; they stand in the list of rejected records." if aside else ""
        await self._mark(message, InboxState.DONE, why, meaning, len(records) - aside)

    async def _mark(
        self, message: Waiting, state: InboxState, why: str, meaning: Meaning | None = None, records: int = 0
    ) -> None:
        now_ms = self._ports.clock.now_ms()

        def job(connection: Connection) -> None:
            told = why
            for name in meaning.fetch if meaning is not None else ():
                wanted = integration_named(connection, name)
                if wanted is None:
                    told = f"{told} No one integration is named “{name}”: correct the rules.".strip()
                else:
                    give_command(connection, SYNC, now_ms=now_ms, integration_id=wanted)
            mark_handled(connection, message.key, state, told, records=records, now_ms=now_ms)

        await asyncio.wrap_future(self._ports.store.write(job))
