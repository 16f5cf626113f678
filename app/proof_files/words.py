"""States of files, and their words on screens, in commands and in packs."""

from __future__ import annotations

from enum import StrEnum


class FileState(StrEnum):
    WAITING = "waiting"
    FETCHING = "fetching"
    KEPT = "kept"
    OFF = "off"
    BLOCKED = "blocked"
    REFUSED = "refused"
    REMOVED = "removed"


STATE_WORDS = {
    FileState.WAITING: "waits to be fetched",
    FileState.FETCHING: "is being fetched",
    FileState.KEPT: "kept here",
    FileState.OFF: "not fetched",
    FileState.BLOCKED: "not allowed to be fetched",
    FileState.REFUSED: "refused",
    FileState.REMOVED: "removed here",
}
NO_PICTURE_WORD = "kept here, is no photo"
OPEN = (FileState.WAITING, FileState.FETCHING)
"""What the engine still has work with."""
ASKABLE = (FileState.WAITING, FileState.OFF, FileState.BLOCKED, FileState.REFUSED, FileState.REMOVED)
"""What an operator can have fetched now."""


def size_words(size: int) -> str:
    """Bytes for a person: ``640 kB``, ``3.2 MB``."""
    if size < 1_000_000:
        return f"{max(round(size / 1000), 1 if size else 0)} kB"
    return f"{size / 1_000_000:.1f} MB"


def progress_words(received: int, total: int | None) -> str:
    """``3.2 of 20.0 MB``, ``3.2 MB`` where nobody says how much is to come."""
    if total is None:
        return size_words(received)
    if total < 1_000_000:
        return f"{round(received / 1000)} of {size_words(total)}"
    return f"{received / 1_000_000:.1f} of {size_words(total)}"
