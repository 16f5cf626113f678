"""A car's own fuel gauge through an ELM327, asked again and again (fuel-sensors.md 5)."""

from __future__ import annotations

import contextlib
from typing import Final

from adapters.errors import BadReply, NotReady
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.obd.elm327 import WORDS, ElmResult
from adapters.fuel_monitoring.obd.pids import PIDS
from adapters.fuel_monitoring.obd.session import ElmSession
from adapters.fuel_monitoring.obd.talk import ElmTalk
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.settings import Target
from adapters.fuel_monitoring.sources.source import Outlet, Source
from adapters.records import EngineReading, FuelReading, Record

LEVEL: Final = 0x2F
_RATE, _RPM, _SPEED = 0x5E, 0x0C, 0x0D
_REST_S: Final = 10.0
_SILENT_AFTER: Final = 3
_NO_LEVEL: Final = "the vehicle tells no fuel level; engine figures alone are kept."


class ObdSource(Source):
    def make_line(self, find: ports.Find) -> SerialLine:
        line = SerialLine(self.settings.port, self.settings.line_speed, find=find, on_state=self._on_state)
        self._talk = ElmTalk(line)
        self._is_engine_heard = False
        return line

    def sensor_of(self, target: Target) -> str:
        del target
        return f"obd:{self.settings.port}:{LEVEL:02X}"

    async def prove(self) -> str:
        elm = await self._set_up()
        if elm.trouble:
            return f"{elm.device or 'The adapter'} answers; the vehicle does not: {WORDS[elm.trouble]}."
        if not elm.tells(LEVEL):
            return f"{elm.device} answers. This vehicle tells no fuel level over OBD; engine figures alone are kept."
        level = await self._talk.value(LEVEL)
        value = "no level now" if level.value is None else f"the fuel level is {level.value:.3g} %"
        return f"{elm.device or 'The adapter'} answers, {value}."

    async def leave(self) -> None:
        if self.line.is_connected and self._talk.elm.device:
            with contextlib.suppress(NotReady):
                await self._talk.command("ATPC", 0.3)  # close the protocol, so that the vehicle may sleep

    async def serve(self, outlet: Outlet) -> None:
        target, roll = self.targets[0], self.roll_call(outlet, self._asleep)
        elm = await self._set_up()
        outlet.connected(f"{elm.device or 'An OBD adapter'} at {self.settings.port} answers.{self._without_level()}")
        await outlet.give([self.info(target, "obd", "percent", model=elm.device)])
        misses = 0
        while True:
            begun_s = self.clock.monotonic()
            await self._talk.set_up()
            is_stuck = bool(self._talk.elm.trouble)
            records = [] if is_stuck else await self._read(target, outlet)
            self._is_engine_heard = any(isinstance(record, EngineReading) for record in records)
            has_level = any(isinstance(record, FuelReading) for record in records)
            is_as_told = has_level or (self._is_engine_heard and not self._talk.elm.tells(LEVEL))
            misses = 0 if is_as_told else misses + 1
            if is_as_told:
                roll.answers(target.number, "" if has_level else _NO_LEVEL)
            elif is_stuck or misses >= _SILENT_AFTER:
                roll.falls_silent(target.number)
                if not records:  # nobody speaks: the ignition is off, or the protocol has to be found again
                    self._talk.elm.restart()
                    is_stuck = True
            await outlet.give(records)
            outlet.count_dropped()
            pause_s = max(self.settings.period_s, _REST_S if is_stuck else 0.0)
            await self._rest(begun_s + pause_s - self.clock.monotonic())

    def _without_level(self) -> str:
        return (
            "" if self._talk.elm.tells(LEVEL) else " This vehicle tells no fuel level; engine figures alone are kept."
        )

    async def _rest(self, seconds: float) -> None:
        """Raises NotReady when the adapter is pulled meanwhile."""
        ends_s = self.clock.monotonic() + seconds
        await self.line.read(0)
        while (left_s := ends_s - self.clock.monotonic()) > 0:
            await self.line.read(left_s)

    async def _set_up(self) -> ElmSession:
        try:
            await self._talk.set_up()
        except NotReady as err:
            if self.line.counters.received_bytes:
                raise BadReply(
                    f"What answers at {self.settings.port} is no OBD adapter. Choose the right port and its speed."
                ) from err
            raise
        return self._talk.elm

    async def _read(self, target: Target, outlet: Outlet) -> list[Record]:
        """The level and what the engine says beside it, as far as this vehicle tells it.

        The level never rests: it is what this is for, and it may come when the engine has run for a while.
        """
        records: list[Record] = []
        figures: dict[int, float | None] = {}
        elm = self._talk.elm
        if elm.tells(LEVEL):
            result = await self._talk.value(LEVEL)
            frame, at_ms = self._talk.last_reply, self.clock.now_ms()
            if result.value is not None:
                records.append(self._reading(target, result, frame, at_ms))
            else:
                outlet.count("obd_errors")
        for pid in (_RATE, _RPM, _SPEED):
            if pid in elm.pids and not elm.rests(pid) and not elm.trouble:
                figures[pid] = (await self._talk.value(pid)).value
        if any(figure is not None for figure in figures.values()):
            records.append(
                EngineReading(
                    self.sensor_of(target),
                    self.clock.now_ms(),
                    fuel_rate_l_h=figures.get(_RATE),
                    engine_rpm=figures.get(_RPM),
                    speed_km_h=figures.get(_SPEED),
                )
            )
        return records

    def _reading(self, target: Target, result: ElmResult, frame: bytes, at_ms: int) -> FuelReading:
        raw = result.answers[0].data[2]
        return FuelReading(
            sensor=self.sensor_of(target),
            measured_at_ms=at_ms,
            received_at_ms=at_ms,
            value=PIDS[LEVEL].value(bytes((raw,))),
            attributes={"raw": raw, "ecu": result.answers[0].ecu},
            raw=self.evidence("elm327", frame, at_ms),
        )

    def _asleep(self, since: str) -> str:
        elm = self._talk.elm
        answers = f"{elm.device or 'The adapter'} at {self.settings.port} answers"
        if self._is_engine_heard:
            return f"{answers}; the vehicle tells its engine's figures, and no fuel level since {since}."
        return f"{answers}; the vehicle does not since {since}: {WORDS.get(elm.trouble, WORDS['no_data'])}."

    def _on_state(self, is_connected: bool) -> None:
        del is_connected
        self._talk.forget()
