"""What a window shows of its engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
