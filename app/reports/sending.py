"""What is the same for a dry run and a sending: settings, the peer's reporter, and which rows it would get."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from adapters.base import Settings
from adapters.reporting import Plan, Reporter
from app.catalogue import Catalogue
from app.integrations.rows import Configured, configured
from app.integrations.settings import placeholders, validate
from app.reports.rows import Snapshot, take_snapshot


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything to show before a sending. ``plan`` holds no secret."""

    configured: Configured
    settings: Settings
    reporter: Reporter
    snapshot: Snapshot
    plan: Plan


def report_kinds(catalogue: Catalogue) -> list[str]:
    """The catalogue's keys of the integrations that take reports."""
    return [
        entry.key for entry in catalogue.entries() if entry.manifest is not None and entry.manifest.reporter is not None
    ]


def supply_kinds(catalogue: Catalogue) -> list[str]:
    """The catalogue's keys of the systems whose stock can be reported."""
    return [
        entry.key
        for entry in catalogue.entries()
        if entry.manifest is not None
        and entry.category == "supply_chain"
        and entry.manifest.reporter is None
        and "pull" in entry.manifest.modes
    ]


def prepare(connection: Connection, catalogue: Catalogue, integration_id: str, report_id: str | None) -> Prepared:
    """What a sending would be now. No network, and no secret is needed for it.

    Raises UnknownIntegration, Unsupported, SettingsRefused, SettingsInvalid (of the profile).
    """
    found = configured(connection, integration_id)
    reporter = catalogue.reporter(found.type)
    settings = validate(catalogue, found.type, found.config, placeholders(catalogue, found.type))
    snapshot = take_snapshot(connection, integration_id, report_id)
    plan = reporter.plan(settings, [one.row for one in snapshot.rows if not one.why_held])
    return Prepared(found, settings, reporter, snapshot, plan)
