"""An axis of clock times and dates in the operator's zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pyqtgraph as pg

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
STEPS_S = (
    1, 2, 5, 10, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY,
)  # fmt: skip
PIXELS_APART = 78


class TimeAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph carries no types
    """Ticks at round times of the zone; midnight and wide spans show the date."""

    def __init__(self) -> None:
        super().__init__(orientation="bottom")
        self._zone: tzinfo = UTC

    def set_zone(self, zone: tzinfo) -> None:
        self._zone = zone
        self.picture = None
        self.update()

    def tickValues(self, minimum: float, maximum: float, size: float) -> list[tuple[float, list[float]]]:
        wanted_s = (maximum - minimum) * PIXELS_APART / max(size, 1)
        step = next((step for step in STEPS_S if step >= wanted_s), STEPS_S[-1])
        shift = _offset_s(minimum, self._zone)
        first = np.ceil((minimum + shift) / step) * step - shift
        return [(float(step), np.arange(first, maximum, step).tolist())]

    def tickStrings(self, values: Sequence[float], _scale: float, spacing: float) -> list[str]:
        return [_written(datetime.fromtimestamp(value, UTC).astimezone(self._zone), spacing) for value in values]


def _offset_s(at_s: float, zone: tzinfo) -> float:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset() or timedelta()
    return offset.total_seconds()


def _written(local: datetime, spacing_s: float) -> str:
    if spacing_s >= _DAY:
        return f"{local.day} {local:%b}" if spacing_s < 28 * _DAY else f"{local:%b %Y}"
    if local.hour == local.minute == local.second == 0:
        return f"{local.day} {local:%b}"
    return f"{local:%H:%M}" if spacing_s >= _MINUTE else f"{local:%H:%M:%S}"
