"""What reads a port for the gateway: one source per port, one sensor after the other (fuel-sensors.md 9)."""

from __future__ import annotations

from adapters.base import Clock
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.settings import FuelSettings
from adapters.fuel_monitoring.sources.can import CanSource
from adapters.fuel_monitoring.sources.obd import ObdSource
from adapters.fuel_monitoring.sources.polled import PolledSource
from adapters.fuel_monitoring.sources.source import Source

__all__ = ["Source", "make_source"]


def make_source(settings: FuelSettings, clock: Clock, find: ports.Find = ports.system_ports) -> Source:
    """The source that the settings describe. Raises SettingsInvalid for a register map that is none."""
    kinds: dict[str, type[Source]] = {"slcan": CanSource, "gvret": CanSource, "elm327": ObdSource}
    return kinds.get(settings.protocol, PolledSource)(settings, clock, find)
