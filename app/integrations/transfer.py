"""Settings as a file, without secrets: taken from one installation, compared with and put into another."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, select

from adapters.base import secret_names
from adapters.errors import Unsupported
from app.catalogue import Catalogue
from app.clock import utc_now
from app.errors import OperatorError
from app.integrations.changes import Desk, NameRefused, add, change, usable_name
from app.integrations.settings import SettingsRefused, placeholders, validate
from app.store.tables import Integration

FORMAT = "biko-console-integrations"
VERSION = 1
_MOST_LINES = 10_000


class ImportRefused(OperatorError):
    """The file is not one of ours, or was written by a newer release."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same here and in the file; None where it is absent."""

    field: str
    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class ImportLine:
    """What importing one integration of the file would do. ``id`` is ours where it exists here already."""

    action: Literal["add", "change", "same", "refused"]
    type: str
    name: str
    id: str | None
    config: Mapping[str, Any]
    differences: tuple[Difference, ...] = ()
    why: str = ""


def export_settings(connection: Connection, catalogue: Catalogue, only: Sequence[str] | None = None) -> dict[str, Any]:
    """The settings of all integrations, or of the ids in ``only``, as a JSON document without a secret."""
    query = select(Integration.id, Integration.type, Integration.name, Integration.config, Integration.enabled)
    query = query.where(Integration.removed_at.is_(None)).order_by(Integration.key)
    if only is not None:
        query = query.where(Integration.id.in_(list(only)))
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": utc_now().isoformat(timespec="seconds").replace("+00:00", "Z"),
        "integrations": [
            {
                "id": row.id,
                "type": row.type,
                "name": row.name,
                "enabled": row.enabled,
                "config": _without_secrets(catalogue, row.type, row.config),
            }
            for row in connection.execute(query)
        ],
    }


def plan_import(connection: Connection, catalogue: Catalogue, document: Any) -> list[ImportLine]:
    """What importing a file would do, line by line, before anything is changed. Raises ImportRefused."""
    columns = (Integration.id, Integration.type, Integration.name, Integration.config, Integration.removed_at)
    rows = connection.execute(select(*columns)).all()
    ours, taken = [row for row in rows if row.removed_at is None], {row.id for row in rows}
    lines = []
    for item in _items(document):
        line = _plan_line(item, ours, taken, catalogue)
        taken |= {line.id} if line.id is not None else set()
        lines.append(line)
    return lines


def apply_import(desk: Desk, lines: Sequence[ImportLine], *, who: str | None = None) -> list[str]:
    """Add and change what the plan says; returns the ids. New ones stay disabled until somebody signs in.

    Each line is an act of its own; raises like ``add`` and ``change`` at the first that fails, the ones before stay.
    """
    done = []
    for line in lines:
        if line.action == "add":
            done.append(_add_without_secrets(desk, line, who))
        elif line.action == "change" and line.id is not None:
            values = {item.field: item.theirs for item in line.differences if item.field != "name"}
            change(desk, line.id, name=line.name, values=values, without_secrets=True, who=who)
            done.append(line.id)
    return done


def _add_without_secrets(desk: Desk, line: ImportLine, who: str | None) -> str:
    return add(
        desk, line.type, line.name, line.config, enabled=False, integration_id=line.id, who=who, without_secrets=True
    )


def _items(document: Any) -> list[Mapping[str, Any]]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ImportRefused("This file holds no exported settings. Choose one that “Export settings” wrote.")
    version, items = document.get("version"), document.get("integrations")
    if not isinstance(version, int) or version > VERSION:
        raise ImportRefused("This file was written by a newer release. Update this program, then import it.")
    if not isinstance(items, list) or len(items) > _MOST_LINES or not all(isinstance(item, dict) for item in items):
        raise ImportRefused("This file is damaged: it lists no integrations. Export the settings again.")
    return items


def _plan_line(item: Mapping[str, Any], ours: Sequence[Any], taken: set[str], catalogue: Catalogue) -> ImportLine:
    key, name, config = str(item.get("type", "")), str(item.get("name", "")), item.get("config")
    if not isinstance(config, dict):
        return ImportLine("refused", key, name, None, {}, why=f"The settings of “{name}” are damaged in the file.")
    try:
        config = _without_secrets(catalogue, key, config)
        validate(catalogue, key, config, placeholders(catalogue, key))
        name = usable_name(name)
    except (SettingsRefused, Unsupported, NameRefused) as err:
        return ImportLine("refused", key, name, None, config, why=err.why)
    match = _match(str(item.get("id", "")), key, name, ours)
    if match is None:
        return ImportLine("add", key, name, _usable_id(item.get("id"), taken), config)
    differences = _differences(match, name, config)
    return ImportLine("change" if differences else "same", key, name, match.id, config, differences)


def _match(wanted_id: str, key: str, name: str, ours: Sequence[Any]) -> Any | None:
    same_type = [row for row in ours if row.type == key]
    by_id = next((row for row in same_type if row.id == wanted_id), None)
    return by_id or next((row for row in same_type if row.name.casefold() == name.casefold()), None)


def _differences(row: Any, name: str, config: Mapping[str, Any]) -> tuple[Difference, ...]:
    found = [Difference("name", row.name, name)] if row.name != name else []
    found += [
        Difference(field, row.config.get(field), config.get(field))
        for field in sorted({*row.config, *config})
        if row.config.get(field) != config.get(field)
    ]
    return tuple(found)


def _usable_id(text: Any, taken: set[str]) -> str | None:
    """The same integration keeps its id on every site, unless something else has it here."""
    try:
        wanted = str(uuid.UUID(str(text)))
    except ValueError:
        return None
    return wanted if wanted not in taken else None


def _without_secrets(catalogue: Catalogue, key: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the settings model that are no secret. Raises Unsupported for what is not installed."""
    try:
        hidden = secret_names(catalogue.manifest(key).settings)
    except Unsupported:
        return dict(config)
    return {field: value for field, value in config.items() if field not in hidden}
