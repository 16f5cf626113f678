"""The operator's choices as the window sees them: one frozen snapshot, a change at a time, a signal after it."""

from __future__ import annotations

import asyncio
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.preferences import PreferencesFile


class Preferences(QObject):
    """``choices`` is what holds now; ``changed`` is emitted after it was replaced and saved."""

    changed = Signal()

    def __init__(self, file: PreferencesFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self.choices = file.load()

    async def change(self, **values: Any) -> None:
        """Save new values of :class:`app.preferences.Preferences`, off the UI thread, then let them hold.

        Raises ValueError with a sentence for a value that cannot be, OSError when the file cannot be written.
        """
        choices = self.choices.changed(**values)
        if choices == self.choices:
            return
        await asyncio.to_thread(self._file.save, choices)
        self.choices = choices
        self.changed.emit()
