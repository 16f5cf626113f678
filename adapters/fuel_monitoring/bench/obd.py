"""The workbench on an ELM327: the fuel gauge of a car, as its control units tell it (fuel-sensors.md 5)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

from adapters.bench import Found, Level, SensorFacts
from adapters.errors import NotReady
from adapters.fuel_monitoring.bench.session import Session
from adapters.fuel_monitoring.bench.turns import ACT, POLL
from adapters.fuel_monitoring.obd.elm327 import WORDS, ElmParser, ElmResult, read_reply
from adapters.fuel_monitoring.obd.pids import FUEL_TYPES, PIDS
from adapters.fuel_monitoring.obd.session import ORDINARY_S, ElmSession

LEVEL, FUEL_TYPE = 0x2F, 0x51
_BESIDE: Final = (0x5E, 0x0C, 0x0D)
_COARSE = "The gauge knows steps of 0.4 % and is damped by its maker: drains below 5 % of the tank do not show."
_PROMPT_S: Final = 2.0


class ObdSession(Session):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._elm = ElmSession()
        self._knows_prompt = True

    def on_connection(self, is_connected: bool) -> None:
        """An adapter that was pulled has to be set up again."""
        del is_connected
        self._elm = ElmSession()
        self._knows_prompt = True

    async def prepare(self) -> None:
        """Wake the adapter; a vehicle that does not answer yet is asked again with each request."""
        async with self.link.turn(ACT):
            await self._set_up()
        if not self._elm.device and self._elm.trouble == "":
            raise NotReady(f"No OBD adapter answers at {self.line.path}. Choose the right port and speed.")

    async def _set_up(self) -> None:
        if self._elm.trouble:
            self._elm.restart()
        while (step := self._elm.next_step()) is not None:
            result = await self._command(step.command, step.timeout_s)
            if step.command == "ATZ" and result.error == "incomplete" and not result.lines:
                raise NotReady(f"No OBD adapter answers at {self.line.path}. Choose the right port and speed.")
            self._elm.take(result)

    async def _command(self, command: str, timeout_s: float) -> ElmResult:
        """One command and its whole reply. Never before the prompt: any byte would abort what runs."""
        if not self._knows_prompt:
            await self._find_prompt()
        self.line.take()
        await self.line.write(command.encode("ascii") + b"\r")
        reply = await self._reply(timeout_s)
        self._knows_prompt = reply is not None
        return read_reply(command, reply or b"")

    async def _find_prompt(self) -> None:
        await self.line.write(b"\r")
        await self._reply(_PROMPT_S)

    async def _reply(self, timeout_s: float) -> bytes | None:
        parser, loop = ElmParser(), asyncio.get_running_loop()
        ends_s = loop.time() + timeout_s
        while (left_s := ends_s - loop.time()) > 0:
            replies = parser.feed(await self.line.read(left_s))
            if replies:
                return replies[0]
        return None

    async def _value(self, pid: int) -> ElmResult:
        result = await self._command(f"01{pid:02X}", ORDINARY_S)
        self._elm.note(pid, result)
        return result

    # -- what the workbench asks ----------------------------------------------------------------------------------

    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        """The control units that tell what they support; an adapter has one speed, the one it was opened with."""
        wanted = set(addresses)
        del speeds
        progress(0, 1)
        async with self.link.turn(ACT):
            await self._set_up()
            result = await self._command("0100", ORDINARY_S)
        for answer in result.answers:
            if (unit := _unit(answer.ecu)) in wanted:
                tells = "tells the fuel level" if LEVEL in self._elm.pids else "does not tell the fuel level"
                yield Found(unit, self.speed, self.dialect.key, f"control unit {answer.ecu or '?'}, {tells}")
        progress(1, 1)

    async def identify(self, address: int) -> SensorFacts:
        async with self.link.turn(ACT):
            await self._set_up()
            volts = await self._command("ATRV", ORDINARY_S)
            fuel = await self._value(FUEL_TYPE) if FUEL_TYPE in self._elm.pids else None
        details = [("protocol", self._elm.protocol or "not told")]
        if "volts" in volts.facts:
            details.append(("supply", f"{volts.facts['volts']} V"))
        if fuel is not None and fuel.value is not None:
            details.append(("fuel", FUEL_TYPES.get(int(fuel.value), f"type {int(fuel.value)}")))
        details.append(("supported", ", ".join(f"{pid:02X}" for pid in sorted(self._elm.pids)) or "not told"))
        if self._elm.trouble:
            details.append(("trouble", WORDS[self._elm.trouble]))
        return SensorFacts(address, self.dialect.key, self._elm.device, details=tuple(details))

    async def read(self, address: int) -> Level:
        async with self.link.turn(POLL):
            await self._set_up()
            if self._elm.trouble:
                return _nothing(address, f"The vehicle gives no data: {WORDS[self._elm.trouble]}.")
            if self._elm.pids and LEVEL not in self._elm.pids:
                return _nothing(address, "This vehicle does not tell its fuel level over OBD.")
            result = await self._value(LEVEL)
            beside = {pid: await self._value(pid) for pid in _BESIDE if pid in self._elm.pids}
        data = next((one.data for one in result.answers if address in (0, _unit(one.ecu))), b"")
        if result.error or len(data) < 3:
            return _nothing(address, f"The vehicle gives no level: {WORDS.get(result.error, WORDS['no_data'])}.")
        told = [(PIDS[pid], one.value) for pid, one in beside.items() if one.value is not None]
        more = [(pid.name, f"{value:.6g} {pid.unit}") for pid, value in told]
        more.append(("hint", _COARSE))
        value = PIDS[LEVEL].value(data[2:])
        return Level(time.time(), address, value, "%", raw=float(data[2]), more=tuple(more))

    async def close(self) -> None:
        with contextlib.suppress(NotReady):
            if self.line.is_connected and self._elm.device:
                await self.line.write(b"ATPC\r")  # close the protocol, so that the vehicle may sleep
        await super().close()


def _nothing(address: int, why: str) -> Level:
    return Level(time.time(), address, None, "%", why=why)


def _unit(ecu: str) -> int:
    """A number for a control unit: its 11-bit identifier, or its address behind 18DAF1."""
    if not ecu:
        return 0
    return int(ecu[-2:], 16) if len(ecu) > 3 else int(ecu, 16)
