"""What receipts and fuel cards say was filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms, utc_now
from app.fleet.errors import NotFound
from app.fleet.text import storable
from app.fleet.vehicles import need_vehicle
from app.fuel.errors import FuelError
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import FuelReceipt, Vehicle

LARGEST_L = 100_000.0


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """One receipt of a vehicle."""

    id: str
    vehicle_id: str
    plate: str
    at_ms: int
    litres: float
    reference: str


def add_receipt(
    connection: Connection, vehicle: str, at_ms: int, litres: float, *, reference: str = "", who: str | None = None
) -> str:
    """Note a receipt of a vehicle named by plate, name or id; returns its id.

    Raises NotFound, FuelError for litres that cannot be and for a receipt that is noted already.
    """
    if not 0 < litres <= LARGEST_L:
        raise FuelError(f"A receipt is for more than 0 and at most {LARGEST_L:,.0f} L.")
    vehicle_id = need_vehicle(connection, vehicle)
    text = storable(" ".join(reference.split()), 200)
    for known in list_receipts(connection, vehicle_id=vehicle_id, since_ms=at_ms, until_ms=at_ms + 1):
        if (known.litres, known.reference) == (litres, text):
            raise FuelError(f"This receipt of {known.plate} is noted already.")
    version = raise_topic(connection, "fuel_receipts")
    receipt_id = new_id()
    values = {"vehicle_id": vehicle_id, "at_ms": at_ms, "litres": float(litres), "reference": text}
    row = {"id": receipt_id, "created_at": utc_now(), "changed_version": version, **values}
    connection.execute(insert(FuelReceipt).values(**row))
    record_act(connection, what="fuel_receipt.add", subject=_subject(connection, values), after=values, who=who)
    return receipt_id


def remove_receipt(connection: Connection, receipt_id: str, *, who: str | None = None) -> None:
    """Take a receipt out of the lists; the record of acts keeps it. Raises NotFound."""
    query = select(FuelReceipt.__table__).where(FuelReceipt.id == receipt_id, FuelReceipt.removed_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound("This receipt does not exist any more. Load the list again.")
    version = raise_topic(connection, "fuel_receipts")
    removed = {"removed_at": utc_now(), "changed_version": version}
    connection.execute(update(FuelReceipt).where(FuelReceipt.id == receipt_id).values(**removed))
    before = {name: getattr(row, name) for name in ("vehicle_id", "at_ms", "litres", "reference")}
    record_act(connection, what="fuel_receipt.remove", subject=_subject(connection, before), before=before, who=who)


def list_receipts(
    connection: Connection,
    *,
    vehicle_id: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> list[StoredReceipt]:
    """Receipts that were not removed, the newest first; ``until_ms`` is exclusive."""
    row = FuelReceipt
    query = (
        select(row.id, row.vehicle_id, Vehicle.plate, row.at_ms, row.litres, row.reference)
        .join(Vehicle, Vehicle.id == row.vehicle_id)
        .where(row.removed_at.is_(None))
        .order_by(row.at_ms.desc(), row.id)
    )
    if vehicle_id is not None:
        query = query.where(row.vehicle_id == vehicle_id)
    if since_ms is not None:
        query = query.where(row.at_ms >= since_ms)
    if until_ms is not None:
        query = query.where(row.at_ms < until_ms)
    return [StoredReceipt(*tuple(found)) for found in connection.execute(query)]


def _subject(connection: Connection, values: dict[str, Any]) -> str:
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == values["vehicle_id"])).scalar_one()
    return f"{plate} {values['litres']:g} L {from_ms(values['at_ms']):%Y-%m-%d %H:%M}"
