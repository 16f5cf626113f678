"""The base map's lines and names, read from ``resources/mapdata`` (sources and terms: its ATTRIBUTION.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from widgets.map.projection import FloatArray, to_world

CREDIT = "Made with Natural Earth. Place names © GeoNames, CC BY 4.0."

WINDOW = (-19.0, -6.0, 26.0, 26.0)  # west, south, east, north of what was clipped for the console
LINE_LAYERS = ("land", "nigeria", "lakes", "rivers", "states_neighbours", "states_nigeria", "country_borders")
SAME_TOWN_M = 20_000.0  # world metres, near enough to ground metres this close to the equator
ABROAD_SHARE = 0.35  # towns abroad yield to towns at home of the same size
CAPITAL_POPULATION = 2_600_000  # Abuja and its like are shown among the largest


@dataclass(frozen=True, slots=True)
class Place:
    """A name on the map at world metres; ``weight`` orders towns (people, lowered abroad)."""

    name: str
    kind: str  # country, state, town
    x: float
    y: float
    weight: float


@dataclass(frozen=True, slots=True)
class BaseData:
    """``lines``: layer name to (x, y) world metres with NaN between parts. ``places``: heaviest first within a kind."""

    lines: dict[str, tuple[FloatArray, FloatArray]]
    places: tuple[Place, ...]

    @property
    def home_bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of Nigeria in world metres."""
        x, y = self.lines["nigeria"]
        return float(np.nanmin(x)), float(np.nanmin(y)), float(np.nanmax(x)), float(np.nanmax(y))


def load_base_data(folder: Path) -> BaseData:
    """Read the shipped map data; about 30 ms."""
    with np.load(folder / "lines.npz") as archive:
        lines = {name: to_world(archive[name][:, 1], archive[name][:, 0]) for name in LINE_LAYERS}
    places = (*_area_names(folder), *_towns(folder))
    return BaseData(lines, places)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _area_names(folder: Path) -> list[Place]:
    names: list[tuple[str, str, float, float, float]] = []
    for feature in _read(folder / "countries.geojson")["features"]:
        facts = feature["properties"]
        names.append((facts["name"].upper(), "country", *facts["label"], 10.0 - facts["rank"]))
    for feature in _read(folder / "states.geojson")["features"]:
        facts = feature["properties"]
        if facts["country"] == "NGA":
            short = "FCT" if facts["name"] == "Federal Capital Territory" else facts["name"]
            names.append((short.upper(), "state", *facts["label"], 1.0))
    return _placed(names)


def _towns(folder: Path) -> list[Place]:
    """GeoNames at home, Natural Earth abroad; a Nigerian town only Natural Earth knows is kept."""
    home = _read(folder / "places_nigeria_geonames.json")["rows"]
    known_x, known_y = to_world([row[3] for row in home], [row[2] for row in home])
    towns = [(row[0], "town", row[2], row[3], float(row[4])) for row in home]
    for name, country, lon, lat, people, _rank, is_capital in _read(folder / "places_ne.json")["rows"]:
        x, y = to_world(lat, lon)
        if country == "NGA" and np.hypot(known_x - x, known_y - y).min() < SAME_TOWN_M:
            continue
        weight = float(people) * (1.0 if country == "NGA" else ABROAD_SHARE)
        towns.append((name, "town", lon, lat, max(weight, CAPITAL_POPULATION * ABROAD_SHARE) if is_capital else weight))
    return sorted(_placed(towns), key=lambda place: -place.weight)


def _placed(rows: list[tuple[str, str, float, float, float]]) -> list[Place]:
    x, y = to_world([row[3] for row in rows], [row[2] for row in rows])
    return [
        Place(name, kind, float(px), float(py), weight)
        for (name, kind, _lon, _lat, weight), px, py in zip(rows, x, y, strict=True)
    ]
