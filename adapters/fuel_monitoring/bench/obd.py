"""The workbench on an ELM327: the fuel gauge of a car, as its control units tell it (fuel-sensors.md 5)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

from adapters.bench import Found, Level, SensorFacts
from adapters.errors import NotReady
from adapters.fuel_monitoring.bench.session import Session
from adapters.fuel_monitoring.bench.turns import ACT, POLL
from adapters.fuel_monitoring.obd.elm327 import WORDS
from adapters.fuel_monitoring.obd.estimates import fuel_from_air_l_h
from adapters.fuel_monitoring.obd.pids import FUEL_TYPES, PIDS
from adapters.fuel_monitoring.obd.talk import ElmTalk

LEVEL, FUEL_TYPE = 0x2F, 0x51
_RATE, _AIR, _LAMBDA = 0x5E, 0x10, 0x44
_BESIDE: Final = (_RATE, 0x0C, 0x0D)
_COARSE = "The gauge knows steps of 0.4 % and is damped by its maker: drains below 5 % of the tank do not show."


class ObdSession(Session):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._talk = ElmTalk(self.line)

    def on_connection(self, is_connected: bool) -> None:
        """An adapter that was pulled has to be set up again."""
        del is_connected
        self._talk.forget()

    async def prepare(self) -> None:
        """Wake the adapter; a vehicle that does not answer yet is asked again with each request."""
        async with self.link.turn(ACT):
            await self._talk.set_up()
        if not self._talk.elm.device and self._talk.elm.trouble == "":
            raise NotReady(f"No OBD adapter answers at {self.line.path}. Choose the right port and speed.")

    # -- what the workbench asks ----------------------------------------------------------------------------------

    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        """The control units that tell what they support; an adapter has one speed, the one it was opened with."""
        wanted = set(addresses)
        del speeds
        progress(0, 1)
        async with self.link.turn(ACT):
            await self._talk.set_up()
            result = await self._talk.command("0100")
        for answer in result.answers:
            if (unit := _unit(answer.ecu)) in wanted:
                tells = "tells the fuel level" if LEVEL in self._talk.elm.pids else "does not tell the fuel level"
                yield Found(unit, self.speed, self.dialect.key, f"control unit {answer.ecu or '?'}, {tells}")
        progress(1, 1)

    async def identify(self, address: int) -> SensorFacts:
        async with self.link.turn(ACT):
            await self._talk.set_up()
            volts = await self._talk.command("ATRV")
            fuel = await self._talk.value(FUEL_TYPE) if FUEL_TYPE in self._talk.elm.pids else None
        elm = self._talk.elm
        details = [("protocol", elm.protocol or "not told")]
        if "volts" in volts.facts:
            details.append(("supply", f"{volts.facts['volts']} V"))
        if fuel is not None and fuel.value is not None:
            details.append(("fuel", FUEL_TYPES.get(int(fuel.value), f"type {int(fuel.value)}")))
        details.append(("supported", ", ".join(f"{pid:02X}" for pid in sorted(elm.pids)) or "not told"))
        if elm.trouble:
            details.append(("trouble", WORDS[elm.trouble]))
        return SensorFacts(address, self.dialect.key, elm.device, details=tuple(details))

    async def read(self, address: int) -> Level:
        async with self.link.turn(POLL):
            await self._talk.set_up()
            elm = self._talk.elm
            if elm.trouble:
                return _nothing(address, f"The vehicle gives no data: {WORDS[elm.trouble]}.")
            if not elm.tells(LEVEL):
                return _nothing(address, "This vehicle does not tell its fuel level over OBD.")
            result = await self._talk.value(LEVEL)
            beside = {pid: await self._talk.value(pid) for pid in _BESIDE if pid in elm.pids and not elm.rests(pid)}
            estimate_l_h = None if _RATE in elm.pids else await self._estimate_l_h()
            if elm.rests(LEVEL):
                elm.restart()  # the vehicle lists it: the next reading searches anew, which tells what is wrong
        data = next((one.data for one in result.answers if address in (0, _unit(one.ecu))), b"")
        if result.error or len(data) < 3:
            return _nothing(address, f"The vehicle gives no level: {WORDS.get(result.error, WORDS['no_data'])}.")
        told = [(PIDS[pid], one.value) for pid, one in beside.items() if one.value is not None]
        more = [(pid.name, f"{value:.6g} {pid.unit}") for pid, value in told]
        if estimate_l_h is not None:
            more.append(("fuel rate, estimated from the air flow", f"{estimate_l_h:.1f} L/h"))
        more.append(("hint", _COARSE))
        value = PIDS[LEVEL].value(data[2:])
        return Level(time.time(), address, value, "%", raw=float(data[2]), more=tuple(more))

    async def _estimate_l_h(self) -> float | None:
        """The fuel rate of a vehicle that does not tell it, as far as its air flow says it."""
        elm = self._talk.elm
        if any(pid not in elm.pids or elm.rests(pid) for pid in (_AIR, FUEL_TYPE)):
            return None
        air, kind = (await self._talk.value(_AIR)).value, (await self._talk.value(FUEL_TYPE)).value
        ratio = (await self._talk.value(_LAMBDA)).value if _LAMBDA in elm.pids else None
        return None if air is None or kind is None else fuel_from_air_l_h(air, FUEL_TYPES.get(int(kind), ""), ratio)

    async def close(self) -> None:
        with contextlib.suppress(NotReady):
            if self.line.is_connected and self._talk.elm.device:
                await self.line.write(b"ATPC\r")  # close the protocol, so that the vehicle may sleep
        await super().close()


def _nothing(address: int, why: str) -> Level:
    return Level(time.time(), address, None, "%", why=why)


def _unit(ecu: str) -> int:
    """A number for a control unit: its 11-bit identifier, or its address behind 18DAF1."""
    if not ecu:
        return 0
    return int(ecu[-2:], 16) if len(ecu) > 3 else int(ecu, 16)
