"""Judging what shall be written to a sensor, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.bench import SensorSetting, Written
from adapters.errors import SettingsInvalid, Unsupported


def checked(settings: Mapping[str, SensorSetting], name: str, value: int | str) -> int:
    """The number that is to be written.

    Raises SettingsInvalid for a setting that is none or a value out of range, Unsupported where nothing may be written.
    """
    setting = settings.get(name)
    if setting is None:
        raise SettingsInvalid(name, f"This sensor has no setting “{name}”. It has: {', '.join(settings)}.")
    if setting.read_only_why:
        raise Unsupported(f"{setting.label} cannot be written. {setting.read_only_why}")
    number = _number(setting, value)
    low, high = setting.minimum, setting.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise SettingsInvalid(name, f"{setting.label} must be {low} to {high}, not {number}.")
    if setting.choices and number not in setting.choices:
        offered = ", ".join(f"{key} ({label})" for key, label in setting.choices.items())
        raise SettingsInvalid(name, f"{setting.label} must be one of {offered}.")
    return number


def _number(setting: SensorSetting, value: int | str) -> int:
    if isinstance(value, int):
        return value
    by_label = {label.casefold(): key for key, label in setting.choices.items()}
    if value.strip().casefold() in by_label:
        return by_label[value.strip().casefold()]
    try:
        return int(value)
    except ValueError:
        raise SettingsInvalid(setting.name, f"{setting.label} must be a whole number, not “{value}”.") from None


def show_write(address: int, label: str, written: Written) -> str:
    """A write in one sentence, for the traffic and its capture."""
    before = "unknown" if written.before is None else written.before
    told = f"sensor {address}, {label}: {before} before, {written.wanted} written"
    if written.read_back is None:
        return f"{told}, not read back: whether it holds is not known"
    verdict = "" if written.ok else ": it did not hold"
    return f"{told}, {written.read_back} read back{verdict}"
