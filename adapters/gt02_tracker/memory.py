"""What a connection remembers of its devices, so that a state that lasts is told once."""

from __future__ import annotations

from typing import Final

_DEVICES_LIMIT: Final = 64  # devices remembered per connection; honest ones have one


class Memory:
    """Alarms and switches as last reported. Forgetting costs a repeated event, never a lost one."""

    __slots__ = ("_alarms", "_switches")

    def __init__(self) -> None:
        self._alarms: dict[str, frozenset[str]] = {}
        self._switches: dict[tuple[str, str], bool] = {}

    def new_alarms(self, device: str, codes: frozenset[str]) -> frozenset[str]:
        """Those of ``codes`` that the device's frame before did not carry."""
        before = self._alarms.get(device)
        if codes:
            if len(self._alarms) >= _DEVICES_LIMIT:
                self._alarms.clear()
            self._alarms[device] = codes
        elif before is not None:
            del self._alarms[device]
        return codes - before if before is not None else codes

    def changed(self, device: str, switch: str, on: bool) -> bool:
        """True where the switch was not known to be so."""
        key = (device, switch)
        if self._switches.get(key) is on:
            return False
        if len(self._switches) >= 2 * _DEVICES_LIMIT:
            self._switches.clear()
        self._switches[key] = on
        return True
