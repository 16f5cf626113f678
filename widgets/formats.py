"""How times, ages, speeds and numbers are written: in the chosen zone, which is named, and in the chosen units."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from PySide6.QtCore import QObject, QTimer, Signal

from app.clock import from_ms, utc_now
from resources.i18n import tr
from widgets.preferences import Preferences

KM_PER_MILE = 1.609344
TICK_MS = 1_000
_COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
NOTHING = "–"


class Formats(QObject):
    """``changed``: zone or units changed, write everything anew. ``ticked``: each second, for ages on screen."""

    changed = Signal()
    ticked = Signal()

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        preferences.changed.connect(self.changed)
        timer = QTimer(self, interval=TICK_MS)
        timer.timeout.connect(self.ticked)
        timer.start()

    @property
    def zone(self) -> tzinfo:
        """The zone times are shown in."""
        name = self._preferences.choices.time_zone
        return ZoneInfo(name) if name else utc_now().astimezone().tzinfo or UTC

    def zone_name(self, at: datetime | None = None) -> str:
        """The zone's short name at a moment, e.g. ``WAT``, or ``UTC+01:00`` where it has only a number."""
        local = self._local(at or utc_now())
        name = local.tzname() or "UTC"
        if name[:1].isalpha():
            return name
        offset = f"{local:%z}"  # zones without letters, e.g. "-03"
        return f"UTC{offset[:3]}:{offset[3:5]}"

    def time(self, at: datetime | int | None) -> str:
        """``2026-11-25 08:14:05 WAT``; ``at`` is an aware time or milliseconds since 1970 UTC."""
        moment = _moment(at)
        return NOTHING if moment is None else f"{self._local(moment):%Y-%m-%d %H:%M:%S} {self.zone_name(moment)}"

    def clock(self, at: datetime | int | None) -> str:
        """``08:14`` today, ``24 Nov 08:14`` this year, else ``24 Nov 2025 08:14``; the zone stands in the heading."""
        moment = _moment(at)
        if moment is None:
            return NOTHING
        local, now = self._local(moment), self._local(utc_now())
        if local.date() == now.date():
            return f"{local:%H:%M}"
        return f"{local.day} {local:%b %H:%M}" if local.year == now.year else f"{local.day} {local:%b %Y %H:%M}"

    def date(self, at: datetime | int | None) -> str:
        """``2026-11-25``, the day in the chosen zone."""
        moment = _moment(at)
        return NOTHING if moment is None else f"{self._local(moment):%Y-%m-%d}"

    def ago(self, at: datetime | int | None, *, now: datetime | None = None) -> str:
        """``20 s ago``, ``4 min ago``, ``3 h ago``, ``2 days ago``; ``in 40 s`` for what is to come; ``never``."""
        moment = _moment(at)
        if moment is None:
            return tr("never")
        age_s = ((now or utc_now()) - moment).total_seconds()
        if age_s <= -1:
            return tr("in {span}", span=self.span(-age_s))
        return tr("just now") if age_s < 1 else tr("{span} ago", span=self.span(age_s))

    def span(self, seconds: float | timedelta) -> str:
        """A length of time in its largest sensible unit."""
        value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not math.isfinite(value):
            return NOTHING
        if value < 60:
            return tr("{n} s", n=math.floor(value))
        if value < 3600:
            return tr("{n} min", n=math.floor(value / 60))
        if value < 48 * 3600:
            hours, minutes = divmod(math.floor(value / 60), 60)
            return tr("{h} h {m} min", h=hours, m=minutes) if hours < 10 and minutes else tr("{h} h", h=hours)
        return tr("{n} days", n=self.number(math.floor(value / 86400)))

    def speed(self, km_h: float | None) -> str:
        """``54 km/h`` or ``34 mph``."""
        if km_h is None or not math.isfinite(km_h):
            return NOTHING
        if self._is_imperial:
            return tr("{n} mph", n=self.number(km_h / KM_PER_MILE))
        return tr("{n} km/h", n=self.number(km_h))

    def distance(self, km: float | None) -> str:
        """``12.4 km`` or ``7.7 mi``; metres below one kilometre."""
        if km is None or not math.isfinite(km):
            return NOTHING
        if self._is_imperial:
            return tr("{n} mi", n=self.number(km / KM_PER_MILE, 1))
        return tr("{n} m", n=self.number(km * 1000)) if abs(km) < 1 else tr("{n} km", n=self.number(km, 1))

    def course(self, degrees: float | None) -> str:
        """``NE 47°``: the word and the number."""
        if degrees is None or not math.isfinite(degrees):
            return NOTHING
        return f"{_COMPASS[round(degrees % 360 / 45) % 8]} {degrees % 360:.0f}°"

    def number(self, value: float | None, decimals: int = 0) -> str:
        """``12,345.6``, with a true minus sign."""
        if value is None or not math.isfinite(value):
            return NOTHING
        text = f"{value:,.{decimals}f}"
        return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")

    def size(self, octets: int | None) -> str:
        """``3.4 MB``, 1024-based as file managers show it."""
        if octets is None:
            return NOTHING
        value, unit = float(octets), "B"
        for unit in ("B", "KB", "MB", "GB", "TB"):
            if abs(value) < 1024 or unit == "TB":
                break
            value /= 1024
        return f"{self.number(value, 0 if unit == 'B' else 1)} {unit}"

    @property
    def _is_imperial(self) -> bool:
        return self._preferences.choices.units == "imperial"

    def _local(self, moment: datetime) -> datetime:
        try:
            return moment.astimezone(self.zone)
        except OverflowError:  # the first and last day of time itself; devices do report such dates
            return moment


def _moment(at: datetime | int | None) -> datetime | None:
    if isinstance(at, datetime):
        return at
    if at is None:
        return None
    try:
        return from_ms(at)
    except OverflowError:
        return None
