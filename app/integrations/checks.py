"""Proving settings against the peer, layer by layer, without storing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from adapters.base import CheckStep, Clock, Identity, Layer, Settings
from adapters.errors import AdapterError, AuthFailed, NotReady
from app.catalogue import Catalogue
from app.integrations.changes import Desk, listens
from app.integrations.rows import Configured, configured
from app.integrations.settings import Fault, SettingsRefused, stored_secrets, validate
from app.security.redaction import register_secret
from app.store.tables import IntegrationState

TIME_LIMIT_S = 60.0

StepSeen = Callable[[CheckStep], None]

_ORDER = tuple(Layer)
_LISTENING = frozenset({"healthy", "stale"})


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
    on_step: StepSeen | None = None,
) -> CheckReport:
    """Check what was entered, saved or not. Everything that can be wrong is in the report; no AdapterError leaves.

    ``on_step`` hears of each layer as soon as it is proved.
    """
    for secret in secrets.values():  # not in the vault yet, and not to be seen in a log either
        register_secret(secret)
    try:
        settings = validate(catalogue, key, values, secrets)
    except SettingsRefused as err:
        return CheckReport(faults=err.faults)
    except AdapterError as err:
        return CheckReport(error=err)
    return await check_model(catalogue, key, settings, clock, time_limit_s=time_limit_s, on_step=on_step)


async def check_model(
    catalogue: Catalogue,
    key: str,
    settings: Settings,
    clock: Clock,
    *,
    time_limit_s: float = TIME_LIMIT_S,
    on_step: StepSeen | None = None,
) -> CheckReport:
    """Like :func:`check_settings`, for settings that are a model already."""
    from app.kit import make_kit  # HTTP and TLS, which most starts of a window can do without

    steps: list[CheckStep] = []

    def seen(step: CheckStep) -> None:
        steps.append(step)
        if on_step is not None:
            on_step(step)

    try:
        kit = make_kit("check", catalogue.manifest(key), settings, clock)
        try:
            async with asyncio.timeout(time_limit_s) as limit:
                identity = await catalogue.create(key, settings, kit).check(seen)
        finally:
            await kit.http.aclose()
    except TimeoutError:
        if not limit.expired():  # a defect of the adapter, which should have said NotReady
            raise
        return failed_report(
            steps, NotReady(f"The check did not end within {time_limit_s:.0f} s. Look at the line, then try again.")
        )
    except AdapterError as err:
        return failed_report(steps, err)
    return CheckReport(tuple(steps), identity)


async def check_saved(
    desk: Desk,
    integration_id: str,
    clock: Clock,
    *,
    values: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    on_step: StepSeen | None = None,
) -> CheckReport:
    """Check a configured integration as it is, or with the changes of a form that is not saved yet.

    A listener whose port our own engine holds is not disturbed: that it listens is the proof.
    Raises UnknownIntegration, Unsupported, VaultError, StoreError.
    """

    def look() -> tuple[Configured, dict[str, Any], dict[str, str], CheckReport | None]:
        with desk.store.read() as connection:
            saved = configured(connection, integration_id)
            wanted = {**saved.config, **(values or {})}
            held = _held_by_our_engine(connection, desk.catalogue, saved, wanted, clock.now_ms())
        kept = stored_secrets(desk.catalogue, desk.vault, saved.type, integration_id)
        return saved, wanted, kept, held

    saved, wanted, kept, held = await asyncio.to_thread(look)
    entered = {field: secret for field, secret in (secrets or {}).items() if secret}
    if held is not None:
        return held
    return await check_settings(
        desk.catalogue, saved.type, wanted, {**kept, **entered}, clock, time_limit_s=time_limit_s, on_step=on_step
    )


def _held_by_our_engine(
    connection: Connection, catalogue: Catalogue, saved: Configured, wanted: Mapping[str, Any], now_ms: int
) -> CheckReport | None:
    """The report for a port on which the running engine listens already; None where a check must be run."""
    from app.engine.running import is_engine_running

    if not (saved.enabled and listens(catalogue, saved.type) and is_engine_running(connection, now_ms)):
        return None
    if any(str(wanted.get(field)) != str(saved.config.get(field)) for field in ("host", "port", "udp")):
        return None
    query = select(IntegrationState.phase, IntegrationState.detail)
    state = connection.execute(query.where(IntegrationState.integration_id == saved.id)).one_or_none()
    if state is None or state.phase not in _LISTENING or not state.detail.get("connected"):
        return None
    step = CheckStep(Layer.ROUTE, ok=True, detail=f"The engine listens there now. {state.detail['connected']}")
    identity = Identity(saved.peer_unique_id, saved.name) if saved.peer_unique_id is not None else None
    return CheckReport((step,), identity)


def failed_report(steps: list[CheckStep], error: AdapterError) -> CheckReport:
    """The report of a check that ended with ``error`` after these steps: the layer that failed is the last one."""
    if not steps or steps[-1].ok:
        steps = [*steps, CheckStep(_failed_layer(steps, error), ok=False, detail=error.why)]
    return CheckReport(tuple(steps), None, error)


def _failed_layer(steps: list[CheckStep], error: AdapterError) -> Layer:
    """The layer after the last that held, unless the error itself says which it is."""
    last = _ORDER.index(steps[-1].layer) if steps else -1
    if isinstance(error, AuthFailed):
        return Layer.PERMISSION if last >= _ORDER.index(Layer.SIGN_IN) else Layer.SIGN_IN
    if error.field == "fingerprint":
        return Layer.TLS
    return _ORDER[min(last + 1, len(_ORDER) - 1)]
