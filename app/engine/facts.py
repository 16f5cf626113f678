"""Who runs the engine of a data folder, as ``engine.json`` beside the lock says, and the words on its streams."""

from __future__ import annotations

import json
import logging
import os
import sys
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

_OUR_WORDS = frozenset({"gateway", "demo"})
"""One of them stands in the command line of every process that runs an engine for a console or the demo."""

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
        facts = EngineFacts(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (facts.version, facts.store_revision, facts.started_by, facts.host)
    is_sound = type(facts.pid) is int and 0 < facts.pid < 2**31 and type(facts.started_at_ms) is int
    return facts if is_sound and all(isinstance(text, str) for text in texts) else None


def end_engine(facts: EngineFacts) -> bool:
    """Ask the engine of these facts to end; False, and nothing is touched, where its process is another program.

    A number is given again after its process has ended, and a file can say anything.
    """
    command = platform.command_of(facts.pid)
    if len(command) > 1:
        is_ours = any(word.lstrip("-") in _OUR_WORDS for word in command)
    else:  # Windows tells the program's file only
        is_ours = any(Path(name).name.lower() == Path(sys.executable).name.lower() for name in command)
    if not is_ours:
        _log.warning("process %d is no engine of this program and is left alone", facts.pid)
        return False
    platform.end_process(facts.pid)
    return True


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
