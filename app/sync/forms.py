"""What may be changed in one record now, as a form: the peer's writes with their fields, values and choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Boolean, Connection, Double

from adapters.base import Write
from app.catalogue import Catalogue
from app.sync.errors import ChangeRefused
from app.sync.outbox import peer_of
from app.sync.records import Target, load_target, shown
from app.sync.writes import field_word, find_write, writes_of

FieldKind = Literal["number", "switch", "day", "text", "choice"]


@dataclass(frozen=True, slots=True)
class FieldForm:
    """One field. ``value`` is what is shown now, with what waits over it; ``waits`` whether something does."""

    name: str
    label: str
    kind: FieldKind
    value: Any
    waits: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteForm:
    """One change that the peer takes as a whole, with what it does there beyond it."""

    name: str
    label: str
    effect: str
    fields: tuple[FieldForm, ...]


@dataclass(frozen=True, slots=True)
class ChangeForm:
    record: str
    record_id: str
    subject: str
    integration: str
    writes: tuple[WriteForm, ...]


def change_form(connection: Connection, catalogue: Catalogue, record: str, record_id: str) -> ChangeForm:
    """Everything that may be changed in a record as it stands. Raises ChangeRefused where that is nothing, NotFound."""
    target = load_target(connection, record, record_id)
    manifest, integration = peer_of(connection, catalogue, target.row["integration_id"])
    writes = writes_of(manifest, target, integration.config)
    if "send" not in manifest.modes or not writes:
        known = next((write for write in manifest.writes if write.record == record), None)
        first = known.fields[:1] if known is not None else ("comment",)
        find_write(manifest, target, first, {}, integration)  # raises with the nearest reason
        raise ChangeRefused(f"Nothing can be changed in {target.subject} as it stands.")
    forms = tuple(_write_form(target, write) for write in writes)
    return ChangeForm(record, record_id, target.subject, integration.name, forms)


def _write_form(target: Target, write: Write) -> WriteForm:
    return WriteForm(write.name, write.label, write.effect, tuple(_field(target, write, name) for name in write.fields))


def _field(target: Target, write: Write, name: str) -> FieldForm:
    column = target.kind.table.__table__.c[name]
    choices = write.values.get(name, ())
    kind: FieldKind = "text"
    if choices:
        kind = "choice"
    elif isinstance(column.type, Boolean):
        kind = "switch"
    elif isinstance(column.type, Double):
        kind = "number"
    elif name.endswith("_on"):
        kind = "day"
    waits = name in (target.row["pending"] or {})
    return FieldForm(name, field_word(name), kind, shown(target.row, name), waits, tuple(choices))
