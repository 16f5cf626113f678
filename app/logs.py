"""Log files that rotate, the last lines in memory, and a fault log for crashes below Python.

Each process writes its own files: two processes must not rotate one. Every handler formats through one formatter
that blanks secrets and keeps a record on its own line, so that text from outside can neither leak nor forge.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import logging.handlers
import re
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from app import platform
from app.paths import Paths
from app.security.redaction import redact, redact_text

_FILE_BYTES = 5_000_000
_FILES_KEPT = 5
_LINES_IN_MEMORY = 2_000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUIET = ("httpx", "httpcore", "websockets", "asyncio", "keyring", "filelock", "alembic")
"""Libraries whose everyday lines name every request; their warnings stay."""

EVENTS = "events"
"""Name of the logger whose records go, one JSON object per line, to ``events-<process>.jsonl``."""


class Logs:
    """The logs of one process, from :meth:`open` to :meth:`close`."""

    def __init__(self, folder: Path, process: str) -> None:
        self._folder = folder
        self._process = process
        self._handlers: list[tuple[logging.Logger, logging.Handler]] = []
        self._ring = _Ring()
        self._levels: dict[logging.Logger, int] = {}
        self._fault_file: TextIO | None = None
        self.last_fault = ""

    @classmethod
    def open(cls, paths: Paths, process: str, *, debug: bool = False, to_stderr: bool = False) -> Logs:
        """Start logging for ``process`` (``console``, ``gateway`` …).

        Raises nothing when the files cannot be written (a full disk): the lines in memory stay, and the reason is
        the first of them.
        """
        logs = cls(paths.logs, process)
        root, events = logging.getLogger(), logging.getLogger(EVENTS)
        logs._set_level(root, logging.DEBUG if debug else logging.INFO)
        # A handler that fails (full disk, closed pipe) would print the bare record to standard error.
        logging.raiseExceptions = False
        for name in _QUIET:
            logs._set_level(logging.getLogger(name), logging.NOTSET if debug else logging.WARNING)
        events.propagate = False
        logs._add(root, logs._ring, LineFormatter())
        if to_stderr:
            logs._add(root, logging.StreamHandler(sys.stderr), LineFormatter())
        try:
            paths.logs.mkdir(parents=True, exist_ok=True)
            logs._add(root, _rotating(paths.logs / f"{process}.log"), LineFormatter())
            logs._add(events, _rotating(paths.logs / f"events-{process}.jsonl"), JsonFormatter())
            logs._open_fault_log()
        except OSError as err:
            root.warning("Log files in %s cannot be written: %s", paths.logs, err.strerror)
        return logs

    def recent(self, count: int = _LINES_IN_MEMORY) -> list[str]:
        """The last lines of this process, oldest first."""
        return self._ring.lines()[-count:]

    def close(self) -> None:
        """Stop logging, let go of the files, and leave the loggers as they were."""
        for logger, handler in self._handlers:
            logger.removeHandler(handler)
            handler.close()
        self._handlers.clear()
        for logger, level in self._levels.items():
            logger.setLevel(level)
        self._levels.clear()
        if self._fault_file is not None:
            faulthandler.disable()
            self._fault_file.close()
            self._fault_file = None

    def _set_level(self, logger: logging.Logger, level: int) -> None:
        self._levels[logger] = logger.level
        logger.setLevel(level)

    def _add(self, logger: logging.Logger, handler: logging.Handler, formatter: logging.Formatter) -> None:
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        self._handlers.append((logger, handler))

    def _open_fault_log(self) -> None:
        """Keep what the last run left in the fault log as ``last_fault``, and begin a new one."""
        path = self._folder / f"fault-{self._process}.log"
        if path.exists() and path.stat().st_size:
            self.last_fault = redact_text(path.read_text(encoding="utf-8", errors="replace")[-100_000:])
            path.replace(path.with_suffix(".last.log"))
        self._fault_file = path.open("w", encoding="utf-8")
        platform.make_private(path)
        faulthandler.enable(self._fault_file)


class LineFormatter(logging.Formatter):
    """One line per record, time in UTC; a traceback follows indented. Secrets are blanked last of all."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        line = f"{moment}Z {record.levelname:<8} {record.name}: {one_line(_message(record))}"
        trace = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            trace.append(record.stack_info)
        lines = [line, *("    " + one_line(part) for text in trace for part in text.splitlines())]
        return redact_text("\n".join(lines))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, event, and the fields given as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields: dict[str, Any] = redact(getattr(record, "fields", None) or {})
        facts = {"at": moment, "event": redact_text(_message(record)), **fields}
        return (
            json.dumps(facts, ensure_ascii=False, default=str).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        )


def log_event(event: str, **fields: Any) -> None:
    """Write one line to the event file of this process."""
    logging.getLogger(EVENTS).info("%s", event, extra={"fields": fields})


def one_line(text: str) -> str:
    """``text`` with control characters spelt out: text from outside cannot begin a line of its own."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _Ring(logging.Handler):
    """The last lines in memory, for the crash report and the log page."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=_LINES_IN_MEMORY)
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging must never fail its caller
            self.handleError(record)
            return
        with self._guard:
            self._lines.append(line)

    def lines(self) -> list[str]:
        with self._guard:
            return list(self._lines)


def _rotating(path: Path) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", errors="backslashreplace"
    )
    platform.make_private(path)
    return handler


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong placeholder costs its values, not the line
        return f"{record.msg} {record.args!r}"
