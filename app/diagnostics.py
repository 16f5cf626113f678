"""One integration's diagnostics: settings, state, last runs, counters, versions; blanked before anybody sees it.

The text that the operator previews is the text that is written: nothing is added afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from adapters.errors import Unsupported
from app import platform
from app.catalogue import Catalogue
from app.clock import utc_now
from app.integrations.analytics import analytics
from app.integrations.rows import configured, integration_row
from app.paths import without_home
from app.security.redaction import redact
from app.store.tables import Cursor, IntegrationLog, IntegrationState, Problem, RejectedRecord
from app.versions import version_lines

_LAST_LOGS = 200
_LAST_REJECTED = 50


def collect_diagnostics(
    connection: Connection,
    catalogue: Catalogue,
    integration_id: str,
    *,
    vault_description: str,
    log_lines: Sequence[str] = (),
    personal: bool = False,
) -> dict[str, Any]:
    """Everything that helps to find a fault of one integration, as plain JSON types.

    Secrets are always blanked; places, people and vehicles unless ``personal`` says to keep them.
    Raises UnknownIntegration.
    """
    saved = configured(connection, integration_id)
    row = integration_row(connection, integration_id)
    figures = analytics(connection, integration_id)
    facts = {
        "made_at": utc_now(),
        "versions": version_lines(),
        "secrets": vault_description,
        "integration": {**row.as_json(), "enabled": saved.enabled, "peer_unique_id": saved.peer_unique_id},
        "manifest": _manifest(catalogue, saved.type),
        "settings": saved.config,
        "state": _first(connection, IntegrationState, IntegrationState.integration_id == integration_id),
        "cursors": _all(connection, Cursor, Cursor.integration_id == integration_id),
        "problems": _last(connection, Problem, Problem.integration_id == integration_id, _LAST_REJECTED),
        "figures": {"days": figures.days, "total": figures.total, "counters": figures.counters},
        "log": _last(connection, IntegrationLog, IntegrationLog.integration_id == integration_id, _LAST_LOGS),
        "rejected": _last(connection, RejectedRecord, RejectedRecord.integration_id == integration_id, _LAST_REJECTED),
        "program_log": list(log_lines),
    }
    blanked: dict[str, Any] = redact(_plain(facts), personal=not personal)
    return blanked


def preview(diagnostics: dict[str, Any]) -> str:
    """The text for the operator's eyes, and for the file."""
    return json.dumps(diagnostics, indent=2, ensure_ascii=False, default=str) + "\n"


def save_diagnostics(text: str, path: Path) -> None:
    """Write the previewed text. Raises OSError when the place cannot be written."""
    platform.write_durably(path, text.encode())


def _manifest(catalogue: Catalogue, key: str) -> dict[str, Any]:
    try:
        manifest = catalogue.manifest(key)
    except Unsupported as err:
        return {"key": key, "problem": err.why}
    return {
        "key": key,
        "adapter": manifest.settings.__module__,
        "modes": sorted(manifest.modes),
        "streams": [stream.name for stream in manifest.streams],
        "stale_after_s": manifest.stale_after_s,
        "max_in_flight": manifest.max_in_flight,
        "requests_per_minute": manifest.requests_per_minute,
    }


def _first(connection: Connection, table: Any, condition: Any) -> dict[str, Any] | None:
    rows = _all(connection, table, condition)
    return rows[0] if rows else None


def _all(connection: Connection, table: Any, condition: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table.__table__).where(condition))]


def _last(connection: Connection, table: Any, condition: Any, count: int) -> list[dict[str, Any]]:
    """The newest rows, oldest first."""
    query = select(table.__table__).where(condition).order_by(table.id.desc()).limit(count)
    return [dict(row._mapping) for row in connection.execute(query)][::-1]


def _plain(value: Any) -> Any:
    """Times as ISO text, paths without the account's name; the rest is made plain by the redaction."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return without_home(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
