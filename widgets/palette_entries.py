"""What the command palette finds in the store: plates, names and IMEIs, and what supply and deliveries add."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnClause, ColumnElement, Connection, func, not_, select

from app.fleet.phones import is_phone
from app.fleet.registry import FORGOTTEN
from app.store.tables import Device, Vehicle
from resources.i18n import tr
from widgets.command_palette import Command
from widgets.context import ConsoleContext
from widgets.supply.palette import supply_entries

MOST = 12


async def store_entries(context: ConsoleContext, typed: str) -> Sequence[Command]:
    """The fleet's before the supply systems' and the driver platforms'."""
    from widgets.deliveries.palette import delivery_entries  # reckons arrivals, which a start has no use for

    of_supply, of_deliveries = await supply_entries(context, typed), await delivery_entries(context, typed)
    return [*await fleet_entries(context, typed), *of_supply, *of_deliveries]


async def fleet_entries(context: ConsoleContext, typed: str) -> Sequence[Command]:
    """Vehicles and trackers whose plate, name or IMEI contains what was typed; none for less than two characters."""
    typed = typed.strip()
    if len(typed) < 2:
        return []
    found: list[Command] = []
    for vehicle_id, plate, name in await context.bridge.read(partial(_vehicles, typed=typed)):
        act = partial(context.open_page, "map", vehicle_id=vehicle_id)
        found.append(Command(plate, act, "truck", name or tr("Vehicle on the map"), words=typed))
    for device_id, unique_id, name, state, plate in await context.bridge.read(partial(_devices, typed=typed)):
        act = partial(context.open_page, "trackers", device_id=device_id)
        detail = {"waiting": tr("Tracker waiting in the inbox"), "blocked": tr("Blocked tracker")}.get(state)
        detail = detail or plate or name or tr("Tracker")
        found.append(Command(unique_id, act, "satellite-dish", detail, words=typed))
    return found


def _vehicles(connection: Connection, typed: str) -> Sequence[Any]:
    query = select(Vehicle.id, Vehicle.plate, Vehicle.name).where(Vehicle.removed_at.is_(None))
    for word in typed.split():
        query = query.where(_holds(Vehicle.plate, word) | _holds(Vehicle.name, word))
    return connection.execute(query.order_by(Vehicle.plate).limit(MOST)).all()


def _devices(connection: Connection, typed: str) -> Sequence[Any]:
    matches = _holds(Device.unique_id, "".join(typed.split())) | _holds(Device.name, typed)
    query = select(Device.id, Device.unique_id, Device.name, Device.state, Vehicle.plate).where(matches)
    query = query.outerjoin(Vehicle, Vehicle.id == Device.vehicle_id).where(Device.state != FORGOTTEN)
    return connection.execute(query.where(not_(is_phone())).order_by(Device.unique_id).limit(MOST)).all()


def _holds(column: ColumnClause[str], typed: str) -> ColumnElement[bool]:
    """Plates are written with hyphens, with blanks and without: none of them counts."""
    bare = func.replace(func.replace(column, "-", ""), " ", "")
    return bare.icontains(typed.replace("-", "").replace(" ", ""), autoescape=True)
