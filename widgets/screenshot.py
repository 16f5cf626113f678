"""A page as a PNG, once it shows its data."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication

from resources.i18n import tr
from widgets.theme import ThemeMode
from widgets.window import ConsoleWindow

WAIT_S = 20.0
POLL_S = 0.05
SETTLE_ROUNDS = 4  # layouts, scroll bars and delayed redraws follow within a few turns of the loop


async def grab_page(
    window: ConsoleWindow,
    page: str,
    path: Path,
    theme: ThemeMode | None = None,
    size: tuple[int, int] | None = None,
    *,
    wait_s: float = WAIT_S,
) -> bool:
    """Show ``page``, wait until it has its data, and save it as PNG; ``size`` in logical pixels.

    Returns False when the page was not ready within ``wait_s`` (what there is is saved all the same). Raises KeyError
    for an unknown page, OSError when the file cannot be written.
    """
    if theme is not None:
        window.context.theme.set_mode(theme)
    if size is not None:
        window.resize(QSize(*size))
    window.open_page(page)
    shown = window.page
    deadline = time.monotonic() + wait_s
    while shown is not None and not shown.is_ready and time.monotonic() < deadline:  # noqa: ASYNC110 - a page's own word
        await asyncio.sleep(POLL_S)
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(POLL_S)
        QApplication.sendPostedEvents()
    save_window(window, path)
    return shown is not None and shown.is_ready


def save_window(window: ConsoleWindow, path: Path) -> None:
    """The window as it is now. Raises OSError when the file cannot be written."""
    if not window.grab().save(str(path), "PNG"):
        raise OSError(tr("The picture {path} cannot be written; choose another place.", path=path))
