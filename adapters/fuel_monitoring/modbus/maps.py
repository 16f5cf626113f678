"""Maps of Modbus sensors: built in for documented devices, and written by users as JSON (fuel-sensors.md 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring.modbus.registers import Register, RegisterKind, WordOrder

LevelUnit = Literal["counts", "percent", "litres", "millimetres", "volts"]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """Where a device keeps its level, and what else it tells.

    ``registers`` maps names to registers; "level" is always among them, "temperature_c" where the device has one.
    ``raw_reply`` is for devices whose answer is not register aligned: offsets into the bytes of the reply.
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
    address: int = Field(ge=0, le=65_535)
    kind: RegisterKind = "u16"
    word_order: WordOrder = "ABCD"
    scale: float = Field(default=1.0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    unit: str = Field(default="", max_length=12)
    invalid: list[float] = Field(default_factory=list, max_length=20)


class _MapModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    label: str = Field(min_length=1, max_length=60)
    level_unit: LevelUnit
    registers: dict[str, _RegisterModel] = Field(min_length=1, max_length=40)


def load_map(text: str) -> RegisterMap:
    """A map from its JSON. Raises SettingsInvalid naming the place that is wrong."""
    try:
        model = _MapModel.model_validate(json.loads(text))
    except ValidationError as err:
        first = err.errors()[0]
        where = " → ".join(str(part) for part in first["loc"]) or "the map"
        raise SettingsInvalid("map", f"The register map is not right at {where}: {first['msg']}.") from err
    except (ValueError, RecursionError) as err:
        raise SettingsInvalid("map", f"The register map is not JSON: {err}.") from err
    if "level" not in model.registers:
        raise SettingsInvalid("map", "The register map names no register “level”; that one holds the fuel level.")
    registers = {
        name: Register(**{**one.model_dump(exclude={"invalid"}), "invalid": frozenset(one.invalid)})
        for name, one in model.registers.items()
    }
    return RegisterMap(model.key, model.label, model.level_unit, registers)


def save_map(one: RegisterMap) -> str:
    """The JSON that :func:`load_map` reads."""
    registers: dict[str, Any] = {
        name: {
            "function": register.function,
            "address": register.address,
            "kind": register.kind,
            "word_order": register.word_order,
            "scale": register.scale,
            "offset": register.offset,
            "unit": register.unit,
            "invalid": sorted(register.invalid),
        }
        for name, register in one.registers.items()
    }
    whole = {"key": one.key, "label": one.label, "level_unit": one.level_unit, "registers": registers}
    return json.dumps(whole, indent=2, ensure_ascii=False)
