"""Alarm names of the protocols in the console's own words."""

from __future__ import annotations

from typing import Final

EVENT_KINDS: Final = {
    "sos": "sos",
    "power_cut": "power_cut",
    "forced_power_off": "power_cut",
    "vibration": "vibration",
    "fence_enter": "geofence_enter",
    "fence_exit": "geofence_exit",
    "overspeed": "overspeed",
    "low_external_power": "low_power",
    "external_power_protection": "low_power",
    "power_off": "power_off",
    "tamper": "tamper",
    "cover_removed": "tamper",
    "door": "door",
    "low_internal_battery": "low_battery",
    "fall": "fall",
    "collision": "collision",
    "harsh_braking": "harsh_braking",
    "acc_on": "ignition_on",
    "acc_off": "ignition_off",
}
"""Kind of event by alarm name; names that are not here are of kind "alarm"."""

EVENT_TEXTS: Final = {
    "sos": "SOS button",
    "power_cut": "Power cut",
    "forced_power_off": "Tracker cut from its power",
    "vibration": "Vibration",
    "fence_enter": "Entered a fence of the tracker",
    "fence_exit": "Left a fence of the tracker",
    "overspeed": "Too fast for the limit set in the tracker",
    "low_external_power": "Vehicle battery low",
    "external_power_protection": "Vehicle battery low, tracker protects it",
    "power_off": "Tracker switched off",
    "tamper": "Tracker tampered with",
    "cover_removed": "Tracker cover removed",
    "door": "Door",
    "low_internal_battery": "Tracker battery low",
    "fall": "Fall",
    "collision": "Collision",
    "harsh_braking": "Harsh braking",
    "acc_on": "Ignition on",
    "acc_off": "Ignition off",
}
