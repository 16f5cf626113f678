"""What the command palette finds among supply records: papers by number, our facilities and items by name or code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, or_, select

from app.store.tables import FacilityRow, Integration, ItemRow, RequisitionRow, ShipmentRow
from resources.i18n import tr
from widgets.command_palette import Command
from widgets.context import ConsoleContext

MOST = 5
"""Of each kind."""


@dataclass(frozen=True, slots=True)
class Found:
    title: str
    detail: str
    icon: str
    arguments: dict[str, Any]


async def supply_entries(context: ConsoleContext, typed: str) -> Sequence[Command]:
    """Numbers must begin as typed, names and codes hold it; none for less than two characters."""
    typed = typed.strip()
    if len(typed) < 2:
        return []
    found = await context.bridge.read(partial(_find, typed=typed))
    return [
        Command(one.title, partial(context.open_page, "supply", **one.arguments), one.icon, one.detail, words=typed)
        for one in found
    ]


def _find(connection: Connection, typed: str) -> list[Found]:
    found: list[Found] = []
    for paper, tab, word, icon in (
        (RequisitionRow, "requisitions", tr("Requisition {number}"), "clipboard-list"),
        (ShipmentRow, "shipments", tr("Shipment {number}"), "truck"),
    ):
        query = _known(select(paper.number, paper.id), paper).where(paper.number.istartswith(typed, autoescape=True))
        for number, record_id in connection.execute(query.order_by(paper.number, paper.key).limit(MOST)):
            arguments = {"tab": tab, "text": number, "id": record_id}
            found.append(Found(word.format(number=number), tr("Supply"), icon, arguments))
    facility = FacilityRow
    holds = or_(facility.name.icontains(typed, autoescape=True), facility.code == typed)
    places = select(facility.name, facility.integration_id, facility.peer_id)
    places = _known(places, facility).where(facility.is_ours, holds)
    for name, integration_id, peer_id in connection.execute(places.order_by(facility.name).limit(MOST)):
        place: dict[str, Any] = {"tab": "stock", "facility": (integration_id, peer_id)}
        found.append(Found(name, tr("Stock of this facility"), "building-2", place))
    item = ItemRow
    holds = or_(item.name.icontains(typed, autoescape=True), item.code.istartswith(typed, autoescape=True))
    items = _known(select(item.name, item.code, item.id), item).where(holds)
    for name, code, record_id in connection.execute(items.order_by(item.name, item.key).limit(MOST)):
        found.append(Found(name, code, "package", {"tab": "items", "text": code or name, "id": record_id}))
    return found


def _known(query: Any, table: Any) -> Any:
    """What the lists show: of integrations that are there, and not gone."""
    joined = query.join(Integration, Integration.id == table.integration_id)
    return joined.where(table.gone_at.is_(None), Integration.removed_at.is_(None))
