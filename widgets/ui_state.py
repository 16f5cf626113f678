"""Sizes, columns and the like, by name, in one file; a bad entry costs only itself, a bad file only the newest save."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer

from widgets.files import write_replacing

SAVE_EVERY_MS = 30_000
log = logging.getLogger(__name__)


class UiState(QObject):
    """Parts register how to take and give their state; it is given once at registration, taken now and then."""

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self._backup = file.with_suffix(".bak.json")
        self._saved = self._read()
        self._takers: dict[str, Callable[[], Any]] = {}
        self._timer = QTimer(self, interval=SAVE_EVERY_MS)
        self._timer.timeout.connect(self.save)
        self._timer.start()

    def register(self, name: str, take: Callable[[], Any], give: Callable[[Any], None]) -> None:
        """``take`` returns a JSON value at each save; ``give`` gets the one of last time, at once, if there is one."""
        self._takers[name] = take
        if name not in self._saved:
            return
        try:
            give(self._saved[name])
        except Exception as err:  # noqa: BLE001 - whatever an old or damaged entry provokes must not cost the rest
            log.warning("The saved state of %s is ignored: %s", name, err)

    def unregister(self, name: str) -> None:
        """Keep what the part has now and ask it no more."""
        self._take(name, self._takers.pop(name))

    def save(self) -> None:
        """Write what changed. A failure is logged: habits are not worth a message box."""
        before = json.dumps(self._saved, sort_keys=True)
        for name, take in self._takers.items():
            self._take(name, take)
        text = json.dumps(self._saved, sort_keys=True)
        if text == before and self._file.exists():
            return
        try:
            if self._file.exists():
                write_replacing(self._backup, self._file.read_text(encoding="utf-8"))
            write_replacing(self._file, text)
        except (OSError, UnicodeDecodeError) as err:
            log.warning("The window's state cannot be saved in %s: %s", self._file, err)

    def close(self) -> None:
        self._timer.stop()
        self.save()

    def _take(self, name: str, take: Callable[[], Any]) -> None:
        try:
            value = take()
            json.dumps(value)
        except Exception as err:  # noqa: BLE001 - one part's defect must not cost the state of the others
            log.warning("The state of %s cannot be saved: %s", name, err)
        else:
            self._saved[name] = value

    def _read(self) -> dict[str, Any]:
        for file in (self._file, self._backup):
            try:
                saved = json.loads(file.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as err:
                log.warning("The window's state in %s cannot be read: %s", file, err)
                continue
            if isinstance(saved, dict):
                return saved
        return {}
