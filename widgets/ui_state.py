"""Sizes, columns and the like, by name, in one file; a bad entry costs only itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, QTimer

from app.preferences import JsonFile

SAVE_EVERY_MS = 30_000
log = logging.getLogger(__name__)


class UiState(QObject):
    """Parts register how to take and give their state; it is given once at registration, taken now and then."""

    def __init__(self, file: JsonFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self._entries = file.load()
        self._written = self._as_text()
        self._takers: dict[str, Callable[[], Any]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ui-state")
        self._timer = QTimer(self, interval=SAVE_EVERY_MS)
        self._timer.timeout.connect(self.save)
        self._timer.start()

    def register(self, name: str, take: Callable[[], Any], give: Callable[[Any], None]) -> None:
        """``take`` returns a JSON value at each save; ``give`` gets the one of last time, at once, if there is one."""
        self._takers[name] = take
        if name not in self._entries:
            return
        try:
            give(self._entries[name])
        except Exception as err:  # noqa: BLE001 - whatever an old or damaged entry provokes must not cost the rest
            log.warning("The saved state of %s is ignored: %s", name, err)

    def unregister(self, name: str) -> None:
        """Keep what the part has now and ask it no more; for parts that are closed before the window."""
        self._take(name, self._takers.pop(name))

    def save(self) -> None:
        """Write what changed, off the UI thread."""
        for name, take in self._takers.items():
            self._take(name, take)
        text = self._as_text()
        if text != self._written:
            self._written = text
            self._writer.submit(self._write, json.loads(text))

    def close(self) -> None:
        """Save for the last time and wait until it is on the disk."""
        self._timer.stop()
        self.save()
        self._takers.clear()
        self._writer.shutdown(wait=True)

    def _take(self, name: str, take: Callable[[], Any]) -> None:
        try:
            value = json.loads(json.dumps(take()))
        except Exception as err:  # noqa: BLE001 - one part's defect must not cost the state of the others
            log.warning("The state of %s cannot be saved: %s", name, err)
        else:
            self._entries[name] = value

    def _write(self, entries: dict[str, Any]) -> None:
        try:
            self._file.save(entries)
        except OSError as err:  # habits are not worth a message
            log.warning("The window's state cannot be saved: %s", err)

    def _as_text(self) -> str:
        return json.dumps(self._entries, sort_keys=True)
