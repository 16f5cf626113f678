"""The rules of alarms: one frozen settings model per kind, from which forms and checks are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from adapters.base import Settings, setting
from app.alarms.errors import AlarmError
from app.alarms.words import Kind, Priority

LONGEST_LIST = 5_000
"""Vehicles or fences that one rule may name."""

Hours = Literal["always", "outside", "inside"]
While = Literal["always", "driving"]
_HOURS = {"always": "At any time", "outside": "Outside working hours", "inside": "Within working hours"}
_WHILE = {"always": "At any time", "driving": "Only while the vehicle is on the way"}
_TIME = r"^([01]?\d|2[0-3]):[0-5]\d$"
_DAYS = {"mon-fri": "Monday to Friday", "mon-sat": "Monday to Saturday", "every": "Every day"}
_ZONE = r"^[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+){0,2}$"


class RuleSettings(Settings):
    """What every rule has. ``vehicles`` are ids of vehicles; none named means all of them."""

    vehicles: tuple[str, ...] = setting(
        "Vehicles", "text", default=(), help="All vehicles, or only the chosen ones.", max_length=LONGEST_LIST
    )


class FenceScope(RuleSettings):
    """A rule about places. ``fences`` are ids of geofences; none named means all of them."""

    fences: tuple[str, ...] = setting(
        "Fences", "text", default=(), help="All fences, or only the chosen ones.", max_length=LONGEST_LIST
    )


class WorkingHours(Settings):
    """When the depot works, in its own zone. Hours that end before they begin go over midnight."""

    work_from: str = setting("Work begins", "text", default="06:00", example="06:00", pattern=_TIME)
    work_to: str = setting("Work ends", "text", default="20:00", example="20:00", pattern=_TIME)
    work_days: Literal["mon-fri", "mon-sat", "every"] = setting(
        "Working days", "choice", default="mon-sat", choices=_DAYS
    )
    zone: str = setting(
        "Time zone",
        "text",
        default="Africa/Lagos",
        example="Africa/Lagos",
        help="In which the working hours are meant.",
        pattern=_ZONE,
    )


class DrainRule(RuleSettings, WorkingHours):
    least_l: int = setting(
        "Least loss",
        "number",
        default=10,
        unit="L",
        help="Smaller drains stay events on the fuel page.",
        ge=0,
        le=5_000,
    )
    least_confidence: int = setting(
        "Least confidence",
        "number",
        default=50,
        unit="%",
        help="How sure the detection must be.",
        ge=0,
        le=100,
    )
    high_outside: bool = setting(
        "High priority outside working hours",
        "switch",
        default=True,
        help="A drain at night is more often a theft than a repair.",
    )


class SilentRule(RuleSettings):
    after_min: int = setting(
        "Silent for",
        "number",
        default=60,
        unit="min",
        help="How long nothing was heard.",
        ge=5,
        le=43_200,
    )
    when: While = setting(
        "Which silence counts",
        "choice",
        default="always",
        choices=_WHILE,
        help="The tracker of a parked lorry may sleep for hours; one on the way must be heard.",
    )


class IntegrationRule(Settings):
    after_min: int = setting(
        "Down for",
        "number",
        default=5,
        unit="min",
        help="A short loss mends itself.",
        ge=0,
        le=1_440,
    )


class DeviceRule(RuleSettings):
    """Nothing to set but the vehicles."""


class SpeedRule(FenceScope):
    limit: Literal["fixed", "fence"] = setting(
        "Limit",
        "choice",
        default="fixed",
        choices={"fixed": "One limit", "fence": "The limit of each fence"},
        help="One limit everywhere or in the chosen fences, or what each fence itself allows.",
    )
    limit_km_h: int = setting(
        "Fastest allowed",
        "number",
        default=100,
        unit="km/h",
        ge=5,
        le=250,
        shown_when={"limit": ("fixed",)},
    )
    tolerance_km_h: int = setting(
        "Tolerance",
        "number",
        default=5,
        unit="km/h",
        help="The alarm begins above limit and tolerance, and ends at the limit.",
        ge=0,
        le=50,
    )
    hold_s: int = setting(
        "For at least",
        "number",
        default=30,
        unit="s",
        help="Overtaking for a moment is no alarm.",
        ge=0,
        le=3_600,
    )


class FenceRule(FenceScope, WorkingHours):
    hours: Hours = setting("When it counts", "choice", default="always", choices=_HOURS)
    margin_m: int = setting(
        "Margin",
        "number",
        default=50,
        unit="m",
        help="A vehicle has left only when it is farther than this from the fence: fixes wander.",
        ge=0,
        le=2_000,
    )
    hold_s: int = setting(
        "For at least",
        "number",
        default=60,
        unit="s",
        help="How long it must be inside, or outside, to count.",
        ge=0,
        le=3_600,
    )


class StayRule(FenceRule):
    longer_min: int = setting("Longer than", "number", default=120, unit="min", ge=1, le=43_200)


MODELS: Mapping[Kind, type[Settings]] = {
    Kind.DRAIN: DrainRule,
    Kind.SENSOR_SILENT: SilentRule,
    Kind.TRACKER_SILENT: SilentRule,
    Kind.INTEGRATION_DOWN: IntegrationRule,
    Kind.SOS: DeviceRule,
    Kind.POWER_CUT: DeviceRule,
    Kind.DEVICE_ALARM: DeviceRule,
    Kind.SPEED: SpeedRule,
    Kind.FENCE_ENTER: FenceRule,
    Kind.FENCE_LEAVE: FenceRule,
    Kind.FENCE_STAY: StayRule,
}
"""The settings of each kind of rule."""

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it works. ``version`` rises with each change of it."""

    id: str
    kind: Kind
    name: str
    is_enabled: bool
    priority: Priority
    settings: Settings
    version: int = 0

    def said(self, model: type[S]) -> S:
        """Its settings as those of ``model``. Raises TypeError for a kind that has others: a defect of ours."""
        if not isinstance(self.settings, model):
            raise TypeError(f"a rule of kind {self.kind} has no {model.__name__}")
        return self.settings

    def covers(self, vehicle_id: str | None) -> bool:
        """Whether the rule is meant for a vehicle; trackers on none are covered by rules for all."""
        vehicles: tuple[str, ...] = getattr(self.settings, "vehicles", ())
        return not vehicles or vehicle_id in vehicles


def read_settings(kind: Kind, values: Mapping[str, Any]) -> Settings:
    """The settings of a rule. Raises AlarmError naming the field and what is wrong with it."""
    model = MODELS[kind]
    try:
        found = model.model_validate(dict(values))
    except ValidationError as err:
        first = err.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        info = model.model_fields.get(field)
        label = (info.title if info is not None else None) or field or "The settings"
        raise AlarmError(f"{label}: {_plain(first['type'], first['msg'])}", field) from err
    if isinstance(found, WorkingHours):
        _check_zone(found.zone)
    return found


def _plain(kind: str, said: str) -> str:
    """The library's words, where they are no sentence for an operator."""
    if kind == "extra_forbidden":
        return "this kind of rule has no such setting."
    if kind == "string_pattern_mismatch":
        return "write it as in the example."
    return f"{said}."


def _check_zone(zone: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise AlarmError(f"Time zone: no zone is named {zone}.", "zone") from err
