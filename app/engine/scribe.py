"""The engine's notes (states, log lines, problems): written in order, kept while the store refuses, tried again."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

from sqlalchemy import Connection

from app.engine.alone import TransactionGone, run_alone
from app.store.errors import StoreClosed, StoreError
from app.store.store import Store

RETRY_S = 2.0
MOST_NOTES = 2_000
"""Notes kept while the store refuses; above it the oldest give way and are counted in the log file."""

Note = Callable[[Connection], object]

_log = logging.getLogger(__name__)


class _Nameless:
    """The key of a note that nothing replaces."""


class Scribe:
    """Notes from one loop to the store. Never blocks, never raises; a note is lost only with the process.

    After a refusal notes go one by one, those with a key first: on a full disk a state still fits into its row while
    a new log line finds no room.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._waiting: OrderedDict[object, Note] = OrderedDict()
        self._under_way: dict[object, Note] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._retry: asyncio.TimerHandle | None = None
        self._one_by_one = False

    def note(self, note: Note, *, key: object | None = None) -> None:
        """Write a note; a newer one under the same ``key`` replaces one that still waits."""
        self._waiting[_Nameless() if key is None else key] = note
        self._idle.clear()
        if len(self._waiting) > MOST_NOTES:
            self._waiting.popitem(last=False)
            _log.error("a note of the engine was given up, because the store has refused %d of them", MOST_NOTES)
        self._write()

    async def flush(self, seconds: float) -> bool:
        """Wait until all notes are stored; False when that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Stop trying again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _write(self) -> None:
        """Hand over what waits, as one job: notes of one moment cost one commit. After a refusal, the first alone."""
        if self._under_way or self._retry is not None:
            return
        if not self._waiting:
            self._one_by_one = False
            self._idle.set()
            return
        if self._one_by_one:
            key = next((key for key in self._waiting if not isinstance(key, _Nameless)), next(iter(self._waiting)))
            notes = self._under_way = {key: self._waiting.pop(key)}
        else:
            notes = self._under_way = dict(self._waiting)
            self._waiting.clear()
        outcome = self._store.write(lambda connection: _write_all(connection, list(notes.values())), rows=len(notes))
        outcome.add_done_callback(self._hand_over)

    def _hand_over(self, outcome: Future[Any]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._finish, outcome)
        except RuntimeError:  # the loop has ended
            _log.debug("notes were written after their loop")

    def _finish(self, outcome: Future[Any]) -> None:
        notes, self._under_way = self._under_way, {}
        try:
            outcome.result()
        except (StoreClosed, CancelledError):
            _log.warning("%d notes of the engine came after the store was closed", len(notes))
        except StoreError as err:
            _log.debug("notes of the engine wait: %s", err)
            self._keep(notes)
            self._one_by_one = True
            self._retry = self._loop.call_later(RETRY_S, self._try_again)
            return
        except Exception:  # noqa: BLE001 - a defect in a note must not end the engine
            _log.exception("notes of the engine could not be written")
        self._write()

    def _keep(self, notes: dict[object, Note]) -> None:
        """What was refused waits again: all in their order, one that was tried alone behind the others."""
        again = {key: note for key, note in notes.items() if key not in self._waiting}
        order = [self._waiting, again] if self._one_by_one else [again, self._waiting]
        self._waiting = OrderedDict((key, note) for part in order for key, note in part.items())

    def _try_again(self) -> None:
        self._retry = None
        self._write()


def _write_all(connection: Connection, notes: list[Note]) -> None:
    """A defect in one note costs that note only; the store's trouble stops all."""
    for note in notes:
        try:
            run_alone(connection, partial(note, connection))
        except TransactionGone as gone:
            raise gone.cause from gone
        except Exception:  # noqa: BLE001 - see above
            _log.exception("a note of the engine could not be written")
