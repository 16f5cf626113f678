"""The colours of the map: light, dark, high contrast; states use the tokens of ui.md 7, a little stronger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MapPalette:
    """Colours as ``#rrggbb``."""

    dark: bool
    sea: str
    land: str
    home: str  # Nigeria
    border: str
    state_border: str
    faint_border: str
    water: str
    river: str
    town: str
    town_text: str
    area_text: str
    halo: str
    ink: str  # texts and outlines over the map
    paper: str  # backing of texts over the map
    primary: str
    alarm: str
    moving: str
    stopped: str
    position_only: str
    stale: str
    silent: str
    fence: str
    track: str
    phone: str


LIGHT = MapPalette(
    dark=False,
    sea="#dbeafe",
    land="#f4f6f9",
    home="#ffffff",
    border="#475569",
    state_border="#cbd5e1",
    faint_border="#e2e8f0",
    water="#dbeafe",
    river="#a9d0fb",
    town="#475569",
    town_text="#334155",
    area_text="#94a3b8",
    halo="#ffffff",
    ink="#0f172a",
    paper="#ffffff",
    primary="#2563eb",
    alarm="#dc2626",
    moving="#16a34a",
    stopped="#2563eb",
    position_only="#0e7490",
    stale="#d97706",
    silent="#64748b",
    fence="#7c3aed",
    track="#2563eb",
    phone="#a21caf",
)

DARK = MapPalette(
    dark=True,
    sea="#0a1428",
    land="#101a2c",
    home="#17233a",
    border="#7086a6",
    state_border="#31415c",
    faint_border="#1e2b42",
    water="#0a1428",
    river="#244a78",
    town="#8ea0ba",
    town_text="#c3d0e2",
    area_text="#64789a",
    halo="#131d30",
    ink="#e6edf7",
    paper="#111a2e",
    primary="#3b82f6",
    alarm="#f87171",
    moving="#4ade80",
    stopped="#60a5fa",
    position_only="#22d3ee",
    stale="#fbbf24",
    silent="#8ea0ba",
    fence="#a78bfa",
    track="#60a5fa",
    phone="#e879f9",
)


CONTRAST = MapPalette(
    dark=True,
    sea="#000000",
    land="#0c0c0c",
    home="#161616",
    border="#ffffff",
    state_border="#8a8a8a",
    faint_border="#4a4a4a",
    water="#00243a",
    river="#3d8fc0",
    town="#ffffff",
    town_text="#ffffff",
    area_text="#e0e0e0",
    halo="#000000",
    ink="#ffffff",
    paper="#000000",
    primary="#66d9ff",
    alarm="#ff8a8a",
    moving="#5dff8f",
    stopped="#66d9ff",
    position_only="#e29dff",
    stale="#ffd84d",
    silent="#e0e0e0",
    fence="#e29dff",
    track="#ffd84d",
    phone="#ff9cf5",
)

_PALETTES = {"light": LIGHT, "dark": DARK, "contrast": CONTRAST}


def palette_for(theme_name: str) -> MapPalette:
    """The map's colours beside a theme of ``resources/themes``; a theme the map does not know gets the light ones."""
    return _PALETTES.get(theme_name, LIGHT)
