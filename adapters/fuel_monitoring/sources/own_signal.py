"""A level in messages of its own: the operator's DBC file says where it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring.can.dbc import UserSignals
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.settings import FuelSettings


@dataclass(frozen=True, slots=True)
class OwnSignal:
    """One signal of a DBC file, by its name ``message.signal``."""

    signals: UserSignals
    name: str

    def is_in(self, frame: CanFrame) -> bool:
        return self.signals.carries(frame, self.name)

    def value(self, frame: CanFrame) -> float | None:
        """None where the number is a code that is no value, or beyond the range that the file gives."""
        return self.signals.decode(frame).get(self.name)


def own_signal(settings: FuelSettings) -> OwnSignal:
    """Raises SettingsInvalid for a file or a signal that is none, Unsupported where cantools is missing."""
    if not settings.dbc:
        raise SettingsInvalid("dbc", "Sensor 3 is the signal of a DBC file. Choose the file, or leave out 3.")
    signals = UserSignals(Path(settings.dbc))
    if settings.dbc_signal not in signals.names():
        known = ", ".join(signals.names()[:12])
        raise SettingsInvalid("dbc_signal", f"The file has no signal “{settings.dbc_signal}”. It has: {known}.")
    return OwnSignal(signals, settings.dbc_signal)
