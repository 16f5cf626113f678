"""Sensors on RS-485: asked in turn, each when its time has come; the silent ones never hold up the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapters.bench import Traffic
from adapters.errors import AdapterError, BadReply, NotReady
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.bench.link import REST_S, TRIES, Link, NoAnswer
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.settings import Target
from adapters.fuel_monitoring.sources.roll import RollCall
from adapters.fuel_monitoring.sources.source import Outlet, Source, capital, nobody_answers
from adapters.fuel_monitoring.sources.speakers import Sample, Who, make_speaker
from adapters.records import FuelReading

_MOST_HEARD: Final = 400


@dataclass(slots=True)
class _Turn:
    """When a sensor is asked next."""

    target: Target
    due_s: float
    is_introduced: bool = False


class PolledSource(Source):
    """One request in flight. Three tries without an answer make a sensor silent; then one try every ten seconds."""

    def make_line(self, find: ports.Find) -> SerialLine:
        self._speaker = make_speaker(self.settings)
        self._heard: list[Traffic] = []
        self._first: dict[int, str] = {}  # the marks of who answered first; kept over reconnections
        self._changed: dict[int, str] = {}
        return SerialLine(self.settings.port, self.settings.line_speed, find=find, on_traffic=self._hear)

    def sensor_of(self, target: Target) -> str:
        return f"{self._speaker.prefix}:{self.settings.port}:{target.number}"

    # -- a check --------------------------------------------------------------------------------------------------

    async def prove(self) -> str:
        link, silent, why = Link(self.line, self._on_stale), [], None
        answered: list[str] = []
        for target in self.targets:
            try:
                sample = await self._speaker.read(link, target.number, TRIES)
            except (NoAnswer, BadReply) as err:
                silent.append(target)
                why = why if isinstance(why, BadReply) else err
            except NotReady as err:  # the port was lost; what came before says whether it was the right one
                raise self._judged(err) from err
            else:
                answered.append(f"sensor {target.shown} says {_spoken(sample, self._speaker.unit)}")
        if not answered:
            raise self._judged(why or nobody_answers(self.settings.port))
        missing = f" Silent: {', '.join(target.shown for target in silent)}." if silent else ""
        return f"{capital(', '.join(answered))}.{missing}"

    def _judged(self, why: AdapterError) -> AdapterError:
        """Bytes that are no answer are another fault than silence; the echo of our own is neither."""
        heard = b"".join(one.data for one in self._heard if one.direction == "received")
        for one in self._heard:
            if one.direction == "sent":
                heard = heard.replace(one.data, b"", 1)
        if isinstance(why, BadReply) or not heard:
            return why
        return BadReply(
            f"Bytes come from {self.settings.port}, and none of them is an answer of a sensor asked for. Choose the "
            "right kind of sensor and its speed; two sensors with one address look the same.",
            heard.hex(),
        )

    def _hear(self, traffic: Traffic) -> None:
        if len(self._heard) < _MOST_HEARD:
            self._heard.append(traffic)

    # -- standing work --------------------------------------------------------------------------------------------

    async def serve(self, outlet: Outlet) -> None:
        link, roll = Link(self.line, self._on_stale), self.roll_call(outlet)
        now_s = self.clock.monotonic()
        turns = [_Turn(target, now_s) for target in self.targets]
        while True:
            turn = min(turns, key=lambda one: one.due_s)
            wait_s = turn.due_s - self.clock.monotonic()
            if wait_s > 0:
                await self.clock.sleep(wait_s)
            await self._ask(turn, link, roll, outlet)
            outlet.count_dropped()
            if roll.are_all_silent:
                raise nobody_answers(self.settings.port, roll.silent_since if self._was_heard(turns) else "")
            if not self.line.is_connected:
                self.line.take()
                await self.line.read(0)  # says why

    @staticmethod
    def _was_heard(turns: Sequence[_Turn]) -> bool:
        return any(turn.is_introduced for turn in turns)

    async def _ask(self, turn: _Turn, link: Link, roll: RollCall, outlet: Outlet) -> None:
        target, number = turn.target, turn.target.number
        was_silent = roll.is_silent(number)
        begun_s = self.clock.monotonic()
        try:
            sample = await self._speaker.read(link, number, 1 if was_silent else TRIES)
        except (NoAnswer, BadReply) as err:
            outlet.count(_counter_of(err))
            if not was_silent:
                roll.falls_silent(number)
                await self._introduce(turn, outlet)
            turn.due_s = self.clock.monotonic() + max(REST_S, self.settings.period_s)
            return
        at_ms = self.clock.now_ms()
        if not turn.is_introduced or was_silent:  # another sensor may have taken its place meanwhile
            who = await self._speaker.identify(link, number)
            self._compare(number, who.marks)
            await self._introduce(turn, outlet, who)
            turn.is_introduced = True
        await outlet.give([self._reading(target, sample, at_ms)])
        roll.answers(number, " ".join(filter(None, (sample.remark, self._changed.get(number)))))
        turn.due_s = max(turn.due_s + self.settings.period_s, begun_s)

    def _compare(self, number: int, marks: str) -> None:
        """Notice another sensor at the same address: its readings are kept, and its tank table may be the other's."""
        first = self._first.setdefault(number, marks) if marks else ""
        if marks != first:
            self._changed[number] = (
                f"another one answers here than before, or it was set up anew: {marks}, not {first}. "
                "Check its tank table, then switch the integration off and on."
            )
        elif marks:  # the first one is back
            self._changed.pop(number, None)

    async def _introduce(self, turn: _Turn, outlet: Outlet, who: Who | None = None) -> None:
        who = who or Who()
        if turn.is_introduced and not who.model and not who.serial:
            return
        kind, unit = self._speaker.kind, self._speaker.unit
        await outlet.give([self.info(turn.target, kind, unit, model=who.model, serial=who.serial)])

    def _reading(self, target: Target, sample: Sample, at_ms: int) -> FuelReading:
        return FuelReading(
            sensor=self.sensor_of(target),
            measured_at_ms=at_ms,
            received_at_ms=at_ms,
            value=sample.value,
            status=sample.status,
            temperature_c=sample.temperature_c,
            attributes=sample.attributes,
            raw=self.evidence(self._speaker.protocol, sample.frame, at_ms),
        )

    @staticmethod
    def _on_stale(data: bytes) -> None:
        """Late answers and sensors that talk unasked: the next request silences these."""
        del data


def _counter_of(err: AdapterError) -> str:
    if isinstance(err, NoAnswer):
        return "bad_checksums" if err.is_garbled else "sensor_timeouts"
    return "bad_replies"


def _spoken(sample: Sample, unit: str) -> str:
    if sample.value is None:
        return f"“{sample.status.replace('_', ' ')}”"
    shown = {"counts": "", "percent": " %", "litres": " L", "millimetres": " mm", "volts": " V"}[unit]
    return f"{sample.value:.6g}{shown}"
