"""Python's cycle collector, kept on the UI thread.

Left alone it runs in whatever thread allocates next; when the cycle it frees there holds a widget or a timer, Qt
objects are destroyed off their thread ("Timers cannot be stopped from another thread", then crashes). So automatic
collection is off, and a timer of the UI thread collects by the same thresholds (docs/decisions/0053).
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

LOOK_MS = 500


class UiThreadGarbage(QObject):
    """From construction to :meth:`stop` cycles are collected on this thread only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.freeze()  # what exists at the start stays: looking at it again and again would cost tens of milliseconds
        gc.disable()
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Collect the oldest generation that is due."""
        due = [
            number
            for number, (count, limit) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
            if limit and count > limit
        ]
        if due:
            gc.collect(max(due))

    def stop(self) -> None:
        """Back to how it was before."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()
