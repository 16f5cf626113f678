"""Whether independent evidence bears a delivery out: confirmed, doubtful, or no evidence. Never rejected by itself.

The vehicle's own tracker is independent of whoever tells of the delivery. The phone is not: it tells of the delivery
itself, so that its track alone never confirms one, but a track elsewhere raises a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.alarms.geometry import Shape
from app.deliveries.times import MINUTE_MS, distance_words, moment_words, span_words
from app.fleet.geo import EARTH_RADIUS_M, distance_m

CONFIRMED, DOUBTFUL, NO_EVIDENCE = "confirmed", "doubtful", "no_evidence"

NEAR_M = 300.0
"""A truck stops at the gate or along the road; a facility's place is its middle."""
FAR_M = 1_000.0
"""Beyond, nobody carries cartons from the vehicle to the place."""
FENCE_MARGIN_M = 50.0
AROUND_MS = 15 * MINUTE_MS
"""Between the vehicle's being there and the delivery's being told on the phone."""
COVER_MS = 10 * MINUTE_MS
"""A fix no farther away than this tells where the vehicle was."""
WINDOW_MS = 120 * MINUTE_MS
"""What is looked at on either side: a tracker sleeps while its vehicle stands."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sightings:
    """Where something was: times in ms rising, places in degrees, all ``(n,)``."""

    at_ms: NDArray[np.int64]
    lat: Floats
    lon: Floats

    def __len__(self) -> int:
        return len(self.at_ms)

    def between(self, from_ms: int, to_ms: int) -> Sightings:
        """Those with ``from_ms <= at_ms <= to_ms``."""
        start, end = np.searchsorted(self.at_ms, [from_ms, to_ms + 1])
        return Sightings(self.at_ms[start:end], self.lat[start:end], self.lon[start:end])


NOWHERE = Sightings(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be borne out. ``place`` is the facility's, ``told_place`` the phone's at the delivery.

    ``is_proxy``: it was told to have happened elsewhere, so that the phone's place is the one to compare.
    """

    at_ms: int | None
    place: tuple[float, float] | None
    told_place: tuple[float, float] | None
    is_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """``reasons`` are sentences; ``evidence`` what was compared, in m and ms; ``rests_on_ms`` its newest fix, or 0."""

    verdict: str
    reasons: Sequence[str]
    evidence: Mapping[str, Any]
    distance_m: float | None
    rests_on_ms: int


def judge(
    claim: Claim, vehicle: Sightings | None, phone: Sightings, fences: Sequence[Shape] = (), no_vehicle: str = ""
) -> Judged:
    """Compare a claim with where vehicle and phone were.

    ``vehicle`` is None where no vehicle of ours is known, ``no_vehicle`` then says why. ``fences`` are all there are;
    those that hold the place count as the place.
    """
    place = claim.told_place if claim.is_proxy and claim.told_place is not None else claim.place or claim.told_place
    if claim.at_ms is None:
        return _nothing("No time of the delivery was told, so nothing can be compared with it.", {})
    if place is None:
        return _nothing("Neither the place of the facility nor the phone's position is known.", {"at_ms": claim.at_ms})
    reasons: list[str] = []
    evidence: dict[str, Any] = {"at_ms": claim.at_ms, "lat": place[0], "lon": place[1]}
    around = [shape for shape in fences if bool(shape.contains(np.array([place[0]]), np.array([place[1]]))[0])]
    if around:
        evidence["fences"] = [shape.name for shape in around]
    verdict, nearest_m, newest = _by_vehicle(claim.at_ms, place, vehicle, around, no_vehicle, reasons, evidence)
    verdict, newest_phone = _by_phone(claim, place, phone, around, verdict, reasons, evidence)
    verdict = _by_claim(claim, verdict, reasons, evidence)
    return Judged(verdict, tuple(reasons), evidence, nearest_m, max(newest, newest_phone))


def _nothing(reason: str, evidence: Mapping[str, Any]) -> Judged:
    return Judged(NO_EVIDENCE, (reason,), evidence, None, 0)


def _by_vehicle(
    at_ms: int,
    place: tuple[float, float],
    vehicle: Sightings | None,
    around: Sequence[Shape],
    no_vehicle: str,
    reasons: list[str],
    evidence: dict[str, Any],
) -> tuple[str, float | None, int]:
    if vehicle is None:
        reasons.append(no_vehicle or "No vehicle of ours is known for this batch, so there is no track to compare.")
        return NO_EVIDENCE, None, 0
    seen = vehicle.between(at_ms - WINDOW_MS, at_ms + WINDOW_MS)
    evidence["vehicle_fixes"] = len(seen)
    if not len(seen):
        reasons.append(
            f"The vehicle's tracker told nothing within {span_words(WINDOW_MS)} of the delivery. Late positions are "
            "compared when they arrive."
        )
        return NO_EVIDENCE, None, 0
    newest = int(seen.at_ms[-1])
    metres, inside = _near(seen, place, around)
    apart = np.abs(seen.at_ms - at_ms)
    close = apart <= AROUND_MS * 2
    nearest_m = float(metres[close].min()) if close.any() else None
    if nearest_m is not None:
        first = int(np.flatnonzero(close)[metres[close].argmin()])
        evidence["vehicle_nearest_m"] = round(nearest_m)
        evidence["vehicle_nearest_at_ms"] = int(seen.at_ms[first])
    if (inside & (apart <= AROUND_MS)).any():
        there = seen.at_ms[inside & close]
        evidence["vehicle_there_ms"] = [int(there[0]), int(there[-1])]
        where = f"inside the fence “{around[0].name}”" if around else f"{distance_words(nearest_m or 0)} from it"
        reasons.append(f"The vehicle was {where} at {_span(int(there[0]), int(there[-1]))}.")
        return CONFIRMED, nearest_m, newest
    if (stood := _stood(seen, inside, at_ms)) is not None:
        evidence["vehicle_there_ms"] = list(stood)
        reasons.append(f"The vehicle stood there: its fixes before and after are at the place, {_span(*stood)}.")
        return CONFIRMED, nearest_m, newest
    return _not_there(apart, metres, close, at_ms, reasons), nearest_m, newest


def _not_there(
    apart: NDArray[np.int64], metres: Floats, close: NDArray[np.bool_], at_ms: int, reasons: list[str]
) -> str:
    closest = int(apart.argmin())
    if not close.any() or apart[closest] > COVER_MS:
        reasons.append(
            f"The vehicle's nearest fix is {span_words(int(apart[closest]))} from the delivery, which tells nothing "
            "of where it was then."
        )
        return NO_EVIDENCE
    nearest_m = float(metres[close].min())
    if nearest_m > FAR_M:
        reasons.append(
            f"The vehicle came no nearer than {distance_words(nearest_m)} within {span_words(2 * AROUND_MS)} of "
            f"{moment_words(at_ms)}."
        )
        return DOUBTFUL
    reasons.append(
        f"The vehicle came within {distance_words(nearest_m)} of the place, which neither confirms nor contradicts it."
    )
    return NO_EVIDENCE


def _by_phone(
    claim: Claim,
    place: tuple[float, float],
    phone: Sightings,
    around: Sequence[Shape],
    verdict: str,
    reasons: list[str],
    evidence: dict[str, Any],
) -> tuple[str, int]:
    at_ms = claim.at_ms or 0
    seen = phone.between(at_ms - AROUND_MS, at_ms + AROUND_MS)
    if not len(seen):
        return verdict, 0
    metres, inside = _near(seen, place, around)
    nearest_m = float(metres.min())
    evidence["phone_fixes"], evidence["phone_nearest_m"] = len(seen), round(nearest_m)
    newest = int(seen.at_ms[-1])
    if inside.any():
        reasons.append(
            f"The driver's phone was {distance_words(nearest_m)} from it (weaker: it tells of the delivery)."
        )
        return verdict, newest
    if nearest_m > FAR_M:
        reasons.append(f"The driver's phone came no nearer than {distance_words(nearest_m)} at that time.")
        return (DOUBTFUL if verdict == NO_EVIDENCE else verdict), newest
    return verdict, newest


def _by_claim(claim: Claim, verdict: str, reasons: list[str], evidence: dict[str, Any]) -> str:
    if claim.place is None or claim.told_place is None:
        return verdict
    apart_m = distance_m(*claim.place, *claim.told_place)
    evidence["claim_m"] = round(apart_m)
    if apart_m <= FAR_M:
        return verdict
    if claim.is_proxy:
        reasons.append(f"It was told to have happened {distance_words(apart_m)} from the facility, with a reason.")
        return verdict
    reasons.append(f"The phone placed the delivery {distance_words(apart_m)} from the facility, without a reason.")
    return DOUBTFUL if verdict == NO_EVIDENCE else verdict


def _near(seen: Sightings, place: tuple[float, float], around: Sequence[Shape]) -> tuple[Floats, NDArray[np.bool_]]:
    """Metres from the place, and which count as being there."""
    metres = metres_from(place, seen.lat, seen.lon)
    inside = metres <= NEAR_M
    for shape in around:
        inside |= shape.contains(seen.lat, seen.lon, FENCE_MARGIN_M)
    return metres, inside


def _stood(seen: Sightings, inside: NDArray[np.bool_], at_ms: int) -> tuple[int, int] | None:
    """(before, after) where the fixes on either side of a moment are both there."""
    after = int(np.searchsorted(seen.at_ms, at_ms))
    if 0 < after < len(seen) and inside[after - 1] and inside[after]:
        return int(seen.at_ms[after - 1]), int(seen.at_ms[after])
    return None


def metres_from(place: tuple[float, float], lat: Floats, lon: Floats) -> Floats:
    """Great-circle distances in metres of points ``(n,)`` from a place in degrees."""
    phi, phi0 = np.radians(lat), np.radians(place[0])
    half_lat = np.sin((phi - phi0) / 2)
    half_lon = np.sin(np.radians(lon - place[1]) / 2)
    chord = half_lat**2 + np.cos(phi) * np.cos(phi0) * half_lon**2
    found: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(chord)))
    return found


def _span(from_ms: int, to_ms: int) -> str:
    first, last = moment_words(from_ms), moment_words(to_ms)
    return first if first == last else f"{first} and {last}"
