"""The two doors for unexpected errors (a slot's, a lost task's) and the one report behind both."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.clock import utc_now
from app.security.redaction import redact_text
from app.versions import version_lines

LOG_LINES = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CrashReport:
    """What happened, without secrets: everything that would be sent, and nothing is sent."""

    at: datetime
    where: str
    what: str
    trace: str
    log_tail: tuple[str, ...]
    versions: tuple[str, ...]

    def as_text(self) -> str:
        """The report as one text to copy or save."""
        return "\n".join(
            (
                f"BIKO depot console: unexpected error at {self.at:%Y-%m-%d %H:%M:%S} UTC",
                f"Where: {self.where}",
                f"What: {self.what}",
                "",
                *self.versions,
                "",
                self.trace.rstrip(),
                "",
                "Last log lines:",
                *self.log_tail,
                "",
            )
        )


class CrashReporter(QObject):
    """Logs every unexpected error and emits ``reported`` on the UI thread, once per distinct error."""

    reported = Signal(object)
    _happened = Signal(object)

    def __init__(self, log_tail: Callable[[], Sequence[str]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log_tail = log_tail
        self._known: set[str] = set()
        self._happened.connect(self._on_happened, Qt.ConnectionType.QueuedConnection)

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open both doors, and the one of other threads."""
        sys.excepthook = self._on_uncaught
        threading.excepthook = self._on_thread_failed
        loop.set_exception_handler(self._on_loop_error)

    def uninstall(self, loop: asyncio.AbstractEventLoop) -> None:
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        loop.set_exception_handler(None)

    def report(self, where: str, error: BaseException) -> None:
        """Log an error and have it shown; any thread. Fits ``app.tasks`` as its reporter."""
        if isinstance(error, KeyboardInterrupt | SystemExit | asyncio.CancelledError):
            return
        log.critical("Unexpected error in %s", where, exc_info=error)
        trace = redact_text("".join(traceback.format_exception(error)))
        what = redact_text(f"{type(error).__name__}: {error}")
        tail = tuple(redact_text(line) for line in self._log_tail()[-LOG_LINES:])
        self._happened.emit(CrashReport(utc_now(), where, what, trace, tail, tuple(version_lines())))

    @Slot(object)
    def _on_happened(self, report: CrashReport) -> None:
        if report.trace in self._known:  # the log has it again; the operator has seen it
            return
        self._known.add(report.trace)
        self.reported.emit(report)

    def _on_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        self.report("the window", error)

    def _on_thread_failed(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self.report(arguments.thread.name if arguments.thread else "a thread", arguments.exc_value)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = str(context.get("message") or "the event loop")
        self.report(where, error if isinstance(error, BaseException) else RuntimeError(where))
