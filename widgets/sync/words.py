"""How the page words what it shows: three facts in three words, never one for another."""

from __future__ import annotations

from datetime import datetime

from app.sync.conflict_list import ConflictListing
from app.sync.inbox import InboxRow, InboxState
from app.sync.listing import OutboxRow
from app.sync.streams import StreamRow
from app.sync.words import State
from resources.i18n import tr
from widgets.formats import Formats
from widgets.theme import Level

STATE_WORDS = {
    State.WAITING: tr("Saved here"),
    State.SENDING: tr("Being sent"),
    State.DOUBTFUL: tr("Sent, answer lost"),
    State.ACCEPTED: tr("Accepted"),
    State.REFUSED: tr("Refused"),
    State.CONFLICT: tr("Conflict"),
    State.SET_ASIDE: tr("Set aside"),
    State.CANCELLED: tr("Cancelled"),
}
_LEVELS: dict[str, Level] = {
    State.WAITING: "neutral",
    State.SENDING: "info",
    State.DOUBTFUL: "warn",
    State.ACCEPTED: "ok",
    State.REFUSED: "error",
    State.CONFLICT: "error",
    State.SET_ASIDE: "neutral",
    State.CANCELLED: "neutral",
}
KEPT_WORDS = {
    "ours": tr("Ours kept"),
    "theirs": tr("Theirs kept"),
    "both": tr("Both kept"),
    "merge": tr("Merged"),
}
INBOX_WORDS = {
    InboxState.WAITING: tr("Waits"),
    InboxState.DONE: tr("Processed"),
    InboxState.REFUSED: tr("Not understood"),
}
_INBOX_LEVELS: dict[str, Level] = {
    InboxState.WAITING: "info",
    InboxState.DONE: "ok",
    InboxState.REFUSED: "error",
}
RULE_WORDS = {
    "": tr("Own rule"),
    "ask": tr("Ask me"),
    "ours": tr("Keep ours"),
    "theirs": tr("Keep theirs"),
}


def state_badge(row: OutboxRow) -> tuple[Level, str]:
    if row.is_paused and row.state in (State.WAITING, State.DOUBTFUL):
        return "neutral", tr("Paused")
    return _LEVELS[row.state], STATE_WORDS[State(row.state)]


def inbox_badge(row: InboxRow) -> tuple[Level, str]:
    return _INBOX_LEVELS[row.state], INBOX_WORDS[InboxState(row.state)]


def next_try(row: OutboxRow, formats: Formats, now: datetime) -> str:
    """When it is tried next, or what it waits for."""
    if row.state not in (State.WAITING, State.DOUBTFUL):
        return ""
    if row.is_paused:
        return tr("paused")
    if row.next_try is None or row.next_try <= now:
        return tr("due now")
    return formats.ago(row.next_try, now=now)


def conflict_badge(row: ConflictListing) -> tuple[Level, str]:
    if row.is_open:
        return "error", tr("To decide")
    return "ok", KEPT_WORDS.get(row.kept, row.kept)


def stream_badge(row: StreamRow) -> tuple[Level, str]:
    if row.is_paused:
        return "neutral", tr("Paused")
    if row.trouble:
        return "error", tr("Trouble")
    if row.phase == "disabled":
        return "neutral", tr("Disabled")
    if row.read_at is None:
        return "neutral", tr("Not read yet")
    return "ok", tr("Read")
