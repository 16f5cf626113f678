"""How alarms are said: priority, state, age and evidence in words, each with its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from app.alarms.listing import CLEARED, HISTORY, SHELVED, STANDING, AlarmListing, Summary
from app.alarms.words import FLOOD_COUNT, KIND_WORDS, Priority
from resources.i18n import tr, trn
from widgets.formats import NOTHING, Formats
from widgets.theme import Level

PRIORITY_LEVELS: Mapping[str, Level] = {Priority.LOW: "info", Priority.MEDIUM: "warn", Priority.HIGH: "error"}
PRIORITY_WORDS: Mapping[str, str] = {
    Priority.LOW: tr("Low"),
    Priority.MEDIUM: tr("Medium"),
    Priority.HIGH: tr("High"),
}
GROUP_WORDS: Mapping[str, str] = {
    STANDING: tr("Standing"),
    CLEARED: tr("Cleared, not seen to"),
    SHELVED: tr("Shelved"),
    HISTORY: tr("History"),
}
HOUR_S = 3_600
OFTEN = 5
"""Repeats from which an alarm is said to flap."""


def priority(row: AlarmListing) -> str:
    return PRIORITY_WORDS.get(row.priority, row.priority)


def priority_badge(row: AlarmListing) -> tuple[Level, str]:
    return PRIORITY_LEVELS.get(row.priority, "neutral"), priority(row)


def kind(row: AlarmListing) -> str:
    return tr(KIND_WORDS.get(row.kind, row.kind.replace("_", " ")))


def state(row: AlarmListing, now_ms: int, formats: Formats) -> str:
    return state_badge(row, now_ms, formats)[1]


def state_badge(row: AlarmListing, now_ms: int, formats: Formats) -> tuple[Level, str]:
    """``Standing``, ``Seen to``, ``Cleared``, ``Shelved 2 h``, ``Over``."""
    group = row.group(now_ms)
    if group == SHELVED:
        return "neutral", tr("Shelved {span}", span=_span((row.shelved_until_ms or 0) - now_ms, formats))
    if group == HISTORY:
        return "neutral", tr("Over")
    if group == CLEARED:
        return "ok", tr("Cleared")
    if row.acknowledged_at_ms is not None:
        return "info", tr("Seen to")
    return PRIORITY_LEVELS.get(row.priority, "warn"), tr("Standing")


def age(row: AlarmListing, now_ms: int, formats: Formats) -> str:
    """How long ago it began."""
    return _span(now_ms - row.raised_at_ms, formats)


def _span(length_ms: int, formats: Formats) -> str:
    """In one unit, whole hours above one: narrow columns hold it."""
    seconds = max(0, length_ms) / 1000
    return formats.span(seconds if seconds < HOUR_S else seconds // HOUR_S * HOUR_S)


def repeats(row: AlarmListing) -> str:
    return f"{row.repeats:,}" if row.repeats else ""


def fact(value: Any, unit: str, formats: Formats) -> str:
    """One piece of evidence in the chosen zone and units; the units are those of ``app.alarms.findings``."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    if unit == "at":
        return formats.time(int(value))
    if unit == "span":
        return formats.span(timedelta(milliseconds=float(value)))
    if unit == "km/h":
        return formats.speed(float(value))
    number = formats.number(float(value), 0 if float(value).is_integer() else 1)
    return f"{number} {unit}".strip()


def place(row: AlarmListing) -> str | None:
    return None if row.lat is None or row.lon is None else f"{row.lat:.5f}, {row.lon:.5f}"


def line_of(summary: Summary) -> tuple[Level, str, str]:
    """Level, words and detail for the foot of the side bar and the tray."""
    if not summary.count:
        return "ok", tr("No alarms"), tr("Nothing wants somebody now.")
    level = PRIORITY_LEVELS[summary.worst]
    counts = [
        f"{count:,} {PRIORITY_WORDS[name].lower()}"
        for name, count in (
            (Priority.HIGH, summary.high),
            (Priority.MEDIUM, summary.medium),
            (Priority.LOW, summary.low),
        )
        if count
    ]
    words = trn("{count} alarm", "{count} alarms", summary.count)
    if summary.worst != Priority.LOW:
        words = f"{words}, {counts[0]}"
    detail = tr("Not seen to yet: {counts}.", counts=", ".join(counts))
    if is_flood(summary):
        detail = f"{detail} {flood_words(summary)}"
    return level, words, detail


def is_flood(summary: Summary) -> bool:
    return summary.lately > FLOOD_COUNT


def flood_words(summary: Summary) -> str:
    return tr(
        "Flood: {count} alarms within ten minutes. Look for what they have in common before seeing to each.",
        count=f"{summary.lately:,}",
    )


def unwatched_words(since_ms: int, formats: Formats) -> str:
    return tr(
        "No engine has been at work since {time}, so no new alarms are found. Once one runs again, it also finds what "
        "happened meanwhile; the foot of the side bar says what is wrong with it.",
        time=formats.time(since_ms),
    )


def names(rows: Sequence[AlarmListing], most: int = 8) -> str:
    """What an act is about, one per line."""
    lines = [row.title for row in rows[:most]]
    if len(rows) > most:
        lines.append(tr("and {n} more", n=f"{len(rows) - most:,}"))
    return "\n".join(lines)


def or_nothing(text: str) -> str:
    return text or NOTHING
