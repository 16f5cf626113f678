"""The languages of sensors on RS-485, each as one question with one answer (fuel-sensors.md 1 and 2)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from adapters.errors import BadReply, SettingsInvalid
from adapters.fuel_monitoring.bench.link import Ask, Link, NoAnswer
from adapters.fuel_monitoring.bench.lls_ear import LlsEar
from adapters.fuel_monitoring.bench.modbus import ModbusEar, map_of
from adapters.fuel_monitoring.bench.turns import POLL
from adapters.fuel_monitoring.bench.twins import look_like_two
from adapters.fuel_monitoring.lls import replies, requests
from adapters.fuel_monitoring.lls.frames import LlsFrame
from adapters.fuel_monitoring.lls.replies import EdeIdentity, LlsSettings, Measurement
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.modbus.maps import TD_500, RegisterMap
from adapters.fuel_monitoring.modbus.registers import Register, value_of
from adapters.fuel_monitoring.modbus.rtu import ModbusReply
from adapters.fuel_monitoring.settings import FuelSettings
from adapters.records import FuelStatus, FuelUnit, SensorKind
from adapters.vocabulary import JsonScalar

_KEPT_LEVELS: Final = 8
_MODBUS_OVERHEAD: Final = 5
_READ_BYTES, _SETTINGS_BYTES, _IDENTITY_BYTES = 9, 44, 12
_TWINS: Final = "two sensors seem to have this address, the level jumps between two places."


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sensor said: a value in its unit or the status that says why there is none, and the bytes."""

    value: float | None
    status: FuelStatus
    frame: bytes
    temperature_c: float | None = None
    attributes: dict[str, JsonScalar] | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """Who a sensor is, "" for what it does not tell. ``marks`` is all that tells it from another one, in words."""

    model: str = ""
    serial: str = ""
    marks: str = ""


class Speaker(Protocol):
    """Raises NoAnswer after ``tries``, BadReply for an answer that says nothing, NotReady for a lost port."""

    protocol: str
    """The decoder of its frames."""
    prefix: str
    """Of its sensors' names."""
    kind: SensorKind
    unit: FuelUnit

    async def read(self, link: Link, number: int, tries: int) -> Sample: ...

    async def identify(self, link: Link, number: int) -> Who: ...


def make_speaker(settings: FuelSettings) -> Speaker:
    """Raises SettingsInvalid for a register map that is none."""
    if settings.protocol in ("lls", "ede"):
        return LlsSpeaker(settings)
    if settings.protocol == "escort_td500":
        return ModbusSpeaker(TD_500)
    try:
        return ModbusSpeaker(map_of({"map": settings.register_map}))
    except SettingsInvalid as err:
        raise SettingsInvalid("register_map", err.why) from err


class LlsSpeaker:
    """LLS, EDE and what is compatible: the reading 06h is common ground."""

    protocol = "lls"
    prefix = "lls"
    kind: SensorKind = "rs485"

    def __init__(self, settings: FuelSettings) -> None:
        self.unit = settings.level_unit
        self._per_unit = settings.per_unit
        self._is_ede = settings.protocol == "ede"
        self._levels: dict[int, deque[float]] = {}

    async def read(self, link: Link, number: int, tries: int) -> Sample:
        ask = Ask(number, requests.read_once(number), _READ_BYTES, tries=tries, rank=POLL)
        frame: LlsFrame = await link.ask(ask, lambda: LlsEar(number, requests.READ))
        answer = replies.read_reply(frame)
        if not isinstance(answer, Measurement):
            raise BadReply(f"Sensor {number} answered a read request with something else.", frame.raw.hex())
        kept = self._levels.setdefault(number, deque(maxlen=_KEPT_LEVELS))
        kept.append(answer.level)
        attributes: dict[str, JsonScalar] = {"level": answer.level, "count": answer.frequency}
        return Sample(
            answer.level / self._per_unit if answer.status == "ok" else None,
            answer.status,
            frame.raw,
            float(answer.temperature_c),
            attributes,
            _TWINS if look_like_two(kept) else "",
        )

    async def identify(self, link: Link, number: int) -> Who:
        request = requests.ede_identity(number) if self._is_ede else requests.read_settings(number)
        size = _IDENTITY_BYTES if self._is_ede else _SETTINGS_BYTES
        try:
            ask = Ask(number, request, size, tries=1, rank=POLL)
            frame: LlsFrame = await link.ask(ask, lambda: LlsEar(number, request[2]))
            told = replies.read_reply(frame)
        except (NoAnswer, BadReply):  # clones answer the reading alone
            return Who()
        if isinstance(told, EdeIdentity):
            model = f"EDE {told.model_code}"
            return Who(model, str(told.serial), f"{model}, serial number {told.serial}, firmware {told.firmware}")
        if isinstance(told, LlsSettings):  # no serial number is told: what it was calibrated to is its own as well
            counts = f"counts {told.cnt_empty} to {told.cnt_full}"
            return Who(told.model, marks=f"{told.model}, {told.firmware}, {counts}")
        return Who()


class ModbusSpeaker:
    """Sensors with a register map, and those whose answer is read byte by byte."""

    protocol = "modbus"
    prefix = "modbus"

    def __init__(self, register_map: RegisterMap) -> None:
        self._map = register_map
        self.unit: FuelUnit = register_map.level_unit
        self.kind: SensorKind = "analog" if register_map.level_unit == "volts" else "rs485"

    async def read(self, link: Link, number: int, tries: int) -> Sample:
        if (layout := self._map.raw_reply) is not None:
            request = rtu.read_request(1, layout.function, layout.start, layout.count)
            reply = await self._ask(link, number, request, layout.count, tries, is_any_unit=True)
            if len(reply.payload) < layout.least_bytes:
                raise BadReply(f"Sensor {number} sent too few bytes for a level.", reply.raw.hex())
            level = layout.level_of(reply.payload)
            status: FuelStatus = "out_of_range" if level is None else "ok"
            return Sample(level, status, reply.raw, layout.temperature_of(reply.payload))
        return await self._read_registers(link, number, tries)

    async def identify(self, link: Link, number: int) -> Who:  # noqa: ARG002 - the map says it
        return Who(self._map.label)

    async def _read_registers(self, link: Link, number: int, tries: int) -> Sample:
        level, frame = await self._register(link, number, self._map.registers["level"], tries)
        warm_at = self._map.registers.get("temperature_c")
        warm = None
        if warm_at is not None:
            try:
                warm, _frame = await self._register(link, number, warm_at, tries)
            except (NoAnswer, BadReply):  # the level stands without it
                warm = None
        return Sample(level, "not_available" if level is None else "ok", frame, warm)

    async def _register(self, link: Link, number: int, one: Register, tries: int) -> tuple[float | None, bytes]:
        request = rtu.read_request(number, one.function, one.address, one.words)
        reply = await self._ask(link, number, request, one.words, tries)
        if len(reply.registers) != one.words:
            raise BadReply(f"Sensor {number} sent {len(reply.registers)} registers, not {one.words}.", reply.raw.hex())
        return value_of(one, reply.registers), reply.raw

    @staticmethod
    async def _ask(
        link: Link, number: int, request: bytes, words: int, tries: int, *, is_any_unit: bool = False
    ) -> ModbusReply:
        ask = Ask(number, request, _MODBUS_OVERHEAD + 2 * words, tries=tries, rank=POLL)
        reply: ModbusReply = await link.ask(ask, lambda: ModbusEar(request, is_any_unit))
        if reply.exception:
            raise BadReply(f"Sensor {number} refuses the request: {reply.why}.", reply.raw.hex())
        return reply
