"""Profiles of sensors: the settings of one, saved to a file, compared with another, written to it and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from adapters.bench import BenchSession, SensorFacts, SensorSetting, Written
from app import platform
from app.errors import OperatorError
from app.security.audit import record_act

VERSION: Final = 1
LARGEST_BYTES: Final = 1_000_000
OF_THE_SENSOR_ALONE: Final = frozenset({"address", "speed"})
"""What tells one sensor from another is never copied to the next."""

Value = int | str | None


class ProfileError(OperatorError):
    """A profile cannot be written or read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The settings of a sensor, and whose they were."""

    dialect: str
    model: str
    serial: str
    firmware: str
    address: int
    settings: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting of a profile against that of a sensor. ``why_not`` says why it cannot be written, "" where it can."""

    name: str
    label: str
    profile: Value
    sensor: Value
    why_not: str

    @property
    def is_same(self) -> bool:
        return self.profile == self.sensor


async def take_profile(session: BenchSession, address: int) -> Profile:
    """The profile of a sensor as it is now. Raises what the session raises."""
    facts = await session.identify(address)
    return profile_of(facts, await session.settings(address))


def profile_of(facts: SensorFacts, settings: Sequence[SensorSetting]) -> Profile:
    values = {one.name: one.value for one in settings}
    return Profile(facts.dialect, facts.model, facts.serial, facts.firmware, facts.address, values)


def save_profile(path: Path, profile: Profile) -> None:
    """Raises ProfileError."""
    text = json.dumps({"profile": VERSION, **asdict(profile)}, ensure_ascii=False, indent=2)
    try:
        platform.write_durably(path, text.encode() + b"\n")
    except OSError as err:
        raise ProfileError(f"{path} cannot be written: {err.strerror}. Choose another place.") from err


def load_profile(path: Path) -> Profile:
    """Raises ProfileError for a file that is no profile."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ProfileError(f"{path} is far too large for a profile.")
        content = json.loads(path.read_bytes())
    except OSError as err:
        raise ProfileError(f"{path} cannot be read: {err.strerror}.") from err
    except (ValueError, RecursionError) as err:
        raise ProfileError(f"{path} is no profile of a sensor: it is not JSON.") from err
    settings = content.get("settings") if isinstance(content, dict) else None
    if not isinstance(settings, dict) or content.get("profile") != VERSION or not settings:
        raise ProfileError(f"{path} is no profile of a sensor.")
    if not all(value is None or type(value) in (int, str) for value in settings.values()):
        raise ProfileError(f"{path} holds a setting that is neither a number nor a text.")
    address = content.get("address")
    texts = [str(content.get(name, "")) for name in ("dialect", "model", "serial", "firmware")]
    return Profile(texts[0], texts[1], texts[2], texts[3], address if isinstance(address, int) else 0, settings)


def compare(profile: Profile, settings: Sequence[SensorSetting]) -> list[Difference]:
    """Every setting of either, in the sensor's order."""
    found = [
        Difference(one.name, one.label, profile.settings.get(one.name), one.value, _why_not(profile, one))
        for one in settings
    ]
    known = {one.name for one in settings}
    gone = [name for name in profile.settings if name not in known]
    return found + [
        Difference(name, name, profile.settings[name], None, "This sensor has no such setting.") for name in gone
    ]


def changes_to_write(differences: Sequence[Difference]) -> dict[str, int | str]:
    """What must be written so that the sensor is as the profile says, as far as it may be written."""
    return {
        one.name: one.profile for one in differences if not one.is_same and not one.why_not and one.profile is not None
    }


def _why_not(profile: Profile, setting: SensorSetting) -> str:
    if setting.name in OF_THE_SENSOR_ALONE:
        return "It belongs to the sensor, not to its profile."
    if profile.settings.get(setting.name) is None:
        return "The profile does not say it."
    return setting.read_only_why


def record_writes(
    connection: Connection, port: str, facts: Mapping[str, Any], written: Sequence[Written], *, who: str | None = None
) -> None:
    """Keep in the record of acts what was written to a sensor; ``facts`` say which (address, model, serial)."""
    record_act(
        connection,
        what="sensor.write",
        subject=f"sensor {facts.get('address')} at {port}",
        before={one.name: one.before for one in written},
        after={one.name: one.read_back for one in written} | {"wanted": {one.name: one.wanted for one in written}},
        who=who,
    )
