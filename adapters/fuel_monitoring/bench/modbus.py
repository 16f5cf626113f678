"""The workbench on Modbus RTU sensors: by a register map, or byte by byte for irregular ones (fuel-sensors.md 2)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.bench import Found, Level, SensorFacts, SensorSetting
from adapters.errors import BadReply, SettingsInvalid
from adapters.fuel_monitoring.bench.link import Ask, NoAnswer
from adapters.fuel_monitoring.bench.session import Session, in_search_order
from adapters.fuel_monitoring.bench.turns import ACT, POLL
from adapters.fuel_monitoring.bench.units import beyond_scale
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.modbus.maps import BUILT_IN, CAP_10, TD_500, RawReply, RegisterMap, load_map
from adapters.fuel_monitoring.modbus.registers import Register, value_of
from adapters.fuel_monitoring.modbus.rtu import ModbusParser, ModbusReply

_UNITS = {"counts": "", "percent": "%", "litres": "L", "millimetres": "mm", "volts": "V"}
_FRAME_BYTES = 5
_LARGEST_MAP_BYTES = 1_000_000


@dataclass(slots=True)
class ModbusEar:
    """``is_any_unit`` for devices that answer under their own address whatever was asked."""

    request: bytes
    is_any_unit: bool = False
    is_foreign: bool = False
    _parser: ModbusParser = field(default_factory=ModbusParser)
    _all: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        if not self.is_any_unit:
            self._parser.expect(self.request)

    @property
    def is_garbled(self) -> bool:
        return self._parser.crc_errors > 0

    def hear(self, data: bytes) -> ModbusReply | None:
        self._all += data
        replies = self._parser.feed(data)
        return replies[0] if replies else None

    def end(self) -> ModbusReply | None:
        others = [one for one in ModbusParser().feed(bytes(self._all)) if one.unit != self.request[0]]
        self.is_foreign = bool(others)
        return None


def map_of(options: Mapping[str, str]) -> RegisterMap:
    """The map that the options name: a built-in one, the JSON of one, or a file with it. Raises SettingsInvalid."""
    given = options.get("map", "").strip()
    if not given:
        return CAP_10
    if given in BUILT_IN:
        return BUILT_IN[given]
    if given.startswith("{"):
        return load_map(given)
    try:
        path = Path(given)
        if path.stat().st_size > _LARGEST_MAP_BYTES:
            raise ValueError("it is far too large for a map")
        return load_map(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        offered = ", ".join(BUILT_IN)
        raise SettingsInvalid(
            "map", f"“{given}” is neither a built-in map ({offered}) nor a file with one: {err}."
        ) from err


class ModbusSession(Session):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.map = TD_500 if self.dialect.key == "escort_td500" else map_of(self.options)

    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        order = in_search_order(addresses)
        if self.map.raw_reply is not None:
            order = order[:1]  # it answers whatever address is asked, and tells its own
        done, total = 0, len(order) * len(speeds)
        progress(done, total)
        for speed in speeds:
            for address in order:
                found = await self._probe(address, speed)
                done += 1
                progress(done, total)
                if found is not None:
                    yield found

    async def _probe(self, address: int, speed: int) -> Found | None:
        try:
            if (layout := self.map.raw_reply) is not None:
                reply = await self._raw(layout, address, ACT, tries=1, speed=speed)
                title = self._title(_raw_level(layout, address, reply))
                return Found(reply.unit, speed, self.dialect.key, title)
            value = await self._register(address, self.map.registers["level"], ACT, tries=1, speed=speed)
        except NoAnswer as err:
            title = "answers are garbled: two sensors may have this address"
            return Found(address, speed, self.dialect.key, title) if err.is_garbled else None
        except BadReply as err:
            return Found(address, speed, self.dialect.key, f"answers, but not as {self.map.label} would: {err.why}")
        return Found(address, speed, self.dialect.key, self._title(self._as_level(address, {"level": value})))

    def _title(self, level: Level) -> str:
        shown = "no level" if level.value is None else f"level {level.value:.6g} {level.unit}".strip()
        return f"{self.map.label}, {shown}"

    async def identify(self, address: int) -> SensorFacts:
        level = await self._level(address, ACT)
        value = level.why if level.value is None else f"{level.value:.6g} {level.unit}".strip()
        firmware = dict(level.more).get("firmware", "")
        details = (("register map", self.map.label), ("level", value), *level.more)
        return SensorFacts(address, self.dialect.key, self.map.label, "", firmware, details)

    async def read(self, address: int) -> Level:
        resting = self.link.rests(address)
        if resting:
            return Level(time.time(), address, None, _UNITS[self.map.level_unit], why=resting)
        try:
            return await self._level(address, POLL)
        except (NoAnswer, BadReply) as err:
            return Level(time.time(), address, None, _UNITS[self.map.level_unit], why=err.why)

    async def settings(self, address: int) -> Sequence[SensorSetting]:
        """The registers as the map has them, all read only."""
        level = await self._level(address, ACT)
        why = self.dialect.read_only_why
        told = [("level", "" if level.value is None else f"{level.value:.6g} {level.unit}".strip()), *level.more]
        return [SensorSetting(name, name.capitalize(), value, read_only_why=why) for name, value in told]

    async def _level(self, address: int, rank: int) -> Level:
        if (layout := self.map.raw_reply) is not None:
            return _raw_level(layout, address, await self._raw(layout, address, rank))
        values = {name: await self._register(address, one, rank) for name, one in self.map.registers.items()}
        return self._as_level(address, values)

    def _as_level(self, address: int, values: Mapping[str, float | None]) -> Level:
        level, temperature = values["level"], values.get("temperature_c")
        more = []
        for name, value in values.items():
            if name not in ("level", "temperature_c"):
                unit = self.map.registers[name].unit
                more.append((name, "not valid" if value is None else f"{value:.6g} {unit}".strip()))
        why = "" if level is not None else "The register holds a number that means “not valid”."
        unit = _UNITS[self.map.level_unit]
        return Level(time.time(), address, level, unit, temperature_c=temperature, more=tuple(more), why=why)

    async def _register(self, address: int, one: Register, rank: int, **more: Any) -> float | None:
        request = rtu.read_request(address, one.function, one.address, one.words)
        reply = await self._ask(address, request, _FRAME_BYTES + 2 * one.words, rank, **more)
        words = reply.registers
        if len(words) != one.words:
            raise BadReply(f"Sensor {address} sent {len(words)} registers where {one.words} were asked for.")
        return value_of(one, words)

    async def _raw(self, layout: RawReply, address: int, rank: int, **more: Any) -> ModbusReply:
        request = rtu.read_request(1, layout.function, layout.start, layout.count)
        reply = await self._ask(address, request, _FRAME_BYTES + 2 * layout.count, rank, is_any_unit=True, **more)
        if len(reply.payload) < layout.least_bytes:
            raise BadReply(f"Sensor {address} sent {len(reply.payload)} bytes, too few for a level.", reply.raw.hex())
        return reply

    async def _ask(
        self, address: int, request: bytes, answer_bytes: int, rank: int, *, is_any_unit: bool = False, **more: Any
    ) -> ModbusReply:
        asked = Ask(address, request, answer_bytes, rank=rank, **more)
        reply: ModbusReply = await self.link.ask(asked, lambda: ModbusEar(request, is_any_unit))
        if reply.exception:
            raise BadReply(f"Sensor {address} refuses the request: {reply.why}.", reply.raw.hex())
        return reply


def _raw_level(layout: RawReply, address: int, reply: ModbusReply) -> Level:
    level, count = layout.level_of(reply.payload), layout.count_of(reply.payload)
    return Level(
        time.time(),
        address,
        level,
        "",
        temperature_c=layout.temperature_of(reply.payload),
        raw=float(count),
        more=(("its own address", str(reply.unit)),),
        why="" if level is not None else beyond_scale(count),
    )
