"""The kinds of records that can be changed here: their rows, parents, names, and what waits over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from adapters.vocabulary import JsonScalar
from app.fleet.text import storable
from app.store.changes import raise_topic
from app.store.columns import Base
from app.store.tables import (
    DeliveryBatchRow,
    DispatchRunRow,
    DriverDeviceRow,
    DriverLinkRow,
    DriverSessionRow,
    FacilityRow,
    InvitationRow,
    ItemRow,
    OnboardingRequestRow,
    OutboxItem,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
)
from app.sync.errors import NotFound
from app.sync.words import IN_THE_WAY, TOLD

LONGEST_SUBJECT = 300


@dataclass(frozen=True, slots=True)
class RecordKind:
    """``parent`` names the kind above a line, and ``parent_field`` the line's column that holds its peer id.

    ``told`` is what operators call one of its rows; None for the papers and lines of supply, which name facility and
    item as well. ``is_message``: it has no row but its outbox item, so that nothing waits over a peer's value.
    """

    name: str
    word: str
    table: type[Base]
    topic: str
    parent: str = ""
    parent_field: str = ""
    told: Callable[[Mapping[str, Any]], str] | None = None
    is_message: bool = False


def _whose(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or row.get("email") or row.get("phone") or row["peer_id"])


KINDS: Mapping[str, RecordKind] = {
    kind.name: kind
    for kind in (
        RecordKind("requisition", "requisition", RequisitionRow, "requisitions"),
        RecordKind(
            "requisition_line", "requisition line", RequisitionLineRow, "requisitions", "requisition", "requisition"
        ),
        RecordKind("shipment", "shipment", ShipmentRow, "shipments"),
        RecordKind("shipment_line", "shipment line", ShipmentLineRow, "shipments", "shipment", "shipment"),
        RecordKind("notice", "message", OutboxItem, "outbox", is_message=True),
        RecordKind(
            "driver_link", "linked user", DriverLinkRow, "drivers", told=lambda row: f"Driver link of {_whose(row)}"
        ),
        RecordKind(
            "invitation", "invitation", InvitationRow, "drivers", told=lambda row: f"Invitation of {row['email']}"
        ),
        RecordKind(
            "onboarding_request",
            "onboarding request",
            OnboardingRequestRow,
            "drivers",
            told=lambda row: f"Request of {_whose(row)}",
        ),
        RecordKind(
            "driver_device", "driver's phone", DriverDeviceRow, "drivers", told=lambda row: f"Phone {_whose(row)}"
        ),
        RecordKind(
            "driver_session",
            "sign-in",
            DriverSessionRow,
            "drivers",
            told=lambda row: f"Sign-in on {row['device'] or row['peer_id']}",
        ),
        RecordKind("delivery_batch", "batch", DeliveryBatchRow, "batches", told=lambda row: f"Batch {row['name']}"),
        RecordKind("dispatch_run", "dispatch run", DispatchRunRow, "batches", told=lambda row: f"Run {row['peer_id']}"),
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """One record to change: its row, the paper that it belongs to (itself, where it is one), and its name.

    ``parent`` is None where a line came before its paper.
    """

    kind: RecordKind
    row: Mapping[str, Any]
    parent: Mapping[str, Any] | None
    subject: str

    @property
    def family(self) -> str:
        paper = self.parent if self.kind.parent else self.row
        return str((paper or self.row)["id"])

    @property
    def parent_peer_id(self) -> str:
        return str(self.row[self.kind.parent_field]) if self.kind.parent else ""

    @property
    def stage(self) -> str:
        """The stage of the paper once everything that waits for it has been accepted."""
        paper = self.parent if self.kind.parent else self.row
        return str(shown(paper, "stage")) if paper is not None else "unknown"


def shown(row: Mapping[str, Any], field: str) -> Any:
    """What a screen shows in a field: what waits to be sent, else the peer's value."""
    pending = row["pending"] or {}
    return pending[field] if field in pending else row[field]


def load_target(connection: Connection, kind_name: str, record_id: str) -> Target:
    """One record by the id of its row. Raises NotFound."""
    kind = KINDS[kind_name]
    table = kind.table.__table__
    row = _as_dict(connection.execute(select(table).where(table.c.id == record_id)).mappings().one_or_none())
    if row is None:
        raise NotFound(
            f"There is no {kind.word} with the id {record_id}. It may have been removed; read the list again."
        )
    parent = None
    if kind.parent:
        above = KINDS[kind.parent].table.__table__
        wanted = (above.c.integration_id == row["integration_id"]) & (above.c.peer_id == row[kind.parent_field])
        parent = _as_dict(connection.execute(select(above).where(wanted)).mappings().one_or_none())
    return Target(kind, row, parent, _subject(connection, kind, row, parent))


def refresh_pending(connection: Connection, kind_name: str, record_id: str) -> dict[str, JsonScalar]:
    """Write a row's ``pending`` anew from what waits for it, in the order of the changes; returns it."""
    kind = KINDS[kind_name]
    if kind.is_message:
        return {}
    pending = _pending_of(connection, [record_id]).get(record_id, {})
    version = raise_topic(connection, kind.topic)
    table = kind.table.__table__
    change = {"pending": pending or None, "changed_version": version}
    connection.execute(update(table).where(table.c.id == record_id).values(change))
    return pending


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a peer has taken of one record."""

    record: str
    record_id: str
    values: Mapping[str, JsonScalar]


def settle_accepted(connection: Connection, changes: Sequence[Accepted], versions: Mapping[str, int]) -> None:
    """These are the peers' values from now on, and ``pending`` is what still waits.

    The content hash is emptied, so that the next download writes the row whatever it brings. ``versions`` are those
    of the kinds' topics, raised already.
    """
    changes = [one for one in changes if not KINDS[one.record].is_message]
    pending = _pending_of(connection, [one.record_id for one in changes])
    alike: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
    for one in changes:
        table = KINDS[one.record].table.__table__
        fields = tuple(sorted(field for field in one.values if field in table.c))
        row: dict[str, Any] = {f"new_{field}": one.values[field] for field in fields}
        row = {**row, "of_id": one.record_id, "new_pending": pending.get(one.record_id) or None}
        alike.setdefault((one.record, fields), []).append(row)
    for (record, fields), rows in alike.items():
        table = KINDS[record].table.__table__
        change: dict[str, Any] = {field: bindparam(f"new_{field}") for field in fields}
        change |= {"pending": bindparam("new_pending", type_=table.c.pending.type), "content_hash": b""}
        change["changed_version"] = versions[KINDS[record].topic]
        connection.execute(update(table).where(table.c.id == bindparam("of_id")).values(change), rows)


def _pending_of(connection: Connection, record_ids: Sequence[str]) -> dict[str, dict[str, JsonScalar]]:
    query = (
        select(OutboxItem.record_id, OutboxItem.values)
        .where(OutboxItem.record_id.in_(record_ids), OutboxItem.state.in_(IN_THE_WAY))
        .order_by(OutboxItem.seq)
    )
    pending: dict[str, dict[str, JsonScalar]] = {}
    for record_id, values in connection.execute(query):
        pending.setdefault(record_id, {}).update({name: value for name, value in values.items() if name != TOLD})
    return pending


def _as_dict(row: Any) -> dict[str, Any] | None:
    return None if row is None else {str(name): value for name, value in row.items()}


def _subject(connection: Connection, kind: RecordKind, row: Mapping[str, Any], parent: Mapping[str, Any] | None) -> str:
    if kind.told is not None:
        return storable(" ".join(kind.told(row).split()), LONGEST_SUBJECT)
    paper = parent if kind.parent else row
    name = _paper_name(connection, kind.parent or kind.name, paper) if paper is not None else kind.word.capitalize()
    if kind.parent:
        item = _name_of(connection, ItemRow, row["integration_id"], row["item"]) or "An item"
        batch = f", batch {row['batch']}" if row.get("batch") else ""
        name = f"{item}{batch}, {name[:1].lower()}{name[1:]}"
    return storable(" ".join(name.split()), LONGEST_SUBJECT)


def _paper_name(connection: Connection, kind_name: str, paper: Mapping[str, Any]) -> str:
    number = paper["number"] or paper["peer_id"]
    integration_id = paper["integration_id"]
    if kind_name == "requisition":
        facility = _name_of(connection, FacilityRow, integration_id, paper["facility"])
        return f"Requisition {number}" + (f" of {facility}" if facility else "")
    outbound = paper["side"] == "outbound"
    other = _name_of(connection, FacilityRow, integration_id, paper["receiver" if outbound else "sender"])
    return f"Shipment {number}" + (f" {'to' if outbound else 'from'} {other}" if other else "")


def _name_of(connection: Connection, table: type[Base], integration_id: str, peer_id: str) -> str:
    columns = table.__table__.c
    wanted = (columns.integration_id == integration_id) & (columns.peer_id == peer_id)
    return str(connection.execute(select(columns.name).where(wanted)).scalar_one_or_none() or "")
