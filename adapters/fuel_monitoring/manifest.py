"""What the host must know about the integration before it runs."""

from __future__ import annotations

from typing import Final

from adapters.base import Manifest
from adapters.fuel_monitoring.settings import FuelSettings

MANIFEST: Final = Manifest(
    key="fuel_monitoring",
    name="Fuel Monitoring",
    description="Reads fuel sensors at a port of this computer: RS-485, CAN bus or OBD, with every tank in litres.",
    category="fleet_management",
    icon="gauge",
    capabilities=("Fuel level monitoring", "Filling detection", "Drain alerts", "Consumption analytics"),
    settings=FuelSettings,
    modes=frozenset({"listen"}),
    is_new=True,
    stale_after_s=15 * 60,
    decoders="adapters.fuel_monitoring.decoders:DECODERS",
    simulator="adapters.fuel_monitoring.simulator.peer:simulate",
    explainer="adapters.fuel_monitoring.explain:explain",
    bench="adapters.fuel_monitoring.bench:BENCH",
)
