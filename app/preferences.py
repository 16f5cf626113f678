"""What this user prefers: a small JSON file with a version, a backup, and no power to stop the program.

An entry that cannot be right falls back to its default and leaves the others alone; a file that cannot be read is
set aside and its backup is tried. Sizes and positions of windows live in a file of their own. They are
checked by hand: a start would pay more for loading a library than for everything else that it does with them.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from app import platform
from app.security.operator import fault_of_name

_log = logging.getLogger(__name__)

VERSION = 1
_LARGEST_BYTES = 1_000_000
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")

UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Numbered upgrades: ``UPGRADES[n]`` turns the entries of version n into those of version n + 1."""


ThemeChoice = Literal["light", "dark", "contrast", "system"]
UnitsChoice = Literal["metric", "imperial"]
SoundChoice = Literal["all", "high", "none"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The entries. ``time_zone`` is an IANA name, or empty for the machine's own.

    Alarms below the highest priority are silent from ``quiet_from`` to ``quiet_to``, HH:MM in that zone.
    ``operator`` is the name that stands before the account in the record of acts, or empty.
    """

    theme: ThemeChoice = "system"
    time_zone: str = ""
    units: UnitsChoice = "metric"
    keep_engine_running: bool = False
    alarm_sound: SoundChoice = "all"
    quiet_from: str = "22:00"
    quiet_to: str = "06:00"
    operator: str = ""

    def changed(self, **values: Any) -> Preferences:
        """With these values instead. Raises ValueError with a sentence for one that cannot be."""
        for name, value in values.items():
            fault = _CHECKS[name](value)
            if fault:
                raise ValueError(fault)
        return replace(self, **values)


def _one_of(*allowed: object) -> Callable[[Any], str]:
    return lambda value: "" if value in allowed else f"It must be one of {', '.join(map(str, allowed))}."


def _fault_of_time(value: Any) -> str:
    is_time = isinstance(value, str) and _TIME.fullmatch(value) is not None
    return "" if is_time else "Write a time of day as 22:00."


def _fault_of_zone(value: Any) -> str:
    try:
        if value != "":
            zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, TypeError, ValueError, OSError):
        return f"No time zone is named {value}."
    return ""


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "theme": _one_of(*get_args(ThemeChoice)),
    "time_zone": _fault_of_zone,
    "units": _one_of(*get_args(UnitsChoice)),
    "alarm_sound": _one_of(*get_args(SoundChoice)),
    "quiet_from": _fault_of_time,
    "quiet_to": _fault_of_time,
    "operator": fault_of_name,
    "keep_engine_running": lambda value: "" if isinstance(value, bool) else "It must be yes or no.",
}
"""For each entry what is wrong with a value, as a sentence; "" where nothing is."""


class PreferencesFile:
    """The preferences on the disk. Thread-safe; :meth:`load` never raises."""

    def __init__(
        self, path: Path, upgrades: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = UPGRADES
    ) -> None:
        self._file = JsonFile(path)
        self._upgrades = upgrades
        self._version = max(upgrades, default=VERSION - 1) + 1
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def load(self) -> Preferences:
        """The entries as far as they are good; what was not is told in ``warnings``."""
        with self._lock:
            self.warnings = []
            entries = self._upgraded(self._file.load())
            return self._good_part(entries)

    def save(self, preferences: Preferences) -> None:
        """Replace the file durably, keeping the one before as backup. Raises OSError when it cannot be written."""
        with self._lock:
            self._file.save({"version": self._version, **asdict(preferences)})

    def _upgraded(self, entries: dict[str, Any]) -> dict[str, Any]:
        version = entries.pop("version", self._version)
        if not isinstance(version, int) or version > self._version:
            self._warn("The preferences were written by another release; what this one knows is used.")
            return entries
        for number in range(version, self._version):
            try:
                entries = self._upgrades[number](dict(entries))
            except Exception:  # noqa: BLE001 - an upgrade that meets odd values gives up, and the rest stays as it was
                _log.exception("Preferences of version %s cannot be upgraded", number)
                self._warn("Some preferences of an older release could not be taken over.")
                return entries
        return entries

    def _good_part(self, entries: dict[str, Any]) -> Preferences:
        good = Preferences()
        for name in sorted(field.name for field in fields(Preferences) if field.name in entries):
            try:
                good = good.changed(**{name: entries[name]})
            except ValueError:
                self._warn(f"The preference “{name}” was not usable and is back at its default.")
        return good

    def _warn(self, text: str) -> None:
        _log.warning(text)
        self.warnings.append(text)


class JsonFile:
    """One JSON object on the disk with one backup; also the window's state. :meth:`load` never raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._backup = path.with_suffix(f"{path.suffix}.backup")

    def load(self) -> dict[str, Any]:
        """The object, else the backup's, else an empty one. A file that cannot be read is set aside as ``.damaged``."""
        for path in (self._path, self._backup):
            try:
                if path.stat().st_size > _LARGEST_BYTES:
                    raise ValueError("it is far too large")
                found = json.loads(path.read_bytes())
                if not isinstance(found, dict):
                    raise TypeError("it holds no object")
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError, RecursionError) as err:
                _log.warning("%s cannot be read and is set aside: %s", path.name, err)
                self._set_aside(path)
                continue
            return found
        return {}

    def save(self, entries: Mapping[str, Any]) -> None:
        """Replace the file durably. Raises OSError, and leaves the file, when it cannot be written."""
        content = json.dumps(entries, indent=1, ensure_ascii=False).encode()
        try:
            before = self._path.read_bytes()
        except OSError:
            before = b""
        if before == content:
            return
        if before:
            platform.write_durably(self._backup, before)
        platform.write_durably(self._path, content)

    @staticmethod
    def _set_aside(path: Path) -> None:
        try:
            path.replace(path.with_suffix(f"{path.suffix}.damaged"))
        except OSError:
            _log.warning("%s cannot be moved away", path)
