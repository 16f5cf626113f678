"""A vehicle's CAN bus behind a bridge: listened to, never spoken on; the newest of each message is kept and sampled.

Only what is sampled is decoded, and only the frames behind a stored reading are kept (fuel-sensors.md 3 and 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from adapters.errors import BadReply, NotReady
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.bench.bridges import Bridge, GvretBridge, SlcanBridge
from adapters.fuel_monitoring.can import gvret, slcan
from adapters.fuel_monitoring.can.dm1 import read_dm1
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import (
    DM1,
    PGNS,
    TRANSPORT_CONTROL,
    TRANSPORT_DATA,
    SignalStatus,
    SignalValue,
    decode_payload,
)
from adapters.fuel_monitoring.can.transport import BamAssembler
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.settings import Target
from adapters.fuel_monitoring.sources.own_signal import own_signal
from adapters.fuel_monitoring.sources.roll import RollCall, spoken_time
from adapters.fuel_monitoring.sources.source import Outlet, Source, capital
from adapters.records import EngineReading, FuelReading, FuelStatus, Record
from adapters.vocabulary import JsonScalar

FRESH_S: Final = 5.0
"""Levels come once a second: one that is older says nothing of now."""
SLOW_S: Final = 90.0
"""Totals and hours come on request of others, seldom."""
_LISTEN_S: Final = 3.0
_SPN_OF: Final = {1: 96, 2: 38}
_OWN: Final = 3
"""The number of the level that the operator's DBC file describes."""
_DASH: Final = 65_276
_TEMPERATURES: Final = 65_262
_ENGINE: Final[dict[str, tuple[tuple[int, int, float], ...]]] = {
    "total_fuel_l": ((64_777, 5054, 1.0), (65_257, 250, 1.0)),
    "trip_fuel_l": ((64_777, 5053, 1.0), (65_257, 182, 1.0)),
    "fuel_rate_l_h": ((65_266, 183, 1.0),),
    "engine_rpm": ((61_444, 190, 1.0),),
    "speed_km_h": ((65_265, 84, 1.0),),
    "engine_hours": ((65_253, 247, 1.0),),
    "odometer_m": ((65_217, 917, 1.0), (65_248, 245, 1000.0)),
}
"""Of each figure the messages that tell it, the finest first: PGN, SPN, and the factor to our unit."""
_SLOW: Final = frozenset({64_777, 65_257, 65_253, 65_217, 65_248})
_EXTENDED_PDU2: Final = 0x3FFFF
_STATUSES: Final[dict[SignalStatus, FuelStatus]] = {
    "ok": "ok",
    "error": "error",
    "reserved": "reserved",
    "not_available": "not_available",
    "missing": "not_available",
}


@dataclass(slots=True)
class _Heard:
    """The newest message of one PGN by its senders; ``is_new`` until it was sampled."""

    payloads: dict[int, tuple[bytes, CanFrame, int, float]] = field(default_factory=dict)
    is_new: bool = False


class CanSource(Source):
    def make_line(self, find: ports.Find) -> SerialLine:
        self._bridge: Bridge = self._new_bridge()
        self._long = BamAssembler()
        self._heard: dict[int, _Heard] = {}
        self._frames = 0
        self._bytes = bytearray()
        self._own = own_signal(self.settings) if any(target.number == _OWN for target in self.targets) else None
        self._own_heard: tuple[CanFrame, int, float] | None = None
        self._own_sampled_ms = 0
        return SerialLine(self.settings.port, self.settings.line_speed, find=find, on_data=self._on_data)

    def _new_bridge(self) -> Bridge:
        return GvretBridge() if self.settings.protocol == "gvret" else SlcanBridge()

    def sensor_of(self, target: Target) -> str:
        if target.number == _OWN:
            return f"dbc:{self.settings.port}:{self.settings.dbc_signal}"
        return f"j1939:{self.settings.port}:{_SPN_OF[target.number]}"

    async def prove(self) -> str:
        await self._open()
        ends_s = self.clock.monotonic() + _LISTEN_S
        while self.clock.monotonic() < ends_s and not self._are_heard():
            await self.line.read(0.1)
        levels = [(target, self._level(target.number)) for target in self.targets if target.number != _OWN]
        told = [f"fuel level {target.number} is {_spoken(level[0])}" for target, level in levels if level is not None]
        if self._own is not None and self._own_heard is not None:
            value = self._own.value(self._own_heard[0])
            told.append(f"{self.settings.dbc_signal} is {'“not available”' if value is None else f'{value:.6g}'}")
        if told:
            return f"{self._bridge.title}. {capital(', '.join(told))}."
        if self._frames:
            return (
                f"{self._bridge.title}. The bus is heard, and nobody on it tells a fuel level yet; with the ignition "
                "off this is usual."
            )
        return (
            f"{self._bridge.title}. Nothing is heard on the bus: switch the ignition on, or choose another bit rate "
            "if it stays like this."
        )

    def _are_heard(self) -> bool:
        """Whether every level has come."""
        is_own_heard = self._own is None or self._own_heard is not None
        return is_own_heard and (_DASH in self._heard or all(target.number == _OWN for target in self.targets))

    async def _open(self) -> None:
        """Set the bridge up. Raises NotReady for silence, BadReply for what is no bridge."""
        self._bridge, self._long = self._new_bridge(), BamAssembler()
        self._heard.clear()
        self._own_heard = None
        self._frames = 0
        self._bytes.clear()
        try:
            await self._bridge.open(self.line, int(self.settings.bit_rate))
        except NotReady as err:
            if self._bytes and not self._frames:
                raise BadReply(
                    f"What answers at {self.settings.port} is no {self.settings.protocol.upper()} bridge. Choose the "
                    "right port and the right kind of bridge.",
                    bytes(self._bytes).hex(),
                ) from err
            raise

    async def leave(self) -> None:
        if self.line.is_connected:
            await self._bridge.close(self.line)

    # -- standing work --------------------------------------------------------------------------------------------

    async def serve(self, outlet: Outlet) -> None:
        await self._open()
        roll = self.roll_call(outlet, self._asleep)
        outlet.connected(f"{self._bridge.title} at {self.settings.port} listens to the bus.")
        for target in self.targets:
            unit = self.settings.dbc_unit if target.number == _OWN else "percent"
            await outlet.give([self.info(target, "can_bus", unit)])
        told_frames = told_errors = 0
        due_s = self.clock.monotonic() + min(self.settings.period_s, 1.0)
        while True:
            while (left_s := due_s - self.clock.monotonic()) > 0:
                await self.line.read(left_s)  # sleeps: what comes is taken by _on_data; wakes when the port is lost
            due_s = max(due_s + self.settings.period_s, self.clock.monotonic())
            await outlet.give(self._sample(roll))
            outlet.count("can_frames", self._frames - told_frames)
            outlet.count("bridge_errors", self._bridge.bus_errors - told_errors)
            outlet.count_dropped()
            told_frames, told_errors = self._frames, self._bridge.bus_errors

    def _asleep(self, since: str) -> str:
        return (
            f"{self._bridge.title} at {self.settings.port} works. The bus tells no fuel level since {since}; with the "
            "ignition off this is usual."
        )

    def _sample(self, roll: RollCall) -> list[Record]:
        records: list[Record] = []
        dash = self._heard.get(_DASH)
        for target in self.targets:
            if target.number == _OWN:
                records += self._own_reading(target, roll)
                continue
            level = self._level(target.number)
            if level is None:
                roll.falls_silent(target.number)
                continue
            signal, frame, at_ms = level
            roll.answers(target.number, self._fault())
            if dash is not None and dash.is_new:
                records.append(self._reading(target, signal, frame, at_ms))
        if dash is not None:
            dash.is_new = False
        engine = self._engine()
        return records if engine is None else [*records, engine]

    def _reading(self, target: Target, signal: SignalValue, frame: CanFrame, at_ms: int) -> FuelReading:
        warm = self._signal(_TEMPERATURES, 174, SLOW_S)
        attributes: dict[str, JsonScalar] = {"source_address": frame.can_id & 0xFF}
        if signal.raw is not None:
            attributes["raw"] = signal.raw
        if fault := self._fault():
            attributes["fault"] = fault
        return FuelReading(
            sensor=self.sensor_of(target),
            measured_at_ms=at_ms,
            received_at_ms=at_ms,
            value=signal.value,
            status=_STATUSES[signal.status],
            temperature_c=warm.value if warm is not None else None,
            attributes=attributes,
            raw=self.evidence(self.settings.protocol, self._bytes_of(frame), at_ms),
        )

    def _own_reading(self, target: Target, roll: RollCall) -> list[Record]:
        """The level that the DBC file describes; nothing when none came since the last sample."""
        heard = self._own_heard
        if self._own is None or heard is None or self.clock.monotonic() - heard[2] > FRESH_S + self.settings.period_s:
            roll.falls_silent(target.number)
            return []
        roll.answers(target.number)
        frame, at_ms, _at_s = heard
        if at_ms == self._own_sampled_ms:
            return []
        self._own_sampled_ms = at_ms
        value = self._own.value(frame)
        status: FuelStatus = "not_available" if value is None else "ok"
        raw = self.evidence(self.settings.protocol, self._bytes_of(frame), at_ms)
        return [FuelReading(self.sensor_of(target), at_ms, at_ms, value, status, raw=raw)]

    def _bytes_of(self, frame: CanFrame) -> bytes:
        return slcan.frame_line(frame) if self.settings.protocol == "slcan" else gvret.frame_bytes(frame)

    def _engine(self) -> EngineReading | None:
        """What the engine says now; None when nothing new came."""
        told = {pgn for sources in _ENGINE.values() for pgn, _spn, _factor in sources}
        fresh = [heard for pgn, heard in self._heard.items() if pgn in told and heard.is_new]
        if not fresh:
            return None
        for heard in fresh:
            heard.is_new = False
        figures = {name: self._figure(sources) for name, sources in _ENGINE.items()}
        if all(figure is None for figure in figures.values()):
            return None
        return EngineReading(self.sensor_of(self.targets[0]), self.clock.now_ms(), **figures)

    def _figure(self, sources: Iterable[tuple[int, int, float]]) -> float | None:
        for pgn, spn, factor in sources:
            signal = self._signal(pgn, spn, SLOW_S if pgn in _SLOW else FRESH_S)
            if signal is not None and signal.value is not None:
                return signal.value * factor
        return None

    def _level(self, number: int) -> tuple[SignalValue, CanFrame, int] | None:
        """The newest level, of the control unit that knows it; None when none came lately."""
        heard = self._heard.get(_DASH)
        now_s, found = self.clock.monotonic(), []
        for payload, frame, at_ms, at_s in heard.payloads.values() if heard is not None else ():
            if now_s - at_s <= FRESH_S + self.settings.period_s:
                signal = next(one for one in decode_payload(_DASH, payload) if one.spn == _SPN_OF[number])
                found.append((signal.status == "ok", at_ms, signal, frame))
        if not found:
            return None
        _is_ok, at_ms, signal, frame = max(found, key=lambda one: one[:2])
        return signal, frame, at_ms

    def _signal(self, pgn: int, spn: int, within_s: float) -> SignalValue | None:
        heard = self._heard.get(pgn)
        now_s = self.clock.monotonic()
        for payload, _frame, _at_ms, at_s in heard.payloads.values() if heard is not None else ():
            if now_s - at_s <= within_s:
                signal = next((one for one in decode_payload(pgn, payload) if one.spn == spn), None)
                if signal is not None and signal.value is not None:
                    return signal
        return None

    def _fault(self) -> str:
        """What the control units report of the tank's own sender, as a sentence."""
        heard = self._heard.get(DM1)
        now_s = self.clock.monotonic()
        for payload, _frame, at_ms, at_s in heard.payloads.values() if heard is not None else ():
            if now_s - at_s <= FRESH_S and any(code.is_fuel_sensor_fault for code in read_dm1(payload)):
                return f"the vehicle reports an electrical fault of its fuel sensor, {spoken_time(at_ms)}."
        return ""

    # -- what comes -----------------------------------------------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        if len(self._bytes) < 400:
            self._bytes += data
        frames = self._bridge.hear(data)
        self._frames += len(frames)
        now_ms, now_s = self.clock.now_ms(), self.clock.monotonic()
        for frame in frames:
            if self._own is not None and self._own.is_in(frame):
                self._own_heard = (frame, now_ms, now_s)
            if not frame.extended or frame.remote:
                continue
            pgn = frame.can_id >> 8 & _EXTENDED_PDU2  # all that is wanted is broadcast, so this is the whole PGN
            if pgn in PGNS or pgn == DM1:
                self._keep(pgn, frame.can_id & 0xFF, frame.data, frame, now_ms, now_s)
            elif pgn & 0x3FF00 in (TRANSPORT_CONTROL, TRANSPORT_DATA):
                long = self._long.feed(frame, now_s)
                if long is not None and (long.pgn in PGNS or long.pgn == DM1):
                    self._keep(long.pgn, long.source, long.payload, frame, now_ms, now_s)

    def _keep(self, pgn: int, source: int, payload: bytes, frame: CanFrame, now_ms: int, now_s: float) -> None:
        heard = self._heard.get(pgn)
        if heard is None:
            heard = self._heard[pgn] = _Heard()
        heard.payloads[source] = (payload, frame, now_ms, now_s)
        heard.is_new = True


def _spoken(signal: SignalValue) -> str:
    return f"“{signal.status.replace('_', ' ')}”" if signal.value is None else f"{signal.value:.4g} %"
