"""How the activity page writes moments, kinds and contents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from app.clock import from_ms, utc_now
from resources.i18n import tr
from widgets.formats import NOTHING, Formats
from widgets.theme import Level

LOG_WORDS: Mapping[str, tuple[Level, str]] = {
    "sync_success": ("ok", "Run completed"),
    "sync_error": ("error", "Run failed"),
    "sync_skipped": ("warn", "Run skipped"),
    "sync_postponed": ("info", "Run postponed"),
    "peer_lost": ("warn", "Connection lost"),
    "peer_returned": ("ok", "Connection back"),
    "store_refused": ("error", "Not stored"),
    "store_returned": ("ok", "Stored again"),
    "sign_in": ("error", "Sign-in needed"),
    "misconfigured": ("error", "Wrong setting"),
    "unsupported": ("error", "Not supported"),
    "defect": ("error", "Defect"),
    "clock_jumped": ("warn", "Clock jumped"),
    "store_recovered": ("warn", "Store recovered"),
}
ACT_WORDS: Mapping[str, str] = {
    "integration.add": "Added an integration",
    "integration.change": "Changed an integration",
    "integration.enable": "Switched an integration on",
    "integration.disable": "Switched an integration off",
    "integration.remove": "Removed an integration",
    "device.adopt": "Adopted a tracker",
    "device.release": "Took a tracker off",
    "device.block": "Blocked a tracker",
    "device.unblock": "Unblocked a tracker",
    "device.forget": "Forgot a waiting tracker",
    "device.forget_silent": "Forgot silent trackers",
    "device.clock_offset": "Set a tracker's clock",
    "device.rename": "Renamed a tracker",
    "vehicle.add": "Added a vehicle",
    "vehicle.set": "Changed a vehicle",
    "vehicle.remove": "Removed a vehicle",
    "alarm.acknowledge": "Acknowledged an alarm",
    "alarm.shelve": "Shelved an alarm",
    "alarm.unshelve": "Took back a shelved alarm",
    "alarm.assign": "Assigned an alarm",
    "alarm.comment": "Commented on an alarm",
    "alarm_rule.add": "Added an alarm rule",
    "alarm_rule.change": "Changed an alarm rule",
    "alarm_rule.remove": "Removed an alarm rule",
    "fence.add": "Added a fence",
    "fence.remove": "Removed a fence",
    "supply.change": "Changed a supply record",
    "retention.set": "Set keeping times",
    "operator.set": "Set the operator's name",
    "backup.restore": "Restored a backup",
    "audit.accept": "Explained a fault of the record",
}
LONGEST_VALUE = 60


def log_word(event_type: str) -> tuple[Level, str]:
    level, word = LOG_WORDS.get(event_type, ("neutral", humanised(event_type)))
    return level, tr(word)


def act_word(what: str) -> str:
    return tr(ACT_WORDS.get(what, humanised(what)))


def humanised(code: str) -> str:
    """``geofence_enter`` as ``Geofence enter``."""
    text = code.replace("_", " ").replace(".", " ").strip()
    return {"sos": "SOS"}.get(text, text[:1].upper() + text[1:])


def moment(formats: Formats, at: datetime | int | None) -> str:
    """``08:14:05`` today, ``24 Nov 08:14:05`` before; the tool tip has the day and the zone."""
    if at is None:
        return NOTHING
    try:
        local = (from_ms(at) if isinstance(at, int) else at).astimezone(formats.zone)
        today = utc_now().astimezone(formats.zone)
    except OverflowError:  # devices do report such dates
        return formats.time(at)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local.day} {local:%b %H:%M:%S}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M:%S}"


def as_json(value: Any) -> str:
    """Pretty and readable, letters of any language as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str)


def changes_between(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[tuple[str, str | None, str | None]]:
    """(path, before, after) of everything that differs, None where there was or is nothing."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    paths = list(dict.fromkeys([*old, *new]))
    return [(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def change_summary(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What differs, in one line for the table."""
    parts = [
        f"{path}: {_short(new)}" if old is None else f"{path}: {_short(old) or NOTHING} → {_short(new) or NOTHING}"
        for path, old, new in changes_between(before, after)
    ]
    return ", ".join(parts)


def _short(text: str | None) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(item, Mapping) and item:
            yield from _flat(item, name)
        elif item is not None:
            yield name, item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str)
