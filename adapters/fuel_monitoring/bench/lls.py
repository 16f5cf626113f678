"""The workbench on the LLS family: one bus, addresses 1 to 254 (fuel-sensors.md 1)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from adapters.bench import Found, Level, SensorFacts, SensorSetting, Written
from adapters.errors import BadReply, NotReady, Unsupported
from adapters.fuel_monitoring.bench.link import Ask, NoAnswer
from adapters.fuel_monitoring.bench.lls_ear import LlsEar
from adapters.fuel_monitoring.bench.session import Session, in_search_order
from adapters.fuel_monitoring.bench.turns import ACT, POLL
from adapters.fuel_monitoring.bench.twins import look_like_two
from adapters.fuel_monitoring.bench.units import beyond_scale, scaled
from adapters.fuel_monitoring.bench.writing import checked, show_write
from adapters.fuel_monitoring.lls import replies, requests
from adapters.fuel_monitoring.lls.frames import LlsFrame, LlsParser
from adapters.fuel_monitoring.lls.replies import History, LlsSettings, Measurement, Reply
from adapters.fuel_monitoring.lls.text import TextParser

LISTEN_S: Final = 1.2
"""A little more than the shortest period of sensors that talk unasked."""
SETTLE_S: Final = 0.2
_READ_BYTES, _ACK_BYTES, _SETTINGS_BYTES, _HISTORY_BYTES = 9, 5, 44, 1_500
_KEPT_LEVELS = 8

_MAKERS_OWN = "The maker publishes no command for this; set it with the maker's own configurator."
TWINS_WARNING: Final = "Two sensors seem to have this address: the level jumps between two places."
_UNASKED_WARNING = "This sensor talks unasked. Set its output mode to “none (polled)” before others join the bus."

WRITES: Final[Mapping[str, Callable[[int, int], bytes]]] = {
    "filter_length": requests.set_filter,
    "interval_s": requests.set_interval,
    "output_mode": requests.set_power_up_mode,
}


class LlsSession(Session):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unit = scaled(self.options.get("unit", "counts"))
        self._levels: dict[int, deque[float]] = {}
        self._unasked: set[int] = set()
        self._twins: set[int] = set()
        self._answered: int | None = None

    # -- searching ------------------------------------------------------------------------------------------------

    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        order = in_search_order(addresses)
        done, total = 0, len(order) * len(speeds)
        progress(done, total)
        for speed in speeds:
            talkers = await self._talkers(speed)
            for found in talkers:
                yield found
            known = {found.address for found in talkers}
            for address in order:
                found_here = await self._probe(address, speed) if address not in known else None
                done += 1
                progress(done, total)
                if found_here is not None:
                    yield found_here

    async def _talkers(self, speed: int) -> list[Found]:
        """Sensors that talk unasked are heard before anybody is asked: the first request silences them."""
        heard = await self.link.listen(LISTEN_S, speed=speed)
        found = {}
        for frame in LlsParser().feed(heard):
            if frame.command == requests.PERIODIC and not frame.is_request:
                self._unasked.add(frame.address)
                title = "talks unasked, binary"
                found[frame.address] = Found(frame.address, speed, self.dialect.key, title, talks_unasked=True)
        if TextParser().feed(heard):
            found[0] = Found(0, speed, "lls_text", "talks unasked, text lines", talks_unasked=True)
        return list(found.values())

    async def _probe(self, address: int, speed: int) -> Found | None:
        answer: Measurement | None
        try:
            answer = await self._measure(address, ACT, tries=1, speed=speed)
        except NoAnswer as err:
            if not err.is_garbled:
                return None
            answer = await self._second_look(address, speed)
        except BadReply:
            return None
        if answer is None:
            title = "answers are garbled: two sensors may have this address"
            return Found(address, speed, self.dialect.key, title)
        return Found(address, speed, self.dialect.key, await self._title(address, speed, answer))

    async def _second_look(self, address: int, speed: int) -> Measurement | None:
        try:
            return await self._measure(address, ACT, tries=2, speed=speed)
        except (NoAnswer, BadReply):
            return None

    async def _title(self, address: int, speed: int, answer: Measurement) -> str:
        level = f"level {answer.level}, {answer.temperature_c} °C"
        try:
            settings = await self._ask_settings(address, tries=1, speed=speed)
        except (NoAnswer, BadReply):
            return level
        return f"{settings.model}, {level}"

    # -- reading --------------------------------------------------------------------------------------------------

    async def read(self, address: int) -> Level:
        now_s = time.time()
        resting = self.link.rests(address)
        if resting:
            return Level(now_s, address, None, self._unit.label, why=resting)
        try:
            answer = await self._measure(address, POLL)
        except (NoAnswer, BadReply) as err:
            return Level(now_s, address, None, self._unit.label, why=err.why)
        return self._level(address, answer)

    def _level(self, address: int, answer: Measurement) -> Level:
        kept = self._levels.setdefault(address, deque(maxlen=_KEPT_LEVELS))
        kept.append(answer.level)
        warnings = []
        if address in self._twins or look_like_two(kept):
            warnings.append(("warning", TWINS_WARNING))
        if address in self._unasked:
            warnings.append(("hint", _UNASKED_WARNING))
        level = Level(
            time.time(),
            address,
            self._unit.value_of(answer.level),
            self._unit.label,
            temperature_c=float(answer.temperature_c),
            raw=float(answer.frequency),
            more=(("level", str(answer.level)), *warnings),
        )
        if answer.status == "ok":
            return level
        everywhere = f"The sensor says {answer.level} everywhere: its probe is broken, or it has no data yet."
        why = everywhere if answer.status == "error" else beyond_scale(answer.level)
        return replace(level, value=None, why=why)

    async def identify(self, address: int) -> SensorFacts:
        answer = await self._measure(address, ACT)
        details = [("level", str(answer.level)), ("temperature", f"{answer.temperature_c} °C")]
        details.append(("count", str(answer.frequency)))
        if address in self._unasked:
            details.append(("talks unasked", "yes"))
        try:
            settings = await self._ask_settings(address)
        except (NoAnswer, BadReply):
            details.append(("settings", "not told: this sensor answers the common read request only"))
            return SensorFacts(address, self.dialect.key, details=tuple(details))
        details += [("count empty", str(settings.cnt_empty)), ("count full", str(settings.cnt_full))]
        details.append(("scale", f"{settings.level_min} to {settings.level_max}"))
        return SensorFacts(address, self.dialect.key, settings.model, "", settings.firmware, tuple(details))

    async def history(self, address: int) -> Sequence[tuple[str, str, str]]:
        try:
            answer = await self.ask(address, requests.read_history(address), _HISTORY_BYTES)
        except NoAnswer as err:
            raise Unsupported(f"Sensor {address} does not tell its history. {err.why}") from err
        if not isinstance(answer, History):
            raise Unsupported(f"Sensor {address} keeps no history of its settings.")
        return [
            (
                datetime.fromtimestamp(one.unix_time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                replies.HISTORY_TYPES.get(one.kind, f"type {one.kind}"),
                str(one.value) if one.ok else f"{one.value} (checksum wrong)",
            )
            for one in answer.records
        ]

    # -- settings -------------------------------------------------------------------------------------------------

    async def settings(self, address: int) -> Sequence[SensorSetting]:
        told = await self._ask_settings(address)
        return (
            SensorSetting("output_mode", "Output after power-up", told.output_mode, choices=requests.POWER_UP_MODES),
            SensorSetting("interval_s", "Output interval", told.interval_s, "s", 0, 255),
            SensorSetting("filter_length", "Filter length", told.filter_length, "", 0, requests.LONGEST_FILTER),
            SensorSetting("level_min", "Level when empty", told.level_min, "", 0, 4095, read_only_why=_MAKERS_OWN),
            SensorSetting("level_max", "Level when full", told.level_max, "", 1, 4095, read_only_why=_MAKERS_OWN),
            SensorSetting("cnt_empty", "Count when empty", told.cnt_empty, read_only_why=_MAKERS_OWN),
            SensorSetting("cnt_full", "Count when full", told.cnt_full, read_only_why=_MAKERS_OWN),
            SensorSetting("address", "Address", address, "", 1, 254, read_only_why=_MAKERS_OWN),
            SensorSetting("speed", "Speed", self.speed, "baud", read_only_why=_MAKERS_OWN),
        )

    async def write(self, address: int, changes: Mapping[str, int | str]) -> Sequence[Written]:
        before = {one.name: one for one in await self.settings(address)}
        wanted = [(name, checked(before, name, value)) for name, value in changes.items()]
        written: list[Written] = []
        for name, value in wanted:
            try:
                one = await self.write_one(address, before[name], value)
            except (NotReady, BadReply) as err:  # it may have been written, and an act that was done must not be lost
                self.line.note(f"the write could not be read back: {err.why}")
                one = Written(name, before[name].value, value, None)
            written.append(one)
            self.line.note(show_write(address, before[name].label, one))
            if not one.ok:
                break
            address = value if name == "address" else address
        return written

    async def write_one(self, address: int, before: SensorSetting, value: int) -> Written:
        """Write one setting that was judged, and read it back. Raises NotReady, BadReply."""
        await self.send_write(address, WRITES[before.name](address, value))
        after = {one.name: one.value for one in await self.settings(address)}
        return Written(before.name, before.value, value, after[before.name])

    async def send_write(self, address: int, request: bytes) -> None:
        """A lost answer to a write says nothing: what counts is read back."""
        try:
            answer = await self.ask(address, request, _ACK_BYTES)
        except (NoAnswer, BadReply) as err:
            self.line.note(f"the write was not confirmed: {err.why}")
        else:
            if isinstance(answer, replies.Ack) and not answer.ok:
                self.line.note("the sensor refuses the write")
        await asyncio.sleep(SETTLE_S)

    # -- asking ---------------------------------------------------------------------------------------------------

    async def ask(self, address: int, request: bytes, answer_bytes: int, *, rank: int = ACT, **more: Any) -> Reply:
        """The reply to a request. Raises NoAnswer, BadReply, NotReady."""
        command = request[2]
        asked = Ask(address, request, answer_bytes, rank=rank, **more)
        frame: LlsFrame = await self.link.ask(asked, lambda: LlsEar(address, command))
        self._answered = address if command == requests.READ else None
        return replies.read_reply(frame)

    async def _measure(self, address: int, rank: int, **more: Any) -> Measurement:
        answer = await self.ask(address, requests.read_once(address), _READ_BYTES, rank=rank, **more)
        if not isinstance(answer, Measurement):
            raise BadReply(f"Sensor {address} answered a read request with something else.")
        return answer

    async def _ask_settings(self, address: int, **more: Any) -> LlsSettings:
        answer = await self.ask(address, requests.read_settings(address), _SETTINGS_BYTES, **more)
        if not isinstance(answer, LlsSettings):
            raise BadReply(f"Sensor {address} answered a request for its settings with something else.")
        return answer

    def on_stale(self, data: bytes) -> None:
        """Frames that nobody asked for, and second answers to one request."""
        for frame in LlsParser().feed(data):
            if frame.is_request:
                continue
            if frame.command == requests.PERIODIC and frame.address not in self._unasked:
                self._unasked.add(frame.address)
                self.line.note(f"sensor {frame.address} talks unasked")
            elif frame.command == requests.READ and frame.address == self._answered:
                if frame.address not in self._twins:
                    self.line.note(f"two sensors answer at address {frame.address}")
                self._twins.add(frame.address)
