"""Integrations as pages and commands list them: what can be added, what is configured, what depends on one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from app.catalogue import Catalogue
from app.clock import SystemClock, from_ms
from app.engine.phases import Phase, status_word
from app.engine.running import engine_gone_since_ms
from app.errors import OperatorError
from app.fleet.phones import is_phone
from app.store.tables import (
    Device,
    DeviceEventRow,
    GeofenceRow,
    Integration,
    IntegrationState,
    PositionRow,
    Problem,
    Vehicle,
)
from app.sync.listing import unsent_words

MOST_COUNTED = 1_000_000
"""Counting stops here: a page that asks before removing must not read a whole flood of positions."""

_NAMES_SHOWN = 20
_NEEDS_ENGINE = frozenset({Phase.HEALTHY, Phase.STALE, Phase.RETRYING, Phase.STARTING})
_NO_ENGINE = (
    "No engine is running, so nothing is received or fetched. Start “biko-console gateway”, or open the window."
)


class UnknownIntegration(OperatorError):
    """There is no configured integration of that id."""


@dataclass(frozen=True, slots=True)
class IntegrationRow:
    """One configured integration. ``status`` is one of the platform's four words, ``phase`` the finer one."""

    id: str
    type: str
    name: str
    status: str
    phase: str
    reason: str
    since: datetime
    next_try: datetime | None
    last_sync: datetime | None
    last_data: datetime | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


COLUMNS = tuple(field.name for field in fields(IntegrationRow))


@dataclass(frozen=True, slots=True)
class Configured:
    """One integration as it was saved; never a secret."""

    id: str
    type: str
    name: str
    config: dict[str, Any]
    enabled: bool
    peer_unique_id: str | None
    secrets_version: int


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on an integration. Counts stop at ``MOST_COUNTED``; ``vehicles`` are the first few plates.

    ``phones`` are those of the devices that are drivers' phones, no trackers.
    ``unsent`` are changes that its peer is not known to have, ``unsent_names`` the first of them.
    """

    devices: int
    vehicle_count: int
    vehicles: tuple[str, ...]
    positions: int
    events: int
    geofences: int
    problems: int
    unsent: int = 0
    unsent_names: tuple[str, ...] = ()
    phones: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.devices or self.positions or self.events or self.geofences or self.unsent)


def list_integrations(connection: Connection) -> list[IntegrationRow]:
    """Every configured integration, oldest first."""
    gone_since = _engine_gone_since(connection)
    return [_row(row, gone_since) for row in connection.execute(_joined().order_by(Integration.key))]


def integration_row(connection: Connection, integration_id: str) -> IntegrationRow:
    """One configured integration. Raises UnknownIntegration."""
    row = connection.execute(_joined().where(Integration.id == integration_id)).one_or_none()
    if row is None:
        raise _unknown(integration_id)
    return _row(row, _engine_gone_since(connection))


def configured(connection: Connection, integration_id: str) -> Configured:
    """One integration as it was saved. Raises UnknownIntegration."""
    columns = [getattr(Integration, field.name) for field in fields(Configured)]
    query = select(*columns).where(Integration.id == integration_id, Integration.removed_at.is_(None))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(integration_id)
    return Configured(*row)


def catalogue_rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """What can be added, with the JSON schema of its settings (None where there is nothing to set yet)."""
    return [
        {
            "key": entry.key,
            "name": entry.name,
            "category": entry.category,
            "description": entry.description,
            "capabilities": list(entry.capabilities),
            "icon": entry.icon,
            "is_new": entry.is_new,
            "coming_soon": entry.coming_soon,
            "settings": entry.manifest.settings.model_json_schema() if entry.manifest is not None else None,
            "problem": entry.problem,
        }
        for entry in catalogue.entries()
    ]


def dependents(connection: Connection, integration_id: str) -> Dependents:
    """What is shown before an integration is disabled or removed."""
    own = Device.integration_id == integration_id
    keys = select(Device.key).where(own).scalar_subquery()
    vehicle_ids = select(Device.vehicle_id).where(own, Device.vehicle_id.is_not(None)).distinct()
    on_them = select(Vehicle.plate).where(Vehicle.id.in_(vehicle_ids)).order_by(Vehicle.plate)
    plates = connection.execute(on_them.limit(_NAMES_SHOWN)).scalars().all()
    fences = select(GeofenceRow.id).where(GeofenceRow.integration_id == integration_id, GeofenceRow.visible)
    unsent, names = unsent_words(connection, integration_id)
    problems = select(Problem.id).where(Problem.integration_id == integration_id, Problem.cleared_at.is_(None))
    return Dependents(
        devices=_count(connection, select(Device.key).where(own)),
        vehicle_count=_count(connection, on_them),
        vehicles=tuple(plates),
        positions=_count(connection, select(PositionRow.id).where(PositionRow.device_key.in_(keys))),
        events=_count(connection, select(DeviceEventRow.id).where(DeviceEventRow.device_key.in_(keys))),
        geofences=_count(connection, fences),
        problems=_count(connection, problems),
        unsent=unsent,
        unsent_names=tuple(names),
        phones=_count(connection, select(Device.key).where(own, is_phone())),
    )


def _count(connection: Connection, query: Any) -> int:
    limited = query.order_by(None).limit(MOST_COUNTED).subquery()
    return int(connection.execute(select(func.count()).select_from(limited)).scalar_one())


def _joined() -> Any:
    state = IntegrationState
    return (
        select(
            Integration.id,
            Integration.type,
            Integration.name,
            Integration.enabled,
            Integration.last_sync,
            Integration.updated_at,
            state.phase,
            state.reason,
            state.since,
            state.next_try,
            state.last_success,
            state.last_data,
        )
        .outerjoin(state, state.integration_id == Integration.id)
        .where(Integration.removed_at.is_(None))
    )


def _engine_gone_since(connection: Connection) -> datetime | None:
    gone_ms = engine_gone_since_ms(connection, SystemClock().now_ms())
    return None if gone_ms is None else from_ms(gone_ms)


def _row(row: Any, engine_gone_since: datetime | None) -> IntegrationRow:
    """A switch that was turned counts at once, also before the engine has seen it; what an engine said that is gone
    does not hold any more."""
    phase = Phase(row.phase) if row.phase is not None else Phase.STARTING
    reason, since, next_try = row.reason or "", row.since, row.next_try
    if not row.enabled:
        reason, next_try = "", None
        since = row.since if phase is Phase.DISABLED else row.updated_at
        phase = Phase.DISABLED
    elif phase is Phase.DISABLED or row.phase is None:
        phase, reason, next_try, since = Phase.STARTING, "Waits for the engine to start it.", None, row.updated_at
    if engine_gone_since is not None and phase in _NEEDS_ENGINE:
        reason, next_try = _NO_ENGINE, None
        if phase is not Phase.STARTING:
            phase, since = Phase.STALE, engine_gone_since
    return IntegrationRow(
        id=row.id,
        type=row.type,
        name=row.name,
        status=status_word(phase, ever_succeeded=row.last_success is not None),
        phase=phase.value,
        reason=reason,
        since=since,
        next_try=next_try,
        last_sync=row.last_sync,
        last_data=row.last_data,
    )


def _unknown(integration_id: str) -> UnknownIntegration:
    return UnknownIntegration(f"There is no integration with the id {integration_id}. See “integrations list”.")
