"""Proving settings against the peer, layer by layer, without storing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.base import CheckStep, Clock, Identity, Layer, Settings
from adapters.errors import AdapterError, AuthFailed, NotReady, SettingsInvalid
from app.catalogue import Catalogue
from app.integrations.settings import Fault, SettingsRefused, validate
from app.kit import make_kit
from app.security.redaction import register_secret

TIME_LIMIT_S = 60.0

_ORDER = tuple(Layer)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found. ``layers`` ends with the one that failed; ``faults`` are settings that cannot be right."""

    layers: tuple[CheckStep, ...] = ()
    identity: Identity | None = None
    error: AdapterError | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return self.error is None and not self.faults

    @property
    def why(self) -> str:
        """What failed and what to do, "" when all is well."""
        return self.error.why if self.error is not None else " ".join(fault.why for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """In the shape of the command line's ``integrations check``."""
        return {
            "ok": self.ok,
            "layers": [{"layer": step.layer.value, "ok": step.ok, "detail": step.detail} for step in self.layers],
            "identity": self.identity.unique_id if self.identity is not None else None,
            "version": self.identity.version if self.identity is not None else None,
            "error": self.why or None,
        }


async def check_settings(
    catalogue: Catalogue,
    key: str,
    values: Mapping[str, Any],
    secrets: Mapping[str, str],
    clock: Clock,
    *,
    time_limit_s: float = TIME_LIMIT_S,
) -> CheckReport:
    """Check what was entered, saved or not. Everything that can be wrong is in the report; no AdapterError leaves."""
    for secret in secrets.values():  # not in the vault yet, and not to be seen in a log either
        register_secret(secret)
    try:
        settings = validate(catalogue, key, values, secrets)
    except SettingsRefused as err:
        return CheckReport(faults=err.faults)
    except AdapterError as err:
        return CheckReport(error=err)
    return await check_model(catalogue, key, settings, clock, time_limit_s=time_limit_s)


async def check_model(
    catalogue: Catalogue, key: str, settings: Settings, clock: Clock, *, time_limit_s: float = TIME_LIMIT_S
) -> CheckReport:
    """Like :func:`check_settings`, for settings that are a model already."""
    steps: list[CheckStep] = []
    try:
        kit = make_kit("check", catalogue.manifest(key), settings, clock)
        try:
            async with asyncio.timeout(time_limit_s):
                identity = await catalogue.create(key, settings, kit).check(steps.append)
        finally:
            await kit.http.aclose()
    except TimeoutError:
        return _failed(
            steps, NotReady(f"The check did not end within {time_limit_s:.0f} s. Look at the line, then try again.")
        )
    except AdapterError as err:
        return _failed(steps, err)
    return CheckReport(tuple(steps), identity)


def _failed(steps: list[CheckStep], error: AdapterError) -> CheckReport:
    if not steps or steps[-1].ok:
        steps = [*steps, CheckStep(_failed_layer(steps, error), ok=False, detail=error.why)]
    return CheckReport(tuple(steps), None, error)


def _failed_layer(steps: list[CheckStep], error: AdapterError) -> Layer:
    """The layer after the last that held, unless the error itself says which it is."""
    last = _ORDER.index(steps[-1].layer) if steps else -1
    if isinstance(error, AuthFailed):
        return Layer.PERMISSION if last >= _ORDER.index(Layer.SIGN_IN) else Layer.SIGN_IN
    if isinstance(error, SettingsInvalid) and error.field == "fingerprint":
        return Layer.TLS
    return _ORDER[min(last + 1, len(_ORDER) - 1)]
