"""Which events of devices a person must see to; everything else is only an event."""

from __future__ import annotations

ALARM_KINDS = frozenset(
    {
        "accident",
        "alarm",
        "collision",
        "fall",
        "fuel_leak",
        "jamming",
        "power_cut",
        "power_off",
        "sos",
        "tamper",
        "tampering",
        "tow",
    }
)
