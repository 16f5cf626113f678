"""The words of alarms that the store keeps, and nothing that is heavy to load: a window's start reads them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Priority(StrEnum):
    """How soon somebody must act; about 80, 15 and 5 of a hundred alarms."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


RANKS: Mapping[str, int] = {Priority.LOW: 0, Priority.MEDIUM: 1, Priority.HIGH: 2}


class Kind(StrEnum):
    """What an alarm is about; one kind of rule raises it."""

    DRAIN = "drain"
    SENSOR_SILENT = "sensor_silent"
    TRACKER_SILENT = "tracker_silent"
    INTEGRATION_DOWN = "integration_down"
    SOS = "sos"
    POWER_CUT = "power_cut"
    DEVICE_ALARM = "device_alarm"
    SPEED = "speed"
    FENCE_ENTER = "fence_enter"
    FENCE_LEAVE = "fence_leave"
    FENCE_STAY = "fence_stay"


KIND_WORDS: Mapping[str, str] = {
    Kind.DRAIN: "Fuel drain",
    Kind.SENSOR_SILENT: "Fuel sensor silent",
    Kind.TRACKER_SILENT: "Tracker silent",
    Kind.INTEGRATION_DOWN: "Integration down",
    Kind.SOS: "SOS",
    Kind.POWER_CUT: "Power cut",
    Kind.DEVICE_ALARM: "Tracker alarm",
    Kind.SPEED: "Too fast",
    Kind.FENCE_ENTER: "Entered a fence",
    Kind.FENCE_LEAVE: "Left a fence",
    Kind.FENCE_STAY: "Long stay in a fence",
}

ADVICE: Mapping[str, str] = {
    Kind.DRAIN: "Open the event in Fuel, call the driver, then confirm the drain or mark it false with the reason.",
    Kind.SENSOR_SILENT: "See whether the vehicle sends at all, then have the sensor's cable and power looked at.",
    Kind.TRACKER_SILENT: "Call the driver; if the vehicle is well, have the tracker's power and SIM card looked at.",
    Kind.INTEGRATION_DOWN: "Open Integrations: the card says what failed and has the button that mends it.",
    Kind.SOS: "Call the driver now. If nobody answers, follow the depot's emergency plan.",
    Kind.POWER_CUT: "Call the driver: somebody may be taking the tracker or the battery off the vehicle.",
    Kind.DEVICE_ALARM: "Look where the vehicle is and call the driver.",
    Kind.SPEED: "Call the driver and ask to slow down.",
    Kind.FENCE_ENTER: "See whether the vehicle is expected there; if not, call the driver.",
    Kind.FENCE_LEAVE: "See whether the vehicle may be on the road; if not, call the driver.",
    Kind.FENCE_STAY: "Ask the driver or the facility what holds the vehicle up.",
}
"""What to do next, for each kind."""

MOMENTARY = frozenset({Kind.DRAIN, Kind.SOS, Kind.DEVICE_ALARM})
"""Kinds that tell of a moment: acknowledging them ends them."""

ENDED_BY_HAND = frozenset({Kind.POWER_CUT})
"""Kinds that tell of a state whose end not every tracker tells: somebody who knows may say that it is over."""

FLOOD_COUNT = 10
FLOOD_MS = 10 * 60_000
"""More than ten alarms within ten minutes are a flood: nobody can act on each."""

FRESH_MS = 15 * 60_000
"""An alarm whose time is longer ago than this is told in the list alone: late data never cry as if new."""
