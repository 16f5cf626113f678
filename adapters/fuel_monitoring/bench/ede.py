"""The workbench on EDE sensors: the LLS reading, and writes of their own (fuel-sensors.md 1.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.bench import SensorFacts, SensorSetting, Written
from adapters.errors import BadReply, Unsupported
from adapters.fuel_monitoring.bench.link import NoAnswer
from adapters.fuel_monitoring.bench.lls import LlsSession
from adapters.fuel_monitoring.bench.lls_ear import whole_answer
from adapters.fuel_monitoring.bench.writing import checked
from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.replies import EdeIdentity, EdeVoltage, Measurement

_IDENTITY_BYTES, _VOLTAGE_BYTES = 12, 6
_VOLTAGE_S: Final = 0.4
"""The supply voltage is measured for a quarter of a second first."""
_OPAQUE_S: Final = 0.4
_MODES = {
    0: "polled, binary only",
    1: "periodic after restart, binary only",
    2: "polled, text allowed",
    3: "periodic after restart, text allowed",
}
_RESOLUTION = "Resolution and speed are bits that differ by model; set them with the maker's own program."


class EdeSession(LlsSession):
    async def identify(self, address: int) -> SensorFacts:
        answer = await self._measure(address, 0)
        details = [("level", str(answer.level)), ("temperature", f"{answer.temperature_c} °C")]
        details.append(("technological level", str(answer.frequency)))
        serial = firmware = model = ""
        try:
            told = await self.ask(address, requests.ede_identity(address), _IDENTITY_BYTES)
            if isinstance(told, EdeIdentity):
                serial, firmware, model = str(told.serial), str(told.firmware), f"EDE, model code {told.model_code}"
                details.append(("made", f"{told.year}-{told.month:02}-{told.day:02}"))
            supply = await self.ask(address, requests.ede_voltage(address), _VOLTAGE_BYTES, patience_s=_VOLTAGE_S)
            if isinstance(supply, EdeVoltage):
                details.append(("supply", f"{supply.volts:.2f} V"))
        except (NoAnswer, BadReply) as err:
            details.append(("not told", err.why))
        return SensorFacts(address, self.dialect.key, model, serial, firmware, tuple(details))

    async def _title(self, address: int, speed: int, answer: Measurement) -> str:
        level = f"level {answer.level}, {answer.temperature_c} °C"
        try:
            told = await self.ask(address, requests.ede_identity(address), _IDENTITY_BYTES, tries=1, speed=speed)
        except (NoAnswer, BadReply):
            return level
        return f"EDE {told.serial}, {level}" if isinstance(told, EdeIdentity) else level

    async def settings(self, address: int) -> Sequence[SensorSetting]:
        """The documents describe no way to read period and mode: they are shown as unknown."""
        await self._measure(address, 0)
        return (
            SensorSetting("address", "Address", address, "", 1, 254),
            SensorSetting("period_s", "Output period", None, "s", 0, 255),
            SensorSetting("mode", "Output mode", None, choices=_MODES),
            SensorSetting("speed", "Speed", self.speed, "baud", read_only_why=_RESOLUTION),
        )

    async def history(self, address: int) -> Sequence[tuple[str, str, str]]:
        raise Unsupported(f"Sensor {address} is an EDE: it keeps no history of its settings.")

    async def write(self, address: int, changes: Mapping[str, int | str]) -> Sequence[Written]:
        """As its kin, once it is sure that a new address is free: nothing is written before that."""
        if "address" in changes:
            known = {one.name: one for one in await self.settings(address)}
            new = checked(known, "address", changes["address"])
            if new != address and await self._is_there(new):
                raise Unsupported(
                    f"Another sensor answers at address {new} already; two with one address cannot be told apart. "
                    "Choose a free address."
                )
        return await super().write(address, changes)

    async def write_one(self, address: int, before: SensorSetting, value: int) -> Written:
        if before.name == "address":
            return await self._move(address, value)
        return await self._set(address, before.name, value)

    async def _move(self, address: int, new: int) -> Written:
        await self.send_write(address, requests.ede_address(address, new))
        for place in (new, address):
            if await self._is_there(place):
                return Written("address", address, new, place)
        return Written("address", address, new, None)

    async def _is_there(self, address: int) -> bool:
        try:
            await self._measure(address, 0, tries=2)
        except (NoAnswer, BadReply):
            return False
        return True

    async def _set(self, address: int, name: str, value: int) -> Written:
        """Period and mode are proved by the production data: the only byte of it that changed is what was written."""
        request = requests.ede_period if name == "period_s" else requests.ede_mode
        before = await self._production_data(address)
        await self.send_write(address, request(address, value))
        after = await self._production_data(address)
        moved = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
        if len(before) == len(after) and len(moved) == 1:
            return Written(name, moved[0][0], value, moved[0][1])
        return Written(name, None, value, None)

    async def _production_data(self, address: int) -> bytes:
        heard = await self.link.collect(requests.ede_opaque(address), _OPAQUE_S)
        return whole_answer(heard, address, requests.EDE_OPAQUE) or b""
