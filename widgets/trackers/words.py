"""How the trackers page says what is known of a tracker."""

from __future__ import annotations

import re

from app.fleet.freshness import Freshness, clock_warning, freshness, suggested_offset_s
from app.fleet.listing import DeviceListing
from app.fleet.plausibility import mark_names
from resources.i18n import tr
from widgets.formats import NOTHING, Formats
from widgets.map.words import POWER_WORDS, SIGNAL_WORDS, level_word
from widgets.theme import Level

FRESHNESS_MEANINGS = {
    Freshness.ONLINE: "Something was received from it within the last 10 minutes.",
    Freshness.STALE: "Nothing was received from it for more than 10 minutes: two heartbeats are missing.",
    Freshness.SILENT: "Nothing was received from it for an hour or longer.",
    Freshness.NEVER: "Its server lists it, but nothing was ever received from it.",
}
_LEVELS: dict[Freshness, Level] = {
    Freshness.ONLINE: "ok",
    Freshness.STALE: "warn",
    Freshness.SILENT: "neutral",  # as on the map: a parked lorry's tracker may sleep
    Freshness.NEVER: "neutral",
}
HOUR_S = 3_600
_OFFSET = re.compile(r"([+\-−]?)([0-9]{1,2})(?::([0-5][0-9]))?(?::([0-5][0-9]))?")


def state_pill(row: DeviceListing, now_ms: int, formats: Formats) -> tuple[Level, str]:
    """The level and the word with its age: ``Online``, ``Stale 14 min``, ``Silent 3 h``."""
    word = freshness(row.last_seen_ms, now_ms)
    span = _span(max(0, now_ms - (row.last_seen_ms or 0)) / 1000, formats)
    texts = {
        Freshness.ONLINE: tr("Online"),
        Freshness.STALE: tr("Stale {span}", span=span),
        Freshness.SILENT: tr("Silent {span}", span=span),
        Freshness.NEVER: tr("Never heard"),
    }
    return _LEVELS[word], texts[word]


def state_tip(row: DeviceListing, now_ms: int, formats: Formats) -> str:
    meaning = tr(FRESHNESS_MEANINGS[freshness(row.last_seen_ms, now_ms)])
    if row.last_seen_ms is None:
        return meaning
    return tr("{meaning} Last heard {time}.", meaning=meaning, time=formats.time(row.last_seen_ms))


def last_frame(row: DeviceListing, now_ms: int, formats: Formats) -> str:
    """``heartbeat, 20 s ago``."""
    if row.last_seen_ms is None:
        return NOTHING
    return f"{row.last_kind.replace('_', ' ') or tr('frame')}, {age(row.last_seen_ms, now_ms, formats)}"


def age(at_ms: int | None, now_ms: int, formats: Formats) -> str:
    """How long ago; a moment ahead of this computer's clock reads as just now."""
    if not at_ms:
        return NOTHING
    seconds = max(0, now_ms - at_ms) / 1000
    return tr("just now") if seconds < 1 else tr("{span} ago", span=_span(seconds, formats))


def _span(seconds: float, formats: Formats) -> str:
    """In one unit, whole hours above one: narrow columns hold it."""
    return formats.span(seconds if seconds < HOUR_S else seconds // HOUR_S * HOUR_S)


def signal(row: DeviceListing) -> str:
    return level_word(SIGNAL_WORDS, row.gsm_level) or NOTHING


def signal_tip(row: DeviceListing) -> str:
    return _scale(tr("Mobile network"), SIGNAL_WORDS, row.gsm_level)


def battery(row: DeviceListing) -> str:
    """The level as a word, percent and volts where they are sent."""
    parts = [
        None if row.battery_percent is None else tr("{n} %", n=row.battery_percent),
        level_word(POWER_WORDS, row.power_level),
        None if row.battery_v is None else tr("{n} V", n=f"{row.battery_v:.1f}"),
        None if row.external_v is None else tr("vehicle {n} V", n=f"{row.external_v:.1f}"),
        tr("charging") if row.charging else None,
    ]
    return ", ".join(part for part in parts if part) or NOTHING


def battery_tip(row: DeviceListing) -> str:
    if row.power_level is None and row.battery_percent is not None:
        return tr("Battery, in percent as the tracker tells it.")
    return _scale(tr("Battery"), POWER_WORDS, row.power_level)


def _scale(name: str, words: tuple[str, ...], level: int | None) -> str:
    if level is None:
        return tr("{name}: this tracker has not told it.", name=name)
    steps = ", ".join(f"{at} {tr(word)}" for at, word in enumerate(words))
    return tr("{name}, as the tracker tells it in steps: {steps}.", name=name, steps=steps)


def marks(row: DeviceListing) -> str:
    return ", ".join(tr(name.replace("_", " ")) for name in mark_names(row.marks))


def clock_badge(row: DeviceListing) -> tuple[Level, str] | None:
    """A warning when the clock seems to keep another zone."""
    suggested = suggested_offset_s(row.clock_lag_s, row.clock_offset_s or 0)
    if suggested is None:
        return None
    ahead_s = suggested - (row.clock_offset_s or 0)
    span = offset_text(abs(ahead_s)).lstrip("+")
    return "warn", tr("{span} h ahead", span=span) if ahead_s > 0 else tr("{span} h behind", span=span)


def clock(row: DeviceListing) -> str:
    badge = clock_badge(row)
    if badge is not None:
        return badge[1]
    return "" if row.clock_offset_s is None else tr("set to {offset}", offset=zone_text(row.clock_offset_s))


def clock_tip(row: DeviceListing) -> str:
    return clock_warning(row.clock_lag_s, row.clock_offset_s or 0)


def zone_text(offset_s: int) -> str:
    """``UTC``, ``UTC+8:00``."""
    return "UTC" if offset_s == 0 else f"UTC{offset_text(offset_s)}"


def offset_text(offset_s: int) -> str:
    """``+8:00``, ``−0:30``, ``+1:00:05``; what :func:`parse_offset` reads."""
    minutes, seconds = divmod(abs(offset_s), 60)
    text = f"{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")
    return f"{'−' if offset_s < 0 else '+'}{text}"


def parse_offset(text: str) -> int | None:
    """Seconds of ``8``, ``+8:00``, ``-0:30`` or ``UTC+1``; None for anything else."""
    plain = "".join(text.split()).upper()
    found = _OFFSET.fullmatch("0" if plain == "UTC" else plain.removeprefix("UTC"))
    if found is None:
        return None
    sign, hours, minutes, seconds = found.groups()
    value = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return -value if sign in {"-", "−"} else value
