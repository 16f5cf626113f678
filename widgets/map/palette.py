"""The colours of the map, light and dark; the states use the console's own tokens (ui.md 7), a little stronger."""

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
)


def palette_for(*, dark: bool) -> MapPalette:
    return DARK if dark else LIGHT
