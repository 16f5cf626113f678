"""Who runs the engine of a data folder, as ``engine.json`` beside the lock says, and the words on its streams."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from app import platform
from app.errors import OperatorError

ENGINE_FACT = "engine"
"""The store's fact with the same words and the heartbeat, for readers that do not see the data folder."""

READY_LINE = "ready"
"""A gateway's standard output, once every enabled integration was tried once."""
STOP_LINE = "stop"
"""A gateway's standard input: end cleanly."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What ``engine.json`` holds. ``started_by``: console, service or in-process."""

    pid: int
    version: str
    store_revision: str
    started_by: str
    started_at_ms: int
    host: str

    def spoken(self) -> str:
        where = {"console": "the console", "in-process": "a console window"}.get(self.started_by, "a service")
        return f"process {self.pid} on {self.host}, version {self.version}, started by {where}"


class EngineHeld(OperatorError):
    """Another engine serves this store; ``holder`` is None where it left no facts."""

    def __init__(self, holder: EngineFacts | None) -> None:
        who = holder.spoken() if holder is not None else "another process"
        super().__init__(f"The engine of this store runs already: {who}. Stop that one first, or leave the work to it.")
        self.holder = holder


def read_facts(path: Path) -> EngineFacts | None:
    """The facts beside the lock; None where there are none, or none that can be read."""
    try:
        return EngineFacts(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_facts(path: Path, facts: EngineFacts) -> None:
    """Say who runs the engine. A full disk must not keep it from serving, so a failure is only logged."""
    try:
        platform.write_durably(path, json.dumps(asdict(facts)).encode())
    except OSError as err:
        _log.warning("%s could not be written: %s", path, err.strerror)


def touch_facts(path: Path) -> None:
    """The heartbeat that a full disk cannot stop: the file's time of change."""
    try:
        os.utime(path)
    except OSError:
        _log.debug("%s is not there to be touched", path)
