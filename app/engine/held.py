"""The hold of one engine on its store: the lock, the facts beside it, the store made ready and opened."""

from __future__ import annotations

import logging
import os
import socket

from adapters.base import Clock
from app.engine.facts import EngineFacts, EngineHeld, read_facts, write_facts
from app.paths import Paths
from app.store.locks import EngineLock
from app.store.prepare import Prepared, prepare_store
from app.store.recovery import describe
from app.store.revision import HEAD
from app.store.store import Store
from app.versions import program_version

_log = logging.getLogger(__name__)


class HeldStore:
    """The store of a data folder as its engine has it: locked, made ready, open. Everything here blocks.

    ``prepared`` says what had to be done before it could be opened.
    """

    def __init__(self, paths: Paths, lock: EngineLock, store: Store, prepared: Prepared, facts: EngineFacts) -> None:
        self.paths = paths
        self.store = store
        self.prepared = prepared
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
        """Take the engine lock, recover a damaged file, upgrade, open. Raises EngineHeld, StoreError, OSError."""
        paths.create()
        url = database_url or paths.store_url
        lock = EngineLock(url, paths.engine_lock, password=password)
        if not lock.acquire():
            raise EngineHeld(read_facts(paths.engine_json))
        try:
            prepared = prepare_store(url, paths.backups, password=password)
            if prepared.recovered is not None:
                _log.error("%s", describe(prepared.recovered))
            store = Store.open(url, password=password)
        except BaseException:
            lock.release()
            raise
        facts = EngineFacts(
            os.getpid(), program_version(), HEAD, started_by, clock.now_ms(), socket.gethostname() or "this computer"
        )
        write_facts(paths.engine_json, facts)
        return cls(paths, lock, store, prepared, facts)

    @property
    def is_held(self) -> bool:
        return self._lock.is_held

    def close(self) -> None:
        """Write what waits, close the store, give the lock back."""
        self.store.close()
        self.paths.engine_json.unlink(missing_ok=True)
        self._lock.release()
