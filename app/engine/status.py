"""What a window shows of its engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.engine.facts import EngineFacts


class EngineWord(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    NOT_ANSWERING = "not_answering"
    RESTARTING = "restarting"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """``restart_at_ms`` only while restarting; ``own`` False: not this window's child."""

    word: EngineWord
    detail: str = ""
    facts: EngineFacts | None = None
    restart_at_ms: int | None = None
    own: bool = False


class WindowEngine(Protocol):
    """Whoever runs the engine for a window; everything on the window's loop."""

    def start(self) -> None:
        """Begin to run it, or to look after it."""
        ...

    def start_again(self, passphrase: str | None = None) -> None:
        """The operator's button; ``passphrase`` opens the vault where it has become known only now."""
        ...

    async def stop(self, *, keep: bool = False) -> None:
        """End it, unless it shall be kept and can be; a service's engine is always left alone."""
        ...
