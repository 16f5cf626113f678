"""The rules that a new store begins with: few, and most of them of low priority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.alarms.words import Kind, Priority

DEFAULT_RULES: tuple[tuple[Kind, str, Priority, Mapping[str, Any]], ...] = (
    (Kind.SOS, "SOS button", Priority.HIGH, {}),
    (Kind.DRAIN, "Fuel drain", Priority.MEDIUM, {}),
    (Kind.INTEGRATION_DOWN, "Integration down", Priority.MEDIUM, {}),
    (Kind.POWER_CUT, "Tracker cut from its power", Priority.MEDIUM, {}),
    (Kind.DEVICE_ALARM, "Alarm of a tracker", Priority.LOW, {}),
    (Kind.TRACKER_SILENT, "Tracker silent on the way", Priority.LOW, {"after_min": 60, "when": "driving"}),
    (Kind.TRACKER_SILENT, "Tracker silent for a day", Priority.LOW, {"after_min": 1_440}),
    (Kind.SENSOR_SILENT, "Fuel sensor silent on the way", Priority.LOW, {"after_min": 60, "when": "driving"}),
    (Kind.SENSOR_SILENT, "Fuel sensor silent for a day", Priority.LOW, {"after_min": 1_440}),
    (Kind.SPEED, "Faster than 100 km/h", Priority.LOW, {"limit_km_h": 100}),
    (Kind.SPEED, "Faster than a fence allows", Priority.LOW, {"limit": "fence"}),
)
"""Kind, name, priority and the settings that differ from the model's own. Rules about entering, leaving and staying
are for the operators to make: without chosen fences they would tell of every delivery."""
