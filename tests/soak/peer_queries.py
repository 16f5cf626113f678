"""What a store with several supply systems holds, as the judge of a long run asks for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from app.clock import from_ms
from app.store.tables import (
    ConflictRow,
    Integration,
    IntegrationState,
    OutboxItem,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentRow,
    StreamState,
)


def phases(connection: Connection) -> list[Any]:
    state = IntegrationState
    return list(
        connection.execute(select(state.integration_id, state.phase, state.reason, state.since, state.next_try))
    )


def read_once(connection: Connection) -> list[str]:
    """Systems whose papers have all come: shipments are read last where there are any."""
    have = [
        set(connection.execute(select(t.integration_id).distinct()).scalars()) for t in (RequisitionRow, ShipmentRow)
    ]
    orders = select(Integration.id).where(Integration.type == "nhlmis")
    return [one for one in have[0] if one in have[1] or one in set(connection.execute(orders).scalars())]


def troubles(connection: Connection) -> list[Any]:
    streams = select(StreamState.stream, StreamState.trouble).where(StreamState.trouble != "")
    return [*connection.execute(streams), *connection.execute(select(Integration.name, Integration.status))]


def changeable(connection: Connection, integration_id: str, at_facilities: bool) -> list[tuple[str, str, list[str]]]:
    """Records that this system lets us change now, with their fields; OpenLMIS lets us write for its facilities."""
    line, paper = RequisitionLineRow, RequisitionRow
    lines = (
        select(line.id, paper.side, paper.stage)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(line.integration_id == integration_id, paper.gone_at.is_(None), line.gone_at.is_(None))
        .where(
            paper.stage.in_(("draft", "submitted", "rejected") if at_facilities else ("draft", "submitted", "ordered"))
        )
    )
    found: list[tuple[str, str, list[str]]] = []
    for row in connection.execute(lines):
        fields = ["supply_units"] if row.side == "response" and not at_facilities else ["requested_units"]
        found.append(("requisition_line", row.id, fields))
    shipments = select(ShipmentRow.id).where(
        ShipmentRow.integration_id == integration_id,
        ShipmentRow.side == "outbound",
        ShipmentRow.stage.in_(("new", "allocated", "picked")),
        ShipmentRow.gone_at.is_(None),
    )
    return [*found, *(("shipment", key, ["transport_reference"]) for key in connection.execute(shipments).scalars())]


def orders(connection: Connection, integration_id: str) -> list[str]:
    query = select(RequisitionRow.id).where(RequisitionRow.integration_id == integration_id)
    return list(connection.execute(query.where(RequisitionRow.gone_at.is_(None))).scalars())


def asked(connection: Connection, order: str) -> list[str]:
    """The items of an order, by their codes."""
    paper, line = RequisitionRow, RequisitionLineRow
    query = (
        select(line.item)
        .join(paper, (paper.integration_id == line.integration_id) & (paper.peer_id == line.requisition))
        .where(paper.id == order, line.gone_at.is_(None))
    )
    return list(connection.execute(query).scalars())


def row_of(connection: Connection, peer_id: str) -> str:
    return str(connection.execute(select(ShipmentRow.id).where(ShipmentRow.peer_id == peer_id)).scalar_one())


def open_conflicts(connection: Connection) -> list[str]:
    return list(connection.execute(select(ConflictRow.id).where(ConflictRow.state == "open")).scalars())


def in_state(connection: Connection, states: tuple[str, ...]) -> list[str]:
    return list(connection.execute(select(OutboxItem.id).where(OutboxItem.state.in_(states))).scalars())


def count(connection: Connection, states: tuple[str, ...]) -> int:
    query = select(func.count()).select_from(OutboxItem).where(OutboxItem.state.in_(states))
    return int(connection.execute(query).scalar_one())


def told(connection: Connection, item: str) -> tuple[Any, ...]:
    one = OutboxItem
    query = select(one.subject, one.values, one.state, one.tries, one.last_answer, one.next_try).where(one.id == item)
    return tuple(connection.execute(query).one())


def older(connection: Connection, integrations: tuple[str, ...], since_ms: int) -> list[str]:
    """Systems whose papers were not read since."""
    stream = StreamState
    query = select(stream.integration_id, stream.stream, stream.last_read).where(
        stream.integration_id.in_(integrations)
    )
    since = from_ms(since_ms)
    papers = [row for row in connection.execute(query) if "requisition" in row.stream or "order" in row.stream]
    read = {row.integration_id for row in papers if row.last_read is not None and row.last_read >= since}
    return sorted(set(integrations) - read)


def lines(connection: Connection, integration_id: str, column: str) -> dict[str, Any]:
    table = RequisitionLineRow.__table__
    query = select(table.c.peer_id, table.c[column]).where(
        table.c.integration_id == integration_id, table.c.gone_at.is_(None)
    )
    return {row[0]: row[1] for row in connection.execute(query) if row[1] is not None}
