"""What the page reads of the store, each in one transaction off the UI thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from adapters.base import Manifest
from app.catalogue import Catalogue, Entry
from app.deliveries.platforms import list_platforms
from app.deliveries.statistics import setup_statistics
from app.engine.phases import Phase
from app.fleet.statistics import FleetStatistics, fleet_statistics
from app.integrations import Analytics, IntegrationRow, analytics, integration_row, list_integrations
from app.store.tables import Cursor, IntegrationState, RejectedRecord
from widgets.integrations.words import NEEDS_ATTENTION

SET_ASIDE_SHOWN = 500
CURSOR_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything above and in the two tabs."""

    rows: tuple[IntegrationRow, ...]
    fleet: FleetStatistics

    def of_type(self, key: str) -> list[IntegrationRow]:
        return [row for row in self.rows if row.type == key]

    @property
    def healthy(self) -> int:
        return sum(row.phase == Phase.HEALTHY for row in self.rows)

    @property
    def disabled(self) -> int:
        return sum(row.phase == Phase.DISABLED for row in self.rows)

    @property
    def troubled(self) -> list[IntegrationRow]:
        return [row for row in self.rows if row.phase in NEEDS_ATTENTION]


def read_overview(connection: Connection, now_ms: int) -> Overview:
    return Overview(tuple(list_integrations(connection)), fleet_statistics(connection, now_ms))


def setup_badge(connection: Connection, catalogue: Catalogue, now_ms: int) -> int | None:
    """How many things wait for somebody at all platforms; None without a platform."""
    if not list_platforms(connection, catalogue):
        return None
    return setup_statistics(connection, now_ms).badge


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream and how far it was read. ``parts`` counts the cursors below it (one per vehicle, say)."""

    name: str
    label: str
    cursor: str = ""
    saved_at: datetime | None = None
    parts: int = 0


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be read or was refused."""

    id: int
    at: datetime
    record_key: str
    why: str
    sample: str


@dataclass(frozen=True, slots=True)
class Details:
    """Everything the detail view shows of one integration, but for its log."""

    row: IntegrationRow
    failures: int = 0
    last_success: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    streams: tuple[StreamFacts, ...] = ()
    figures: Analytics | None = None
    set_aside: tuple[SetAside, ...] = ()
    set_aside_count: int = 0


def read_details(connection: Connection, integration_id: str, manifest: Manifest | None) -> Details:
    """Raises UnknownIntegration for one that was removed."""
    row = integration_row(connection, integration_id)
    state = IntegrationState
    found = connection.execute(
        select(state.failures, state.last_success, state.detail).where(state.integration_id == integration_id)
    ).one_or_none()
    rejected = RejectedRecord
    own = rejected.integration_id == integration_id
    newest = (
        select(rejected.id, rejected.at, rejected.record_key, rejected.why, rejected.sample)
        .where(own)
        .order_by(rejected.id.desc())
        .limit(SET_ASIDE_SHOWN)
    )
    return Details(
        row=row,
        failures=found.failures if found is not None else 0,
        last_success=found.last_success if found is not None else None,
        facts=dict(found.detail) if found is not None else {},
        streams=_streams(connection, integration_id, manifest),
        figures=analytics(connection, integration_id),
        set_aside=tuple(SetAside(*line) for line in connection.execute(newest)),
        set_aside_count=connection.execute(select(func.count()).select_from(rejected).where(own)).scalar_one(),
    )


def _streams(connection: Connection, integration_id: str, manifest: Manifest | None) -> tuple[StreamFacts, ...]:
    """The declared streams in their order, each with its cursors; then cursors that no stream declares."""
    value = func.substr(Cursor.value, 1, CURSOR_SHOWN).label("value")  # some hold the names of a whole fleet
    query = select(Cursor.stream, value, Cursor.saved_at).where(Cursor.integration_id == integration_id)
    found: dict[str, tuple[str, list[Any]]] = {}
    for stream in manifest.streams if manifest is not None else ():
        found[stream.name] = (stream.label, [])
    for cursor in connection.execute(query.order_by(Cursor.stream)):
        name = _root(cursor.stream)
        found.setdefault(name, (name, []))[1].append(cursor)
    return tuple(_facts(name, label, cursors) for name, (label, cursors) in found.items())


def _facts(name: str, label: str, cursors: list[Any]) -> StreamFacts:
    if not cursors:
        return StreamFacts(name, label)
    newest = max(cursors, key=lambda cursor: cursor.saved_at)
    return StreamFacts(name, label, str(newest.value), newest.saved_at, len(cursors))


def _root(stream: str) -> str:
    """``positions`` of ``positions/358…``: a stream may keep one cursor for each device."""
    for mark in ("/", ":"):
        stream = stream.split(mark, 1)[0]
    return stream


def manifest_of(catalogue: Catalogue, key: str) -> Manifest | None:
    """None for an integration whose package is gone."""
    entry = entry_of(catalogue, key)
    return entry.manifest if entry is not None else None


def entry_of(catalogue: Catalogue, key: str) -> Entry | None:
    return next((entry for entry in catalogue.entries() if entry.key == key), None)
