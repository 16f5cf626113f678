"""Geofence areas of Traccar: text close to WKT, but latitude first (reference: traccar-api.md, section 6)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from adapters.errors import RecordRejected

LONGEST_TEXT = 1_000_000
MOST_POINTS = 50_000

_FORM = re.compile(r"\s*(CIRCLE|POLYGON|LINESTRING)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Area:
    """A parsed area; ``points`` as in :class:`adapters.records.Geofence`, ``radius_m`` of a circle alone."""

    shape: Literal["circle", "polygon", "corridor"]
    points: tuple[tuple[float, float], ...]
    radius_m: float | None = None


def parse_area(text: str, key: str) -> Area:
    """Read an area. Raises RecordRejected for ``key`` with what is wrong; swapped orders are named, never guessed."""
    if len(text) > LONGEST_TEXT:
        raise RecordRejected(key, f"The area's text is longer than {LONGEST_TEXT} characters.")
    match = _FORM.fullmatch(text)
    if match is None:
        raise RecordRejected(key, "The area is neither CIRCLE, POLYGON nor LINESTRING.")
    kind, inner = match[1].upper(), match[2].strip()
    if kind == "CIRCLE":
        return _circle(inner, key)
    if kind == "POLYGON":
        return _polygon(inner, key)
    line = _points(inner, key)
    if len(set(line)) < 2:
        raise RecordRejected(key, "A line needs two different points.")
    return Area("corridor", line)


def _circle(inner: str, key: str) -> Area:
    centre, comma, radius = inner.rpartition(",")
    if not comma:
        raise RecordRejected(key, "The circle has no radius.")
    radius_m = _number(radius.strip(), key)
    if radius_m <= 0:
        raise RecordRejected(key, "The circle's radius is not above zero.")
    return Area("circle", _points(centre, key, most=1), radius_m)


def _polygon(inner: str, key: str) -> Area:
    if not (inner.startswith("(") and inner.endswith(")")) or inner.count("(") != 1 or inner.count(")") != 1:
        raise RecordRejected(key, "The polygon does not have exactly one ring.")
    ring = _points(inner[1:-1], key)
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring = ring[:-1]
    if len(set(ring)) < 3:
        raise RecordRejected(key, "A polygon needs three different points.")
    return Area("polygon", ring)


def _points(text: str, key: str, most: int = MOST_POINTS) -> tuple[tuple[float, float], ...]:
    pairs = text.split(",")
    if len(pairs) > most:
        raise RecordRejected(key, f"The area has more than {most} point{'s' if most > 1 else ''}.")
    points = []
    for pair in pairs:
        parts = pair.split()
        if len(parts) != 2:
            raise RecordRejected(key, f"“{pair.strip()[:40]}” is not a pair of latitude and longitude.")
        points.append((_number(parts[0], key), _number(parts[1], key)))
    if any(abs(lat) > 90 or abs(lon) > 180 for lat, lon in points):
        if all(abs(lat) <= 180 and abs(lon) <= 90 for lat, lon in points):
            raise RecordRejected(
                key,
                "Latitude and longitude seem to be swapped: Traccar writes latitude first. Correct the geofence there.",
            )
        raise RecordRejected(key, "A point lies outside the ranges of latitude and longitude.")
    return tuple(points)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _number(text: str, key: str) -> float:
    if len(text) > 60 or not _NUMBER.fullmatch(text):
        raise RecordRejected(key, f"“{text[:40]}” is not a number.")
    value = float(text)
    if not math.isfinite(value):
        raise RecordRejected(key, f"“{text[:40]}” is not a number.")
    return value
