"""A text that is edited in a dialog, from a file and into one."""

from __future__ import annotations

import asyncio

from PySide6.QtWidgets import QWidget

from resources.i18n import tr
from widgets import ask

LONGEST_TEXT = 1_000_000
"""Characters; a longer one is no profile and no set of rules."""


async def open_text(parent: QWidget, title: str, kind: str) -> tuple[str | None, str]:
    """Let the operator choose a file; its text, or None and why ("" where nothing was chosen)."""
    file = await ask.open_file(parent, title, (kind,))
    if file is None:
        return None, ""
    try:
        text = await asyncio.to_thread(file.read_text, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as err:
        why = getattr(err, "strerror", None) or tr("it is no text")
        return None, tr("{file} cannot be read: {why}.", file=file.name, why=why)
    return text[:LONGEST_TEXT], ""


async def keep_text(parent: QWidget, title: str, name: str, kind: str, text: str) -> str:
    """Let the operator choose where to write; why it could not be written, "" where it was, or nothing chosen."""
    file = await ask.save_file(parent, title, name, (kind,))
    if file is None:
        return ""
    try:
        await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    except OSError as err:
        return tr("{file} cannot be written: {why}.", file=file.name, why=err.strerror or str(err))
    return ""
