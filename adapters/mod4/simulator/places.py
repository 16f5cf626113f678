"""Stores and facilities of the simulated platform: those of the simulated supply systems, with the same names.

Coordinates are those of the towns, to about a kilometre; a facility lies where its town does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

EARTH_M: Final = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees of WGS 84."""

    name: str
    address: str
    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class Region:
    """A store and the facilities that it supplies; ``round`` is what a batch to them is called, before its number."""

    warehouse: Place
    facilities: tuple[Place, ...]
    round: str = "Round"


_NIGER: Final = (
    ("Minna", 9.6139, 6.5569), ("Bida", 9.0797, 6.0097), ("Kontagora", 10.4000, 5.4695), ("Suleja", 9.1806, 7.1794),
    ("New Bussa", 9.8833, 4.5167), ("Lapai", 9.0500, 6.5667), ("Agaie", 9.0081, 6.3186), ("Rijau", 11.1069, 5.2550),
    ("Kagara", 10.1844, 6.2533), ("Mokwa", 9.2917, 5.0542), ("Kuta", 9.8647, 6.7117), ("Paiko", 9.4347, 6.6331),
    ("Sarkin Pawa", 10.0167, 7.1167), ("Wushishi", 9.7381, 6.0658), ("Zungeru", 9.8069, 6.1522),
    ("Lemu", 9.3894, 6.0222), ("Katcha", 8.8833, 6.3000), ("Edati Enagi", 9.1278, 5.5250), ("Mashegu", 9.9667, 5.2167),
    ("Nasko", 10.2167, 4.9667), ("Gulu", 8.8667, 6.7333), ("Kaffin Koro", 9.5167, 6.9833),
    ("Gawu Babangida", 9.2833, 7.0333), ("Diko", 9.2500, 7.2167), ("Maikunkele", 9.6783, 6.4867),
    ("Chanchaga", 9.5411, 6.5797), ("Tegina", 10.0706, 6.1906), ("Auna", 10.1833, 4.7167), ("Ibeto", 10.4833, 5.1500),
    ("Papiri", 10.5167, 4.8333), ("Wawa", 9.9000, 4.4167), ("Babanna", 10.4500, 3.8167), ("Kutigi", 9.2017, 5.5989),
    ("Doko", 8.9500, 5.9667), ("Badeggi", 9.0556, 6.1417), ("Baro", 8.6056, 6.4167), ("Izom", 9.1833, 6.9500),
    ("Tafa", 9.2167, 7.2500), ("Sabon Wuse", 9.3161, 7.2250), ("Ibbi", 9.9500, 5.0833),
)  # fmt: skip
HOSPITALS: Final = 8
"""So many of the first in Niger State are hospitals."""
_KANO: Final = (
    ("Bichi", 12.234, 8.241), ("Gwarzo", 12.168, 7.933), ("Dawakin Tofa", 12.106, 8.331), ("Tsanyawa", 12.296, 7.985),
    ("Kura", 11.771, 8.430), ("Rano", 11.556, 8.583), ("Wudil", 11.809, 8.839), ("Gaya", 11.860, 9.003),
    ("Gezawa", 12.099, 8.752), ("Karaye", 11.784, 8.014),
)  # fmt: skip


def _niger() -> tuple[Place, ...]:
    return tuple(
        Place(f"{'General Hospital' if at < HOSPITALS else 'Primary Health Centre'} {town}", f"{town} road", lat, lng)
        for at, (town, lat, lng) in enumerate(_NIGER)
    )


def _kano() -> tuple[Place, ...]:
    return tuple(
        Place(f"{town} {kind}", f"{town}, Kano State", lat + shift, lng)
        for kind, shift in (("Primary Health Centre", 0.0), ("General Hospital", 0.006))
        for town, lat, lng in _KANO
    )


REGIONS: Final = (
    Region(Place("Niger State Central Medical Store", "Minna road", 9.6039, 6.5469), _niger(), "Niger round"),
    Region(Place("North West Zonal Medical Store", "Kano", 12.002, 8.592), _kano(), "Kano round"),
)


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two places, latitude and longitude in degrees; along the great circle."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def moved(lat: float, lng: float, north_m: float, east_m: float) -> tuple[float, float]:
    """A place so many metres away."""
    degree_m = EARTH_M * math.pi / 180
    return lat + north_m / degree_m, lng + east_m / degree_m / math.cos(math.radians(lat))
