"""Settings of an integration: checked as a whole, split into what is stored and what only the vault may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from adapters.base import Settings, SettingSpec, secret_names, settings_form
from adapters.errors import AuthFailed, SettingsInvalid
from app.catalogue import Catalogue
from app.errors import OperatorError
from app.security.vault import Vault


@dataclass(frozen=True, slots=True)
class Fault:
    """One setting that cannot be right; ``field`` is "" where no single one is to blame."""

    field: str
    why: str


class SettingsRefused(OperatorError):
    """Settings that cannot be right, every fault with its field."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(" ".join(fault.why for fault in faults))
        self.faults = faults


def validate(
    catalogue: Catalogue, key: str, values: Mapping[str, Any], secrets: Mapping[str, str] | None = None
) -> Settings:
    """The settings model made from what was entered; empty entries take their defaults.

    Raises SettingsRefused with every fault, Unsupported for an integration that is not installed.
    """
    return validate_model(catalogue.manifest(key).settings, values, secrets)


def validate_model(
    model: type[Settings], values: Mapping[str, Any], secrets: Mapping[str, str] | None = None
) -> Settings:
    """Like :func:`validate`, for settings that are of no integration. Raises SettingsRefused with every fault."""
    secret_fields = secret_names(model)
    misplaced = [name for name in values if name in secret_fields]
    if misplaced:
        raise SettingsRefused(tuple(Fault(name, f"“{name}” is a secret; give it as one.") for name in misplaced))
    entered = {name: value for name, value in values.items() if not _is_empty(value)}
    for name, secret in (secrets or {}).items():
        if name in model.model_fields and name not in secret_fields:
            raise SettingsRefused((Fault(name, f"“{name}” is no secret; give it as a plain setting."),))
        if not _is_empty(secret):
            entered[name] = secret
    try:
        return model.model_validate(entered)
    except ValidationError as err:
        specs = {spec.name: spec for spec in settings_form(model)}
        raise SettingsRefused(tuple(_fault(detail, specs) for detail in err.errors())) from None
    except SettingsInvalid as err:
        raise SettingsRefused((Fault(err.field, err.why),)) from err


def public_part(settings: Settings) -> dict[str, Any]:
    """What ``integrations.config`` holds: every field but the secrets, as JSON types."""
    secrets = secret_names(type(settings))
    return settings.model_dump(mode="json", exclude=set(secrets))


def secret_part(settings: Settings) -> dict[str, str]:
    """The secrets that are set, by field."""
    found = {}
    for name in secret_names(type(settings)):
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text:
            found[name] = str(text)
    return found


def stored_secrets(catalogue: Catalogue, vault: Vault, key: str, integration_id: str) -> dict[str, str]:
    """The secrets that the vault keeps for an integration, by field. Raises VaultError, Unsupported."""
    names = secret_names(catalogue.manifest(key).settings)
    kept = {name: vault.get(integration_id, name) for name in sorted(names)}
    return {name: value for name, value in kept.items() if value}


def placeholders(catalogue: Catalogue, key: str) -> dict[str, str]:
    """Something for every secret field, to judge the other settings while the secrets are not at hand."""
    return dict.fromkeys(secret_names(catalogue.manifest(key).settings), "to-be-entered")


def stored_settings(
    catalogue: Catalogue, vault: Vault, integration_id: str, key: str, config: Mapping[str, Any]
) -> Settings:
    """The settings with which a configured integration runs.

    Raises AuthFailed when only secrets are missing (after a restore, or with another vault), SettingsInvalid for the
    first fault of another kind, Unsupported, VaultError.
    """
    secrets = stored_secrets(catalogue, vault, key, integration_id)
    try:
        return validate(catalogue, key, config, secrets)
    except SettingsRefused as err:
        if _would_be_right_with_secrets(catalogue, key, config, secrets):
            raise AuthFailed(
                "The saved password or token is not in the key store of this computer. Sign in again to store it."
            ) from err
        first = err.faults[0]
        raise SettingsInvalid(first.field, f"{first.why} Open the settings and correct it.") from err


def _would_be_right_with_secrets(
    catalogue: Catalogue, key: str, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> bool:
    """Whether nothing but missing secrets is wrong: with something in every secret field it would pass."""
    stand_ins = placeholders(catalogue, key)
    if stand_ins.keys() <= secrets.keys():
        return False
    try:
        validate(catalogue, key, config, {**stand_ins, **secrets})
    except SettingsRefused:
        return False
    return True


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _fault(detail: ErrorDetails, specs: Mapping[str, SettingSpec]) -> Fault:
    field = str(detail["loc"][0]) if detail["loc"] else ""
    spec = specs.get(field)
    label = spec.label if spec is not None else field
    return Fault(field, _sentence(detail, label, spec, specs))


def _sentence(detail: ErrorDetails, label: str, spec: SettingSpec | None, specs: Mapping[str, SettingSpec]) -> str:
    """Plain words for what the model said. Never repeats the value: it may be a secret in the wrong place."""
    kind, context = detail["type"], detail.get("ctx", {})
    unit = f" {spec.unit}" if spec is not None and spec.unit else ""
    example = f" Example: {spec.example}" if spec is not None and spec.example else ""
    match kind:
        case "missing":
            return f"{label} is needed.{example}"
        case "extra_forbidden":
            return f"There is no setting named “{label}”. There are: {', '.join(specs)}."
        case "greater_than_equal":
            return f"{label} must be at least {context.get('ge')}{unit}."
        case "greater_than":
            return f"{label} must be more than {context.get('gt')}{unit}."
        case "less_than_equal":
            return f"{label} must be at most {context.get('le')}{unit}."
        case "less_than":
            return f"{label} must be less than {context.get('lt')}{unit}."
        case "string_too_short" | "too_short":
            return f"{label} is too short: at least {context.get('min_length')} characters are needed."
        case "string_too_long" | "too_long":
            return f"{label} is too long: at most {context.get('max_length')} characters are possible."
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{label} must be a whole number.{example}"
        case "float_parsing" | "float_type" | "decimal_parsing" | "finite_number":
            return f"{label} must be a number.{example}"
        case "bool_parsing" | "bool_type":
            return f"{label} must be yes or no."
        case "literal_error" | "enum":
            choices = ", ".join(spec.choices) if spec is not None and spec.choices else context.get("expected", "")
            return f"{label} must be one of: {choices}."
        case "value_error" | "assertion_error":
            return _full_stop(str(context.get("error") or detail["msg"]))
        case _:
            return f"{label} cannot be right: {_full_stop(detail['msg'][:1].lower() + detail['msg'][1:])}{example}"


def _full_stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
