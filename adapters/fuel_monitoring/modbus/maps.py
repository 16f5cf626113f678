"""Maps of Modbus sensors: built in for documented devices, and written by users as JSON (fuel-sensors.md 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring.modbus.registers import Register, RegisterKind, WordOrder
from adapters.fuel_monitoring.modbus.rtu import MOST_REGISTERS

LAST_REGISTER = 65_535
_NO_LEVEL = 0xFFFF
RegisterName = Annotated[str, StringConstraints(min_length=1, max_length=40)]
LevelUnit = Literal["counts", "percent", "litres", "millimetres", "volts"]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """Where a device keeps its level, and what else it tells.

    ``registers`` maps names to registers; "level" is always among them, "temperature_c" where the device has one.
    ``raw_reply`` instead of them is for devices whose answer is not register aligned: offsets into its bytes.
    """

    key: str
    label: str
    level_unit: LevelUnit
    registers: dict[str, Register] = field(default_factory=dict)
    raw_reply: RawReply | None = None


@dataclass(frozen=True, slots=True)
class RawReply:
    """A fixed request whose answer is read as bytes: signed temperature, big-endian level."""

    function: int
    start: int
    count: int
    temperature_at: int
    level_at: int

    @property
    def least_bytes(self) -> int:
        return max(self.level_at + 2, self.temperature_at + 1)

    def count_of(self, payload: bytes) -> int:
        """What stands where the level is, whatever it means."""
        return int.from_bytes(payload[self.level_at : self.level_at + 2], "big")

    def level_of(self, payload: bytes) -> float | None:
        """None for FFFFh, which is beyond every scale."""
        count = self.count_of(payload)
        return None if count == _NO_LEVEL else float(count)

    def temperature_of(self, payload: bytes) -> float:
        return float(int.from_bytes(payload[self.temperature_at : self.temperature_at + 1], "big", signed=True))


TD_500 = RegisterMap(
    "escort_td500",
    "Escort TD-500",
    "counts",
    raw_reply=RawReply(function=3, start=0, count=4, temperature_at=0, level_at=1),
)
"""Address, start and count of the request are ignored by it; registers 0 and 1 straddle the level."""

CAP_10 = RegisterMap(
    "cap_10",
    "Daviteq CAP-10 type",
    "percent",
    {
        "level": Register(4, 0, scale=0.1, unit="%"),
        "undamped level": Register(4, 1, scale=0.1, unit="%"),
        "raw count": Register(4, 2),
        "temperature_c": Register(4, 3, kind="i16", scale=0.1, unit="°C"),
        "firmware": Register(4, 4),
        "change per minute": Register(4, 5, kind="i16", scale=0.1, unit="%/min"),
    },
)

STATIONARY = RegisterMap(
    "stationary",
    "Stationary tank probe",
    "millimetres",
    {
        "level": Register(4, 0, kind="f32", unit="mm"),
        "water": Register(4, 2, kind="f32", unit="mm"),
        "temperature_c": Register(4, 4, kind="f32", unit="°C"),
    },
)

BUILT_IN = {one.key: one for one in (TD_500, CAP_10, STATIONARY)}


class _RegisterModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    function: Literal[3, 4] = 3
    address: int = Field(ge=0, le=LAST_REGISTER)
    kind: RegisterKind = "u16"
    word_order: WordOrder = "ABCD"
    scale: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    unit: str = Field(default="", max_length=12)
    invalid: list[float] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.scale == 0:
            raise ValueError("a scale of 0 makes every value the same")
        if self.kind.endswith("32") and self.address == LAST_REGISTER:
            raise ValueError(f"a {self.kind} takes two registers, and behind {self.address} there is none")
        return self


class _RawReplyModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    function: Literal[3, 4] = 3
    start: int = Field(ge=0, le=LAST_REGISTER)
    count: int = Field(ge=1, le=MOST_REGISTERS)
    temperature_at: int = Field(ge=0, lt=2 * MOST_REGISTERS)
    level_at: int = Field(ge=0, lt=2 * MOST_REGISTERS - 1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if max(self.temperature_at + 1, self.level_at + 2) > 2 * self.count:
            raise ValueError(f"{self.count} registers are {2 * self.count} bytes, too few for these places")
        return self


class _MapModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    label: str = Field(min_length=1, max_length=60)
    level_unit: LevelUnit
    registers: dict[RegisterName, _RegisterModel] = Field(default_factory=dict, max_length=40)
    raw_reply: _RawReplyModel | None = None

    @model_validator(mode="after")
    def _has_a_level(self) -> Self:
        if self.raw_reply is None and "level" not in self.registers:
            raise ValueError("it names no register “level”; that one holds the fuel level")
        if self.raw_reply is not None and self.registers:
            raise ValueError("a device is read by registers or by the bytes of its reply, not by both")
        return self


def load_map(text: str) -> RegisterMap:
    """A map from its JSON. Raises SettingsInvalid naming the place that is wrong."""
    try:
        model = _MapModel.model_validate(json.loads(text))
    except ValidationError as err:
        first = err.errors()[0]
        where = " → ".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsInvalid("map", f"The register map is not right{' at ' if where else ''}{where}: {why}.") from err
    except (ValueError, RecursionError) as err:
        raise SettingsInvalid("map", f"The register map is not JSON: {err}.") from err
    registers = {
        name: Register(**{**one.model_dump(exclude={"invalid"}), "invalid": frozenset(one.invalid)})
        for name, one in model.registers.items()
    }
    raw_reply = RawReply(**model.raw_reply.model_dump()) if model.raw_reply is not None else None
    return RegisterMap(model.key, model.label, model.level_unit, registers, raw_reply)
