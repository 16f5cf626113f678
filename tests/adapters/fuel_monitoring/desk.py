"""A simulated bus on a real pseudo terminal with a session of the workbench on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.bench import Bench, BenchSession, Found, Traffic
from adapters.fuel_monitoring.bench import FuelBench
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import Sensor
from tests.adapters.fuel_monitoring.lines import PortList, usb


class Desk:
    """A bus, a session on it, and everything that passed."""

    def __init__(self, bus: SensorBus, session: BenchSession) -> None:
        self.bus = bus
        self.session = session
        self.traffic: list[Traffic] = []
        session.watch(self.traffic.append)

    @property
    def notes(self) -> list[str]:
        return [one.note for one in self.traffic if one.note]

    async def scan(self, addresses: Sequence[int], *speeds: int) -> list[Found]:
        return [one async for one in self.session.scan(addresses, speeds, lambda _done, _all: None)]


@asynccontextmanager
async def at(
    folder: Path,
    sensors: Sequence[Sensor],
    dialect: str = "lls",
    *,
    speed: int = 19_200,
    line_speed: int = 19_200,
    second_s: float = 1.0,
    options: dict[str, str] | None = None,
) -> AsyncIterator[Desk]:
    path = folder / "ttyUSB0"
    bench: Bench = FuelBench(PortList(usb(path)))
    with SensorBus.on_pty(sensors, path, speed=line_speed, second_s=second_s) as bus:
        session = await bench.open(str(path), dialect, speed, options)
        try:
            yield Desk(bus, session)
        finally:
            await session.close()
