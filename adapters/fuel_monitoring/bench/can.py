"""The workbench on a vehicle's CAN bus: who says what about fuel; nothing is ever sent (fuel-sensors.md 3)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.bench import Dialect, Found, Level, SensorFacts
from adapters.errors import AdapterError, SettingsInvalid
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.bench.bridges import Bridge, GvretBridge, SlcanBridge
from adapters.fuel_monitoring.bench.session import Session
from adapters.fuel_monitoring.can.dm1 import TroubleCode, read_dm1
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import DM1, PGNS, SignalValue, decode_payload, split_id
from adapters.fuel_monitoring.can.transport import BamAssembler

LISTEN_S: Final = 3.0
"""Fuel level comes once a second."""
FRESH_S: Final = 5.0
_LEVELS: Final = (96, 38)
_COMPONENT: Final = 65_259
_STEP_S: Final = 0.1
_SERIAL_SPEED: Final = 115_200
_SECOND_TANK = "Level 2 does not say which tank it is."


@dataclass(slots=True)
class _Speaker:
    """One control unit, known by its source address."""

    signals: dict[int, tuple[SignalValue, float]] = field(default_factory=dict)
    messages: Counter[int] = field(default_factory=Counter)
    codes: tuple[TroubleCode, ...] = ()
    component: str = ""

    @property
    def speaks_of_fuel(self) -> bool:
        return bool(self.signals)


class CanSession(Session):
    """``speed`` is the bit rate of the CAN bus; the option ``serial_speed`` is that of the bridge itself."""

    def __init__(self, port: str, dialect: Dialect, speed: int, options: Mapping[str, str], find: ports.Find) -> None:
        self._bridge: Bridge = GvretBridge() if dialect.key == "gvret" else SlcanBridge()
        super().__init__(port, dialect, speed, options, find, line_speed=_serial_speed(options), on_data=self._on_bytes)
        self._speakers: dict[int, _Speaker] = {}
        self._long = BamAssembler()
        self._rate = speed
        self._is_ready = False
        self._preparing = asyncio.Lock()
        self._came = asyncio.Event()

    async def prepare(self) -> None:
        await self._listen_at(self.speed)

    async def close(self) -> None:
        if self.line.is_connected and self._is_ready:
            with contextlib.suppress(AdapterError):
                await self._bridge.close(self.line)
        await super().close()

    def on_connection(self, is_connected: bool) -> None:
        """A bridge that was pulled has forgotten its set-up."""
        del is_connected
        self._is_ready = False

    async def _listen_at(self, rate: int) -> None:
        async with self._preparing:
            if self._is_ready and rate == self._rate:
                return
            await self._bridge.open(self.line, rate)
            self._rate, self._is_ready = rate, True
            self.line.note(f"listening only, {rate // 1000} kbit/s")

    def _on_bytes(self, data: bytes) -> None:
        now_s = time.monotonic()
        for frame in self._bridge.hear(data):
            self._take(frame, now_s)
        self._came.set()

    def _take(self, frame: CanFrame, now_s: float) -> None:
        if not frame.extended or frame.remote:
            return
        parts = split_id(frame.can_id)
        self._message(parts.source, parts.pgn, frame.data, now_s)
        long = self._long.feed(frame, now_s)
        if long is not None:
            self._message(long.source, long.pgn, long.payload, now_s)

    def _message(self, source: int, pgn: int, payload: bytes, now_s: float) -> None:
        speaker = self._speakers.setdefault(source, _Speaker())
        speaker.messages[pgn] += 1
        if pgn == DM1:
            speaker.codes = read_dm1(payload)
        elif pgn == _COMPONENT:
            speaker.component = payload.decode("latin-1").replace("*", " ").strip(" \x00\xff")
        elif pgn in PGNS:
            for signal in decode_payload(pgn, payload):
                speaker.signals[signal.spn] = (signal, now_s)

    # -- what the workbench asks ----------------------------------------------------------------------------------

    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        """Listen for a while at each bit rate; who speaks of fuel or of the engine is found."""
        wanted, steps = set(addresses), round(LISTEN_S / _STEP_S)
        try:
            for at, rate in enumerate(speeds):
                self._speakers.clear()
                self._is_ready = self._is_ready and rate == self._rate
                await self._listen_at(rate)
                told: set[int] = set()
                for step in range(steps):
                    progress(at * steps + step, len(speeds) * steps)
                    await asyncio.sleep(_STEP_S)
                    for source in sorted(self._speakers.keys() & wanted - told):
                        if self._speakers[source].speaks_of_fuel:
                            told.add(source)
                            yield Found(source, rate, self.dialect.key, self._title(source))
            progress(len(speeds) * steps, len(speeds) * steps)
        finally:
            self._is_ready = self._is_ready and self._rate == self.speed

    def _title(self, source: int) -> str:
        names = [signal.name for signal, _at in self._speakers[source].signals.values() if signal.value is not None]
        return ", ".join(names[:4]) or "speaks of fuel or engine, without values now"

    async def identify(self, address: int) -> SensorFacts:
        await self._listen_at(self.speed)
        await self._hear(address)
        speaker = self._speakers.get(address, _Speaker())
        details = [("bridge", self._bridge.title), ("bit rate", f"{self._rate // 1000} kbit/s")]
        details += [(f"PGN {pgn}", f"{count} messages") for pgn, count in speaker.messages.most_common(12)]
        for code in speaker.codes:
            fault = ": the wiring of the fuel sensor" if code.is_fuel_sensor_fault else ""
            details.append(("trouble code", f"SPN {code.spn}, FMI {code.fmi}, seen {code.count} times{fault}"))
        return SensorFacts(address, self.dialect.key, speaker.component, details=tuple(details))

    async def read(self, address: int) -> Level:
        await self._listen_at(self.speed)
        await self._hear(address)
        speaker = self._speakers.get(address)
        if speaker is None:
            why = f"Control unit {address} says nothing. With the ignition off, many are silent."
            return Level(time.time(), address, None, "%", why=why)
        fresh = self._fresh(speaker)
        level = next((fresh[spn] for spn in _LEVELS if spn in fresh and fresh[spn].value is not None), None)
        level = level or next((fresh[spn] for spn in _LEVELS if spn in fresh), None)
        more = [
            (signal.name, signal.status.replace("_", " ") if signal.value is None else _shown(signal))
            for signal in fresh.values()
            if level is None or signal.spn != level.spn
        ]
        more += [("hint", _SECOND_TANK)] if level is not None and level.spn == 38 else []
        temperature = fresh[174].value if 174 in fresh else None
        value, raw = (level.value, level.raw) if level is not None else (None, None)
        return Level(
            time.time(),
            address,
            value,
            "%",
            temperature_c=temperature,
            raw=None if raw is None else float(raw),
            more=tuple(more),
            why=_why_no_level(address, level) if value is None else "",
        )

    @staticmethod
    def _fresh(speaker: _Speaker) -> dict[int, SignalValue]:
        now_s = time.monotonic()
        return {spn: signal for spn, (signal, at_s) in speaker.signals.items() if now_s - at_s < FRESH_S}

    async def _hear(self, source: int) -> None:
        """Give a level that has not come yet the time in which it must."""
        await asyncio.sleep(0)  # whoever reads again and again lets new frames in
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + LISTEN_S / 2
        while (left_s := ends_s - loop.time()) > 0:
            speaker = self._speakers.get(source)
            if speaker is not None and any(spn in self._fresh(speaker) for spn in _LEVELS):
                return
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._came.wait()


def _shown(signal: SignalValue) -> str:
    return f"{signal.value:.6g} {signal.unit}".strip()


def _why_no_level(address: int, level: SignalValue | None) -> str:
    if level is None:
        return f"Control unit {address} speaks, but says nothing of the fuel level."
    return f"Control unit {address} says of the fuel level: {level.status.replace('_', ' ')}."


def _serial_speed(options: Mapping[str, str]) -> int:
    given = options.get("serial_speed", str(_SERIAL_SPEED))
    if not given.isdecimal():
        raise SettingsInvalid("serial_speed", f"The serial speed must be a number, not “{given}”.")
    return int(given)
