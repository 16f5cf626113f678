"""What all sources share: the line, the sensors' names, and the way into the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from adapters.base import Clock, Inlet
from adapters.errors import NotReady
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.settings import FuelSettings, Target
from adapters.fuel_monitoring.sources.roll import RollCall
from adapters.records import Batch, FuelSensorInfo, FuelUnit, RawFrame, Record, SensorKind


class Outlet:
    """From a source to the store. While the store cannot keep up nothing is asked, so nothing is lost."""

    def __init__(self, inlet: Inlet, line: SerialLine) -> None:
        self._inlet = inlet
        self._line = line
        self._told_dropped = line.counters.dropped_bytes

    async def give(self, records: Iterable[Record]) -> None:
        """Hand over records, those that belong together at once."""
        batch = Batch(tuple(records))
        if not batch.records:
            return
        if self._inlet.is_full:
            self._inlet.count("store_pauses")
            await self._inlet.wait_for_room()
        self._inlet.deliver(batch)

    def count(self, counter: str, amount: int = 1) -> None:
        if amount > 0:
            self._inlet.count(counter, amount)

    def count_dropped(self) -> None:
        """Bytes that came while this program could not take them."""
        dropped = self._line.counters.dropped_bytes
        self.count("dropped_bytes", dropped - self._told_dropped)
        self._told_dropped = dropped

    def connected(self, detail: str) -> None:
        self._inlet.connected(detail)


class Source(ABC):
    """One port and its sensors. ``line`` is opened and closed by whoever owns the source."""

    line: SerialLine

    def __init__(self, settings: FuelSettings, clock: Clock, find: ports.Find) -> None:
        self.settings = settings
        self.targets = settings.targets
        self.clock = clock
        self.line = self.make_line(find)

    @abstractmethod
    def make_line(self, find: ports.Find) -> SerialLine: ...

    @abstractmethod
    async def prove(self) -> str:
        """Ask who is there, for a check: a sentence. Raises NotReady, BadReply."""

    @abstractmethod
    async def serve(self, outlet: Outlet) -> None:
        """Read until cancelled. Raises NotReady when the port is lost or nobody answers."""

    @abstractmethod
    def sensor_of(self, target: Target) -> str:
        """The sensor's name within the integration, the same for ever."""

    async def leave(self) -> None:
        """Say goodbye, before the line is closed."""
        return

    def info(
        self, target: Target, kind: SensorKind, unit: FuelUnit, *, model: str = "", serial: str = ""
    ) -> FuelSensorInfo:
        return FuelSensorInfo(
            sensor=self.sensor_of(target),
            kind=kind,
            unit=unit,
            name=self.name_of(target),
            model=model,
            serial=serial,
            vehicle=target.vehicle,
            tank=target.tank,
        )

    def name_of(self, target: Target) -> str:
        return f"{target.vehicle} {target.tank}".strip() or self.sensor_of(target)

    def roll_call(self, outlet: Outlet, asleep: Callable[[str], str] | None = None) -> RollCall:
        names = {target.number: target.shown for target in self.targets}
        return RollCall(self.settings.port, names, self.clock, outlet.connected, asleep)

    def evidence(self, protocol: str, data: bytes, at_ms: int) -> RawFrame:
        return RawFrame(protocol, data, at_ms, self.settings.port, None)


def nobody_answers(port: str, since: str = "") -> NotReady:
    """For a bus on which no sensor answers; asked again by the host after the rest of a silent sensor."""
    ended = f" any more, since {since}" if since else ""
    return NotReady(
        f"No sensor answers at {port}{ended}. Check their power, the wires A and B, the speed and the addresses; "
        "it is tried again every 10 s.",
        retry_after_s=10.0,
    )


def capital(text: str) -> str:
    """As the beginning of a sentence; names within it stay as they are."""
    return text[:1].upper() + text[1:]
