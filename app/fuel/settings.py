"""Parameters of the detection in the store: of a vehicle class, and of one vehicle, which win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from app.clock import utc_now
from app.fuel.errors import FuelError
from app.fuel.parameters import CLASSES, Parameters, changed, of_class
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import FuelParameters, Vehicle
from app.store.upsert import insert_or


def parameters_of(connection: Connection, vehicle_id: str) -> Parameters:
    """What holds for a vehicle: its class' defaults, the class' own values, the vehicle's own values."""
    query = select(Vehicle.vehicle_class).where(Vehicle.id == vehicle_id)
    vehicle_class = connection.execute(query).scalar_one_or_none()
    base = of_class(vehicle_class)
    for scope in (f"class:{vehicle_class or 'truck'}", f"vehicle:{vehicle_id}"):
        base = changed(base, own_values(connection, scope))
    return base


def own_values(connection: Connection, scope: str) -> dict[str, Any]:
    """The values that were set for a scope, ``class:truck`` or ``vehicle:<id>``."""
    query = select(FuelParameters.values).where(FuelParameters.scope == scope)
    found = connection.execute(query).scalar_one_or_none()
    return dict(found) if found else {}


def set_parameters(connection: Connection, scope: str, values: Mapping[str, Any], *, who: str | None = None) -> None:
    """Replace the values of a scope; none takes them back. Raises FuelError naming the parameter that cannot be."""
    kind, _, name = scope.partition(":")
    if kind not in ("class", "vehicle") or not name or (kind == "class" and name not in CLASSES):
        raise FuelError("Parameters belong to a vehicle class or to a vehicle.")
    changed(Parameters(), values)
    before = own_values(connection, scope)
    if dict(values) == before:
        return
    version = raise_topic(connection, "fuel_parameters")
    if values:
        row = {"scope": scope, "values": dict(values), "changed_at": utc_now(), "changed_version": version}
        statement = insert_or(connection, FuelParameters).values(row)
        updated = {key: statement.excluded[key] for key in ("values", "changed_at", "changed_version")}
        connection.execute(statement.on_conflict_do_update(index_elements=["scope"], set_=updated))
    else:
        connection.execute(delete(FuelParameters).where(FuelParameters.scope == scope))
    record_act(connection, what="fuel_parameters.set", subject=scope, before=before, after=dict(values), who=who)


def set_vehicle_class(connection: Connection, vehicle_id: str, vehicle_class: str, *, who: str | None = None) -> None:
    """Raises FuelError for a class that does not exist."""
    if vehicle_class not in CLASSES:
        raise FuelError(f"The class of a vehicle is one of {', '.join(CLASSES)}.")
    row = connection.execute(select(Vehicle.plate, Vehicle.vehicle_class).where(Vehicle.id == vehicle_id)).one()
    version = raise_topic(connection, "vehicles")
    values = {"vehicle_class": vehicle_class, "changed_version": version}
    connection.execute(Vehicle.__table__.update().where(Vehicle.id == vehicle_id).values(**values))
    record_act(
        connection, what="vehicle.set", subject=row.plate, before={"vehicle_class": row.vehicle_class},
        after={"vehicle_class": vehicle_class}, who=who,
    )  # fmt: skip
