"""Phases, badges, counters and streams in the words and colours of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.catalogue import CATEGORY_LABELS, Entry
from app.clock import utc_now
from app.engine.phases import Phase
from app.integrations import IntegrationRow
from resources import has_icon
from resources.i18n import tr
from widgets.formats import Formats
from widgets.theme import Level

ALL = "all"
PLAIN_ICON = "plug"


def icon_of(entry: Entry | None) -> str:
    """The entry's icon where it is shipped: a package of others may name any, or be gone."""
    return entry.icon if entry is not None and has_icon(entry.icon) else PLAIN_ICON


_PHASES: Mapping[Phase, tuple[Level, str]] = {
    Phase.NOT_CONFIGURED: ("neutral", "Not configured"),
    Phase.DISABLED: ("neutral", "Disabled"),
    Phase.STARTING: ("info", "Starting"),
    Phase.HEALTHY: ("ok", "Healthy"),
    Phase.STALE: ("warn", "Stale"),
    Phase.RETRYING: ("warn", "Retrying"),
    Phase.NEEDS_SIGN_IN: ("error", "Needs sign-in"),
    Phase.MISCONFIGURED: ("error", "Misconfigured"),
    Phase.ERROR: ("error", "Error"),
}

NEEDS_ATTENTION = frozenset(
    {Phase.STALE, Phase.RETRYING, Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR},
)

_COUNTERS: Mapping[str, str] = {
    "skipped_bytes": "Skipped bytes",
    "malformed_frames": "Malformed frames",
    "unknown_frames": "Frames of unknown kind",
    "bad_checksum_frames": "Bad checksums",
    "foreign_messages": "Messages of other protocols",
    "refused_connections": "Refused connections",
    "second_connections": "Second connections of one tracker",
    "flood_pauses": "Pauses because of floods",
    "store_pauses": "Pauses because the store was busy",
    "withheld_replies": "Replies withheld, nothing stored",
    "undelivered_replies": "Replies that could not be delivered",
    "dropped_datagrams": "Dropped datagrams",
    "unknown_device": "Positions of unlisted devices",
    "internal_errors": "Internal errors",
}


@dataclass(frozen=True, slots=True)
class CardBadge:
    """The one badge of a card. A state has a shape beside its word; what is no state has only the word."""

    text: str
    level: Level | Literal["new"]
    is_state: bool = False


def category_choices() -> list[tuple[str, str]]:
    """The single choice above the cards: (value, label), all first."""
    return [(ALL, tr("All Integrations")), *((key, tr(label)) for key, label in CATEGORY_LABELS.items())]


def matches(entry: Entry, text: str, category: str) -> bool:
    """Case-insensitive part of the name or the description, and the category."""
    wanted = text.strip().casefold()
    found = wanted in entry.name.casefold() or wanted in entry.description.casefold()
    return found and category in (ALL, entry.category)


def badge_of(entry: Entry, rows: Sequence[IntegrationRow]) -> CardBadge | None:
    """By the first rule that applies (biko.md 1.4); of several instances the worst speaks for the card."""
    if entry.coming_soon:
        return CardBadge(tr("Coming Soon"), "neutral")
    if entry.is_new:
        return CardBadge(tr("New"), "new")
    if not rows:
        return None
    words = {row.status for row in rows}
    if "error" in words:
        return CardBadge(tr("Error"), "error", is_state=True)
    if "active" in words:
        return CardBadge(tr("Active"), "ok", is_state=True)
    return CardBadge(tr("Configured"), "warn", is_state=True)


def phase_pill(phase: str) -> tuple[Level, str]:
    """Level and word of a phase."""
    level, word = _PHASES[Phase(phase)]
    return level, tr(word)


def explain(row: IntegrationRow, description: str) -> str:
    """The sentence of a list item: what the engine says of it, else what it is."""
    if row.phase == Phase.DISABLED:
        return tr("Switched off: nothing is received or fetched. Its settings and data stay.")
    return row.reason or description


def times_line(row: IntegrationRow, formats: Formats, now: datetime | None = None) -> str:
    """``Healthy for 4 min · next try in 40 s · Last sync: 20 s ago``; ticks with the clock."""
    now = now or utc_now()
    level_word = phase_pill(row.phase)[1]
    held = formats.span(max(0.0, (now - row.since).total_seconds()))
    parts = [tr("{phase} for {span}", phase=level_word, span=held)]
    if row.next_try is not None:
        parts.append(next_try_words(row.next_try, formats, now))
    if row.last_sync is not None:
        parts.append(tr("Last sync: {ago}", ago=formats.ago(row.last_sync, now=now)))
    return " · ".join(parts)


def next_try_words(at: datetime, formats: Formats, now: datetime) -> str:
    left_s = (at - now).total_seconds()
    return tr("trying now") if left_s < 1 else tr("retrying in {span}", span=formats.span(left_s))


def counter_label(name: str) -> str:
    """What the engine counts under ``name``; a third party's own counters are shown by their name."""
    return tr(_COUNTERS.get(name, name.replace("_", " ").capitalize()))
