"""Whether an engine serves this store right now, as every process can see it in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from adapters.base import Clock
from app.engine.facts import ENGINE_FACT
from app.errors import OperatorError
from app.fleet.freshness import CLOCKS_APART_MS
from app.store.facts import get_fact
from app.store.store import Store

SILENT_AFTER_MS = 10_000
"""An engine beats every 2 s; one that was silent for so long does not answer."""


class NoEngine(OperatorError):
    """Nobody is there to do the work."""


def is_engine_running(connection: Connection, now_ms: int) -> bool:
    beat = get_fact(connection, ENGINE_FACT)
    return beat is not None and _is_alive(beat, now_ms)


def engine_gone_since_ms(connection: Connection, now_ms: int) -> int | None:
    """The last heartbeat of an engine that serves no more; None while one does, and where none ever did."""
    beat = get_fact(connection, ENGINE_FACT)
    if beat is None or _is_alive(beat, now_ms):
        return None
    return min(int(beat.get("beat_at_ms", 0)), now_ms)


def _is_alive(beat: Mapping[str, Any], now_ms: int) -> bool:
    age_ms = now_ms - int(beat.get("beat_at_ms", 0))
    return beat.get("state") != "stopped" and -CLOCKS_APART_MS <= age_ms < SILENT_AFTER_MS


def require_engine(store: Store, clock: Clock) -> None:
    """Raises NoEngine, with how to start one, unless an engine serves this store."""
    with store.read() as connection:
        if is_engine_running(connection, clock.now_ms()):
            return
    raise NoEngine("No engine is running for this store. Start “biko-console gateway”, or open the window.")
