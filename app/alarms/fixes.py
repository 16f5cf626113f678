"""Positions as the rules of motion look at them: the good ones, by vehicle and by the time of each fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.alarms.geometry import Bools, Floats, Shape
from app.fleet.plausibility import Mark

NO_ALARM = (~Mark.COURSE_RANGE).value
"""Fixes with one of these marks raise nothing: implausible, not located, without a time of their own, a day late."""

FAR_OUT_OF_ORDER_MS = 24 * 3_600_000
"""A fix that is so much older than one that was judged already is history, not news."""

NEVER = -(2**62)

Ints = NDArray[np.int64]


@dataclass
class Fixes:
    """``(n,)`` arrays ordered by place of the subject, then time. Which lie in a fence is computed once per fence.

    ``near`` are the fixes that may lie in each fence, as :class:`app.alarms.geometry.Neighbourhoods` found them.
    """

    place: Ints
    id: Ints
    device_key: Ints
    at_ms: Ints
    lat: Floats
    lon: Floats
    speed_km_h: Floats
    near: Mapping[str, NDArray[np.intp]] = field(default_factory=dict)
    _inside: dict[tuple[str, float], Bools] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.place)

    def part(self, keep: Bools) -> Fixes:
        return Fixes(
            self.place[keep],
            self.id[keep],
            self.device_key[keep],
            self.at_ms[keep],
            self.lat[keep],
            self.lon[keep],
            self.speed_km_h[keep],
        )

    def inside(self, shape: Shape, margin_m: float = 0.0) -> Bools:
        key = (shape.id, margin_m)
        if key not in self._inside:
            found = np.zeros(len(self), np.bool_)
            at = self.near.get(shape.id)
            if at is not None:
                found[at] = shape.contains(self.lat[at], self.lon[at], margin_m)
            self._inside[key] = found
        return self._inside[key]

    def rows_by_place(self) -> dict[int, range]:
        """The rows of each subject that is here."""
        places, first = np.unique(self.place, return_index=True)
        last = np.append(first[1:], len(self))
        return {
            place: range(*ends) for place, *ends in zip(places.tolist(), first.tolist(), last.tolist(), strict=True)
        }


def good_fixes(positions: NDArray[np.void], place_of: Mapping[int, int]) -> Fixes:
    """The fixes that rules may look at, of trackers that belong to a subject.

    ``positions`` are as those of ``queries.positions_since``.
    """
    keys, at = np.unique(positions["device_key"], return_inverse=True)
    places = np.array([place_of.get(int(key), -1) for key in keys], np.int64)
    place = places[at] if len(keys) else np.empty(0, np.int64)
    good = ((positions["marks"] & NO_ALARM) == 0) & (place >= 0)
    good &= np.isfinite(positions["lat"]) & np.isfinite(positions["lon"])
    chosen, place = positions[good], place[good]
    order = np.lexsort((chosen["id"], chosen["fixed_at_ms"], place))
    chosen = chosen[order]
    return Fixes(
        place[order],
        chosen["id"].astype(np.int64),
        chosen["device_key"].astype(np.int64),
        chosen["fixed_at_ms"].astype(np.int64),
        chosen["lat"].astype(np.float64),
        chosen["lon"].astype(np.float64),
        chosen["speed_km_h"].astype(np.float64),
    )
