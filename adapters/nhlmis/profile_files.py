"""Profiles as files: reading with sentences that name the key, writing, and what differs between two of them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapters.errors import SettingsInvalid
from adapters.nhlmis.profile import Profile, keys

FIELD = "profile"
"""The setting that names the file."""
MOST_BYTES = 1_000_000
MOST_FAULTS = 5


def load_profile(path: str) -> Profile:
    """The profile in a file, the default one where no file is named. Raises SettingsInvalid."""
    if not path.strip():
        return Profile()
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as err:
        reason = (getattr(err, "strerror", None) or type(err).__name__).lower()
        raise SettingsInvalid(
            FIELD, f"The profile file “{path[:300]}” cannot be read ({reason}). Choose the file again."
        ) from err
    if len(data) > MOST_BYTES:
        raise SettingsInvalid(FIELD, f"“{path[:300]}” is larger than any profile. Choose the profile's own file.")
    try:
        return read_profile(data.decode("utf-8-sig"))
    except UnicodeDecodeError as err:
        raise SettingsInvalid(FIELD, f"“{path[:300]}” is not a text file in UTF-8. Save it as such.") from err


def read_profile(text: str) -> Profile:
    """A profile from its JSON text; keys that are not given have their defaults. Raises SettingsInvalid."""
    try:
        said = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except (ValueError, RecursionError) as err:
        raise SettingsInvalid(FIELD, f"The profile is not JSON: {_json_fault(err)}. Correct the file.") from err
    if not isinstance(said, dict):
        raise SettingsInvalid(FIELD, "The profile must be one JSON object with braces around it. Correct the file.")
    try:
        return Profile.model_validate_json(json.dumps(said))
    except ValidationError as err:
        faults = err.errors(include_url=False)
        told = " ".join(_sentence(fault) for fault in faults[:MOST_FAULTS])
        more = f" {len(faults) - MOST_FAULTS} more keys are wrong." if len(faults) > MOST_FAULTS else ""
        raise SettingsInvalid(FIELD, f"{told}{more} Correct the profile file.") from err


def profile_text(profile: Profile) -> str:
    """A profile as its file holds it: every key, in order, so that whoever signs it off sees all of it."""
    return json.dumps(profile.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def save_profile(profile: Profile, path: str) -> None:
    """Write a profile's file. Raises SettingsInvalid where it cannot be written."""
    try:
        Path(path).expanduser().write_text(profile_text(profile), encoding="utf-8")
    except (OSError, ValueError) as err:
        reason = (getattr(err, "strerror", None) or type(err).__name__).lower()
        raise SettingsInvalid(
            FIELD, f"The profile cannot be written to “{path[:300]}” ({reason}). Choose another place."
        ) from err


def differences(old: Profile, new: Profile) -> list[str]:
    """What differs, key by key, a sentence each; an empty list where both say the same."""
    before, after = ({key: value for key, value in keys(one) if value != {}} for one in (old, new))
    told = []
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after:
            told.append(f"“{key}” is gone; it was {_shown(before[key])}.")
        elif key not in before:
            told.append(f"“{key}” is new: {_shown(after[key])}.")
        elif before[key] != after[key] or type(before[key]) is not type(after[key]):
            told.append(f"“{key}” changes from {_shown(before[key])} to {_shown(after[key])}.")
    return told


def described(profile: Profile) -> list[tuple[str, str]]:
    """Every key with its value as text."""
    return [(key, _shown(value)) for key, value in keys(profile)]


def _shown(value: object) -> str:
    if value in ("", [], {}):
        return "nothing"
    text = f"“{value}”" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}…"


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key “{name[:100]}” stands twice in one group")
        found[name] = value
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _json_fault(err: Exception) -> str:
    if isinstance(err, json.JSONDecodeError):
        return f"{err.msg.lower()} in line {err.lineno}, column {err.colno}"
    return "it is nested too deeply" if isinstance(err, RecursionError) else str(err)


_WANTED: Mapping[str, str] = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a group of keys in braces",
    "model_type": "must be a group of keys in braces",
    "tuple_type": "must be a list in square brackets",
    "missing": "is missing",
    "string_too_short": "must not be empty",
}


def _sentence(fault: ErrorDetails) -> str:
    key = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    if fault["type"] == "extra_forbidden":
        near = _near(fault["loc"])
        hint = f" Did you mean “{near}”?" if near else ""
        return f"The profile has a key “{key}” that nothing knows.{hint}"
    if fault["type"] == "value_error":
        why = str(fault.get("ctx", {}).get("error", "")) or fault["msg"]
        return f"“{key}” in the profile: {why}." if key else f"In the profile {why}."
    if fault["type"] in _WANTED:
        return f"“{key}” in the profile {_WANTED[fault['type']]}."
    message = re.sub(r"'([^']*)'", r"“\1”", fault["msg"].replace("Input should be", "must be"))
    return f"“{key}” in the profile {message[:1].lower()}{message[1:]}."


def _near(loc: tuple[int | str, ...]) -> str:
    """The known key that an unknown one was probably meant to be."""
    model: Any = Profile
    for part in loc[:-1]:
        field = model.model_fields.get(part)
        model = field.annotation if field is not None else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return ""
    close = difflib.get_close_matches(str(loc[-1]), list(model.model_fields), 1)
    return ".".join([*map(str, loc[:-1]), close[0]]) if close else ""
