"""The operator's choices, kept in ``preferences.json`` of the data folder."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from PySide6.QtCore import QObject, Signal

from resources.i18n import tr
from widgets.files import write_replacing
from widgets.theme import ThemeMode

Units = Literal["metric", "imperial"]
VERSION = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choices:
    """``time_zone`` is an IANA name, or "" for the machine's own zone."""

    theme: ThemeMode = "system"
    time_zone: str = ""
    units: Units = "metric"
    keep_engine_running: bool = False
    notify_from_tray: bool = True


class Preferences(QObject):
    """``choices`` is a frozen snapshot; :meth:`change` replaces it, saves it and emits ``changed``."""

    changed = Signal()

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self.choices = read_choices(file)

    def change(self, **values: Any) -> None:
        """Save new values of :class:`Choices`. Raises ValueError for one that cannot be, OSError from the disk."""
        for name, value in values.items():
            _require(name, value)
        choices = replace(self.choices, **values)
        if choices == self.choices:
            return
        write_replacing(self._file, json.dumps({"version": VERSION, **asdict(choices)}, indent=2))
        self.choices = choices
        self.changed.emit()


def read_choices(file: Path) -> Choices:
    """What was saved. A value that cannot be right falls back to its default alone; a missing file is the default."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Choices()
    except (OSError, ValueError) as err:
        log.warning("The preferences in %s cannot be read (%s); the defaults are used", file, err)
        return Choices()
    values = {}
    for field in fields(Choices):
        if not isinstance(saved, dict) or field.name not in saved:
            continue
        try:
            _require(field.name, saved[field.name])
        except ValueError as err:
            log.warning("The preference %s is ignored: %s", field.name, err)
        else:
            values[field.name] = saved[field.name]
    return Choices(**values)


def _require(name: str, value: object) -> None:
    if name == "theme" and value not in get_args(ThemeMode):
        raise ValueError(tr("There is no theme {value}.", value=value))
    if name == "units" and value not in get_args(Units):
        raise ValueError(tr("There are no units {value}.", value=value))
    if name == "time_zone":
        _require_zone(value)
    if name in {"keep_engine_running", "notify_from_tray"} and not isinstance(value, bool):
        raise ValueError(tr("{name} is either on or off.", name=name))


def _require_zone(value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - one error for whatever cannot be a choice
            tr("The time zone {value} is not known.", value=value)
        )
    if value:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:
            raise ValueError(tr("The time zone {value} is not known.", value=value)) from err
